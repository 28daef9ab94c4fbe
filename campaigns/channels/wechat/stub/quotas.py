"""How often each call may be made: a day of Shanghai, and a minute; and what the account is told of it."""

from campaigns.channels.wechat.stub.clock import day, month
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import MINI, OA, Call, Json, control, route
from campaigns.channels.wechat.stub.world import Account, World

DAILY = {
    "/cgi-bin/token": 2000,
    "/cgi-bin/stable_token": 500_000,
    "/cgi-bin/menu/create": 1000,
    "/cgi-bin/menu/get": 10_000,
    "/cgi-bin/media/upload": 100_000,
    "/cgi-bin/message/custom/send": 500_000,
    "/cgi-bin/message/mass/sendall": 100,
    "/cgi-bin/message/mass/send": 100,
    "/cgi-bin/message/mass/preview": 100,
    "/cgi-bin/message/template/send": 100_000,
    "/cgi-bin/message/subscribe/send": 10_000_000,
    "/cgi-bin/qrcode/create": 100_000,
    "/cgi-bin/user/get": 500,
    "/cgi-bin/user/info": 5_000_000,
    "/cgi-bin/user/info/batchget": 5_000_000,
    "/cgi-bin/user/info/updateremark": 10_000,
}
DATACUBE_DAILY = 1000
MINUTE = {"/cgi-bin/stable_token": 10_000, "/cgi-bin/message/mass/sendall": 60, "/cgi-bin/message/mass/send": 60}
WECOM_MINUTE = 10_000
CLEARS_A_MONTH = 10
RID_DAYS = 7


def limits(app: Account, path: str) -> tuple[int | None, int | None]:
    """Give what a path may be called a day and a minute; the account's own figure comes first."""
    own = app.quotas.get(path, {})
    if app.kind == "wecom":
        return own.get("daily"), own.get("minute", WECOM_MINUTE)
    daily = DATACUBE_DAILY if path.startswith("/datacube/") else DAILY.get(path)
    return own.get("daily", daily), own.get("minute", MINUTE.get(path))


def count(app: Account, path: str, now: float) -> None:
    """Count one call, or refuse it because its day or its minute is full."""
    daily, minute = limits(app, path)
    today, this = day(now), int(now // 60)
    used = app.used.get(path)
    if used is None or used[0] != today:
        used = app.used[path] = [today, 0]
    if daily is not None and used[1] >= daily:
        raise Refused(45009)
    if minute is not None:
        lately = app.minutes.get(path)
        if lately is None or lately[0] != this:
            lately = app.minutes[path] = [this, 0]
        if lately[1] >= minute:
            raise Refused(45009 if app.kind == "wecom" else 45011)
        lately[1] += 1
    used[1] += 1


@route("/cgi-bin/openapi/quota/get", OA | MINI)
def told(call: Call) -> Json:
    path = str(call.need("cgi_path"))
    daily, minute = limits(call.app, path)
    today, used = call.app.used.get(path, [0, 0])
    used = used if today == day(call.now) else 0
    answer: Json = {"errcode": 0, "errmsg": "ok"}
    limit = daily if daily is not None else 100_000_000
    answer["quota"] = {"daily_limit": limit, "used": used, "remain": limit - used}
    if minute is not None:
        answer["rate_limit"] = {"call_count": minute, "refresh_second": 60}
    return answer


def _may_clear(call: Call) -> None:
    this = month(call.now)
    kept = call.app.topic("quotas")
    when, times = kept.get("cleared", [this, 0])
    times = times if when == this else 0
    if times >= CLEARS_A_MONTH:
        raise Refused(48006)
    kept["cleared"] = [this, times + 1]


@route("/cgi-bin/clear_quota", OA | MINI)
@route("/cgi-bin/clear_quota/v2", OA | MINI)
def clear_all(call: Call) -> Json:
    if call.body.get("appid") != call.app.appid:
        raise Refused(40013)
    _may_clear(call)
    call.app.used.clear()
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/openapi/quota/clear", OA | MINI)
def clear_one(call: Call) -> Json:
    path = str(call.need("cgi_path"))
    _may_clear(call)
    call.app.used.pop(path, None)
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/openapi/rid/get", OA | MINI)
def explained(call: Call) -> Json:
    """Tell of a refused call by its request id, for seven days."""
    rid = call.need("rid")
    for one in reversed(call.world.calls):
        if one["rid"] == rid and one["appid"] == call.app.appid and one["at"] > call.now - RID_DAYS * 86400:
            told = {
                "invoke_time": int(one["at"]),
                "cost_in_ms": 1,
                "request_url": one["path"],
                "client_ip": "127.0.0.1",
            }
            body = one["body"].decode(errors="replace")
            request = {**told, "request_body": body, "response_body": f'{{"errcode":{one["errcode"]}}}'}
            return {"errcode": 0, "errmsg": "ok", "request": request}
    raise Refused(76001)


@control("POST", "quotas")
def set_quota(world: World, asked: Json) -> Json:
    """Set `{appid, path, daily?, minute?}`."""
    app = world.account(asked["appid"])
    app.quotas[asked["path"]] = {name: int(asked[name]) for name in ("daily", "minute") if asked.get(name) is not None}
    return {"daily": limits(app, asked["path"])[0], "minute": limits(app, asked["path"])[1]}
