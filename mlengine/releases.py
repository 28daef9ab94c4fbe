"""Answers with noise, paid from a budget: drawn once, told again for nothing, refused when the budget is spent.

What is true is counted before anything is locked, and kept nowhere. Then, in one transaction: lock the audience's
budget, see what this answer would make all of its answers cost together, refuse or draw the noise, write both down.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.canonical import canonical
from crm.models import PrivacyBudget, Release, ReleaseCharge
from crm.models.releases import ReleaseQuerySet
from mlengine.anonymity.noise import Bound, Mechanism

RENEWED_AFTER = timedelta(days=7)  # newer data are looked at once a week: daily answers would spend a month in a week
STAFF = "staff"


class BudgetSpent(RuntimeError):
    """The audience has learned all that it may this month; ``renewed_on`` says when it may ask again."""

    def __init__(self, budget: PrivacyBudget) -> None:
        self.renewed_on = budget.ends_on
        day = date_format(budget.ends_on, "DATE_FORMAT")
        super().__init__(_("This month's privacy budget is spent; it is renewed on %(day)s.") % {"day": day})


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Who is told: a scope whose members could put what they know together, and the one of them who asks."""

    scope: str
    name: str

    @classmethod
    def staff(cls, user: User) -> "Audience":
        return cls(scope=STAFF, name=user.get_username())

    @classmethod
    def client(cls, key: int, name: str) -> "Audience":
        return cls(scope=f"api:{key}", name=name)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, of which moment, and the noise of its answer."""

    name: str
    mechanism: Mechanism
    data_at: datetime

    @property
    def digest(self) -> str:
        return sha256(canonical({"name": self.name})).hexdigest()


def ask(question: Question, audience: Audience, *, count: Callable[[], Mapping[str, int]], now: datetime) -> Release:
    """Return the answer that the audience was told already, or tell it one and charge its budget.

    ``count`` gives the true counts, of which each person is in as many cells, and by as much, as the mechanism's bound
    says at most.

    Raises
    ------
    BudgetSpent
        All answers together would cost more than the budget; nothing was drawn and nothing charged.
    """
    told = known(question, audience)
    if told is not None:
        return told
    counts = dict(count())
    with transaction.atomic():
        budget = _locked(audience.scope, now)
        _alone(question.digest)
        told = known(question, audience)
        if told is not None:
            return told
        release = _fresh(question).first()
        mechanism = mechanism_of(release) if release else question.mechanism
        cost = _cost(budget, mechanism)
        if cost > budget.epsilon:
            raise BudgetSpent(budget)
        release = release or _draw(question, counts, now)
        ReleaseCharge.objects.create(budget=budget, release=release, asked_by=audience.name[:200], charged_at=now)
        budget.spent = cost
        budget.save(update_fields=["spent"])
    return release


def known(question: Question, audience: Audience) -> Release | None:
    """Return what the audience was told to this question, of this moment or at most a week before it."""
    return _fresh(question).told_to(audience.scope).first()


def budget_of(scope: str, now: datetime) -> PrivacyBudget:
    """Return this month's budget of an audience, as yet unsaved if nobody of it has asked anything."""
    begins, ends = _month(now)
    found = PrivacyBudget.objects.filter(scope=scope, begins_on=begins).first()
    return found or PrivacyBudget(scope=scope, begins_on=begins, ends_on=ends, **_limits())


def mechanism_of(release: Release) -> Mechanism:
    return _mechanism(canonical_text(release.mechanism))


def canonical_text(facts: Mapping[str, Any]) -> str:
    return "|".join(f"{name}={facts[name]}" for name in ("kind", "scale", "cells", "most", "threshold"))


@lru_cache(maxsize=256)
def _mechanism(text: str) -> Mechanism:
    facts = dict(part.split("=") for part in text.split("|"))
    bound = Bound(cells=int(facts["cells"]), most=int(facts["most"]))
    kind: Any = facts["kind"]
    return Mechanism(kind=kind, scale=float(facts["scale"]), bound=bound, threshold=int(facts["threshold"]))


def _fresh(question: Question) -> ReleaseQuerySet:
    window = (question.data_at - RENEWED_AFTER, question.data_at)
    drawn = Release.objects.filter(digest=question.digest, data_at__gt=window[0], data_at__lte=window[1])
    return drawn.order_by("-data_at", "-pk")


def _draw(question: Question, counts: Mapping[str, int], now: datetime) -> Release:
    mechanism = question.mechanism
    if mechanism.threshold:
        answer = mechanism.noisy_keys(counts)
    else:
        answer = dict(zip(counts, mechanism.noisy(list(counts.values())), strict=True))
    facts = {"kind": mechanism.kind, "scale": mechanism.scale, "threshold": mechanism.threshold}
    alone = mechanism.epsilon() if mechanism.kind == "laplace" else None
    return Release.objects.create(
        name=question.name,
        digest=question.digest,
        answer=answer,
        mechanism=facts | asdict(mechanism.bound),
        epsilon=alone,
        data_at=question.data_at,
        released_at=now,
    )


def _cost(budget: PrivacyBudget, one_more: Mechanism) -> float:
    from mlengine.anonymity.accounting import spent  # noqa: PLC0415 (SciPy; only whoever draws noise needs it)

    told = Release.objects.filter(charges__budget=budget).values_list("mechanism", flat=True)
    answers = Counter(_mechanism(canonical_text(facts)) for facts in told)
    answers[one_more] += 1
    return spent(answers, budget.delta)


def _locked(scope: str, now: datetime) -> PrivacyBudget:
    """Return the row of this month's budget, locked until the transaction ends."""
    begins, ends = _month(now)
    made = PrivacyBudget(scope=scope, begins_on=begins, ends_on=ends, **_limits())
    PrivacyBudget.objects.bulk_create([made], ignore_conflicts=True)
    return PrivacyBudget.objects.select_for_update().get(scope=scope, begins_on=begins)


def _alone(digest: str) -> None:
    """Wait for others who ask the same: two audiences must not be told two draws of one answer.

    Whoever holds this lock holds a budget's already, and nobody takes two of either, so nobody waits in a circle.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(bytes.fromhex(digest)[:8], signed=True)])


def _month(now: datetime) -> tuple[date, date]:
    day = timezone.localtime(now).date().replace(day=1)
    return day, (day + timedelta(days=32)).replace(day=1)


def _limits() -> dict[str, float]:
    return {"epsilon": settings.PRIVATE_FIGURES_EPSILON, "delta": settings.PRIVATE_FIGURES_DELTA}
