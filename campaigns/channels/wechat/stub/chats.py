"""Group chats of a corp: who is in them, the codes that lead there, and what changes."""

from campaigns.channels.wechat.stub import staff
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.people import unionid_of
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import Account, World

OK = {"errcode": 0, "errmsg": "ok"}
STAFF, CUSTOMER = 1, 2
JOIN_SCENES = {"invited": 1, "link": 2, "code": 3}


def chats(app: Account) -> Json:
    return app.topic("chats")


def _tell(world: World, app: Account, chat: Json, change: str, **about: object) -> Json:
    told = staff.event(app, world.clock.now(), change, "change_external_chat", ChatId=chat["chat_id"], **about)
    world.push(app, told)
    return {"chat_id": chat["chat_id"], "message": told}


@control("POST", "wecom/chats")
def make(world: World, asked: Json) -> Json:
    """Let the staff open a chat: `{appid, owner, name?, persons?}`."""
    app, owner, now = staff.corp(world, asked["appid"]), str(asked["owner"]), int(world.clock.now())
    must(owner in staff.staff(app), f"no staff {owner!r}")
    chat_id = "wr" + world.name("chat", app.appid, world.number(), size=30)
    chat: Json = {"chat_id": chat_id, "name": asked.get("name", ""), "owner": owner, "notice": "", "create_time": now}
    chat |= {"dismissed": False, "members": {owner: _member(STAFF, owner, now, owner, "")}}
    chats(app)[chat_id] = chat
    for person in asked.get("persons", []):
        _enter(app, chat, str(person), now, "")
    return _tell(world, app, chat, "create")


def _member(kind: int, name: str, now: int, invitor: str, state: str, scene: int = 1) -> Json:
    told: Json = {"userid": name, "type": kind, "join_time": now, "join_scene": scene, "invitor": {"userid": invitor}}
    return {**told, "name": name, "group_nickname": "", **({"state": state} if state else {})}


def _enter(app: Account, chat: Json, person: str, now: int, state: str) -> str:
    known = staff.customer(app, person)
    who: str = known["external_userid"]
    scene = JOIN_SCENES["code" if state else "invited"]
    union = {"unionid": unionid_of(app.open_platform, person)} if app.open_platform else {}
    chat["members"][who] = {**_member(CUSTOMER, who, now, chat["owner"], state, scene), **union, "name": known["name"]}
    return who


def _open(app: Account, asked: Json) -> Json:
    chat: Json = chats(app).get(asked["chat_id"]) or {"dismissed": True}
    must(not chat["dismissed"], "no such chat, or it is dismissed")
    return chat


@control("POST", "wecom/chats/<verb>")
def act(world: World, asked: Json, verb: str) -> Json:
    """`join` and `leave` `{appid, chat_id, person, state?}`, `rename` `{name}`, `owner` `{userid}`, `dismiss`."""
    app = staff.corp(world, asked["appid"])
    chat, now = _open(app, asked), int(world.clock.now())
    match verb:
        case "join":
            _enter(app, chat, str(asked["person"]), now, asked.get("state", ""))
            scene = JOIN_SCENES["code" if asked.get("state") else "invited"]
            return _tell(world, app, chat, "update", UpdateDetail="add_member", JoinScene=scene, MemChangeCnt=1)
        case "leave":
            must(chat["members"].pop(staff.external_userid_of(app.appid, str(asked["person"])), None), "not in it")
            return _tell(world, app, chat, "update", UpdateDetail="del_member", QuitScene=0, MemChangeCnt=1)
        case "rename":
            chat["name"] = str(asked["name"])
            return _tell(world, app, chat, "update", UpdateDetail="change_name")
        case "owner":
            chat["owner"] = str(asked["userid"])
            return _tell(world, app, chat, "update", UpdateDetail="change_owner")
    must(verb == "dismiss", f"nobody can {verb!r} a chat")
    chat["dismissed"] = True
    return _tell(world, app, chat, "dismiss")


@route("/cgi-bin/externalcontact/groupchat/list", WECOM)
def listed(call: Call) -> Json:
    owners = (call.body.get("owner_filter") or {}).get("userid_list") or []
    if call.body.get("status_filter", 0) not in range(4):
        raise Refused(40058, "status_filter")
    call.need("limit")
    found = (
        (name, {"chat_id": name, "status": 0})
        for name, chat in chats(call.app).items()
        if not chat["dismissed"] and (not owners or chat["owner"] in owners)
    )
    page, following = cut(call, found, most=1000, usual=1000)
    return {**OK, "group_chat_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/groupchat/get", WECOM)
def one(call: Call) -> Json:
    chat = chats(call.app).get(str(call.need("chat_id")))
    if chat is None or chat["dismissed"]:
        raise Refused(49008)
    hidden: tuple[str, ...] = () if call.body.get("need_name") == 1 else ("name", "group_nickname")
    everybody: list[Json] = list(chat["members"].values())
    members = [{name: value for name, value in who.items() if name not in hidden} for who in everybody]
    about: Json = {name: chat[name] for name in ("chat_id", "name", "owner", "create_time", "notice")}
    return {**OK, "group_chat": {**about, "member_list": members, "admin_list": [], "member_version": "0"}}


@route("/cgi-bin/externalcontact/groupchat/add_join_way", WECOM)
def add_join_way(call: Call) -> Json:
    if len(str(call.body.get("state") or "")) > 30 or not set(call.need("chat_id_list")) <= set(chats(call.app)):
        raise Refused(40058, "state or chat_id_list")
    config_id = call.world.name("join way", call.app.appid, call.world.number(), size=32)
    way: Json = {name: call.body[name] for name in ("scene", "remark", "chat_id_list", "state") if name in call.body}
    way |= {"config_id": config_id, "qr_code": f"https://wework.qpic.cn/stub/{config_id}/0"}
    call.app.topic("join_ways")[config_id] = way
    return {**OK, "config_id": config_id}


@route("/cgi-bin/externalcontact/groupchat/get_join_way", WECOM)
def join_way(call: Call) -> Json:
    way = call.app.topic("join_ways").get(str(call.need("config_id")))
    if way is None:
        raise Refused(41053)
    return {**OK, "join_way": way}


@route("/cgi-bin/externalcontact/groupchat/del_join_way", WECOM)
def remove_join_way(call: Call) -> Json:
    if call.app.topic("join_ways").pop(str(call.need("config_id")), None) is None:
        raise Refused(41053)
    return OK


@route("/cgi-bin/externalcontact/groupchat/transfer", WECOM)
def transfer(call: Call) -> Json:
    owner = staff.member(call.app, call.need("new_owner"))["userid"]
    failed = []
    for name in call.need("chat_id_list"):
        chat = chats(call.app).get(name)
        if chat is None or chat["dismissed"] or chat["owner"] == owner:
            failed.append({"chat_id": name, "errcode": 90500, "errmsg": "the owner of this chat is not resigned"})
        else:
            chat["owner"] = owner
    return {**OK, "failed_chat_list": failed}


@route("/cgi-bin/externalcontact/groupchat/statistic", WECOM)
def statistic(call: Call) -> Json:
    """Count chats and members of each owner as they are now."""
    call.need("day_begin_time")
    wanted = (call.body.get("owner_filter") or {}).get("userid_list") or list(staff.staff(call.app))
    items = []
    for owner in wanted:
        own = [chat for chat in chats(call.app).values() if chat["owner"] == owner and not chat["dismissed"]]
        members = sum(len(chat["members"]) for chat in own)
        items.append({"owner": owner, "data": {"chat_total": len(own), "member_total": members}})
    return {**OK, "total": len(items), "next_offset": len(items), "items": items}
