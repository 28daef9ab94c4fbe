"""Mini program: who logs in, her phone number by a code, and addresses that lead into it."""

import base64
import hashlib
import re
from typing import Any

from campaigns.channels.wechat.stub import drawing, people
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.opening import opening
from campaigns.channels.wechat.stub.routing import MINI, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import Account, World

CODE_LIVES, LOGINS_A_MINUTE = 300, 100
SCENES = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@._~-]{1,32}")
LINK_DAYS, LINKS_A_DAY = 30, 500_000
FREE_PHONES, PHONE_CENTS = 1000, 3


@control("POST", "codes")
def make(world: World, asked: Json) -> Json:
    """Let a person tap in a mini program or a web page: `{appid, person, kind: login|phone|web, phone?, blocked?}`."""
    app = world.account(asked["appid"])
    kind = asked.get("kind", "login")
    must(kind in {"login", "phone", "web"}, "kind is login, phone or web")
    follower = people.join(world, app, str(asked["person"]))
    code = world.name("code", app.appid, world.number(), size=32)
    phone = asked.get("phone") or "138" + str(int(hashlib.sha256(follower.person.encode()).hexdigest(), 16))[:8]
    app.topic("codes")[code] = {
        "kind": kind,
        "openid": follower.openid,
        "until": world.clock.now() + float(asked.get("seconds", CODE_LIVES)),
        "used": False,
        "phone": phone,
        "blocked": bool(asked.get("blocked")),
    }
    return {"code": code, "openid": follower.openid, "unionid": follower.unionid, "phone": phone}


def spent(app: Account, code: object, kind: str, now: float) -> Json:
    """Use a code up: unknown or late 40029, used 40163, of a blocked user 40226."""
    kept: Json | None = app.topic("codes").get(str(code))
    if kept is None or kept["kind"] != kind or kept["until"] <= now:
        raise Refused(40029)
    if kept["used"]:
        raise Refused(40163)
    if kept["blocked"]:
        raise Refused(40226)
    kept["used"] = True
    return kept


def _app(world: World, asked: dict[str, Any]) -> Account:
    app = world.accounts.get(str(asked.get("appid")))
    if app is None or app.kind == "wecom":
        raise Refused(40013)
    if asked.get("secret") != app.secret:
        raise Refused(40125)
    return app


@opening("/sns/jscode2session", "GET")
def login(world: World, asked: dict[str, Any], now: float, ip: str) -> Json:
    app = _app(world, asked)
    if app.kind != "mini":
        raise Refused(40013)
    if asked.get("grant_type", "authorization_code") != "authorization_code":
        raise Refused(40002)
    code = app.topic("codes").get(str(asked.get("js_code")))
    if code is not None:
        _count_login(app, code["openid"], now)
    kept = spent(app, asked.get("js_code"), "login", now)
    follower = app.followers[kept["openid"]]
    key = base64.b64encode(hashlib.sha256(f"{follower.openid}|{int(now // 86400)}".encode()).digest()[:16]).decode()
    told: Json = {"session_key": key, "openid": follower.openid}
    return {**told, "unionid": follower.unionid} if follower.unionid else told


def _count_login(app: Account, openid: str, now: float) -> None:
    logins, minute = app.topic("logins"), int(now // 60)
    when, count = logins.get(openid, [minute, 0])
    count = count if when == minute else 0
    if count >= LOGINS_A_MINUTE:
        raise Refused(45011)
    logins[openid] = [minute, count + 1]


@route("/wxa/business/getuserphonenumber", MINI, verified=True)
def phone(call: Call) -> Json:
    kept = spent(call.app, call.need("code"), "phone", call.now)
    meter = call.app.topic("meter")
    meter["phones"] = meter.get("phones", 0) + 1
    meter["cents"] = max(0, meter["phones"] - FREE_PHONES) * PHONE_CENTS
    told = {
        "phoneNumber": kept["phone"],
        "purePhoneNumber": kept["phone"],
        "countryCode": "86",
        "watermark": {"timestamp": int(call.now), "appid": call.app.appid},
    }
    return {"errcode": 0, "errmsg": "ok", "phone_info": told}


def _page(call: Call, path: object) -> None:
    page = str(path or "").split("?")[0].lstrip("/")
    if page and page not in call.app.pages:
        raise Refused(40165)


@route("/wxa/getwxacodeunlimit", MINI)
def code_picture(call: Call) -> bytes:
    """Give the picture of a code; what it leads to is in the log."""
    scene = str(call.need("scene"))
    if not SCENES.fullmatch(scene):
        raise Refused(40169)
    page = str(call.body.get("page") or "")
    if page and call.body.get("check_path", True) and page not in call.app.pages:
        raise Refused(41030)
    call.app.topic("wxacodes")[scene] = page
    return drawing.code(f"https://mp.weixin.qq.com/a/{call.app.appid}?{page}?scene={scene}")


def _count_link(call: Call) -> None:
    """Count links and schemes of a day together; the quota of the path `links` makes them fewer."""
    made, today = call.app.topic("links_made"), day(call.now)
    most = call.app.quotas.get("links", {}).get("daily", LINKS_A_DAY)
    if made.get("day") != today:
        made |= {"day": today, "count": 0}
    if made["count"] >= most:
        raise Refused(45009)
    made["count"] += 1


def _link(call: Call, target: Json, kind: str) -> str:
    _page(call, target.get("path"))
    expires = int(call.body.get("expire_time") or 0)
    days = int(call.body.get("expire_interval") or 0)
    if days > LINK_DAYS or expires > call.now + LINK_DAYS * 86400:
        raise Refused(85401)
    if expires and expires < call.now + 60:
        raise Refused(85401)
    _count_link(call)
    name = call.world.name(kind, call.app.appid, call.world.number(), size=11)
    call.app.topic("links")[name] = {"kind": kind, **target}
    return name


@route("/wxa/generatescheme", MINI, verified=True)
def scheme(call: Call) -> Json:
    name = _link(call, call.body.get("jump_wxa") or {}, "scheme")
    return {"errcode": 0, "errmsg": "ok", "openlink": f"weixin://dl/business/?t={name}"}


@route("/wxa/generate_urllink", MINI, verified=True)
def url_link(call: Call) -> Json:
    name = _link(call, {"path": call.body.get("path"), "query": call.body.get("query", "")}, "urllink")
    return {"errcode": 0, "errmsg": "ok", "url_link": f"https://wxaurl.cn/{name}"}


@control("GET", "meter")
def meter(world: World, asked: Json) -> Json:
    """Tell what `?appid=` has used of what costs money."""
    return {"phones": 0, "cents": 0, **world.account(asked["appid"]).topic("meter")}
