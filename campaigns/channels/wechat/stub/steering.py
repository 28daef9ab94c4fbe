"""Orders to the imitation: find the one that is meant, and carry it out."""

from typing import Any

import orjson

from campaigns.channels.wechat.stub.asking import Reply, Request
from campaigns.channels.wechat.stub.errors import Misused
from campaigns.channels.wechat.stub.routing import CONTROLS, Json
from campaigns.channels.wechat.stub.world import World


def steered(world: World, request: Request) -> Reply:
    """Answer whoever holds the strings: JSON, HTTP 400 with the reason where the order makes no sense."""
    try:
        asked = orjson.loads(request.raw) if request.raw else dict(request.query)
        for method, pattern, answer in CONTROLS:
            found = pattern.fullmatch(request.path)
            if found and method == request.method:
                told = steer(world, answer, asked, found.groupdict())
                if isinstance(told, bytes):
                    return Reply(told, content_type="application/octet-stream")
                return Reply(orjson.dumps(told, option=_LOOSE))
    except Misused as misused:
        return Reply(orjson.dumps({"error": str(misused)}), 400)
    except (KeyError, TypeError, ValueError) as error:
        return Reply(orjson.dumps({"error": f"{type(error).__name__}: {error}"}), 400)
    return Reply(orjson.dumps({"error": f"no {request.method} {request.path}"}), 404)


_LOOSE = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS


def steer(world: World, answer: Any, asked: Json, named: dict[str, str]) -> Any:
    """Carry out one order; those that wait for something take the lock themselves."""
    if getattr(answer, "waits", False):
        return answer(world, asked, **named)
    with world.lock:
        return answer(world, asked, **named)
