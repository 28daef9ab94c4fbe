"""The public catalogue of subscription templates, and what an account took from it."""

from campaigns.channels.wechat.stub import subscriptions
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import MINI, SERVICE, Call, Json, route

MOST, KEYWORDS = 50, range(2, 6)
CATEGORIES = {307: "商家自营 > 服装/鞋/箱包", 616: "工具 > 预约/报名"}
PUBLIC: dict[int, tuple[str, int, str, dict[int, tuple[str, str]]]] = {  # title, category, type, keywords
    2001: (
        "到货提醒",
        307,
        "one_time",
        {1: ("商品名称", "thing1"), 2: ("到货时间", "time2"), 3: ("备注", "thing3")},
    ),
    2002: (
        "优惠券到期提醒",
        307,
        "one_time",
        {1: ("优惠券名称", "thing1"), 2: ("到期时间", "date2"), 3: ("金额", "amount3")},
    ),
    2003: (
        "活动开始提醒",
        616,
        "one_time",
        {1: ("活动名称", "thing1"), 2: ("开始时间", "time2"), 3: ("活动地点", "thing3")},
    ),
    2004: ("就诊提醒", 616, "long_term", {1: ("就诊人", "name1"), 2: ("就诊时间", "time2")}),
}
BOTH = MINI | SERVICE


@route("/wxaapi/newtmpl/gettemplate", BOTH, method="GET")
def own(call: Call) -> Json:
    return {"errcode": 0, "errmsg": "ok", "data": list(subscriptions.templates(call.app).values())}


@route("/wxaapi/newtmpl/getcategory", BOTH, method="GET")
def categories(call: Call) -> Json:
    return {"errcode": 0, "errmsg": "ok", "data": [{"id": one, "name": name} for one, name in CATEGORIES.items()]}


@route("/wxaapi/newtmpl/getpubtemplatetitles", BOTH, method="GET")
def titles(call: Call) -> Json:
    try:
        ids = {int(one) for one in call.query["ids"].split(",")}
        begin, limit = int(call.query.get("start", 0)), int(call.query.get("limit", 30))
    except (KeyError, ValueError):
        raise Refused(40097) from None
    found = [
        {"tid": tid, "title": title, "type": subscriptions.TYPES[kind], "categoryId": str(category)}
        for tid, (title, category, kind, _) in PUBLIC.items()
        if category in ids
    ]
    return {"errcode": 0, "errmsg": "ok", "count": len(found), "data": found[begin : begin + limit]}


def _public(tid: object) -> tuple[str, str, dict[int, tuple[str, str]]]:
    try:
        title, _, kind, keywords = PUBLIC[int(str(tid))]
    except (KeyError, ValueError):
        raise Refused(40037) from None
    return title, kind, keywords


@route("/wxaapi/newtmpl/getpubtemplatekeywords", BOTH, method="GET")
def keywords(call: Call) -> Json:
    _, _, found = _public(call.query.get("tid"))
    data = [
        {"kid": kid, "name": name, "example": "", "rule": key.rstrip("0123456789")}
        for kid, (name, key) in found.items()
    ]
    return {"errcode": 0, "errmsg": "ok", "count": len(data), "data": data}


@route("/wxaapi/newtmpl/addtemplate", BOTH)
def add(call: Call) -> Json:
    if len(subscriptions.templates(call.app)) >= MOST:
        raise Refused(200012)
    title, kind, found = _public(call.need("tid"))
    chosen = call.need("kidList")
    if len(chosen) not in KEYWORDS or not set(chosen) <= set(found):
        raise Refused(200020)
    keys = dict(found[kid] for kid in chosen)
    asked = {"appid": call.app.appid, "title": title, "keys": keys, "type": kind}
    return {"errcode": 0, "errmsg": "ok", "priTmplId": subscriptions.make(call.world, asked)["priTmplId"]}


@route("/wxaapi/newtmpl/deltemplate", BOTH)
def remove(call: Call) -> Json:
    if subscriptions.templates(call.app).pop(str(call.need("priTmplId")), None) is None:
        raise Refused(200014)
    return {"errcode": 0, "errmsg": "ok"}
