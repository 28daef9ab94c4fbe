"""Pictures for WeCom: kept here, uploaded where they are needed, and anew before the platform drops them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ArrivalWay, ChannelAccount, Picture, UploadedPicture

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

Use = UploadedPicture.Use
SIGNATURES: Mapping[bytes, str] = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
ENDINGS: Mapping[str, str] = {"image/jpeg": "jpg", "image/png": "png"}
SMALLEST, LARGEST = 6, 10 << 20  # bytes
KEPT = timedelta(days=3)
SPARE = timedelta(hours=2)  # how long it must last yet when a task is given: staff look at it when they like
AHEAD = timedelta(
    hours=24
)  # so long before its end a welcome's picture is uploaded anew: there is no time for it later
FOR_MOMENTS = 1  # the platform's number of this use


class NoPicture(ValueError):
    """The file is not taken; the message says why, in the reader's language."""


def check(content: bytes) -> str:
    """Return which kind of picture a file is.

    Raises
    ------
    NoPicture
        It is neither JPG nor PNG, whatever its name says, or too large.
    """
    kind = next((kind for begin, kind in SIGNATURES.items() if content.startswith(begin)), None)
    if kind is None:
        raise NoPicture(_("WeCom takes JPG and PNG only; this file is neither, whatever its name says."))
    if not SMALLEST <= len(content) <= LARGEST:
        raise NoPicture(_("WeCom takes pictures of at most 10 MB; this file is larger."))
    return kind


def keep(name: str, content: bytes, by: "AbstractBaseUser | None", now: datetime) -> Picture:
    """Keep a file, as :func:`check` allows; the same file again is the same picture."""
    told = {"name": name[:120], "content": content, "kind": check(content), "size": len(content), "created_by": by}
    digest = sha256(content).hexdigest()
    return Picture.objects.get_or_create(digest=digest, defaults={**told, "created_at": now})[0]


def media_id(account: ChannelAccount, picture: int, use: str, now: datetime, lasting: timedelta = SPARE) -> str:
    """Return a picture's number at an account, which lasts so long yet; uploaded for that if need be.

    Raises
    ------
    Picture.DoesNotExist
        There is no such picture.
    WeChatError
        The platform did not take it.
    """
    there = ready(account, picture, use, now + lasting)
    return there or _upload(account, Picture.objects.get(pk=picture), use, now)


def ready(account: ChannelAccount, picture: int, use: str, until: datetime) -> str:
    """Return the number of what was uploaded and lasts until then; nothing where there is none. Nobody is asked."""
    rows = UploadedPicture.objects.filter(account=account, picture=picture, use=use, expires_at__gt=until)
    return rows.values_list("media_id", flat=True).first() or ""


def _upload(account: ChannelAccount, picture: Picture, use: str, now: datetime) -> str:
    content, name = bytes(picture.content), f"{picture.pk}.{ENDINGS[picture.kind]}"
    if use == Use.MOMENT:
        told = wecom.media_upload_attachment(account, "image", FOR_MOMENTS, name, content, picture.kind)
    else:
        told = wecom.media_upload(account, "image", name, content, picture.kind)
    number = str(told["media_id"])[:256]
    facts = {"media_id": number, "expires_at": now + KEPT}
    UploadedPicture.objects.update_or_create(picture=picture, account=account, use=use, defaults=facts)
    return number


def get_ready(now: datetime) -> int:
    """Upload what welcomes will need: in their twenty seconds there is no time for it. Return how many were."""
    ways = ArrivalWay.objects.open().exclude(picture=None).exclude(welcome="").filter(account__status="active")
    wanted = {(way.account, way.picture_id) for way in ways.select_related("account")}
    done = 0
    for account, picture in sorted(wanted, key=lambda one: (one[0].pk, one[1] or 0)):
        if picture is None or ready(account, picture, Use.MESSAGE, now + AHEAD):
            continue
        try:
            media_id(account, picture, Use.MESSAGE, now, AHEAD)
        except WeChatError:
            continue  # asked again in a minute; until its end the old one serves
        done += 1
    return done
