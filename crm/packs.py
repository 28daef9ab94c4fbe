"""Reply packs: the file that answers a request, sealed with the person's key, fetched for some days, then deleted.

On disk it is unreadable without the key ring, and erasing the person makes it unreadable for good. A link to it is
signed, names one request, lasts a day, and works as long as the pack is there.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import F
from django.http import HttpResponse

from crm import access_log
from crm.encryption import Keys, aad, open_, seal
from crm.models import PersonalDataAccess, PrivacyRequest, ReplyPack

FOLDER = "packs"
KEPT = timedelta(days=7)  # after the answer
PREPARED = timedelta(days=60)  # before it: longer than any clock of a request runs
LINK = timedelta(hours=24)
SALT = "crm.packs"


class NoPack(LookupError):
    """There is no such pack, not any more, or not yet; which of them is nobody's business."""


def write(request: PrivacyRequest, content: bytes, now: datetime) -> ReplyPack:
    """Seal the pack, write it whole or not at all, and keep it until the answer goes out."""
    if request.profile_id is None:
        raise NoPack("A request that names nobody has no pack.")
    with transaction.atomic():
        keys = Keys()
        keys.make([request.profile_id])
        sealed = seal(keys.of(request.profile_id), content, _context(request))
        path = f"{FOLDER}/{request.reference}.sealed"
        target = Path(settings.MEDIA_ROOT) / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = target.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(sealed)
        part.replace(target)
        facts = {"path": path, "sha256": sha256(content).hexdigest(), "size": len(content), "made_at": now}
        facts |= {"expires_at": now + PREPARED, "downloads": 0, "deleted_at": None}
        return ReplyPack.objects.update_or_create(request=request, defaults=facts)[0]


def publish(request: PrivacyRequest, now: datetime) -> None:
    """Let the time run in which the pack can be fetched."""
    ReplyPack.objects.filter(request=request, deleted_at=None).update(expires_at=now + KEPT)


def fetch(pack: ReplyPack, *, actor: str, now: datetime, user: object = None) -> bytes:
    """Return the pack, and log who took it.

    Raises
    ------
    NoPack
        It has expired, was deleted, or its person was erased.
    """
    request = pack.request
    if pack.deleted_at or pack.expires_at <= now or request.profile_id is None:
        raise NoPack("It is not there any more.")
    try:
        sealed = (Path(settings.MEDIA_ROOT) / pack.path).read_bytes()
    except FileNotFoundError:
        raise NoPack("It is not there any more.") from None
    content = open_(Keys().of(request.profile_id), sealed, _context(request))
    access_log.note(
        PersonalDataAccess.Action.EXPORT,
        f"reply pack of request {request.reference}",
        now=now,
        user=user,  # type: ignore[arg-type]  # the person herself has no account
        actor=actor,
        profile=request.profile_id,
    )
    ReplyPack.objects.filter(pk=pack.pk).update(downloads=F("downloads") + 1)
    return content


def response(pack: ReplyPack, content: bytes) -> HttpResponse:
    """Answer with the pack as a file that no cache keeps."""
    answer = HttpResponse(content, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="{str(pack.request.reference)[:8]}.zip"'
    answer["Cache-Control"] = "no-store"
    return answer


def delete(pack: ReplyPack, now: datetime) -> bool:
    """Delete the file, and say when; False if that was done before."""
    (Path(settings.MEDIA_ROOT) / pack.path).unlink(missing_ok=True)
    return ReplyPack.objects.filter(pk=pack.pk, deleted_at=None).update(deleted_at=now) == 1


def delete_expired(now: datetime) -> int:
    """Delete the packs whose time is over."""
    due = ReplyPack.objects.filter(deleted_at=None, expires_at__lte=now)
    return sum(delete(pack, now) for pack in due)


def link_token(request: PrivacyRequest, now: datetime) -> str:
    """Return what the address of the pack ends with, for a day."""
    return signing.dumps([str(request.reference), int((now + LINK).timestamp())], salt=SALT)


def by_token(token: str, now: datetime) -> ReplyPack:
    """Return the pack of a link; ``NoPack`` whatever is wrong with it."""
    try:
        reference, until = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise NoPack("No such link.") from None
    answered = ReplyPack.objects.filter(
        request__reference=UUID(reference), request__status=PrivacyRequest.Status.ANSWERED, deleted_at=None
    )
    pack = answered.select_related("request").first()
    if pack is None or now.timestamp() >= until:
        raise NoPack("No such link.")
    return pack


def _context(request: PrivacyRequest) -> bytes:
    return aad("crm.replypack", "file", request.reference)
