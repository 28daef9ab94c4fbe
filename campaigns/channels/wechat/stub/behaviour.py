"""What a corp is told of its staff's days with customers, and messages of its own application."""

from campaigns.channels.wechat.stub import staff
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, route
from campaigns.channels.wechat.stub.world import Account, Delivery, World

OK = {"errcode": 0, "errmsg": "ok"}
SPAN, PAST = 30 * 86400, 180 * 86400


@route("/cgi-bin/externalcontact/get_user_behavior_data", WECOM)
def behaviour(call: Call) -> Json:
    """Sum the days of the staff named, as far as they have ended."""
    begin, until = int(call.need("start_time")), int(call.need("end_time"))
    if not 0 <= until - begin <= SPAN or begin < call.now - PAST:
        raise Refused(40058, "start_time and end_time")
    users = call.body.get("userid") or []
    if not users and not call.body.get("partyid"):
        raise Refused(40058, "userid and partyid are empty")
    for userid in users:
        staff.member(call.app, userid)
    users = users or list(staff.staff(call.app))
    days = range(day(begin), min(day(until) + 1, day(call.now)))
    return {**OK, "behavior_data": [_day(call.world, call.app, users, one) for one in days]}


def _day(world: World, app: Account, users: list[str], number: int) -> Json:
    own = [one for one in staff.relations(app).values() if one["userid"] in users]
    new = sum(day(one["createtime"]) == number for one in own)
    lost = sum(one["ended_by"] == "customer" and day(one["ended"]) == number for one in own)
    chats = sum(int(30 * world.chance("chats", userid, number)) for userid in users)
    told: Json = {
        "stat_time": number * 86400 - 8 * 3600,
        "chat_cnt": chats,
        "message_cnt": chats * 4,
        "new_apply_cnt": new + int(3 * world.chance("applies", number)),
        "new_contact_cnt": new,
        "negative_feedback_cnt": lost,
    }
    answered = {"reply_percentage": 80.0 + 20 * world.chance("replies", number), "avg_reply_time": 5}
    return {**told, **(answered if chats else {})}


@route("/cgi-bin/message/send", WECOM)
def to_staff(call: Call) -> Json:
    """Send an application's message to staff; the same one again within its time is not sent twice."""
    users = [one for one in str(call.body.get("touser") or "").split("|") if one]
    known = list(staff.staff(call.app)) if users == ["@all"] else [one for one in users if one in staff.staff(call.app)]
    call.need("agentid")
    if not known:
        raise Refused(81013)
    content = call.need(str(call.need("msgtype")))
    if call.body.get("enable_duplicate_check") and _again(call, content):
        known = []
    msgid = call.world.message_id()
    for userid in known:
        about = (msgid, str(call.body["msgtype"]), "", "success", str(content.get("content") or content)[:200])
        call.world.deliver(Delivery(call.now, call.app.appid, userid, "app_message", *about))
    unknown = "|".join(one for one in users if one not in staff.staff(call.app) and one != "@all")
    return {**OK, "invaliduser": unknown, "msgid": str(msgid)}


def _again(call: Call, content: object) -> bool:
    kept, key = call.app.topic("app_messages"), f"{call.body.get('touser')}|{content}"
    seconds = float(call.body.get("duplicate_check_interval") or 1800)
    again = key in kept and call.now - kept[key] < seconds
    if not again:
        kept[key] = call.now
    return bool(again)
