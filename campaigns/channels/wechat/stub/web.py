"""The web side of an official account: sign-in on a page inside WeChat, in the browser of whoever tests."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from campaigns.channels.wechat.stub import people
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.mini import spent
from campaigns.channels.wechat.stub.opening import opening
from campaigns.channels.wechat.stub.routing import OA, Json
from campaigns.channels.wechat.stub.world import World


@opening("/connect/oauth2/authorize", "GET")
def authorize(world: World, asked: dict[str, Any], now: float, ip: str) -> str:
    """Send the browser back with a code, as `person` (a visitor if not said): the stub asks nobody."""
    app = world.accounts.get(str(asked.get("appid")))
    back = urlsplit(str(asked.get("redirect_uri")))
    if app is None or app.kind not in OA or back.scheme not in {"http", "https"}:
        raise Refused(40013)
    follower = people.join(world, app, str(asked.get("person") or "visitor"))
    code = world.name("web", app.appid, world.number(), size=32)
    kept = {"kind": "web", "openid": follower.openid, "until": now + 300, "used": False, "phone": "", "blocked": False}
    app.topic("codes")[code] = {**kept, "scope": str(asked.get("scope", "snsapi_base"))}
    query = "&".join(part for part in (back.query, urlencode({"code": code, "state": asked.get("state", "")})) if part)
    target = back._replace(query=query, fragment="").geturl().replace("&", "&amp;").replace('"', "%22")
    return f'<html><head><meta http-equiv="refresh" content="0;url={target}"></head></html>'


@opening("/sns/oauth2/access_token", "GET")
def token(world: World, asked: dict[str, Any], now: float, ip: str) -> Json:
    app = world.accounts.get(str(asked.get("appid")))
    if app is None:
        raise Refused(40013)
    if asked.get("secret") != app.secret:
        raise Refused(40125)
    kept = spent(app, asked.get("code"), "web", now)
    follower = app.followers[kept["openid"]]
    name = world.name("web token", kept["openid"], world.number(), size=64)
    app.topic("web_tokens")[name] = kept["openid"]
    told: Json = {"access_token": name, "expires_in": 7200, "refresh_token": name[::-1], "openid": follower.openid}
    scope = kept.get("scope", "snsapi_base")
    union = {"unionid": follower.unionid} if scope == "snsapi_userinfo" and follower.unionid else {}
    return {**told, "scope": scope, **union}


@opening("/sns/userinfo", "GET")
def userinfo(world: World, asked: dict[str, Any], now: float, ip: str) -> Json:
    app = next((app for app in world.accounts.values() if asked.get("access_token") in app.topic("web_tokens")), None)
    if app is None:
        raise Refused(40001)
    follower = app.followers.get(str(asked.get("openid")))
    if follower is None or app.topic("web_tokens")[asked["access_token"]] != follower.openid:
        raise Refused(40003)
    name = f"微信用户{follower.person}"
    return {"openid": follower.openid, "nickname": name, "sex": 0, "headimgurl": "", "unionid": follower.unionid}
