"""What a corp may ask about its customers, and write on them: details, remarks, tags."""

from campaigns.channels.wechat.stub import staff
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, control, route
from campaigns.channels.wechat.stub.world import Account, World

MOST_TAGS, USERIDS, PAGE = 3000, 100, 100
NOTES = {"remark": 20, "description": 150}
OK = {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/externalcontact/list", WECOM, method="GET")
def listed(call: Call) -> Json:
    userid = staff.member(call.app, call.query.get("userid"))["userid"]
    found = [one["external_userid"] for one in staff.friends(call.app, userid)]
    if not found:
        raise Refused(84061)
    return {**OK, "external_userid": found}


def _relation(one: Json) -> Json:
    """Show a relation as the platform does."""
    hidden = {"ended", "ended_by", "external_userid", "tags"}
    return {name: value for name, value in one.items() if name not in hidden}


@route("/cgi-bin/externalcontact/get", WECOM, method="GET")
def one(call: Call) -> Json:
    who = call.query.get("external_userid", "")
    if not who.startswith("wm"):
        raise Refused(40096)
    found = list(staff.friends(call.app, external_userid=who))
    if not found:
        raise Refused(84061)
    names = tag_names(call.app)
    follow = [
        {**_relation(one), "tags": [{"tag_id": tag, **names[tag], "type": 1} for tag in one["tags"] if tag in names]}
        for one in found
    ]
    return {**OK, "external_contact": staff.customers(call.app)[who], "follow_user": follow}


@route("/cgi-bin/externalcontact/batch/get_by_user", WECOM)
def by_user(call: Call) -> Json:
    users = call.need("userid_list")
    if not 1 <= len(users) <= USERIDS:
        raise Refused(40058, "userid_list")
    for userid in users:
        staff.member(call.app, userid)
    wanted = set(users)
    keyed = ((f"{one['userid']}|{one['external_userid']}", one) for one in staff.friends(call.app))
    page, following = cut(call, (one for one in keyed if one[1]["userid"] in wanted), most=PAGE, usual=50)
    known = staff.customers(call.app)
    found = [
        {"external_contact": known[one["external_userid"]], "follow_info": {**_relation(one), "tag_id": one["tags"]}}
        for one in page
    ]
    return {**OK, "external_contact_list": found, "next_cursor": following}


def _served(call: Call) -> Json:
    userid = staff.member(call.app, call.need("userid"))["userid"]
    relation: Json | None = staff.relations(call.app).get(f"{userid}|{call.need('external_userid')}")
    if relation is None or relation["ended"]:
        raise Refused(84061)
    return relation


@route("/cgi-bin/externalcontact/remark", WECOM)
def remark(call: Call) -> Json:
    relation = _served(call)
    if any(len(str(call.body.get(name) or "")) > most for name, most in NOTES.items()):
        raise Refused(40058, "remark or description too long")
    relation |= {name: call.body[name] for name in ("remark", "description", "remark_mobiles") if name in call.body}
    return OK


@route("/cgi-bin/externalcontact/unionid_to_external_userid", WECOM)
def by_unionid(call: Call) -> Json:
    unionid = call.need("unionid")
    for one in staff.customers(call.app).values():
        if one["unionid"] == unionid:
            return {**OK, "external_userid": one["external_userid"]}
    raise Refused(84061)


def groups(app: Account) -> Json:
    """Give the corp's tag groups, each with its tags by id."""
    return app.topic("corp_tags")


def tag_names(app: Account) -> dict[str, Json]:
    return {
        tag: {"tag_name": name, "group_name": group["group_name"]}
        for group in groups(app).values()
        for tag, name in group["tags"].items()
    }


def _shown(group: Json) -> Json:
    tags = [{"id": tag, "name": name, "create_time": group["create_time"]} for tag, name in group["tags"].items()]
    return {**{name: value for name, value in group.items() if name != "tags"}, "tag": tags}


@route("/cgi-bin/externalcontact/get_corp_tag_list", WECOM)
def corp_tags(call: Call) -> Json:
    wanted = set(call.body.get("group_id") or groups(call.app))
    return {**OK, "tag_group": [_shown(one) for name, one in groups(call.app).items() if name in wanted]}


@route("/cgi-bin/externalcontact/add_corp_tag", WECOM)
def add_tags(call: Call) -> Json:
    names = [str(one["name"]) for one in call.need("tag")]
    if len(tag_names(call.app)) + len(names) > MOST_TAGS:
        raise Refused(40058, "too many tags")
    group = _group(call)
    if set(names) & set(group["tags"].values()):
        raise Refused(40071)
    for name in names:
        group["tags"]["et" + call.world.name("tag", call.app.appid, call.world.number(), size=30)] = name
    return {**OK, "tag_group": _shown(group)}


def _group(call: Call) -> Json:
    """Find the group by its id or name, or make it."""
    if call.body.get("group_id"):
        if call.body["group_id"] not in groups(call.app):
            raise Refused(40068)
        found: Json = groups(call.app)[call.body["group_id"]]
        return found
    name = str(call.need("group_name"))
    for known in groups(call.app).values():
        if known["group_name"] == name:
            same: Json = known
            return same
    made = "et" + call.world.name("group", call.app.appid, call.world.number(), size=30)
    new: Json = {"group_id": made, "group_name": name, "create_time": int(call.now), "order": 0, "tags": {}}
    groups(call.app)[made] = new
    return new


@route("/cgi-bin/externalcontact/edit_corp_tag", WECOM)
def rename_tag(call: Call) -> Json:
    name = str(call.need("id"))
    for group in groups(call.app).values():
        if name in group["tags"]:
            group["tags"][name] = str(call.need("name"))
            return OK
        if name == group["group_id"]:
            group["group_name"] = str(call.need("name"))
            return OK
    raise Refused(40068)


@route("/cgi-bin/externalcontact/del_corp_tag", WECOM)
def remove_tags(call: Call) -> Json:
    gone = set(call.body.get("tag_id") or [])
    for group_id in call.body.get("group_id") or []:
        gone |= set(groups(call.app).pop(group_id, {"tags": {}})["tags"])
    for group in groups(call.app).values():
        group["tags"] = {tag: name for tag, name in group["tags"].items() if tag not in gone}
    for relation in staff.relations(call.app).values():
        relation["tags"] = [tag for tag in relation["tags"] if tag not in gone]
    return OK


@route("/cgi-bin/externalcontact/mark_tag", WECOM)
def mark(call: Call) -> Json:
    relation, known = _served(call), tag_names(call.app)
    new = [tag for tag in call.body.get("add_tag") or [] if tag not in relation["tags"]]
    if not set(new) <= set(known):
        raise Refused(40068)
    gone = set(call.body.get("remove_tag") or [])
    relation["tags"] = [tag for tag in [*relation["tags"], *new] if tag not in gone]
    return OK


@control("POST", "wecom/mark")
def mark_by_staff(world: World, asked: Json) -> Json:
    """Let the staff tag a customer in their client: `{appid, userid, external_userid, tags}`; an event tells."""
    app = staff.corp(world, asked["appid"])
    userid, who = str(asked["userid"]), str(asked["external_userid"])
    staff.relations(app)[f"{userid}|{who}"]["tags"] = list(asked["tags"])
    told = staff.event(app, world.clock.now(), "edit_external_contact", UserID=userid, ExternalUserID=who)
    world.push(app, told)
    return {"message": told}
