"""Codes that people scan: one scene each, for a while or for ever."""

from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import OA, Call, Json, route

LONGEST, DEFAULT_SECONDS, MOST_PERMANENT, SCENE_BYTES = 2_592_000, 60, 100_000, 64
ACTIONS = {"QR_SCENE", "QR_STR_SCENE", "QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"}


@route("/cgi-bin/qrcode/create", OA, verified=True)
def create(call: Call) -> Json:
    action = call.need("action_name")
    if action not in ACTIONS:
        raise Refused(40035, "invalid action_name")
    scene = _scene(call, str(action))
    kept = call.app.topic("qrcodes")
    ticket = "gQ" + call.world.name("qr", call.app.appid, call.world.number(), size=60)
    url = "http://weixin.qq.com/q/" + ticket[2:26]
    if "LIMIT" in action:
        if scene not in kept and sum(not one["expires"] for one in kept.values()) >= MOST_PERMANENT:
            raise Refused(45029)
        kept[scene] = {"ticket": ticket, "url": url, "expires": 0}
        return {"ticket": ticket, "url": url}
    seconds = min(int(call.body.get("expire_seconds") or DEFAULT_SECONDS), LONGEST)
    kept[scene] = {"ticket": ticket, "url": url, "expires": call.now + seconds}
    return {"ticket": ticket, "expire_seconds": seconds, "url": url}


def _scene(call: Call, action: str) -> str:
    scene = call.need("action_info", "scene")
    value = scene.get("scene_str" if "STR" in action else "scene_id")
    if value in (None, "", 0) or len(str(value).encode()) > SCENE_BYTES:
        raise Refused(40169)
    if "STR" not in action and not 1 <= int(value) <= (100_000 if "LIMIT" in action else 2**32 - 1):
        raise Refused(40169)
    return str(value)
