"""What the compliance page shows at a glance: is the ledger well, was everything sent lawfully, what is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import BaseCache
from django.db import connection
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import clocks
from crm.charts import Chart, Series
from crm.consent_rules import GRANTS, REFUSALS
from crm.models import CheckpointCopy, ConsentState, JobRun, Notice, PrivacyRequest, Purpose

WINDOW = timedelta(days=30)
KEPT_SECONDS = 60
SHOWN = 6

# Judged by the threads of the leaves, as the verifier does; the bundle's own join knows more reasons.
AGAINST = """
SELECT count(*), count(*) FILTER (WHERE sent.basis = 'consent' AND (
    allowing.id IS NULL OR allowing.state NOT IN ('given', 'renewed') OR allowing.purpose <> sent.purpose
    OR allowing.valid_until <= sent.handed_off_at
    OR EXISTS (
        SELECT FROM crm_consentevent said WHERE said.thread = allowing.thread AND said.channel IN ('', sent.channel)
           AND said.state IN ('refused', 'withdrawn', 'revoked', 'invalidated')
           AND said.received_at <= sent.handed_off_at AND said.received_at > allowing.received_at
    )))
  FROM crm_handoff sent LEFT JOIN crm_consentevent allowing ON allowing.id = sent.allowed_by
 WHERE sent.handed_off_at > %s AND sent.handed_off_at <= %s
"""


@dataclass(frozen=True, kw_only=True)
class Sends:
    """Messages handed off lately, and how many of them no consent allowed."""

    count: int
    violations: int


@dataclass(frozen=True, kw_only=True)
class Due:
    """A request of a person, and in how many working days it is due; negative: it is late."""

    request: PrivacyRequest
    days: int | None

    @property
    def late(self) -> int:
        return max(0, -(self.days or 0))


def sends(now: datetime) -> Sends:
    with connection.cursor() as cursor:
        cursor.execute(AGAINST, [now - WINDOW, now])
        count, violations = cursor.fetchone()
    return Sends(count=count, violations=violations)


def copies() -> list[CheckpointCopy]:
    """Return the latest attempt at each place that holds copies of checkpoints."""
    rows = CheckpointCopy.objects.order_by("kind", "place", "-copied_at").distinct("kind", "place")
    return list(rows.select_related("checkpoint"))


def due(now: datetime) -> tuple[list[Due], int]:
    """Return the open requests that are due first, and how many are open."""
    requests = PrivacyRequest.objects.open().prefetch_related("pauses").order_by("due_on", "received_at")
    # Working days, as the list of requests counts them: two numbers for one delay would be one too many.
    first = [Due(request=one, days=clocks.clock(one, now).left if one.due_on else None) for one in requests[:SHOWN]]
    return first, requests.count()


def late(now: datetime) -> int:
    """Return how many requests should have been answered before today."""
    return PrivacyRequest.objects.running().filter(due_on__lt=timezone.localdate(now)).count()


def answers(cache: BaseCache) -> dict[str, dict[str, int]]:
    """Return how many people allowed and refused each purpose, as it stands; kept for a minute."""
    found: dict[str, dict[str, int]] | None = cache.get("compliance-answers")
    if found is None:
        found = {}
        rows = ConsentState.objects.values_list("purpose_id", "state").annotate(people=Count("profile", distinct=True))
        for purpose, state, people in rows:
            answer = "yes" if state in GRANTS else "no" if state in REFUSALS else "open"
            known = found.setdefault(purpose, {"yes": 0, "no": 0, "open": 0})
            known[answer] += people
        cache.set("compliance-answers", found, KEPT_SECONDS)
    return found


def answers_chart(found: dict[str, dict[str, int]]) -> Chart:
    """Return how people answered, purpose by purpose."""
    names = {purpose.code: str(purpose) for purpose in Purpose.objects.filter(code__in=found)}
    codes = sorted(found, key=lambda code: -sum(found[code].values()))[:12]
    series = (("yes", _("allowed"), "primary"), ("no", _("refused or withdrawn"), "red"), ("open", _("open"), "grey"))
    return Chart(
        id="answers",
        title=_("Consent by purpose"),
        labels=[names.get(code, code) for code in codes],
        label_title=_("Purpose"),
        series=[
            Series(label=label, values=[found[code][name] for code in codes], kind="bar", colour=colour)
            for name, label, colour in series
        ],
        horizontal=True,
        stacked=True,
        height=max(160, 44 * len(codes) + 60),
    )


def notices(now: datetime) -> list[Notice]:
    return list(Notice.objects.published(now).order_by("-published_at")[:SHOWN])


def exports() -> list[JobRun]:
    return list(
        JobRun.objects.filter(kind="audit_bundle").select_related("requested_by").order_by("-created_at")[:SHOWN]
    )


def last_check() -> JobRun | None:
    """Return the last check of the ledger that came to an end."""
    return JobRun.objects.filter(kind="fsck", finished_at__isnull=False).order_by("-finished_at").first()


def facts(now: datetime, cache: BaseCache) -> dict[str, Any]:
    """Return all that the page shows, but for who asks."""
    from crm import fsck, sequencer  # noqa: PLC0415  # the page needs them, other pages do not

    requests, open_requests = due(now)
    return {
        "health": sequencer.health(now),
        "promised": sequencer.PROMISE,
        "copies": copies(),
        "sends": sends(now),
        "requests": requests,
        "open_requests": open_requests,
        "late_requests": late(now),
        "answers": answers_chart(answers(cache)),
        "notices": notices(now),
        "exports": exports(),
        "last_check": last_check(),
        "honest_limit": fsck.HONEST_LIMIT,
    }
