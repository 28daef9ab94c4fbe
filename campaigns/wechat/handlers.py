"""What follows of each callback of official accounts and mini programs, once each, in the row's own transaction."""

from collections.abc import Sequence
from datetime import datetime

from celery import current_app
from django.db import transaction

from campaigns.channels.wechat.inbound import text_of
from campaigns.models import Follower, Inbound
from campaigns.wechat import chats, entry_codes, followers, publications, windows

BY_CODE = "ADD_SCENE_QR_CODE"
GREETED_WITHIN = 60  # seconds that the platform allows


def followed(row: Inbound, now: datetime) -> None:
    """Note that a person follows, by which code she came, and that she may be answered for a moment."""
    if row.identifier is None:
        return
    before = Follower.objects.filter(account=row.account, identifier=row.identifier, following=True).exists()
    entry = entry_codes.scene_of(row.told)
    scene = BY_CODE if entry else ""
    followers.follow(row.account, str(row.identifier.value), scene=scene, entry=entry, at=row.happened_at, now=now)
    code = entry_codes.scanned(row.account, entry, newcomer=not before)
    windows.open_each([row], "follow")
    if code is not None and code.welcome:
        transaction.on_commit(
            lambda: current_app.send_task("campaigns.tasks.greet", [code.pk, row.pk], expires=GREETED_WITHIN)
        )


def scanned(row: Inbound, now: datetime) -> None:
    """Count a scan by somebody who follows already."""
    entry_codes.scanned(row.account, entry_codes.scene_of(row.told), newcomer=False)
    windows.open_each([row], "scan")


@transaction.atomic
def wrote(rows: Sequence[Inbound], now: datetime) -> None:
    """Keep what people wrote for whoever answers, and open the windows in which that may be done."""
    chats.hear(rows)
    windows.open_each(rows, "message")


@transaction.atomic
def used_menu(rows: Sequence[Inbound], now: datetime) -> None:
    windows.open_each(rows, "menu")


@transaction.atomic
def entered(rows: Sequence[Inbound], now: datetime) -> None:
    windows.open_each(rows, "entering")


def published(row: Inbound, now: datetime) -> None:
    """Write down what became of a publication; the event is spelled in two ways."""
    told = row.told.get("PublishEventInfo")
    if isinstance(told, dict) and text_of(told, "publish_id"):
        publications.told(row.account, told, now)
