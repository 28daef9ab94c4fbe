"""Pictures and other media: those that expire in three days, those that stay, and pictures inside articles.

What is uploaded or sent is not kept: a picture is given back as one pixel, a voice and a video as some bytes of their
kind, `POST /_stub/media {appid, media_id, size}` makes one larger. Where a video lies is an address at the platform,
which needs no token: here `GET /_stub/videos/<media_id>`.
"""

import base64
import re

from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import MINI, OA, WECOM, Call, Json, control, must, route
from campaigns.channels.wechat.stub.world import Account, World

TEMPORARY_SECONDS = 3 * 86400
TYPES = {"image", "voice", "video", "thumb", "file"}
MOST = {"image": 100_000, "voice": 1000, "video": 1000, "thumb": 100_000}
LARGEST_INLINE, LARGEST = 1 << 20, 10 << 20
# The smallest picture: one pixel, as GIF.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
CONTENTS = {
    "image": PIXEL,
    "thumb": PIXEL,
    "voice": b"#!AMR\n" + bytes(58),
    "video": b"\0\0\0\x20ftypisom" + bytes(52),
    "file": b"file",
}
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM")
_PART = re.compile(rb'name="media"[^\r\n]*?(?:filename="([^"]*)")?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n', re.IGNORECASE)


def all_of(app: Account) -> Json:
    kept: Json = app.topic("material").setdefault("all", {})
    return kept


def received(call: Call) -> tuple[str, bytes]:
    """Read the uploaded file: its name and its bytes."""
    boundary = re.search(r'boundary="?([^";]+)', call.content_type)
    found = _PART.search(call.raw)
    if not boundary or not found:
        raise Refused(41005)
    data = call.raw[found.end() :].split(b"\r\n--" + boundary[1].encode(), 1)[0]
    if not data:
        raise Refused(44001)
    return (found[1] or b"file").decode(errors="replace"), data


def _picture(data: bytes) -> None:
    if not data.startswith(PICTURES):
        raise Refused(40005)


def keep(call: Call, kind: str, name: str, *, seconds: float = 0, use: str = "message") -> str:
    media_id = call.world.name("media", call.app.appid, call.world.number(), size=48)
    expires = call.now + seconds if seconds else 0
    url = f"https://mmbiz.qpic.cn/mmbiz_png/{media_id[:24]}/0?wx_fmt=png"
    about = {"type": kind, "name": name, "expires": expires, "url": url, "at": int(call.now), "use": use}
    all_of(call.app)[media_id] = about
    return media_id


def sent_by_person(world: World, app: Account, kind: str) -> str:
    """Keep what somebody sends in a conversation, for three days, and give its number."""
    media_id = world.name("sent", app.appid, world.number(), size=64)
    expires = world.clock.now() + TEMPORARY_SECONDS
    all_of(app)[media_id] = {"type": kind, "name": kind, "expires": expires, "url": "", "at": int(world.clock.now())}
    return media_id


@control("POST", "media")
def enlarge(world: World, asked: Json) -> Json:
    """Let a file be so large, or be of other bytes: `{appid, media_id, size?, begins? hexadecimal}`."""
    kept: Json = all_of(world.account(asked["appid"]))[asked["media_id"]]
    kept |= {name: asked[name] for name in ("size", "begins") if name in asked}
    return {}


def content_of(kept: Json) -> bytes:
    begins = bytes.fromhex(kept["begins"]) if kept.get("begins") else CONTENTS[kept["type"]]
    return begins.ljust(int(kept.get("size", 0)), b"\0")


@route("/cgi-bin/media/get", OA | MINI | WECOM, method="GET", capability="material")
def fetched(call: Call) -> Json | bytes:
    """Give a file that expires; of a video of an official account only where it lies."""
    kept = good(call.app, call.query.get("media_id"), call.now)
    if kept["type"] == "video" and call.app.kind != "wecom":
        return {"video_url": f"{call.world.url}/_stub/videos/{call.query['media_id']}"}
    return content_of(kept)


@control("GET", "videos/<media_id>")
def video(world: World, asked: Json, media_id: str) -> bytes:
    found = next((all_of(app)[media_id] for app in world.accounts.values() if media_id in all_of(app)), None)
    must(found, f"no video {media_id!r}")
    return content_of(found or {})


