"""WeCom's staff and their customers: who serves whom, and what happens between them."""

import hashlib
from collections.abc import Iterator

from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.people import unionid_of
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import Account, World

WELCOME_SECONDS = 20
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", "伟芳娜敏静丽强磊军洋"


def external_userid_of(corpid: str, person: str) -> str:
    return "wm" + hashlib.sha256(f"external|{corpid}|{person}".encode()).hexdigest()[:30]


def staff(app: Account) -> Json:
    return app.topic("staff")


def customers(app: Account) -> Json:
    return app.topic("customers")


def relations(app: Account) -> Json:
    """Give who serves whom, by `userid|external_userid`, also what has ended."""
    return app.topic("relations")


def friends(app: Account, userid: str = "", external_userid: str = "") -> Iterator[Json]:
    """Give the relations that hold now, of one member of the staff, or one customer, or all."""
    for one in relations(app).values():
        if not one["ended"] and userid in ("", one["userid"]) and external_userid in ("", one["external_userid"]):
            yield one


def corp(world: World, appid: str) -> Account:
    app = world.account(appid)
    must(app.kind == "wecom", f"{appid} is no corp")
    return app


def event(app: Account, now: float, change: str, kind: str = "change_external_contact", **about: object) -> Json:
    head = {"ToUserName": app.appid, "FromUserName": "sys", "CreateTime": int(now), "MsgType": "event"}
    return {**head, "Event": kind, "ChangeType": change, **about}


@control("POST", "wecom/staff")
def make(world: World, asked: Json) -> Json:
    """Make or change somebody of the staff: `{appid, userid, name?, active?, right?, console_welcome?, confirms?}`.

    `right` is the right to customers; `confirms` is [low, high] seconds after which a task is (perhaps) confirmed.
    """
    app, userid = corp(world, asked["appid"]), str(asked["userid"])
    made = {"userid": userid, "name": userid, "active": True, "right": True, "console_welcome": False, "confirms": None}
    known = staff(app).setdefault(userid, made)
    known |= {name: asked[name] for name in made if name in asked}
    known["left_at"] = 0 if known["active"] else known.get("left_at") or int(world.clock.now())
    return {**known}


