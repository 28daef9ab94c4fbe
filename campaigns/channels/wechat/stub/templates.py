"""Template messages of a service account: typed fields, what the platform strips, and how the send ended."""

import re

from campaigns.channels.wechat.stub import service
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.fields import check_fields, keys_of
from campaigns.channels.wechat.stub.people import message
from campaigns.channels.wechat.stub.routing import SERVICE, Call, Json, action, control, must, route
from campaigns.channels.wechat.stub.words import EMOJI
from campaigns.channels.wechat.stub.world import Delivery, World

REPEAT_KNOWN_FOR = 600  # seconds in which a client_msg_id is known again
MOST_TEMPLATES = 25
SHOWN = 20  # characters of a field since May 2023
LIBRARY = {  # the category library from which accounts take templates, by its short number
    "43216": (
        "订单支付成功通知",
        {"订单编号": "character_string2", "商品名称": "thing3", "支付金额": "amount4", "支付时间": "time5"},
    ),
    "43217": (
        "订单发货提醒",
        {"订单编号": "character_string2", "商品名称": "thing4", "快递公司": "phrase7", "发货时间": "time9"},
    ),
    "45678": ("会员到期提醒", {"会员姓名": "name1", "到期时间": "date2", "温馨提示": "thing3"}),
    "47701": (
        "预约成功通知",
        {"预约项目": "thing1", "预约时间": "time2", "预约门店": "thing3", "联系电话": "phone_number4"},
    ),
}


def content_of(keys: dict[str, str]) -> str:
    return "\n".join(f"{name}：{{{{{key}.DATA}}}}" for name, key in keys.items())


@control("POST", "templates")
def make(world: World, asked: Json) -> Json:
    """Give an account a template: `{appid, title, content | keys: {label: key}, template_id?}`."""
    app = world.account(asked["appid"])
    content = asked.get("content") or content_of(asked.get("keys") or {})
    must(keys_of(content), "content names no {{key.DATA}}")
    template_id = asked.get("template_id") or world.name("template", app.appid, world.number(), size=43)
    kept = {
        "template_id": template_id,
        "title": asked.get("title", ""),
        "primary_industry": asked.get("primary_industry", "IT科技"),
        "deputy_industry": asked.get("deputy_industry", "互联网|电子商务"),
        "content": content,
        "example": asked.get("example", ""),
    }
    app.topic("templates")[template_id] = kept
    return kept


@route("/cgi-bin/template/get_all_private_template", SERVICE, method="GET", verified=True)
def listed(call: Call) -> Json:
    return {"template_list": list(call.app.topic("templates").values())}


@route("/cgi-bin/template/api_add_template", SERVICE, verified=True)
def add(call: Call) -> Json:
    if len(call.app.topic("templates")) >= MOST_TEMPLATES:
        raise Refused(45026)
    title, keys = LIBRARY.get(str(call.need("template_id_short")), ("", {}))
    if not keys:
        raise Refused(40037)
    wanted = call.body.get("keyword_name_list") or list(keys)
    if not set(wanted) <= set(keys):
        raise Refused(40035)
    asked = {"appid": call.app.appid, "title": title, "keys": {name: keys[name] for name in wanted}}
    return {"errcode": 0, "errmsg": "ok", "template_id": make(call.world, asked)["template_id"]}


@route("/cgi-bin/template/del_private_template", SERVICE, verified=True)
def remove(call: Call) -> Json:
    if call.app.topic("templates").pop(str(call.need("template_id")), None) is None:
        raise Refused(40037)
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/template/get_industry", SERVICE, method="GET", verified=True)
def industry(call: Call) -> Json:
    first = {"first_class": "IT科技", "second_class": "互联网|电子商务"}
    return {"primary_industry": first, "secondary_industry": {"first_class": "消费品", "second_class": "消费品"}}


@route("/cgi-bin/template/api_set_industry", SERVICE, verified=True)
def set_industry(call: Call) -> Json:
    call.need("industry_id1")
    return {"errcode": 0, "errmsg": "ok"}


def seen(content: str, data: Json) -> str:
    """Give what a user sees: without first line, tail, colours and emoji, twenty characters a field."""
    lines = [line for line in content.splitlines() if not re.search(r"\{\{(first|remark)\.DATA\}\}", line)]

    def filled(found: re.Match[str]) -> str:
        value = str((data.get(found[1]) or {}).get("value", ""))
        return EMOJI.sub("", value).replace("\n", " ").replace("\r", "")[:SHOWN]

    return re.sub(r"\{\{(\w+)\.DATA\}\}", filled, "\n".join(lines))


@route("/cgi-bin/message/template/send", SERVICE, capability="template", verified=True)
def send(call: Call) -> Json:
    follower = service.known(call.app, call.need("touser"))
    client_id = str(call.body.get("client_msg_id") or "")
    if client_id and (before := _before(call, follower.openid, client_id)):
        return {"errcode": 0, "errmsg": "ok", "msgid": before}
    template = call.app.topic("templates").get(str(call.need("template_id")))
    if template is None:
        raise Refused(40037)
    data = call.need("data")
    check_fields(template["content"], data)
    if not follower.subscribed:
        raise Refused(43004)
    return {"errcode": 0, "errmsg": "ok", "msgid": _sent(call, template, follower.openid, data, client_id)}


def _before(call: Call, openid: str, client_id: str) -> int:
    """Give the message that this id sent a moment ago, or 0; what is too long ago is forgotten."""
    kept: dict[str, list[float]] = call.app.topic("template_ids")
    while kept:
        oldest = next(iter(kept))
        if kept[oldest][0] > call.now - REPEAT_KNOWN_FOR:
            break
        del kept[oldest]
    found = kept.get(f"{openid}|{client_id}")
    return int(found[1]) if found else 0


def _sent(call: Call, template: Json, openid: str, data: Json, client_id: str) -> int:
    world, msgid = call.world, call.world.message_id()
    delivery = Delivery(
        at=call.now,
        appid=call.app.appid,
        openid=openid,
        kind="template",
        msgid=msgid,
        about=template["template_id"],
        client_id=client_id,
        status=_ends(world, msgid, receiving=call.app.followers[openid].receiving),
        text=seen(template["content"], data),
    )
    world.deliver(delivery)
    if client_id:
        call.app.topic("template_ids")[f"{openid}|{client_id}"] = [call.now, msgid]
    due = call.now + world.pause("template", msgid)
    told = {"appid": call.app.appid, "openid": openid, "msgid": msgid, "status": delivery.status}
    world.later(due, "templates.told", **told)
    return msgid


def _ends(world: World, msgid: int, *, receiving: bool) -> str:
    dice, blocks = world.chance("template", msgid), world.outcomes["template_block"]
    if not receiving or dice < blocks:
        return "failed:user block"
    return "failed: system failed" if dice < blocks + world.outcomes["template_failed"] else "success"


@action("templates.told")
def told(world: World, at: float, appid: str, openid: str, msgid: int, status: str) -> None:
    app = world.account(appid)
    event = message(app, openid, at, "event", Event="TEMPLATESENDJOBFINISH", MsgID=msgid, Status=status)
    world.push(app, event)
