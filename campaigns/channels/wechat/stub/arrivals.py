"""The ways by which customers arrive at a corp, and the words that greet them within twenty seconds."""

from campaigns.channels.wechat.stub import material, staff
from campaigns.channels.wechat.stub.cursors import cut
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import WECOM, Call, Json, route
from campaigns.channels.wechat.stub.world import Delivery

STATE, USERS, TEXT_BYTES, ATTACHMENTS = 30, 100, 4000, 9
KINDS = {"image", "link", "miniprogram", "video", "file"}
LINK_TITLE, CARD_TITLE = 128, 64  # bytes
OK = {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/externalcontact/add_contact_way", WECOM)
def add(call: Call) -> Json:
    way = _checked(call)
    config_id = call.world.name("way", call.app.appid, call.world.number(), size=32)
    way |= {"config_id": config_id, "qr_code": f"https://wework.qpic.cn/stub/{config_id}/0"}
    call.app.topic("contact_ways")[config_id] = way
    return {**OK, "config_id": config_id, "qr_code": way["qr_code"]}


def _checked(call: Call) -> Json:
    body = call.body
    if body.get("type") not in (1, 2) or body.get("scene") not in (1, 2):
        raise Refused(40058, "type and scene are 1 or 2")
    if len(str(body.get("state") or "")) > STATE:
        raise Refused(40058, "state too long")
    users = body.get("user") or []
    if not users and not body.get("party"):
        raise Refused(40058, "user and party are empty")
    if len(users) > USERS or (body["type"] == 1 and len(users) != 1):
        raise Refused(40058, "user")
    for userid in users:
        staff.member(call.app, userid)
    names = ("type", "scene", "state", "user", "party", "skip_verify", "remark", "style", "is_temp", "is_exclusive")
    return {name: body[name] for name in names if name in body}


def _way(call: Call) -> Json:
    way: Json | None = call.app.topic("contact_ways").get(str(call.need("config_id")))
    if way is None:
        raise Refused(41053)
    return way


@route("/cgi-bin/externalcontact/get_contact_way", WECOM)
def shown(call: Call) -> Json:
    return {**OK, "contact_way": _way(call)}


@route("/cgi-bin/externalcontact/list_contact_way", WECOM)
def listed(call: Call) -> Json:
    ways = ((name, {"config_id": name}) for name in call.app.topic("contact_ways"))
    page, following = cut(call, ways, most=1000, usual=100)
    return {**OK, "contact_way": page, "next_cursor": following}


@route("/cgi-bin/externalcontact/update_contact_way", WECOM)
def change(call: Call) -> Json:
    way = _way(call)
    if len(str(call.body.get("state") or "")) > STATE:
        raise Refused(40058, "state too long")
    names = ("state", "user", "party", "skip_verify", "remark", "style")
    way |= {name: call.body[name] for name in names if name in call.body}
    return OK


@route("/cgi-bin/externalcontact/del_contact_way", WECOM)
def remove(call: Call) -> Json:
    _way(call)
    del call.app.topic("contact_ways")[call.body["config_id"]]
    return OK


def content(call: Call, use: str = "message") -> str:
    """Check text and attachments of a message, or of a moment, and give it as one line."""
    text = str((call.body.get("text") or {}).get("content") or "")
    attachments = call.body.get("attachments") or []
    if not text and not attachments:
        raise Refused(40058, "text and attachments are empty")
    if len(text.encode()) > TEXT_BYTES or len(attachments) > ATTACHMENTS:
        raise Refused(40058, "text or attachments too long")
    kinds = [str(one.get("msgtype")) for one in attachments]
    if not set(kinds) <= KINDS or not all(one.get(one["msgtype"]) for one in attachments):
        raise Refused(40058, "attachments")
    for one in attachments:
        _check(call, str(one["msgtype"]), one[one["msgtype"]], use)
    return " ".join([text, *(f"[{kind}]" for kind in kinds)]).strip()


def _check(call: Call, kind: str, told: Json, use: str) -> None:
    """Refuse a link without an address, a card that lacks something, and a picture that is not there (any more)."""
    if kind == "link" and not (told.get("url") and 0 < len(str(told.get("title") or "").encode()) <= LINK_TITLE):
        raise Refused(40058, "link")
    if kind == "miniprogram":
        if not all(told.get(name) for name in ("title", "appid", "page", "pic_media_id")):
            raise Refused(40058, "miniprogram")
        if len(str(told["title"]).encode()) > CARD_TITLE:
            raise Refused(40058, "miniprogram.title")
    media_id = told.get("pic_media_id") if kind == "miniprogram" else told.get("media_id") if kind == "image" else None
    if media_id is not None and material.good(call.app, media_id, call.now).get("use", "message") != use:
        raise Refused(40007)


@route("/cgi-bin/externalcontact/send_welcome_msg", WECOM)
def welcome(call: Call) -> Json:
    """Greet a new customer: the first call within twenty seconds counts, every other comes too late."""
    text = content(call)
    kept = call.app.topic("welcomes").get(str(call.need("welcome_code")))
    if kept is None or kept["used"] or call.now >= kept["until"]:
        raise Refused(41051)
    kept["used"] = True
    about, who = kept["userid"], kept["external_userid"]
    msgid = call.world.message_id()
    call.world.deliver(Delivery(call.now, call.app.appid, who, "welcome", msgid, about, "", "success", text))
    return OK
