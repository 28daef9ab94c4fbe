"""Checkpoints given to those whom we cannot rewrite: a directory held elsewhere, mailboxes, a time-stamping authority.

Who holds an older checkpoint can tell whether history was changed since. Copies are made by a task of their own, after
the fact: a place that does not answer is noted, tried again later and later, and never keeps the sequencer waiting.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import make_msgid
from hashlib import sha256
from pathlib import Path

import requests
from cryptography.x509 import load_pem_x509_certificates
from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from crm import checkpoints
from crm.locks import only_one
from crm.models import Checkpoint, CheckpointCopy

FIRST_RETRY, LAST_RETRY = timedelta(minutes=1), timedelta(hours=6)
STAMP_TIMEOUT = (5, 20)  # seconds to connect, and between two parts of the answer
LARGEST_STAMP = 100_000


class PublishError(RuntimeError):
    """A place did not take the checkpoint; the message says why."""


@dataclass(frozen=True)
class Publisher:
    """One way to give a checkpoint away: to which places, how often at most, and how; returns a receipt."""

    places: Callable[[], Sequence[str]]
    every: timedelta
    give: Callable[[Checkpoint, str], bytes]


def publish(checkpoint: Checkpoint, now: datetime) -> list[CheckpointCopy]:
    """Give a checkpoint to every place that is configured, and return what came of it."""
    with only_one("publishing the ledger", patience=30):
        places = [(kind, place) for kind, publisher in PUBLISHERS.items() for place in publisher.places()]
        return [_give(checkpoint, kind, place, now) for kind, place in places]


def publish_due(now: datetime) -> list[CheckpointCopy]:
    """Give the newest checkpoint to the places that have waited long enough for one, and return what came of it.

    Raises
    ------
    Busy
        Another process is just publishing.
    """
    newest = checkpoints.latest()
    if newest is None:
        return []
    with only_one("publishing the ledger"):
        return [_give(newest, kind, place, now) for kind, place in _due(newest, now)]


def held_in_directory() -> Iterator[str]:
    """Yield the notes in the directory where checkpoints are published, to check the ledger against."""
    for directory in _directories():
        for path in sorted(Path(directory).glob("checkpoint-*.txt")):
            yield path.read_text()


def _due(newest: Checkpoint, now: datetime) -> Iterator[tuple[str, str]]:
    for kind, publisher in PUBLISHERS.items():
        for place in publisher.places():
            copies = CheckpointCopy.objects.filter(kind=kind, place=place)
            last = copies.made().order_by("-copied_at").first()
            if last is not None and (last.checkpoint_id >= newest.pk or last.copied_at > now - publisher.every):
                continue
            failed = copies.exclude(error="").filter(copied_at__gt=last.copied_at) if last else copies
            if not _rests(list(failed.order_by("-copied_at").values_list("copied_at", flat=True)[:12]), now):
                yield kind, place


def _rests(failures: Sequence[datetime], now: datetime) -> bool:
    """Tell whether a place that failed, the latest time first, is to be left alone for now."""
    if not failures:
        return False
    pause: timedelta = FIRST_RETRY * 2 ** (len(failures) - 1)
    return now < failures[0] + min(pause, LAST_RETRY)


def _give(checkpoint: Checkpoint, kind: str, place: str, now: datetime) -> CheckpointCopy:
    copy = CheckpointCopy(checkpoint=checkpoint, kind=kind, place=place, copied_at=now)
    try:
        copy.receipt = PUBLISHERS[kind].give(checkpoint, place)
    except (PublishError, VerificationError, OSError, ValueError) as error:  # SMTP's and HTTP's are OSErrors
        copy.error = f"{type(error).__name__}: {error}"[:500]
    copy.save(force_insert=True)
    return copy


def _directories() -> list[str]:
    return [str(settings.LEDGER_PUBLISH_DIR)] if settings.LEDGER_PUBLISH_DIR else []


def _to_directory(checkpoint: Checkpoint, place: str) -> bytes:
    """Write a file of its own for each checkpoint; what lies there is never written over."""
    path = Path(place) / f"checkpoint-{checkpoint.size:015d}.txt"
    if path.exists():
        if path.read_text() != checkpoint.note:
            raise PublishError(f"{path} holds another checkpoint of the same size.")
        return path.name.encode()
    aside = path.with_suffix(".part")
    with aside.open("w") as file:
        file.write(checkpoint.note)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)  # whole or not at all
    return path.name.encode()


def _to_mailbox(checkpoint: Checkpoint, place: str) -> bytes:
    number = make_msgid(domain="ledger.invalid")
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("Ledger checkpoint: %(size)d leaves") % {"size": checkpoint.size}
        body = _(
            "Please keep this message. With the attached checkpoint anyone can tell whether the consent ledger was"
            " changed since: manage.py ledger fsck --checkpoint FILE, or the verifier of an audit bundle."
        )
    message = EmailMessage(subject, f"{body}\n\n{checkpoint.note}", to=[place], headers={"Message-ID": number})
    message.attach(f"checkpoint-{checkpoint.size}.txt", checkpoint.note.encode(), "application/octet-stream")
    message.send()
    return number.encode()


def _to_authority(checkpoint: Checkpoint, place: str) -> bytes:
    return stamped(checkpoint.note.encode(), place)


def stamped(data: bytes, place: str) -> bytes:
    """Have data time-stamped (RFC 3161) by the authority at an address, and return its whole answer.

    Raises
    ------
    PublishError, requests.RequestException, VerificationError, ValueError
        The authority did not answer, or not with a stamp of this.
    """
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    kinds = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    with requests.post(
        place, request.as_bytes(), headers=kinds, timeout=STAMP_TIMEOUT, allow_redirects=False, stream=True
    ) as answer:
        answer.raise_for_status()
        if answer.status_code != 200:
            raise PublishError(f"The authority answered {answer.status_code}.")
        body = answer.raw.read(LARGEST_STAMP + 1, decode_content=True)
    if len(body) > LARGEST_STAMP:
        raise PublishError(f"The answer is longer than {LARGEST_STAMP} bytes.")
    stamp = decode_timestamp_response(body)
    _check_stamp(stamp, data)
    if stamp.tst_info.nonce != request.nonce:
        raise PublishError("The time stamp answers another request.")
    return bytes(body)


def check_receipt(copy: CheckpointCopy) -> None:
    """Check that a kept time stamp is for its checkpoint; other receipts say only where to look.

    Raises
    ------
    PublishError, VerificationError, ValueError
        It is not, or was signed by nobody whom we trust.
    """
    if copy.kind == CheckpointCopy.Kind.RFC3161 and not copy.error:
        _check_stamp(decode_timestamp_response(copy.receipt), copy.checkpoint.note.encode())


def _check_stamp(answer: TimeStampResponse, note: bytes) -> None:
    if answer.status not in {PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS}:
        raise PublishError(f"The authority refused: {' '.join(answer.status_string) or PKIStatus(answer.status).name}")
    if answer.tst_info.message_imprint.message != sha256(note).digest():
        raise PublishError("The time stamp is for something else.")
    if settings.LEDGER_TSA_ROOTS:
        verifier = VerifierBuilder()
        for root in load_pem_x509_certificates(Path(settings.LEDGER_TSA_ROOTS).read_bytes()):
            verifier = verifier.add_root_certificate(root)
        verifier.build().verify_message(answer, note)


PUBLISHERS: dict[str, Publisher] = {
    CheckpointCopy.Kind.FILE: Publisher(_directories, timedelta(minutes=1), _to_directory),
    CheckpointCopy.Kind.EMAIL: Publisher(lambda: settings.LEDGER_PUBLISH_EMAILS, timedelta(days=1), _to_mailbox),
    CheckpointCopy.Kind.RFC3161: Publisher(
        lambda: [settings.LEDGER_TSA_URL] if settings.LEDGER_TSA_URL else [], timedelta(hours=1), _to_authority
    ),
}
