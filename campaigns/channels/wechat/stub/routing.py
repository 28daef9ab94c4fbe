"""Which function plays which call; each topic adds its own by decorating it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from campaigns.channels.wechat.stub.errors import Misused, Refused

if TYPE_CHECKING:
    from campaigns.channels.wechat.stub.world import Account, World

Json = dict[str, Any]
OA = frozenset({"oa_subscription", "oa_service"})
SERVICE = frozenset({"oa_service"})
MINI = frozenset({"mini"})
WECOM = frozenset({"wecom"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to the platform, checked as far as every call is."""

    world: "World"
    app: "Account"
    query: Mapping[str, str]
    body: Json
    raw: bytes
    now: float
    content_type: str = ""

    def need(self, *names: str) -> Any:
        """Give the field that must be there; a dot goes deeper."""
        value: Any = self.body
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
            if value is None:
                raise Refused(40035, f"{'.'.join(names)} is missing")
        return value


@dataclass(frozen=True, kw_only=True)
class Route:
    """How one path is called, by which kinds of account, and who plays it."""

    path: str
    play: Callable[[Call], "Json | bytes"]
    kinds: frozenset[str]
    method: str
    capability: str
    verified: bool
    escapes: str  # "no": never \uXXXX; "text": not where msgtype is text; "": allowed
    one_at_a_time: str


ROUTES: dict[str, list[Route]] = {}
CONTROLS: list[tuple[str, "re.Pattern[str]", Callable[..., Any]]] = []
ACTIONS: dict[str, Callable[..., None]] = {}
Play = Callable[[Call], "Json | bytes"]


def route(
    path: str,
    kinds: frozenset[str],
    *,
    method: str = "POST",
    capability: str = "",
    verified: bool = False,
    escapes: str = "",
    one_at_a_time: str = "",
) -> Callable[[Play], Play]:
    """Let a function play a path of the platform."""

    def added(play: Play) -> Play:
        ROUTES.setdefault(path, []).append(
            Route(
                path=path,
                play=play,
                kinds=kinds,
                method=method,
                capability=capability or play.__module__.rsplit(".", 1)[-1],
                verified=verified,
                escapes=escapes,
                one_at_a_time=one_at_a_time,
            )
        )
        return play

    return added


def control(method: str, pattern: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function answer `/_stub/<pattern>`; `<name>` in it becomes an argument."""
    compiled = re.compile("/_stub/" + re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", pattern) + "/?")

    def added(answer: Callable[..., Any]) -> Callable[..., Any]:
        CONTROLS.append((method, compiled, answer))
        return answer

    return added


def action(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a function be put on the agenda by its name: `(world, at, **about)`."""

    def added(act: Callable[..., None]) -> Callable[..., None]:
        ACTIONS[name] = act
        return act

    return added


def must(condition: object, words: str) -> None:
    if not condition:
        raise Misused(words)
