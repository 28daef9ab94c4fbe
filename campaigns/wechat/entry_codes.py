"""QR codes with attribution: whoever comes by one brings its scene, which stays with the person's events."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import qrcode
from django.db.models import F
from django.utils.translation import gettext as _
from qrcode.image.svg import SvgPathImage

from campaigns.channels.wechat import limits, official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import Campaign, ChannelAccount, EntryCode
from campaigns.wechat.words import said

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

SCENE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PREFIX = "qrscene_"  # before the scene, where a newcomer brings it


class NoCode(ValueError):
    """The code cannot be made; the message says why."""


def create(
    account: ChannelAccount,
    name: str,
    scene: str,
    *,
    campaign: Campaign | None = None,
    welcome: str = "",
    permanent: bool = False,
    by: "AbstractBaseUser | None" = None,
    now: datetime,
) -> EntryCode:
    """Have the platform make a code for a scene.

    Raises
    ------
    NoCode
        The scene is no scene or is taken, or the platform refuses.
    """
    if not SCENE.fullmatch(scene):
        raise NoCode(_("A scene has 1 to 64 letters, digits, dots, dashes and underscores."))
    if EntryCode.objects.filter(account=account, scene=scene).exists():
        raise NoCode(_("The account has a code with this scene."))
    made = EntryCode(
        account=account, name=name, scene=scene, campaign=campaign, welcome=welcome, permanent=permanent, created_at=now
    )
    made.created_by_id = by.pk if by else None
    _fetch(made, now)
    made.save()
    return made


def renew(code: EntryCode, now: datetime) -> None:
    """Make a code that ends work for another time; printed ones of before end all the same."""
    _fetch(code, now)
    code.save(update_fields=["ticket", "url", "expires_at"])


def _fetch(code: EntryCode, now: datetime) -> None:
    seconds = None if code.permanent else limits.of(code.account, "code_seconds") or 2_592_000
    try:
        told = official.qrcode_create(code.account, code.scene, seconds)
    except WeChatError as error:
        raise NoCode(said(error)) from error
    code.ticket, code.url = told["ticket"], told["url"]
    code.expires_at = None if seconds is None else now + timedelta(seconds=told.get("expire_seconds", seconds))


def scene_of(told: Mapping[str, object]) -> str:
    """Return the scene that an event of the platform carries; empty where it carries none.

    >>> scene_of({"EventKey": "qrscene_shop-7"}), scene_of({"EventKey": "shop-7"}), scene_of({})
    ('shop-7', 'shop-7', '')
    """
    return str(told.get("EventKey") or "").removeprefix(PREFIX)[:64]


def scanned(account: ChannelAccount, scene: str, *, newcomer: bool) -> EntryCode | None:
    """Count a scan of a code, and whether it brought a follower; None for a scene that is none of ours."""
    rows = EntryCode.objects.filter(account=account, scene=scene)
    if not scene or not rows.update(scans=F("scans") + 1, follows=F("follows") + int(newcomer)):
        return None
    return rows.select_related("campaign").first()


def image(code: EntryCode) -> bytes:
    """Return the code as an SVG that a printer can make as large as a wall."""
    made = qrcode.make(code.url, image_factory=SvgPathImage, border=2)
    file = BytesIO()
    made.save(file)
    return file.getvalue()
