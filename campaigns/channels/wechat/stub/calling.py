"""What happens to every call before and after its own function: token, rights, quota, JSON, answer, log."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from campaigns.channels.wechat.stub import chaos, opening, quotas, tokens
from campaigns.channels.wechat.stub.asking import Reply, Request
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import OA, ROUTES, WECOM, Call, Json, Route
from campaigns.channels.wechat.stub.steering import steered
from campaigns.channels.wechat.stub.world import Account, World

NOT_FOUND = b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
BROKEN = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u[0-9a-fA-F]{4}")
LOGGED_BYTES = 300


def respond(world: World, request: Request) -> Reply:
    if request.path.startswith("/_stub"):
        return steered(world, request)
    if request.path not in ROUTES and request.path not in opening.OPENINGS:
        return Reply(NOT_FOUND, 404, "text/html")
    with world.lock:
        appid = world.issued.get(request.query.get("access_token", ""), "")
        switch = chaos.draw(world, request.path, appid, world.clock.now(), request.raw)
        chaos.note(world, switch, request.path, appid, request.raw)
    what = switch.get("what", "")
    if what == "reset":
        return Reply(b"", cut="reset")
    if what == "html":
        return Reply(BROKEN, 502, "text/html")
    return _spoilt(_played(world, request, switch), switch)


def _spoilt(reply: Reply, switch: Json) -> Reply:
    """Lose the answer, or half of it, after the call was played."""
    match switch.get("what"):
        case "truncated":
            return Reply(reply.body[: len(reply.body) // 2])
        case "timeout_after_commit":
            return Reply(b"", cut="hold", seconds=switch["seconds"])
        case "reset_after_commit":
            return Reply(b"", cut="reset")
    return reply


def _played(world: World, request: Request, switch: Json) -> Reply:
    """Play the call, and write down how it ended."""
    about: Json = {"appid": "", "rid": ""}
    try:
        answer = _answer(world, request, switch, about)
    except Refused as refused:
        answer = _refusal(world, about, refused)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        about["problem"] = repr(error)  # a body of another shape than any call has; or a fault of ours, to be seen
        answer = _refusal(world, about, Refused(40097))
    told = answer if isinstance(answer, dict) else {}
    with world.lock:
        _log(world, request, about, told, told.get("errcode", 0))
    if isinstance(answer, bytes):
        return Reply(answer, content_type="image/jpeg")
    if isinstance(answer, str):
        return Reply(answer.encode(), content_type="text/html")
    return Reply(orjson.dumps(answer))


def _refusal(world: World, about: Json, refused: Refused) -> Json:
    with world.lock:
        hexes = world.name("rid", world.number(), size=40).encode().hex()
    if about.get("kind") == "wecom":
        hint = f", hint: [{hexes[:19]}], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query"
        return {"errcode": refused.code, "errmsg": f"{refused.words()}{hint}?e={refused.code}", **refused.fields}
    about["rid"] = f"{hexes[:8]}-{hexes[8:16]}-{hexes[16:24]}"
    return {"errcode": refused.code, "errmsg": f"{refused.words()} rid: {about['rid']}", **refused.fields}


def _answer(world: World, request: Request, switch: Json, about: Json) -> "Json | bytes | str":
    if request.path in opening.OPENINGS:
        return _opened(world, request, switch, about)
    body = _read(request)
    with _one_at_a_time(world, request.path, body):
        if switch.get("what") == "latency":
            time.sleep(switch["seconds"])
        with world.lock:
            app, route = _admitted(world, request, switch, about)
            if not isinstance(body, dict):
                raise body
            _check_escapes(route, request.raw, body)
            now = world.clock.now()
            call = Call(
                world=world,
                app=app,
                query=request.query,
                body=body,
                raw=request.raw,
                now=now,
                content_type=request.content_type,
            )
            return route.play(call)


def _opened(world: World, request: Request, switch: Json, about: Json) -> "Json | str":
    method, play = opening.OPENINGS[request.path]
    about["kind"] = "wecom" if request.path == "/cgi-bin/gettoken" else ""
    if switch.get("what") == "latency":
        time.sleep(switch["seconds"])
    chaos.refuse(switch)
    if method == "POST" and request.method != "POST":
        raise Refused(43002)
    body = _read(request)
    if isinstance(body, Refused):
        raise body
    asked = opening.asked(request.query, body)
    about["appid"] = str(asked.get("appid") or asked.get("corpid") or "")
    with world.lock:
        return play(world, asked, world.clock.now(), request.ip)


def _admitted(world: World, request: Request, switch: Json, about: Json) -> tuple[Account, Route]:
    """Let a call in: its token, its account's rights, its method and its quota are good."""
    routes, now = ROUTES[request.path], world.clock.now()
    only_wecom = all(route.kinds == WECOM for route in routes)
    about["kind"] = "wecom" if only_wecom else ""
    token = request.query.get("access_token", "")
    about["token"] = token[-6:]
    app = tokens.holder(world, token, now, wecom=only_wecom)
    about |= {"appid": app.appid, "kind": app.kind}
    if app.kind == "wecom" and app.ip_whitelist and request.ip not in app.ip_whitelist:
        raise Refused(60020)
    chaos.refuse(switch)
    route = next((route for route in routes if app.kind in route.kinds), None)
    if route is None:
        same_family = app.kind in OA and any(route.kinds & OA for route in routes)
        raise Refused(48001 if same_family else 40001)
    _check_rights(app, route)
    if route.method == "POST" and request.method != "POST":
        raise Refused(43002)
    quotas.count(app, request.path, now)
    return app, route


def _check_rights(app: Account, route: Route) -> None:
    if app.banned:
        raise Refused(48004)
    if route.verified and not app.verified:
        raise Refused(48001)
    if app.capabilities is not None and route.capability not in app.capabilities:
        raise Refused(48001)


def _read(request: Request) -> "Json | Refused":
    """Read the body; what is wrong with it is said only after the token was looked at."""
    if request.method != "POST" or request.content_type.startswith("multipart/"):
        return {}
    if not request.raw:
        return Refused(44002)
    try:
        body = orjson.loads(request.raw)
    except orjson.JSONDecodeError:
        return Refused(47001)
    return body if isinstance(body, dict) else Refused(47001)


def _check_escapes(route: Route, raw: bytes, body: Json) -> None:
    bare = route.escapes == "no" or (route.escapes == "text" and body.get("msgtype") == "text")
    if bare and b"\\u" in raw and ESCAPED.search(raw):
        raise Refused(40033)


@contextmanager
def _one_at_a_time(world: World, path: str, body: "Json | Refused") -> Iterator[None]:
    """Refuse a second send to somebody while the first is under way, where the platform does."""
    name = next((route.one_at_a_time for route in ROUTES[path]), "")
    if not name or not isinstance(body, dict):
        yield
        return
    key = f"{path}|{body.get(name)}"
    with world.lock:
        if key in world.in_flight:
            raise Refused(43108)
        world.in_flight.add(key)
    try:
        yield
    finally:
        with world.lock:
            world.in_flight.discard(key)


def _log(world: World, request: Request, about: Json, told: Json, code: int) -> None:
    world.counts[about["appid"], request.path, code] += 1
    world.calls.append(
        {
            "at": world.clock.now(),
            "appid": about["appid"],
            "method": request.method,
            "path": request.path,
            "errcode": code,
            "rid": about["rid"],
            "token": about.get("token", ""),
            "msgid": told.get("msgid") or told.get("msg_id"),
            "body": request.raw[:LOGGED_BYTES],
            "problem": about.get("problem", ""),
        }
    )
