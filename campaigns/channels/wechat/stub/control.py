"""The strings of the imitation: accounts, clock, dice, pusher, and looking at what really happened."""

import hashlib
import ipaddress
import itertools
import re
from collections import Counter
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import urlsplit

from campaigns.channels.wechat.stub.clock import Agenda
from campaigns.channels.wechat.stub.routing import Json, control, must
from campaigns.channels.wechat.stub.world import Account, World

KINDS = ("oa_subscription", "oa_service", "mini", "wecom")
MODES = ("plain", "compat", "safe")
NOT_SET = {"followers", "tokens", "used", "minutes", "data", "kind", "appid"}
SETTABLE = {field.name for field in fields(Account)} - NOT_SET


def waits(answer: Any) -> Any:
    """Mark an order that waits, so that it is not carried out under the lock."""
    answer.waits = True
    return answer


@control("POST", "accounts")
def make(world: World, asked: Json) -> Json:
    """Make an account, or change the one of this appid; what is not said is made up."""
    known = world.accounts.get(asked.get("appid", ""))
    unknown = set(asked) - SETTABLE - {"kind", "appid"}
    must(not unknown, f"an account has no {', '.join(sorted(unknown))}")
    _check(asked)
    if known is not None:
        for name in SETTABLE & set(asked):
            setattr(known, name, asked[name])
        return shown(known)
    kind = asked.get("kind")
    must(kind in KINDS, f"kind is one of {', '.join(KINDS)}")
    number = world.number()
    app = Account(
        kind=str(kind),
        appid=asked.get("appid") or ("ww" if kind == "wecom" else "wx") + _hex(world, "appid", number, 16),
        secret=asked.get("secret") or _hex(world, "secret", number, 32),
        token=asked.get("token") or _hex(world, "token", number, 24),
        aes_key=asked.get("aes_key") or _key(world, number),
    )
    app.mass_per_day = 1 if kind == "oa_subscription" else 100
    app.gh_id = app.appid if kind == "wecom" else "gh_" + hashlib.sha256(app.appid.encode()).hexdigest()[:12]
    app.pages = ["pages/index/index"] if kind == "mini" else []
    for name in (SETTABLE & set(asked)) - {"secret", "token", "aes_key"}:
        setattr(app, name, asked[name])
    world.accounts[app.appid] = app
    return shown(app)


def _hex(world: World, what: str, number: int, size: int) -> str:
    return world.name(what, number, size=size).encode().hex()[:size]


def _key(world: World, number: int) -> str:
    """Make 43 characters that are 32 bytes in base64: the last one carries four bits and two zeros."""
    letters = "".join(one for one in world.name("aes", number, size=64) if one.isalnum()).ljust(43, "A")
    return letters[:42] + "E"


def _check(asked: Json) -> None:
    must(asked.get("mode", "safe") in MODES, f"mode is one of {', '.join(MODES)}")
    host = urlsplit(asked.get("callback_url") or "http://localhost").hostname or ""
    local = host == "localhost" or (host.replace(".", "").isdigit() and ipaddress.ip_address(host).is_loopback)
    must(local, f"callback_url must lead to this machine, not to {host!r}")
    if asked.get("aes_key"):
        must(re.fullmatch(r"[A-Za-z0-9+/]{43}", asked["aes_key"]), "aes_key is 43 characters of base64")


def shown(app: Account) -> Json:
    told = {name: getattr(app, name) for name in sorted(SETTABLE)}
    return {"kind": app.kind, "appid": app.appid, **told, "followers": len(app.followers)}


@control("GET", "accounts")
def accounts(world: World, asked: Json) -> Json:
    return {"accounts": [shown(app) for app in world.accounts.values()]}


@control("GET", "clock")
def clock(world: World, asked: Json) -> Json:
    return {"now": world.clock.now(), "offset": world.clock.offset, "frozen": world.clock.frozen_at is not None}


@waits
@control("POST", "clock")
def turn(world: World, asked: Json) -> Json:
    """`{advance: seconds}`, `{set: epoch}`, `{freeze: true|false}`; all that falls due happens before the answer."""
    with world.lock:
        if "freeze" in asked:
            world.clock.freeze(bool(asked["freeze"]))
        if "set" in asked:
            world.clock.set(float(asked["set"]))
        if "advance" in asked:
            world.clock.advance(float(asked["advance"]))
    happened = world.run_due()
    return {"now": world.clock.now(), "happened": happened}


