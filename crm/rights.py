"""Requests of people about their data (PIPL 44 to 50): taken, checked, carried out, answered.

A request comes in (:func:`open_request`) from the preference centre, an application or staff; ``crm.identity_checks``
confirms who asks; ``crm.carrying_out`` does it, store by store, with a second person where it cannot be undone or
something leaves the house; :func:`answer` ends it. Every change of state is a conditional update and a line of the
timeline, so that two people who press the same button do it once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from crm import clocks, evidence, merging, packs
from crm.canonical import utc
from crm.encryption import pseudonym
from crm.models import PrivacyRequest, Profile, RequestEntry, RequestPause

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Kind, Status = PrivacyRequest.Kind, PrivacyRequest.Status


class RightsError(ValueError):
    """The request is not in a state in which this can be done; the message says why, to staff."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a kind of request asks for: points of identity, and when a second person looks at it."""

    points: int
    checked: str  # "before" it is carried out, "after" (before it leaves the house), or "" where neither is needed


# One point: something that the person knows; two: control of an account or address that we hold. Nobody is asked for
# more than we hold (``crm.identity_checks``). To stop something needs least: being late harms, and it can be undone.
RULES: Mapping[str, Rule] = {
    Kind.ACCESS: Rule(points=2, checked="after"),
    Kind.COPY: Rule(points=3, checked="after"),
    Kind.PORTABILITY: Rule(points=3, checked="after"),
    Kind.CORRECTION: Rule(points=2, checked="before"),
    Kind.ERASURE: Rule(points=3, checked="before"),
    Kind.RESTRICTION: Rule(points=1, checked=""),
    Kind.OBJECTION: Rule(points=1, checked=""),
    Kind.EXPLANATION: Rule(points=2, checked="after"),
    Kind.RELATIVES: Rule(points=3, checked="after"),
}


def open_request(
    kind: str,
    *,
    profile_id: int | None,
    method: str,
    now: datetime,
    language: str = "",
    details: Mapping[str, Any] | None = None,
    user: "User | None" = None,
) -> PrivacyRequest:
    """Take a request in and return it; where the same is open already, the new one is grouped with it.

    ``details`` is what the person wrote: for a correction ``{field: new value}``, else ``{"text": ...}``; it is sealed
    with the person's key. ``profile_id`` is ``None`` where staff does not know (yet) who is meant.
    """
    if kind not in RULES:
        raise RightsError(_("%(kind)s is no kind of request.") % {"kind": kind})
    with transaction.atomic():
        ids = sorted(merging.members(profile_id)) if profile_id else []
        # Two requests of one person at the same time wait for each other, so that the second finds the first.
        held = {row.pk: row for row in Profile.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
        kept = merging.canonical_ids([profile_id])[profile_id] if profile_id else None
        request = PrivacyRequest(
            kind=kind,
            method=method,
            language=language,
            profile=held.get(kept) if kept else None,
            profiles=sorted(held),
            identity_level=RULES[kind].points,
            subject=subject_of(held.get(kept)) if kept else "",
            duplicate_of=_open_twin(kind, list(held)),
            received_at=now,
        )
        if request.profile is not None:  # without a person there is no key to seal it with, so it is not kept
            request.details = dict(details or {})
        request.due_on = clocks.read(clocks.day(now), (), clocks.day(now), clocks.granted_for(kind)).due_on
        request.save()
        note(request, "received", now, user, method=method)
    return request


def subject_of(profile: Profile | None) -> str:
    """Return how a request names a person for three years, also after her erasure; nobody is found from it."""
    return pseudonym("privacy request", "profile", f"{profile.pk}|{utc(profile.created_at)}") if profile else ""


def _open_twin(kind: str, profiles: list[int]) -> PrivacyRequest | None:
    same = PrivacyRequest.objects.open().filter(kind=kind, profile__in=profiles, duplicate_of=None)
    return same.order_by("received_at", "pk").first() if profiles else None


def answer(request: PrivacyRequest, *, now: datetime, user: "User | None" = None) -> None:
    """End a request that was carried out, and those that were grouped with it; the ledger takes note."""
    _end(request, (Status.READY,), Status.ANSWERED, now, user)
    packs.publish(request, now)


def refuse(request: PrivacyRequest, reason: str, *, now: datetime, user: "User | None" = None) -> None:
    """End a request without doing it, for a reason that the person is told (PIPL 50)."""
    if reason not in PrivacyRequest.Refusal:
        raise RightsError(_("A refusal needs one of the reasons that the law knows."))
    before = (Status.RECEIVED, Status.IDENTITY, Status.VERIFIED, Status.CHECKING)
    _end(request, before, Status.REFUSED, now, user, refusal=reason)


def withdraw(request: PrivacyRequest, *, now: datetime, user: "User | None" = None) -> None:
    """End a request that the person does not want any more; not while it is being carried out."""
    before = (Status.RECEIVED, Status.IDENTITY, Status.VERIFIED, Status.CHECKING)
    _end(request, before, Status.WITHDRAWN, now, user)


def _end(
    request: PrivacyRequest, before: tuple[str, ...], after: str, now: datetime, user: "User | None", **facts: str
) -> None:
    with transaction.atomic():
        RequestPause.objects.filter(request=request, until__isnull=True).update(until=now)
        if not request.move(before, after, ended_at=now, paused_at=None, **facts):
            raise RightsError(
                _("This cannot be done: the request is %(status)s.") % {"status": request.get_status_display()}
            )
        note(request, after, now, user, **facts)
        _prove(request, now)
        for twin in request.duplicates.open():
            twin.move(twin.status, after, ended_at=now, paused_at=None, **facts)
            RequestPause.objects.filter(request=twin, until__isnull=True).update(until=now)
            note(twin, after, now, user, **facts)
            _prove(twin, now)


def _prove(request: PrivacyRequest, now: datetime) -> None:
    """Note in the ledger how the request ended; it names nobody, and so survives an erasure."""
    ended = {
        "kind": request.kind,
        "outcome": request.status,
        "refusal": request.refusal,
        "received_at": utc(request.received_at),
        "due_on": request.due_on.isoformat() if request.due_on else "",
        "stores": {step.store: step.receipt for step in request.steps.all()},
    }
    evidence.note("request", str(request.reference), ended, now=now, profile=request.profile_id)


def note(request: PrivacyRequest, what: str, now: datetime, user: "User | None" = None, **facts: Any) -> None:
    """Add a line to the request's timeline; facts are codes and numbers, never personal."""
    RequestEntry.objects.create(request=request, what=what, facts=facts, user=user, at=now)
