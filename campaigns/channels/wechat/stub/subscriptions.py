"""Subscription messages: each accept lets one message leave, and the platform keeps the book."""

from campaigns.channels.wechat.stub import people, service
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.fields import check_fields, keys_of
from campaigns.channels.wechat.stub.people import message
from campaigns.channels.wechat.stub.routing import MINI, OA, SERVICE, Call, Json, action, control, must, route
from campaigns.channels.wechat.stub.templates import content_of, seen
from campaigns.channels.wechat.stub.world import Account, Delivery, Follower, World

TYPES = {"one_time": 2, "long_term": 3}
LONG_TERM_A_DAY, POPUP_TEMPLATES = 5, 3
TITLE, VALUE, SCENES = 15, 200, 10_000


@control("POST", "subscriptions")
def make(world: World, asked: Json) -> Json:
    """Give an account a subscription template: `{appid, title, content | keys, type: one_time|long_term}`."""
    app = world.account(asked["appid"])
    must(app.kind in {"mini", "oa_service"}, "subscription templates belong to a mini program or a service account")
    kind = asked.get("type", "one_time")
    must(kind in TYPES, f"type is one of {', '.join(TYPES)}")
    content = asked.get("content") or content_of(asked.get("keys") or {})
    must(keys_of(content), "content names no {{key.DATA}}")
    name = asked.get("template_id") or world.name("subscription", app.appid, world.number(), size=43)
    kept = {"priTmplId": name, "title": asked.get("title", ""), "content": content, "example": "", "type": TYPES[kind]}
    templates(app)[name] = kept
    return kept


def templates(app: Account) -> Json:
    return app.topic("subscriptions")


def _named(app: Account, asked: Json) -> list[str]:
    names = asked.get("template_ids") or [asked["template_id"]]
    must(names, "no template is named")
    must(len(names) <= POPUP_TEMPLATES, f"a popup asks for {POPUP_TEMPLATES} templates at most")
    missing = [name for name in names if name not in templates(app)]
    must(not missing, f"no template {', '.join(missing)}")
    types = {templates(app)[name]["type"] for name in names}
    must(len(types) == 1, "one-time and long-term templates cannot be asked for together")
    return [str(name) for name in names]