def _checked(call: Call, field: str = "type") -> tuple[str, str]:
    kind = call.query.get(field, "")
    if kind not in TYPES:
        raise Refused(40004)
    name, data = received(call)
    if len(data) > LARGEST:
        raise Refused(45001)
    if kind in {"image", "thumb"}:
        _picture(data)
        if _corp(call) and not data.startswith(PICTURES[:2]):
            raise Refused(40005)
    return kind, name


@route("/cgi-bin/media/upload", OA | MINI | WECOM)
def temporary(call: Call) -> Json:
    kind, name = _checked(call)
    media_id = keep(call, kind, name, seconds=TEMPORARY_SECONDS)
    told: Json = {"type": kind, "media_id": media_id, "created_at": int(call.now)}
    return {"errcode": 0, "errmsg": "ok", **told, "created_at": str(told["created_at"])} if _corp(call) else told


@route("/cgi-bin/media/upload_attachment", WECOM)
def attached(call: Call) -> Json:
    """Take what a moment shows (1), or a catalogue of goods (2); it expires like all that is temporary."""
    if call.query.get("attachment_type") not in ("1", "2"):
        raise Refused(40058, "attachment_type")
    kind, name = _checked(call, "media_type")
    media_id = keep(call, kind, name, seconds=TEMPORARY_SECONDS, use="moment")
    return {"errcode": 0, "errmsg": "ok", "type": kind, "media_id": media_id, "created_at": int(call.now)}


def _corp(call: Call) -> bool:
    return call.app.kind == "wecom"


@route("/cgi-bin/media/uploadimg", OA | WECOM)
def inline(call: Call) -> Json:
    """Take a picture for an article's text: an address, and nothing that is counted."""
    _, data = received(call)
    if len(data) > LARGEST_INLINE:
        raise Refused(40009)
    _picture(data)
    name = call.world.name("inline", call.app.appid, call.world.number(), size=24)
    told: Json = {"url": f"https://mmbiz.qpic.cn/mmbiz_png/{name}/0"}
    return {"errcode": 0, "errmsg": "ok", **told} if _corp(call) else told


@route("/cgi-bin/material/add_material", OA, verified=True)
def permanent(call: Call) -> Json:
    kind, name = _checked(call)
    if sum(one["type"] == kind and not one["expires"] for one in all_of(call.app).values()) >= MOST.get(kind, 1000):
        raise Refused(45001)
    media_id = keep(call, kind, name)
    return {"media_id": media_id, "url": all_of(call.app)[media_id]["url"], "item": []}


@route("/cgi-bin/material/del_material", OA, verified=True)
def remove(call: Call) -> Json:
    if all_of(call.app).pop(str(call.need("media_id")), None) is None:
        raise Refused(40007)
    return {"errcode": 0, "errmsg": "ok"}


@route("/cgi-bin/material/get_material", OA, verified=True)
def shown(call: Call) -> Json | bytes:
    """Give a kept article, or a picture: one pixel, as nothing that was uploaded is kept."""
    kept = good(call.app, call.need("media_id"), call.now)
    if kept["expires"]:
        raise Refused(40007)
    if kept["type"] == "news":
        return {"news_item": call.app.topic("drafts")[call.body["media_id"]]["articles"]}
    return PIXEL


@route("/cgi-bin/material/get_materialcount", OA, method="GET", verified=True)
def counted(call: Call) -> Json:
    kinds = [one["type"] for one in all_of(call.app).values() if not one["expires"]]
    return {f"{kind}_count": kinds.count(kind) for kind in ("voice", "video", "image", "news")}


@route("/cgi-bin/material/batchget_material", OA, verified=True)
def listed(call: Call) -> Json:
    kind, begin, count = call.need("type"), int(call.need("offset")), int(call.need("count"))
    if not 1 <= count <= 20:
        raise Refused(40035)
    found = [(name, one) for name, one in all_of(call.app).items() if one["type"] == kind and not one["expires"]]
    items = [
        {"media_id": name, "name": one["name"], "update_time": one["at"], "url": one["url"]}
        for name, one in found[::-1][begin : begin + count]
    ]
    return {"total_count": len(found), "item_count": len(items), "item": items}


def good(app: Account, media_id: object, now: float) -> Json:
    """Find a media that is there and has not expired."""
    kept: Json | None = all_of(app).get(str(media_id))
    if kept is None or (kept["expires"] and kept["expires"] <= now):
        raise Refused(40007)
    return kept
