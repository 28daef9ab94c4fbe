"""Switches that make a path misbehave: slow, cut off, busy, garbled, banned, or with its token taken away.

A switch is `{what, path, appid?, times?, after?, chance?, by?, seconds?, code?}`; `path` may end in `*`; `times` is how
often it acts (for ever without), `after` how many calls it lets pass first; `by` names a field of the body, all calls
with the same value of which fare alike. Calls that got no readable answer stand in a book of their own.
"""

from typing import Any

import orjson

from campaigns.channels.wechat.stub import tokens
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import Json, control, must
from campaigns.channels.wechat.stub.world import World

WHAT = frozenset(
    {
        "latency",  # answers `seconds` later
        "timeout_after_commit",  # applies the request, then says nothing
        "reset",  # cuts the connection, nothing applied
        "reset_after_commit",  # applies the request, then cuts the connection
        "busy",  # errcode -1
        "error",  # errcode `code`
        "truncated",  # applies the request, sends half of the answer
        "html",  # HTTP 502 with a page, nothing applied
        "token_killed",  # another system refreshed the token a moment ago
        "ban",  # errcode 48004, as long as the switch stands
    }
)
CODES = {"busy": -1, "ban": 48004}
NOT_RECEIVED = frozenset({"reset", "html"})  # the platform never saw the call
LOST = NOT_RECEIVED | {"timeout_after_commit", "reset_after_commit", "truncated"}
KEYS = ("client_msg_id", "clientmsgid")


def draw(world: World, path: str, appid: str, now: float, raw: bytes = b"") -> Json:
    """Give the switch that acts on this call, counting it; empty if none does."""
    for switch in world.chaos:
        if _meets(switch, path, appid) and _acts(world, switch, raw):
            if switch["what"] == "token_killed" and appid:
                tokens.kill_all(world.account(appid), now)
            return switch
    return {}


def _meets(switch: Json, path: str, appid: str) -> bool:
    asked = str(switch["path"])
    fits = path.startswith(asked[:-1]) if asked.endswith("*") else path == asked
    return fits and switch.get("appid") in (None, "", appid)


def _acts(world: World, switch: Json, raw: bytes) -> bool:
    switch["seen"] += 1
    if switch["seen"] <= switch["after"] or (switch["times"] is not None and switch["acted"] >= switch["times"]):
        return False
    dice = _field(raw, switch["by"]) if switch["by"] else switch["seen"]
    if world.chance("chaos", switch["id"], dice) >= switch["chance"]:
        return False
    switch["acted"] += 1
    return True


def _field(raw: bytes, *names: str) -> str:
    """Give the first of these that a body has."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    return next((str(body[name]) for name in names if name in body), "") if isinstance(body, dict) else ""


def note(world: World, switch: Json, path: str, appid: str, raw: bytes) -> None:
    """Write down a call that gets no answer that could be read, and whether the platform received it."""
    what = switch.get("what")
    if what in LOST:
        about = {"at": world.clock.now(), "appid": appid, "path": path, "what": what}
        world.lost.append(about | {"received": what not in NOT_RECEIVED, "client_id": _field(raw, *KEYS)})


def refuse(switch: Json) -> None:
    """Raise what the switch says instead of playing the call, if it says so."""
    code = switch.get("code") if switch.get("what") == "error" else CODES.get(str(switch.get("what")))
    if code is not None:
        raise Refused(int(code))


@control("POST", "chaos")
def add(world: World, asked: Json) -> Json:
    must(asked.get("what") in WHAT, f"what is one of {', '.join(sorted(WHAT))}")
    switch: dict[str, Any] = {"times": None, "after": 0, "chance": 1.0, "seconds": 30.0, "path": "*", "by": "", **asked}
    switch |= {"seen": 0, "acted": 0, "id": world.number()}
    world.chaos.append(switch)
    return switch


@control("GET", "chaos")
def listed(world: World, asked: Json) -> Json:
    return {"switches": world.chaos}


@control("DELETE", "chaos")
def clear(world: World, asked: Json) -> Json:
    world.chaos.clear()
    return {"switches": []}
