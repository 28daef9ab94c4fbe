"""Conversations: what people write and send to an account, kept for whoever answers while the platform lets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, OuterRef, QuerySet, Subquery

from campaigns.channels.wechat.inbound import Fields, text_of
from campaigns.models import ChannelAccount, ChatMessage, Follower, Inbound, ServiceWindow
from campaigns.wechat import chat_files

LONGEST_HEARD = 4000  # signs of what people write


@dataclass(frozen=True, kw_only=True)
class Window:
    """Whether somebody may be answered at this moment, how often, and until when."""

    open: bool
    remaining: int
    expires_at: datetime | None
    scene: str = ""


def window(account: ChannelAccount, identifier: int, now: datetime) -> Window:
    """Return the window of a person, as far as we know; the platform has the last word."""
    row = ServiceWindow.objects.filter(account=account, identifier=identifier).first()
    if row is None:
        return Window(open=False, remaining=0, expires_at=None)
    open_ = row.expires_at > now and row.remaining > 0
    return Window(open=open_, remaining=row.remaining, expires_at=row.expires_at, scene=row.scene)


def hear(rows: Sequence[Inbound]) -> None:
    """Keep what people wrote, each message once; a picture, a voice or a video is fetched a moment later."""
    ChatMessage.objects.bulk_create(
        [
            ChatMessage(
                account=row.account,
                key=row.key[:128],
                profile_id=row.identifier.profile_id,
                identifier=row.identifier,
                kind=str(row.told.get("MsgType", "text"))[:16],
                text=said(row.told)[:LONGEST_HEARD],
                direction=ChatMessage.Direction.IN,
                happened_at=row.happened_at,
            )
            for row in rows
            if row.identifier is not None
        ],
        ignore_conflicts=True,
    )
    chat_files.note(rows)


def said(told: Fields) -> str:
    """Return what a message says in words: a place by its name and where it lies, a link by its title and address.

    >>> said({"MsgType": "location", "Label": "Town hall", "Location_X": "31.23", "Location_Y": "121.47"})
    'Town hall (31.23, 121.47)'
    >>> said({"MsgType": "link", "Title": "Tea", "Url": "https://tea.example/1"})
    'Tea\\nhttps://tea.example/1'
    """
    match text_of(told, "MsgType"):
        case "location":
            place = f"({text_of(told, 'Location_X')}, {text_of(told, 'Location_Y')})"
            return f"{text_of(told, 'Label')} {place}".strip()
        case "link":
            return "\n".join(filter(None, (text_of(told, name) for name in ("Title", "Description", "Url"))))
    return text_of(told, "Content") or text_of(told, "Recognition")


def conversations() -> QuerySet[Follower]:
    """Return followers whom we talk with, each with the last moment, the window, and whose turn it is."""
    messages = ChatMessage.objects.filter(account=OuterRef("account"), identifier=OuterRef("identifier"))
    last = messages.order_by("-happened_at", "-pk")
    windows = ServiceWindow.objects.filter(account=OuterRef("account"), identifier=OuterRef("identifier"))
    rows = Follower.objects.annotate(
        last_at=Subquery(messages.order_by().values("identifier").annotate(at=Max("happened_at")).values("at")),
        last_direction=Subquery(last.values("direction")[:1]),
        open_until=Subquery(windows.values("expires_at")[:1]),
        messages_left=Subquery(windows.values("remaining")[:1]),
    )
    return rows.filter(last_at__isnull=False).select_related("account", "identifier")


def thread(row: Follower, most: int = 200) -> list[ChatMessage]:
    """Return the last messages of a conversation, the oldest first."""
    rows = ChatMessage.objects.filter(account=row.account_id, identifier=row.identifier_id)
    return list(rows.select_related("sent_by", "file").defer("file__content").order_by("-happened_at", "-pk")[:most])[
        ::-1
    ]
