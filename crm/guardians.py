"""Guardians of children under 14 (PIPL 31): named by the child, asked by mail, and heard through the link in that mail.

The child's own page cannot allow what needs a guardian. It asks who the guardian is: the relation and an address, no
name. Whoever opens the link that is sent there has shown control of it, reads the same notices, and decides by
herself. What we know of the guardian then stands in the consent event, sealed with the child's key.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parseaddr
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils import formats, timezone, translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from crm import ages, merged, rates
from crm.canonical import utc
from crm.consent_writing import lock
from crm.encryption import blind_index
from crm.locks import Busy, only_one
from crm.merged import Person
from crm.models import GuardianLink, Identifier, Profile
from crm.normal import normal_email
from crm.preference_links import NoPublicAddress, Opened, public
from crm.preferences.shown import LANGUAGES

LIFETIME = timedelta(days=3)
KEPT = timedelta(days=30)  # after its end: long enough to answer whoever asks why she was written to
SOON = timedelta(minutes=10)  # the same address, named again: the mail is on its way
MOST_A_DAY = 3  # mails that one child can have us send, and that one address gets
EVIDENCE = "opened the link that was sent to this address"


class GuardianRefused(ValueError):
    """Nobody can be asked like this; the code says which sentence the page shows for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def needs_guardian(person: Person, now: datetime) -> bool:
    """Tell whether somebody else has to consent for the person, to the day."""
    return ages.youngest(Profile.objects.filter(pk__in=person.profile_ids), now) == Profile.AgeClass.CHILD


def ask(person: Person, relation: str, contact: str, language: str, now: datetime) -> GuardianLink:
    """Take down whom a child names, and have the link sent there; the one on its way, if it was named just before.

    Raises
    ------
    GuardianRefused
    """
    address = _address(contact)
    if not needs_guardian(person, now) or relation not in GuardianLink.Relation.values:
        raise GuardianRefused("unknown")
    try:
        public("/")
    except NoPublicAddress:
        raise GuardianRefused("guardian_unreachable") from None
    with transaction.atomic():
        lock(person.profile_ids)
        held = Identifier.objects.filter(profile__in=person.profile_ids, type=Identifier.Type.EMAIL)
        if address in {normal_email(one.value) for one in held}:
            raise GuardianRefused("guardian_own")  # who holds the child's mailbox is, as far as we can tell, the child
        links = GuardianLink.objects.filter(profile__in=person.profile_ids, asked_at__gt=now - timedelta(days=1))
        for link in links:
            if link.contact == address and link.relation == relation and link.asked_at > now - SOON:
                return link
        _count(person, address, len(links), now)
        return _made(person, relation, address, language if language in LANGUAGES else LANGUAGES[0], now)


def _address(contact: str) -> str:
    address = normal_email(contact)
    try:
        validate_email(address)
    except ValidationError:
        raise GuardianRefused("guardian_contact") from None
    if len(address) > 254 or parseaddr(address)[1] != address:
        raise GuardianRefused("guardian_contact")
    return address


def _count(person: Person, address: str, before: int, now: datetime) -> None:
    """Refuse to be made a sender of mails to others: so many a day for a child, and so many for an address."""
    name = blind_index("email", address).hex()
    if before >= MOST_A_DAY or rates.count(f"guardian.{name}", f"{MOST_A_DAY}/day", now.timestamp()) is not None:
        raise GuardianRefused("guardian_often")


def _made(person: Person, relation: str, address: str, language: str, now: datetime) -> GuardianLink:
    link = GuardianLink(
        profile_id=person.id, relation=relation, language=language, asked_at=now, expires_at=now + LIFETIME
    )
    link.contact = address
    link.digest = sha256(token(link).encode()).digest()
    link.save()
    _ring(link.pk)
    return link


def links(person: Person, now: datetime) -> list[GuardianLink]:
    """Return the links that work, the latest first."""
    return list(GuardianLink.objects.open(now).filter(profile__in=person.profile_ids).order_by("-asked_at", "-pk"))


