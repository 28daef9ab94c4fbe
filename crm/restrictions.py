"""Restriction and objection: what is put a stop to at once, without a second person, and can be undone.

A restricted person's data are stored and secured, nothing else (PIPL 47): no message, no score, no export, no look.
Every read path asks ``Profile.restricted_at``, of every profile that is the same person.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from crm import merging
from crm.carrying_out import Step
from crm.consent_withdrawal import withdraw
from crm.erasers.rows import forget_answers
from crm.erasers.subject import Subject
from crm.evidence import note
from crm.finder import masked_text
from crm.models import PrivacyRequest, Profile

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def restrict(profiles: Iterable[int], now: datetime) -> int:
    """Restrict the profiles from now on; return how many were not before."""
    with transaction.atomic():
        # Locked in the order of their ids, as hand-offs and withdrawals do: a message that is leaving goes first.
        ids = list(
            Profile.objects.select_for_update()
            .filter(pk__in=list(profiles))
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        return Profile.objects.filter(pk__in=ids, restricted_at=None).update(restricted_at=now)


def lift(profile: int, *, now: datetime, user: "User", reason: str) -> int:
    """End a person's restriction; return how many profiles it was on."""
    with transaction.atomic():
        ids = merging.members(profile)
        lifted = Profile.objects.filter(pk__in=ids, restricted_at__isnull=False).update(restricted_at=None)
        if lifted:
            # Masked: nothing can ever be taken out of the ledger again.
            facts = {"kind": "restriction lifted", "by": user.pk, "reason": masked_text(reason)[:300]}
            note("request", f"profile restriction {now:%Y%m%d%H%M%S}", facts, now=now, profile=profile)
    return lifted


def is_restricted(profiles: Iterable[int]) -> bool:
    """Tell whether a person, given by all profiles, is restricted."""
    return Profile.objects.filter(pk__in=list(profiles), restricted_at__isnull=False).exists()


def _restrict(request: PrivacyRequest, now: datetime) -> Mapping[str, Any]:
    return {"profiles": restrict(request.profiles, now)}


def _stop_profiling(request: PrivacyRequest, now: datetime) -> Mapping[str, Any]:
    changed = Profile.objects.filter(pk__in=request.profiles, personalisation=True).update(
        personalisation=False, updated_at=now
    )
    return {"profiles": changed}


def _forget_answers(request: PrivacyRequest, now: datetime) -> Mapping[str, Any]:
    return forget_answers(Subject(profiles=tuple(request.profiles), names=frozenset()))


def _stop_marketing(request: PrivacyRequest, now: datetime) -> Mapping[str, Any]:
    if request.profile_id is None:
        return {}
    return {"withdrawn": len(withdraw(request.profile_id, None, "", _method(request), now))}


def _method(request: PrivacyRequest) -> str:
    known = {"preference_centre": "preference_centre", "api": "api", "staff": "admin"}
    return known[request.method]


RESTRICT = (Step(store="restriction", do=_restrict),)
OBJECT = (
    Step(store="personalisation", do=_stop_profiling),
    Step(store="answers", do=_forget_answers),
    Step(store="marketing", do=_stop_marketing),
)
