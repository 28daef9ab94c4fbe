"""What a message says, by its type; and what is wrong with it."""

import re

from campaigns.channels.wechat.stub import material
from campaigns.channels.wechat.stub.errors import Refused
from campaigns.channels.wechat.stub.routing import Call, Json

CUSTOM = frozenset(
    {"text", "image", "voice", "video", "music", "news", "mpnews", "mpnewsarticle", "msgmenu", "wxcard"}
    | {"miniprogrampage", "link"}
)
MASS = frozenset({"mpnews", "text", "voice", "images", "mpvideo", "wxcard"})
LONGEST_TEXT = 2048  # bytes
EMOJI = re.compile("[\U0001f000-\U0001faff☀-➿️‍\U000e0000-\U000e007f]")


def of_message(call: Call, types: frozenset[str]) -> str:
    """Check a message's type and content, and give it as one line of text."""
    kind = call.body.get("msgtype")
    if kind not in types:
        raise Refused(40008)
    content = call.body.get(str(kind))
    if not isinstance(content, dict):
        raise Refused(44004)
    if kind == "text":
        return text_of(content)
    _check_media(call, str(kind), content)
    return f"[{kind}] {_title(content)}"


def text_of(content: Json) -> str:
    text = content.get("content")
    if not text or not isinstance(text, str):
        raise Refused(44004)
    if len(text.encode()) > LONGEST_TEXT:
        raise Refused(45002)
    return text


def _check_media(call: Call, kind: str, content: Json) -> None:
    """Refuse a media id that the account does not have, or no longer."""
    if kind in {"image", "images", "voice", "video", "mpnews", "mpvideo"}:
        for one in content.get("media_ids", []) if kind == "images" else [content.get("media_id")]:
            material.good(call.app, one, call.now)
    if content.get("thumb_media_id"):
        material.good(call.app, content["thumb_media_id"], call.now)
    if kind == "news" and len(content.get("articles") or []) != 1:
        raise Refused(45008 if content.get("articles") else 44003)


def _title(content: Json) -> str:
    articles = content.get("articles") or [{}]
    return str(content.get("title") or content.get("head_content") or articles[0].get("title") or content)[:200]