def token(link: GuardianLink) -> str:
    """Return the secret of a link's address; it follows from the row and a key that the database does not hold."""
    secret = salted_hmac("crm.guardians", b"", secret=settings.SECRET_KEY, algorithm="sha256").digest()
    return urlsafe_b64encode(hmac.digest(secret, link.reference.bytes, "sha256")).decode().rstrip("=")


def read(token: str, now: datetime) -> Opened | None:
    """Return whose page a guardian's link opens, or ``None``; two queries, whatever it is."""
    link = GuardianLink.objects.filter(digest=sha256(token.encode(errors="replace")).digest()).first()
    person = merged.person(link.profile_id if link else 0)
    if link is None or person is None or now >= link.expires_at:
        return None
    return Opened(profile_id=link.profile_id, person=person, guardian=link)


def keep_open(opened: Opened, now: datetime) -> None:
    """Let a link that was used open as long as those in messages: to take back is as easy as to give (PIPL 15)."""
    if opened.guardian is not None:
        until = now + timedelta(days=settings.PREFERENCE_LINK_DAYS)
        GuardianLink.objects.filter(pk=opened.guardian.pk).update(expires_at=until)


def details(link: GuardianLink) -> Mapping[str, Any]:
    """Return what a consent event says of the guardian."""
    return {
        "relation": link.relation,
        "contact": link.contact,
        "evidence": EVIDENCE,
        "link": str(link.reference),
        "asked_at": utc(link.asked_at),
    }


def write(link_id: int, now: datetime) -> bool:
    """Mail the link, once; False if that was done, or a server did not take it: beat tries again."""
    try:
        with only_one(f"guardian link {link_id}"):
            link = GuardianLink.objects.open(now).filter(pk=link_id, sent_at=None).first()
            if link is None:
                return False
            try:
                mail(link).send()
            except (OSError, ValueError):
                return False
            return bool(GuardianLink.objects.filter(pk=link_id).update(sent_at=now))
    except Busy:
        return False


def write_all(now: datetime) -> int:
    """Mail the links that wait; return how many a server took."""
    waiting = GuardianLink.objects.open(now).filter(sent_at=None).order_by("pk").values_list("pk", flat=True)
    return sum(write(pk, now) for pk in waiting[:100])


def mail(link: GuardianLink) -> EmailMessage:
    """Return the mail to the guardian, in the child's language first; it says nothing about the child but her age."""
    tongues = sorted(LANGUAGES, key=lambda one: one != link.language)
    parts = [_text(link, tongue) for tongue in tongues]
    return EmailMessage(
        " / ".join(subject for subject, _body in parts),
        "\n\n".join(body for _subject, body in parts),
        to=[link.contact],
        headers={"Message-ID": f"<{link.reference}@guardians.invalid>", "Auto-Submitted": "auto-generated"},
    )


def _text(link: GuardianLink, tongue: str) -> tuple[str, str]:
    with translation.override(tongue):
        where = public(reverse("guardian", args=[token(link)])) + f"?lang={tongue}"
        until = formats.date_format(timezone.localtime(link.expires_at), "DATETIME_FORMAT")
        body = _(
            "A child under 14 has named you as parent or guardian, because the law asks you, not the child, whether"
            " her or his data may be used. Please read what for, and decide:\n\n%(where)s\n\nThe link works until"
            " %(until)s. If you are not the parent or guardian, do nothing: then nothing is allowed, and we forget"
            " your address."
        )
        return _("A child asks for your decision"), body % {"where": where, "until": until}


def forget(now: datetime) -> int:
    """Delete links whose time is long over; what was decided stands in the consent events."""
    return GuardianLink.objects.filter(expires_at__lt=now - KEPT).delete()[0]


def _ring(pk: int) -> None:
    from celery import current_app  # noqa: PLC0415

    transaction.on_commit(lambda: current_app.send_task("crm.tasks.write_to_guardian", [pk]), robust=True)
