"""The calls that need no token, because they are how one gets in."""

from collections.abc import Callable
from typing import Any

from campaigns.channels.wechat.stub.routing import Json

Opening = Callable[..., Json | str]
OPENINGS: dict[str, tuple[str, Opening]] = {}


def opening(path: str, method: str) -> Callable[[Opening], Opening]:
    """Let a function `(world, asked, now, ip)` play a path without a token."""

    def added(play: Opening) -> Opening:
        OPENINGS[path] = (method, play)
        return play

    return added


def asked(query: dict[str, str], body: Any) -> dict[str, Any]:
    """Join what the address and the body say."""
    return {**query, **(body if isinstance(body, dict) else {})}
