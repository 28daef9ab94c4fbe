"""Pictures, voices and videos of conversations: fetched from the platform once, kept sealed, and deleted after a while.

The platform keeps what people send for three days, and gives it for its number. Where it says that a video lies
elsewhere, that address is called as any stranger's is (``campaigns.egress``): nothing inside our own network.
What a file is, its first bytes say, never its name; what is none of these kinds is not kept.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import F

from campaigns.channels.wechat import official, transport
from campaigns.channels.wechat.errors import WeChatError, error_of
from campaigns.channels.wechat.inbound import text_of
from campaigns.models import ChannelAccount, ChatFile, ChatMessage, Inbound

MB = 2**20
LARGEST: Mapping[str, int] = {"image": 5 * MB, "voice": 2 * MB, "video": 8 * MB, "shortvideo": 8 * MB}  # bytes
KEEP = timedelta(days=30)
LEASE = timedelta(minutes=5)
AGAIN = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=2), timedelta(hours=12))
MOST_TRIES = 8  # within the three days in which the platform has it
AT_ONCE = 20
TASK = "campaigns.tasks.fetch_chat_files"
SIGNATURES: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"#!AMR": "audio/amr",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
}
Status = ChatFile.Status


def note(rows: Sequence[Inbound]) -> int:
    """Write down which files of messages are to be fetched, each once, and call a worker; return how many are new."""
    told = {row.key[:128]: row for row in rows if row.told.get("MsgType") in LARGEST and text_of(row.told, "MediaId")}
    if not told:
        return 0
    fresh = [
        ChatFile(
            message=message,
            profile_id=message.profile_id,
            media_id=text_of(told[message.key].told, "MediaId")[:200],
            due_at=told[message.key].received_at,
        )
        for message in ChatMessage.objects.filter(key__in=told, kind__in=LARGEST, file=None)
        if message.account_id == told[message.key].account_id
    ]
    ChatFile.objects.bulk_create(fresh, ignore_conflicts=True)
    transaction.on_commit(lambda: current_app.send_task(TASK, expires=60, retry=False), robust=True)
    return len(fresh)


def work(now: datetime) -> int:
    """Fetch what waits, and delete what is past its time; return how many files are kept now."""
    expire(now)
    due = list(ChatFile.objects.due(now).order_by("due_at", "pk").values_list("pk", "due_at")[:AT_ONCE])
    return sum(_fetch(pk, now) for pk, at in due if _claimed(pk, at, now))


def _claimed(pk: int, at: datetime | None, now: datetime) -> bool:
    """Take a file for fetching; False where another worker has it."""
    rows = ChatFile.objects.due(now).filter(pk=pk, due_at=at)
    return rows.update(due_at=now + LEASE, tries=F("tries") + 1) == 1


def _fetch(pk: int, now: datetime) -> bool:
    row = ChatFile.objects.select_related("message__account").get(pk=pk)
    kind = row.message.kind
    try:
        data = content(row.message.account, str(row.media_id), LARGEST[kind])
    except WeChatError as error:
        _not_fetched(row, error, now)
        return False
    if len(data) > LARGEST[kind]:
        _end(row, Status.TOO_BIG)
        return False
    mime = kind_of(data)
    if not mime:
        _end(row, Status.REFUSED)
        return False
    row.content, row.mime, row.size, row.media_id = data, mime, len(data), ""
    row.status, row.due_at, row.kept_at, row.expires_at = Status.KEPT, None, now, now + KEEP
    row.save()
    return True


def content(account: ChannelAccount, media_id: str, most: int) -> bytes:
    """Return a file that somebody sent; of a video the platform tells where it lies.

    Raises
    ------
    WeChatError
        The platform does not have it (any more), it is too large, or cannot be fetched now.
    """
    data = official.media_get(account, media_id, most + 1)
    told = _json(data)
    if told is None:
        return data
    if isinstance(told.get("errcode"), int) and told["errcode"]:
        raise error_of(told["errcode"], str(told.get("errmsg") or ""))
    return transport.fetched(account, str(told.get("video_url") or ""), most + 1)


def _json(data: bytes) -> dict[str, Any] | None:
    if data[:1] != b"{":
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def kind_of(data: bytes) -> str:
    """Return what a file is by its first bytes; empty where it is nothing that is kept.

    >>> kind_of(b"GIF89a"), kind_of(b"<svg onload=alert(1)>"), kind_of(bytes(4) + b"ftypisom")
    ('image/gif', '', 'video/mp4')
    """
    if data[4:8] == b"ftyp":
        return "video/mp4"
    return next((mime for signature, mime in SIGNATURES.items() if data.startswith(signature)), "")


def keep(message: ChatMessage, data: bytes, mime: str, now: datetime) -> ChatFile:
    """Keep a picture that we send, as long as those that people send."""
    row = ChatFile(message=message, profile_id=message.profile_id, content=data, mime=mime, size=len(data))
    row.status, row.kept_at, row.expires_at = Status.KEPT, now, now + KEEP
    row.save(force_insert=True)
    return row


def expire(now: datetime) -> int:
    """Delete the content of files whose time is over; return of how many."""
    return ChatFile.objects.expired(now).update(content=None, media_id=None, status=Status.EXPIRED)


def _not_fetched(row: ChatFile, error: WeChatError, now: datetime) -> None:
    if error.reason == "too_big":
        _end(row, Status.TOO_BIG)
    elif error.reason == "media_expired" or row.tries >= MOST_TRIES:
        _end(row, Status.GONE)
    else:
        again = now + AGAIN[min(row.tries, len(AGAIN)) - 1]
        ChatFile.objects.filter(pk=row.pk, status=Status.WAITING).update(due_at=again)


def _end(row: ChatFile, status: str) -> None:
    ChatFile.objects.filter(pk=row.pk, status=Status.WAITING).update(status=status, due_at=None, media_id=None)