@control("POST", "outcomes")
def outcomes(world: World, asked: Json) -> Json:
    """Set how chance falls, and with `{delays: {template: [low, high]}}` how long things take."""
    world.delays |= asked.pop("delays", {})
    unknown = set(asked) - set(world.outcomes)
    must(not unknown, f"no such chance: {', '.join(sorted(unknown))}")
    world.outcomes |= asked
    return {**world.outcomes, "delays": world.delays}


@control("POST", "pusher")
def pusher(world: World, asked: Json) -> Json:
    """`{duplicate, delay, reorder, signed_ahead, timeout, retry_wait}`."""
    for name in {"timeout", "retry_wait"} & set(asked):
        setattr(world.pusher, name, float(asked.pop(name)))
    unknown = set(asked) - set(world.pusher.knobs)
    must(not unknown, f"the pusher has no {', '.join(sorted(unknown))}")
    world.pusher.knobs |= asked
    return {**world.pusher.knobs, "timeout": world.pusher.timeout, "retry_wait": world.pusher.retry_wait}


@waits
@control("POST", "verify")
def verify(world: World, asked: Json) -> Json:
    """Check an account's callback address with an echo, as saving it at the platform does: `{appid}`."""
    app = world.account(asked["appid"])
    must(app.callback_url, "this account has no callback_url")
    told: Json = world.pusher.verify(app)
    return told


@waits
@control("POST", "settle")
def settle(world: World, asked: Json) -> Json:
    """Wait until all pushes have ended, `{timeout: seconds}` at most."""
    return {"settled": world.pusher.settle(float(asked.get("timeout", 10))), "open": world.pusher.open}


@control("GET", "log")
def log(world: World, asked: Json) -> Json:
    """List calls, newest last: `?path=&appid=&errcode=&limit=`; `counts` has all, also those no longer listed."""
    wanted = {name: asked[name] for name in ("path", "appid") if asked.get(name)}
    if asked.get("errcode") not in (None, ""):
        wanted["errcode"] = int(asked["errcode"])
    found = _last(world.calls, wanted, asked)
    calls = [{**one, "body": one["body"].decode(errors="replace")} for one in found]
    counts = [
        {"appid": appid, "path": path, "errcode": code, "count": count}
        for (appid, path, code), count in world.counts.items()
        if {"path": path, "appid": appid, "errcode": code}.items() >= wanted.items()
    ]
    return {"calls": calls, "counts": counts}


@control("GET", "deliveries")
def deliveries(world: World, asked: Json) -> Json:
    """List what reached whom: `?openid=&appid=&kind=&about=&status=&client_id=&limit=`, and counts by status."""
    wanted = {
        name: asked[name] for name in ("openid", "appid", "kind", "about", "status", "client_id") if asked.get(name)
    }
    found = [one for one in world.deliveries if all(getattr(one, name) == value for name, value in wanted.items())]
    limit = int(asked.get("limit", 1000))
    counts = Counter(f"{one.kind}:{one.status}" for one in found)
    return {"deliveries": [asdict(one) for one in found[-limit:]], "total": len(found), "counts": dict(counts)}


@control("GET", "lost")
def lost(world: World, asked: Json) -> Json:
    """List calls whose answer was lost, and whether the call was received: `?appid=&path=&what=&client_id=&limit=`."""
    wanted = {name: asked[name] for name in ("appid", "path", "what", "client_id") if asked.get(name)}
    return {"calls": _last(world.lost, wanted, asked)}


@control("GET", "pushes")
def pushes(world: World, asked: Json) -> Json:
    """List what was pushed and how it was answered: `?appid=&ended=&limit=`."""
    wanted = {name: asked[name] for name in ("appid", "ended") if asked.get(name)}
    return {"pushes": _last(world.pusher.done, wanted, asked), "open": world.pusher.open}


@control("GET", "incidents")
def incidents(world: World, asked: Json) -> Json:
    """List pushes that users saw fail."""
    return {"incidents": _last(world.pusher.incidents, {}, asked)}


def _last(several: Any, wanted: Json, asked: Json) -> list[Json]:
    found = (one for one in reversed(several) if all(one.get(name) == value for name, value in wanted.items()))
    return list(itertools.islice(found, int(asked.get("limit", 1000))))[::-1]


@control("POST", "reset")
def reset(world: World, asked: Json) -> Json:
    """Forget accounts, people, logs and switches; the clock goes back to real time."""
    everything: tuple[Any, ...] = (world.accounts, world.where, world.issued, world.counts, world.in_flight)
    for kept in (*everything, world.calls, world.lost, world.deliveries, world.texts, world.chaos):
        kept.clear()
    world.pusher.done.clear()
    world.pusher.incidents.clear()
    world.agenda = Agenda()
    world.clock.offset, world.clock.frozen_at = 0.0, None
    return {"accounts": []}