def customer(app: Account, person: str, name: str = "") -> Json:
    """Know a person as a customer of the corp."""
    external_userid = external_userid_of(app.appid, person)
    number = int(hashlib.sha256(person.encode()).hexdigest(), 16)
    made_up = SURNAMES[number % 10] + GIVEN[number // 10 % 10] + GIVEN[number // 100 % 10]
    known: Json = customers(app).setdefault(
        external_userid,
        {
            "external_userid": external_userid,
            "name": name or made_up,
            "type": 1,
            "gender": 0,
            "avatar": "",
            "unionid": unionid_of(app.open_platform, person),
        },
    )
    return known


def befriend(world: World, app: Account, userid: str, external_userid: str, **about: object) -> Json:
    must(userid in staff(app), f"no staff {userid!r}")
    relation: Json = {
        "userid": userid,
        "external_userid": external_userid,
        "remark": customers(app)[external_userid]["name"],
        "description": "",
        "createtime": int(world.clock.now()),
        "tags": [],
        "remark_mobiles": [],
        "add_way": 0,
        "state": "",
        "oper_userid": userid,
        "ended": 0,
        "ended_by": "",
        **about,
    }
    relations(app)[f"{userid}|{external_userid}"] = relation
    return relation


@control("POST", "wecom/customers")
def settle_in(world: World, asked: Json) -> Json:
    """Make customers of whom no event tells: `{appid, userid, persons | count, prefix?, createtime?}`."""
    app, userid = corp(world, asked["appid"]), str(asked["userid"])
    persons = [*asked.get("persons", [])]
    persons += [f"{asked.get('prefix', 'p')}{n}" for n in range(int(asked.get("count", 0)))]
    about = {name: asked[name] for name in ("createtime", "state", "add_way") if name in asked}
    known = [customer(app, str(person))["external_userid"] for person in persons]
    for external_userid in known:
        befriend(world, app, userid, external_userid, **about)
    return {"external_userids": known}


@control("POST", "wecom/friend")
def friend(world: World, asked: Json) -> Json:
    """Let a person add somebody of the staff: `{appid, userid | config_id, person, state?, half?, add_way?, name?}`."""
    app, now = corp(world, asked["appid"]), world.clock.now()
    way = app.topic("contact_ways").get(asked.get("config_id", ""), {})
    must(not asked.get("config_id") or way, "no such contact way")
    userid = str(asked.get("userid") or (way.get("user") or [""])[0])
    state, add_way = asked.get("state", way.get("state", "")), int(asked.get("add_way", 1 if way else 0))
    external_userid = customer(app, str(asked["person"]), asked.get("name", ""))["external_userid"]
    befriend(world, app, userid, external_userid, state=state, add_way=add_way)
    about: Json = {"UserID": userid, "ExternalUserID": external_userid}
    about |= {"State": state} if state else {}
    if not staff(app)[userid]["console_welcome"]:
        about["WelcomeCode"] = _welcome_code(world, app, userid, external_userid, now)
    told = event(app, now, "add_half_external_contact" if asked.get("half") else "add_external_contact", **about)
    world.push(app, told)
    return {"external_userid": external_userid, "message": told}


def _welcome_code(world: World, app: Account, userid: str, external_userid: str, now: float) -> str:
    code = world.name("welcome", app.appid, world.number(), size=40)
    until = now + WELCOME_SECONDS
    kept = {"until": until, "used": False, "userid": userid, "external_userid": external_userid}
    app.topic("welcomes")[code] = kept
    return code


@control("POST", "wecom/unfriend")
def unfriend(world: World, asked: Json) -> Json:
    """End a relation: `{appid, userid, person | external_userid, by: customer|staff}`."""
    app, userid, by = corp(world, asked["appid"]), str(asked["userid"]), asked.get("by", "customer")
    must(by in {"customer", "staff"}, "by is customer or staff")
    who = asked.get("external_userid") or external_userid_of(app.appid, str(asked["person"]))
    relation = relations(app).get(f"{userid}|{who}")
    must(relation and not relation["ended"], f"{userid} does not serve {who}")
    return {"message": end(world, app, userid, who, by, world.clock.now())}


def end(world: World, app: Account, userid: str, external_userid: str, by: str, now: float) -> Json:
    """End a relation and tell of it; `by` is customer, staff or transfer."""
    relation = relations(app)[f"{userid}|{external_userid}"]
    relation["ended"], relation["ended_by"] = int(now), by
    change = "del_follow_user" if by == "customer" else "del_external_contact"
    source = {"Source": "DELETE_BY_TRANSFER"} if by == "transfer" else {}
    told = event(app, now, change, UserID=userid, ExternalUserID=external_userid, **source)
    world.push(app, told)
    return told


def member(app: Account, userid: object) -> Json:
    """Find somebody of the staff: 60111 where unknown, 84074 without the right to customers."""
    known: Json | None = staff(app).get(str(userid))
    if known is None:
        raise Refused(60111)
    if not known["right"]:
        raise Refused(84074)
    return known


@route("/cgi-bin/externalcontact/get_follow_user_list", WECOM, method="GET")
def serving(call: Call) -> Json:
    users = [one["userid"] for one in staff(call.app).values() if one["right"] and one["active"]]
    return {"errcode": 0, "errmsg": "ok", "follow_user": users}


@route("/cgi-bin/user/get", WECOM, method="GET", capability="staff")
def shown(call: Call) -> Json:
    _may_read(call.app)
    known = staff(call.app).get(call.query.get("userid", ""))
    if known is None:
        raise Refused(60111)
    return {"errcode": 0, "errmsg": "ok", **_told(call.app, known)}


def _told(app: Account, known: Json) -> Json:
    name = known["userid"] if app.topic("address_book").get("numbers_for_names") else known["name"]
    return {"userid": known["userid"], "name": name, "department": [1], "status": 1 if known["active"] else 5}


@route("/cgi-bin/department/simplelist", WECOM, method="GET", capability="staff")
def departments(call: Call) -> Json:
    """Tell the one department that everybody is in, unless the application may not read the address book."""
    _may_read(call.app)
    return {"errcode": 0, "errmsg": "ok", "department_id": [{"id": 1, "parentid": 0, "order": 1}]}


def _may_read(app: Account) -> None:
    if app.topic("address_book").get("refused"):
        raise Refused(60011)


@control("POST", "wecom/address_book")
def address_book(world: World, asked: Json) -> Json:
    """Say what an application reads of names: `{appid, refused?, numbers_for_names?}`."""
    kept = corp(world, asked["appid"]).topic("address_book")
    kept |= {name: bool(asked[name]) for name in ("refused", "numbers_for_names") if name in asked}
    return {**kept}


@route("/cgi-bin/user/simplelist", WECOM, method="GET", capability="staff")
@route("/cgi-bin/user/list", WECOM, method="GET", capability="staff")
def listed(call: Call) -> Json:
    _may_read(call.app)
    return {"errcode": 0, "errmsg": "ok", "userlist": [_told(call.app, one) for one in staff(call.app).values()]}