def _popup(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    """Answer one popup: `{accept: [template, ..], reject: [..], scene: 0 page|1 H5|2 article}`."""
    answers = {name: answer for answer in ("accept", "reject") for name in asked.get(answer, [])}
    names = _named(app, {"template_ids": list(answers)})
    for name in names:
        if answers[name] == "accept":
            who.credits[name] = who.credits.get(name, 0) + 1
    scene = str(asked.get("scene", 0 if app.kind == "mini" else 1))
    told = [{"TemplateId": name, "SubscribeStatusString": answers[name], "PopupScene": scene} for name in names]
    about = {"Event": "subscribe_msg_popup_event", "SubscribeMsgPopupEvent": {"List": told}}
    return message(app, who.openid, now, "event", **about)


def _answered(answer: str) -> people.Act:
    """Make the act of one answer to all that a popup asks: `{template_id | template_ids, scene}`."""

    def act(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
        names = asked.get("template_ids") or [asked["template_id"]]
        return _popup(world, app, who, {**asked, answer: names}, now)

    return act


def _switched_off(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    """Switch a template off in the settings: what was accepted before is gone."""
    names = _named(app, asked)
    for name in names:
        who.credits[name] = 0
    told = [{"TemplateId": name, "SubscribeStatusString": "reject"} for name in names]
    about = {"Event": "subscribe_msg_change_event", "SubscribeMsgChangeEvent": {"List": told}}
    return message(app, who.openid, now, "event", **about)


def _once(world: World, app: Account, who: Follower, asked: Json, now: float) -> Json:
    """Confirm a one-time subscription on its page; the browser is sent back, no event tells."""
    key = f"once|{asked['template_id']}|{int(asked['scene'])}"
    who.credits[key] = who.credits.get(key, 0) + 1
    return {}


people.ACTS |= {
    "accept": _answered("accept"),
    "reject": _answered("reject"),
    "popup": _popup,
    "switch_off": _switched_off,
    "once": _once,
}
people.WHO_NEED_NOT_FOLLOW |= {"accept", "reject", "popup", "switch_off", "once"}


@route("/cgi-bin/message/subscribe/send", MINI, one_at_a_time="touser", capability="subscribe")
def to_mini(call: Call) -> Json:
    page = str(call.body.get("page") or "").split("?")[0].lstrip("/")
    if page and page not in call.app.pages:
        raise Refused(41030)
    if call.body.get("miniprogram_state", "formal") not in {"developer", "trial", "formal"}:
        raise Refused(40097)
    return {"errcode": 0, "errmsg": "ok", "msgid": _sent(call)}


@route("/cgi-bin/message/subscribe/bizsend", SERVICE, one_at_a_time="touser", capability="subscribe")
def to_service(call: Call) -> Json:
    _sent(call)
    return {"errcode": 0, "errmsg": "ok"}


def _sent(call: Call) -> int:
    follower = service.known(call.app, call.need("touser"))
    template = templates(call.app).get(str(call.need("template_id")))
    if template is None:
        raise Refused(40037)
    check_fields(template["content"], call.need("data"))
    if not follower.receiving:
        raise Refused(43101)
    _spend(call, follower, template)
    text = seen(template["content"], call.body["data"])
    return _deliver(call, follower, template["priTmplId"], text, "subscribe")


def _spend(call: Call, follower: Follower, template: Json) -> None:
    """Take one accepted send; a long-term one stays, and lets five a day leave."""
    name = template["priTmplId"]
    if follower.credits.get(name, 0) < 1:
        raise Refused(43101)
    if template["type"] != TYPES["long_term"]:
        follower.credits[name] -= 1
        return
    key = f"{follower.openid}|{name}"
    kept = call.app.topic("long_term_sends")
    today, sent = kept.get(key, [day(call.now), 0])
    sent = sent if today == day(call.now) else 0
    if sent >= LONG_TERM_A_DAY:
        raise Refused(40038)
    kept[key] = [day(call.now), sent + 1]


def _deliver(call: Call, follower: Follower, name: str, text: str, kind: str) -> int:
    world, msgid = call.world, call.world.message_id()
    appid, openid = call.app.appid, follower.openid
    world.deliver(Delivery(call.now, appid, openid, kind, msgid, name, "", "success", text))
    due = call.now + world.pause("subscribe", msgid)
    world.later(due, "subscriptions.told", appid=appid, openid=openid, msgid=msgid, name=name)
    return msgid


@action("subscriptions.told")
def told(world: World, at: float, appid: str, openid: str, msgid: int, name: str) -> None:
    app = world.account(appid)
    one = {"TemplateId": name, "MsgID": msgid, "ErrorCode": 0, "ErrorStatus": "success"}
    about = {"Event": "subscribe_msg_sent_event", "SubscribeMsgSentEvent": {"List": [one]}}
    world.push(app, message(app, openid, at, "event", **about))


@route("/cgi-bin/message/template/subscribe", OA, verified=True, capability="subscribe")
def once(call: Call) -> Json:
    """Send the one message that somebody confirmed on its page."""
    follower = service.known(call.app, call.need("touser"))
    name, scene = str(call.need("template_id")), int(call.need("scene"))
    value = str(call.need("data", "content", "value"))
    if not 0 <= scene <= SCENES:
        raise Refused(40169)
    if len(str(call.need("title"))) > TITLE:
        raise Refused(45003)
    if len(value) > VALUE:
        raise Refused(45002)
    key = f"once|{name}|{scene}"
    if follower.credits.get(key, 0) < 1:
        raise Refused(43101)
    follower.credits[key] -= 1
    world = call.world
    about = Delivery(call.now, call.app.appid, follower.openid, "once", world.message_id(), name, "", "success", value)
    world.deliver(about)
    return {"errcode": 0, "errmsg": "ok"}
