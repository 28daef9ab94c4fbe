"""Access tokens: the old call, the stable one, WeCom's, and what becomes of a token that is not good."""

from collections.abc import Mapping

from campaigns.channels.wechat.stub import quotas
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.opening import opening
from campaigns.channels.wechat.stub.routing import Json, action
from campaigns.channels.wechat.stub.world import Account, World

LIVES, OVERLAP = 7200, 300
FORCED_A_DAY, FORCED_APART = 20, 30
ALIVE = 0.0  # beside a token stands when it was killed, or this


def _issue(world: World, app: Account, sort: str, now: float) -> str:
    token = "85_" + world.name("token", app.appid, world.number(), size=64) * 2 + sort[:1]
    app.tokens.setdefault("all", {})[token] = [now + LIVES, ALIVE]
    app.tokens[sort] = token
    world.issued[token] = app.appid
    _forget(world, app, now)
    return token


def _forget(world: World, app: Account, now: float) -> None:
    """Let go of tokens that have been dead for a day, so that a long run does not gather them."""
    everything: dict[str, list[float]] = app.tokens["all"]
    for token in [token for token, (expires, _) in everything.items() if expires < now - 86400]:
        del everything[token]
        world.issued.pop(token, None)


def _identified(world: World, asked: Mapping[str, object], ip: str) -> Account:
    """Find the account by its appid and secret."""
    if not asked.get("appid"):
        raise Refused(41002)
    if not asked.get("secret"):
        raise Refused(41004)
    app = world.accounts.get(str(asked["appid"]))
    if app is None or app.kind == "wecom":
        raise Refused(40013)
    if asked["secret"] != app.secret:
        raise Refused(40125)
    if app.ip_whitelist and ip not in app.ip_whitelist:
        raise Refused(40164, f"ip {ip} ipv6 ::ffff:{ip}")
    return app


def _told(app: Account, token: str, now: float) -> Json:
    return {"access_token": token, "expires_in": max(0, int(app.tokens["all"][token][0] - now))}


@opening("/cgi-bin/token", "GET")
def legacy(world: World, asked: Mapping[str, str], now: float, ip: str) -> Json:
    """Give a new token each time; the one before lives five minutes more."""
    if asked.get("grant_type") != "client_credential":
        raise Refused(40002)
    app = _identified(world, asked, ip)
    quotas.count(app, "/cgi-bin/token", now)
    before = app.tokens.get("legacy")
    if before in app.tokens.get("all", {}):
        both = app.tokens["all"][before]
        both[0] = min(both[0], now + OVERLAP)
    return _told(app, _issue(world, app, "legacy", now), now)


@opening("/cgi-bin/stable_token", "POST")
def stable(world: World, asked: Mapping[str, object], now: float, ip: str) -> Json:
    """Give the same token until its last five minutes, then a new one while both are good."""
    if asked.get("grant_type") != "client_credential":
        raise Refused(40002)
    app = _identified(world, asked, ip)
    quotas.count(app, "/cgi-bin/stable_token", now)
    token = app.tokens.get("stable")
    if asked.get("force_refresh") is True:
        _may_force(app, now)
        if token:
            kill(app, token, now)
        return _told(app, _issue(world, app, "stable", now), now)
    if not token or token not in app.tokens["all"] or _leaves(app, token, now) <= OVERLAP:
        token = _issue(world, app, "stable", now)
    return _told(app, token, now)


def _leaves(app: Account, token: str, now: float) -> float:
    expires, killed = app.tokens["all"][token]
    return 0.0 if killed else expires - now


def _may_force(app: Account, now: float) -> None:
    today, count, last = app.tokens.get("forced", [0, 0, 0.0])
    if now - last < FORCED_APART:
        raise Refused(45011)
    count = count if today == day(now) else 0
    if count >= FORCED_A_DAY:
        raise Refused(45009)
    app.tokens["forced"] = [day(now), count + 1, now]


@opening("/cgi-bin/gettoken", "GET")
def wecom(world: World, asked: Mapping[str, str], now: float, ip: str) -> Json:
    """Give a corp's token, the same while it is good."""
    app = world.accounts.get(asked.get("corpid", ""))
    if app is None or app.kind != "wecom":
        raise Refused(40013)
    if asked.get("corpsecret") != app.secret:
        raise Refused(40001)
    quotas.count(app, "/cgi-bin/gettoken", now)
    token = app.tokens.get("stable")
    if not token or token not in app.tokens["all"] or _leaves(app, token, now) <= 0:
        token = _issue(world, app, "stable", now)
    return {"errcode": 0, "errmsg": "ok", **_told(app, token, now)}


def holder(world: World, token: str, now: float, *, wecom: bool) -> Account:
    """Find whose token this is; refuse one that is missing, unknown, killed or expired."""
    if not token:
        raise Refused(41001)
    app = world.accounts.get(world.issued.get(token, ""))
    if app is None:
        raise Refused(40014 if wecom else 40001)
    expires, killed = app.tokens["all"][token]
    if killed:
        raise Refused(40014 if app.kind == "wecom" else 40001)
    if now >= expires:
        raise Refused(42001)
    return app


def kill(app: Account, token: str, now: float) -> None:
    """End one token at once, as another system's refresh would."""
    if token in app.tokens.get("all", {}):
        app.tokens["all"][token][1] = now


def kill_all(app: Account, now: float) -> int:
    alive = [token for token, (_, killed) in app.tokens.get("all", {}).items() if not killed]
    for token in alive:
        kill(app, token, now)
    return len(alive)


@action("tokens.kill")
def kill_later(world: World, at: float, appid: str) -> None:
    kill_all(world.account(appid), at)
