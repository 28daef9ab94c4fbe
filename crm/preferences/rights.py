"""Requests from the preference page: asked, shown with how far they are, confirmed by what only the person knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.text import capfirst

from crm import carrying_out, corrections, identity_checks, rights
from crm.consent_writing import lock
from crm.merged import Person
from crm.models import Identifier, PrivacyRequest
from crm.preferences.changes import Refused
from crm.preferences.words import KINDS as KINDS_IN_WORDS
from crm.rights import RightsError

Kind, Status = PrivacyRequest.Kind, PrivacyRequest.Status
# What the page asks for, what can be undone first.
KINDS = (
    *(Kind.COPY, Kind.PORTABILITY, Kind.CORRECTION, Kind.EXPLANATION, Kind.OBJECTION, Kind.RESTRICTION, Kind.ERASURE),
)
MOST_OPEN, LONGEST = 10, 2000
SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as the person sees it, and what she can be asked to name so that it goes on."""

    request: PrivacyRequest
    title: str
    askable: list[tuple[str, str]]
    may_cancel: bool


def requests_of(person: Person, now: datetime) -> list[Asked]:
    """Return the person's requests, the latest first."""
    rows = PrivacyRequest.objects.filter(profile__in=person.profile_ids).order_by("-received_at", "-pk")[:SHOWN]
    return [_asked(request, now) for request in rows]


def _asked(request: PrivacyRequest, now: datetime) -> Asked:
    waits = request.status in identity_checks.WAITING and identity_checks.may_name(request, now)
    types = identity_checks.askable(request) if waits else ()
    labels = dict(Identifier.Type.choices)
    left = [(type_, capfirst(str(labels[type_]))) for type_ in types if type_ not in request.identity_shown_by]
    before = (*identity_checks.WAITING, Status.VERIFIED, Status.CHECKING)
    words = KINDS_IN_WORDS.get(request.kind)
    title = str(words[0]) if words else capfirst(request.get_kind_display())
    return Asked(request=request, title=title, askable=left, may_cancel=request.status in before)


def ask(person: Person, kind: str, told: Mapping[str, str], language: str, now: datetime) -> bool:
    """Take a request in; False where the same is open already.

    Who opened the link has shown control of the account or address it was sent to; what the kind needs beyond that
    is asked on the page, and the request's clock stands still meanwhile.
    """
    if kind not in KINDS:
        raise Refused("unknown")
    details = _details(kind, told, now)
    with transaction.atomic():
        lock(person.profile_ids)
        open_ = PrivacyRequest.objects.open().filter(profile__in=person.profile_ids)
        if kind != Kind.CORRECTION and open_.filter(kind=kind).exists():
            return False
        if open_.count() >= MOST_OPEN:
            raise Refused("too_many_requests")
        request = rights.open_request(
            kind, profile_id=person.id, method="preference_centre", now=now, language=language, details=details
        )
        if not identity_checks.vouch(request, "preference_link", now=now):
            identity_checks.ask(request, now=now)
        carrying_out.begin_at_once(request, now=now)
    return True


def confirm(person: Person, reference: str, told: Mapping[str, str], now: datetime) -> None:
    """Compare what the person named with what we hold; the page says whether it was right, never which part."""
    request = _own(person, reference)
    claims = {type_: told[type_].strip() for type_ in map(str, identity_checks.NAMEABLE) if told.get(type_, "").strip()}
    try:
        before = request.identity_points
        if not identity_checks.tell(request, claims, now=now) and request.identity_points == before:
            raise Refused("not_confirmed")
    except identity_checks.TooManyAttempts:
        raise Refused("too_many") from None
    except RightsError:
        raise Refused("changed") from None


def cancel(person: Person, reference: str, now: datetime) -> None:
    """Withdraw one's own request."""
    try:
        rights.withdraw(_own(person, reference), now=now)
    except RightsError:
        raise Refused("changed") from None


def _own(person: Person, reference: str) -> PrivacyRequest:
    try:
        wanted = UUID(reference)
    except ValueError:
        raise Refused("unknown") from None
    found = PrivacyRequest.objects.filter(reference=wanted, profile__in=person.profile_ids).first()
    if found is None:
        raise Refused("unknown")
    return found


def _details(kind: str, told: Mapping[str, str], now: datetime) -> dict[str, Any]:
    text = told.get("text", "").replace("\x00", "").strip()[:LONGEST]
    if kind != Kind.CORRECTION:
        return {"text": text} if text else {}
    details = {told.get("field", ""): text}
    try:
        corrections.check(details, now)
    except RightsError:
        raise Refused("correction") from None
    return details
