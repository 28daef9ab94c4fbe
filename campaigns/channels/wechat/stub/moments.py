"""A corp's moments: a task that the staff publish on their customers' timelines, or do not."""

from campaigns.channels.wechat.stub import arrivals, staff
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import Account, Delivery, World

OK = {"errcode": 0, "errmsg": "ok"}
MADE_AFTER = 2.0


def moments(app: Account) -> Json:
    return app.topic("moments")


@route("/cgi-bin/externalcontact/add_moment_task", WECOM)
def add(call: Call) -> Json:
    text = arrivals.content(call, "moment")
    kinds = [one["msgtype"] for one in call.body.get("attachments") or []]
    if len(set(kinds)) > 1 or (kinds and kinds[0] != "image" and len(kinds) > 1):
        raise Refused(40058, "attachments")
    visible = call.body.get("visible_range") or {}
    users = (visible.get("sender_list") or {}).get("user_list") or list(staff.staff(call.app))
    invalid = [userid for userid in users if userid not in staff.staff(call.app)]
    tags = set((visible.get("external_contact_list") or {}).get("tag_list") or [])
    given = {
        userid: [
            one["external_userid"] for one in staff.friends(call.app, userid) if not tags or tags & set(one["tags"])
        ]
        for userid in users
        if userid not in invalid
    }
    moment_id = "mom" + call.world.name("moment", call.app.appid, call.world.number(), size=30)
    jobid = call.world.name("moment job", moment_id, size=32)
    moment = {"moment_id": moment_id, "jobid": jobid, "at": call.now, "text": text, "given": given}
    moments(call.app)[moment_id] = {**moment, "invalid": invalid, "published": {}, "cancelled": False}
    return {**OK, "jobid": jobid}


@route("/cgi-bin/externalcontact/get_moment_task_result", WECOM, method="GET")
def made(call: Call) -> Json:
    for one in moments(call.app).values():
        if one["jobid"] == call.query.get("jobid"):
            ready = call.now >= one["at"] + MADE_AFTER
            invalid = {"user_list": one["invalid"], "department_list": []}
            result = {**OK, "moment_id": one["moment_id"], "invalid_sender_list": invalid}
            told: Json = {**OK, "status": 3 if ready else 2, "type": "add_moment_task"}
            return {**told, "result": result} if ready else told
    raise Refused(40058, "jobid")


def _moment(call: Call) -> Json:
    found: Json | None = moments(call.app).get(str(call.need("moment_id")))
    if found is None:
        raise Refused(40058, "moment_id")
    return found


@route("/cgi-bin/externalcontact/get_moment_list", WECOM)
def listed(call: Call) -> Json:
    begin, until = int(call.need("start_time")), int(call.need("end_time"))
    found = (
        (name, {"moment_id": name, "creator": "", "create_time": int(one["at"]), "text": {"content": one["text"]}})
        for name, one in moments(call.app).items()
        if begin <= one["at"] <= until
    )
    page, following = cut(call, found, most=100, usual=20)
    return {**OK, "moment_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/get_moment_task", WECOM)
def progress(call: Call) -> Json:
    one = _moment(call)
    found = ((who, {"userid": who, "publish_status": int(who in one["published"])}) for who in one["given"])
    page, following = cut(call, found, most=1000, usual=500)
    return {**OK, "task_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/get_moment_customer_list", WECOM)
@route("/cgi-bin/externalcontact/get_moment_send_result", WECOM)
def customers(call: Call) -> Json:
    one, userid = _moment(call), str(call.need("userid"))
    seen = one["given"].get(userid, []) if userid in one["published"] else []
    page, following = cut(
        call, ((who, {"userid": userid, "external_userid": who}) for who in seen), most=1000, usual=500
    )
    return {**OK, "customer_list": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/get_moment_comments", WECOM)
def comments(call: Call) -> Json:
    """Tell who liked it: a tenth of those who saw it."""
    one, userid = _moment(call), str(call.need("userid"))
    seen = one["given"].get(userid, []) if userid in one["published"] else []
    liked = [who for who in seen if call.world.chance("likes", one["moment_id"], who) < 0.1]
    at = one["published"].get(userid, 0)
    return {**OK, "comment_list": [], "like_list": [{"external_userid": who, "create_time": at} for who in liked]}


@route("/cgi-bin/externalcontact/cancel_moment_task", WECOM)
def cancel(call: Call) -> Json:
    _moment(call)["cancelled"] = True
    return OK


@control("POST", "wecom/publish")
def publish(world: World, asked: Json) -> Json:
    """Let the staff publish a moment: `{appid, moment_id?, userid?}`; all that wait, where one is not said."""
    app, now = staff.corp(world, asked["appid"]), world.clock.now()
    must(not asked.get("moment_id") or asked["moment_id"] in moments(app), "no such moment")
    done = [
        (one, userid)
        for one in moments(app).values()
        if asked.get("moment_id") in (None, one["moment_id"]) and not one["cancelled"]
        for userid in one["given"]
        if asked.get("userid") in (None, userid) and userid not in one["published"]
    ]
    for one, userid in done:
        one["published"][userid] = int(now)
        for who in one["given"][userid]:
            about = (world.message_id(), one["moment_id"], userid, "success", one["text"])
            world.deliver(Delivery(now, app.appid, who, "moment", *about))
    return {"published": [[one["moment_id"], userid] for one, userid in done]}
