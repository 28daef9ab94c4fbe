"""Customer-service messages and the windows in which they may be sent.

Windows do not add up: each act opens its own, a message counts in all that are open, and the widest decides.
"""

from campaigns.channels.wechat.stub import words
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import MINI, OA, Call, Json, route
from campaigns.channels.wechat.stub.world import Account, Delivery, Follower

SCENES = {  # seconds it stays open, messages in it
    "message": (48 * 3600, 5),
    "menu": (60, 3),
    "follow": (60, 3),
    "scan": (60, 3),
    "enter": (60, 2),  # a mini program's conversation is opened
}
TYPING_AFTER, TYPING_LASTS = 30, 15


def opened(follower: Follower, scene: str, now: float) -> None:
    seconds, messages = SCENES[scene]
    follower.windows[scene] = [now + seconds, messages]
    follower.last_seen = now


def known(app: Account, openid: object) -> Follower:
    """Find a follower by the openid a call names: 40003 if it is none, 49003 if it belongs elsewhere."""
    follower = app.followers.get(str(openid))
    if follower is None:
        raise Refused(40003)
    return follower


def receiving(app: Account, openid: object) -> Follower:
    """Find a follower who can be written to at all."""
    follower = known(app, openid)
    if app.kind != "mini" and not follower.subscribed:
        raise Refused(43004)
    if follower.blacklisted:
        raise Refused(43019)
    if not follower.receiving:
        raise Refused(48002)
    return follower


def _spend(follower: Follower, now: float) -> None:
    windows = [window for window in follower.windows.values() if window[0] > now]
    if not windows:
        raise Refused(45015)
    if max(window[1] for window in windows) <= 0:
        raise Refused(45047)
    for window in windows:
        window[1] = max(0, window[1] - 1)


@route("/cgi-bin/message/custom/send", OA | MINI, verified=True, escapes="text")
def send(call: Call) -> Json:
    follower = receiving(call.app, call.need("touser"))
    text = words.of_message(call, words.CUSTOM)
    _spend(follower, call.now)
    call.world.deliver(
        Delivery(
            at=call.now,
            appid=call.app.appid,
            openid=follower.openid,
            kind="custom",
            msgid=call.world.message_id(),
            about=str(call.body["msgtype"]),
            client_id="",
            status="success",
            text=text,
        )
    )
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/message/custom/typing", OA | MINI, verified=True)
def typing(call: Call) -> Json:
    follower = receiving(call.app, call.need("touser"))
    command = call.body.get("command")
    if command not in {"Typing", "CancelTyping"}:
        raise Refused(45072)
    if call.now - follower.last_seen > TYPING_AFTER:
        raise Refused(45080)
    if command == "CancelTyping":
        follower.typing_until = 0.0
    elif follower.typing_until > call.now:
        raise Refused(45081)
    else:
        follower.typing_until = call.now + TYPING_LASTS
    return {"errcode": 0, "errmsg": "ok"}
