"""What imported campaigns may have caused: whom they reached was chosen, not drawn, so there is no holdout to ask.

Those who got one are compared with those who bought in the same months and did not, made alike by what both did before
(:mod:`mlengine.estimators.treated_effect`). The same is asked of a time as long just before the campaign, when it
cannot have done anything yet: what is found there is what the adjustment missed.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from campaigns.models import Campaign
from campaigns.segmenting.statements import of_sets

if TYPE_CHECKING:
    from mlengine.estimators.treated_effect import Effect

WEEKS = (4, 8, 12)  # how far back each person's history is summed
HISTORY = timedelta(weeks=12)
LEAST_HISTORY = timedelta(weeks=6)  # the log must reach back so far before, or nothing can be adjusted
OUTCOMES = ("value", "visits")
SURE = 1.959963984540054

# One row for each person who bought in the time before: whether she was reached, what she did before, and after.
PEOPLE = """
WITH RECURSIVE step (id, person) AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias WHERE undone_at IS NULL
    UNION
    SELECT step.id, next.canonical_id FROM step
    JOIN crm_profilealias AS next ON next.duplicate_id = step.person AND next.undone_at IS NULL
), merged AS (
    SELECT id, person FROM step WHERE NOT EXISTS (
        SELECT FROM crm_profilealias AS next WHERE next.duplicate_id = step.person AND next.undone_at IS NULL
    )
), basket AS (  -- a visit: what one person bought of one session on one day
    SELECT coalesce(merged.person, event.profile_id) AS person, event.kind, min(event.occurred_at) AS at,
           sum(CASE event.kind WHEN 'refund' THEN -abs(event.value) WHEN 'purchase' THEN event.value END)::float8
               AS value,
           sum(event.discount)::float8 AS discount
    FROM crm_event AS event LEFT JOIN merged ON merged.id = event.profile_id
    WHERE event.kind IN ('purchase', 'refund', 'redeemed')
      AND event.occurred_at >= %(from)s AND event.occurred_at < %(until)s
    GROUP BY 1, 2, event.session, event.occurred_at::date, event.occurred_at >= %(begins)s
), did AS (
    SELECT *, floor(extract(epoch FROM %(begins)s - at) / 604800) AS ago FROM basket
), other AS (
    SELECT coalesce(merged.person, sent.profile_id) AS person,
           count(*) FILTER (WHERE sent.planned_at < %(begins)s) AS campaigns,
           count(*) FILTER (WHERE sent.expires_at > %(begins)s) AS campaigns_now
    FROM campaigns_delivery AS sent LEFT JOIN merged ON merged.id = sent.profile_id
    WHERE sent.run_id <> ALL(%(runs)s) AND sent.variant_id IS NOT NULL
      AND sent.planned_at >= %(from)s AND sent.planned_at <= %(begins)s
    GROUP BY 1
), meant AS (
    SELECT DISTINCT coalesce(merged.person, sent.profile_id) AS person
    FROM campaigns_delivery AS sent LEFT JOIN merged ON merged.id = sent.profile_id
    WHERE sent.run_id = ANY(%(runs)s) AND sent.variant_id IS NOT NULL
)
SELECT (meant.person IS NOT NULL)::int,
       coalesce(sum(did.value) FILTER (WHERE did.at >= %(begins)s), 0),
       count(*) FILTER (WHERE did.at >= %(begins)s AND did.kind = 'purchase'),
       {windows},
       extract(epoch FROM %(begins)s - max(did.at) FILTER (WHERE did.at < %(begins)s AND did.kind = 'purchase'))
           / 86400,
       coalesce(sum(did.discount) FILTER (WHERE did.at < %(begins)s AND did.kind = 'purchase'), 0),
       count(*) FILTER (WHERE did.at < %(begins)s AND did.kind = 'redeemed'),
       coalesce(max(other.campaigns), 0), coalesce(max(other.campaigns_now), 0),
       (bool_or(profile.age_band <> ''))::int
FROM did JOIN crm_profile AS profile ON profile.id = did.person AND profile.restricted_at IS NULL
LEFT JOIN meant USING (person) LEFT JOIN other USING (person)
GROUP BY did.person, meant.person
HAVING bool_or(did.at < %(begins)s AND did.kind = 'purchase')
ORDER BY did.person
"""
WINDOW = (
    "coalesce(sum(did.value) FILTER (WHERE did.ago >= {near} AND did.ago < {far}), 0),"
    " count(*) FILTER (WHERE did.ago >= {near} AND did.ago < {far} AND did.kind = 'purchase')"
)
ENDS = "SELECT min(occurred_at), max(occurred_at) FROM crm_event WHERE kind = 'purchase'"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One outcome, a person: the plain difference and the adjusted one, each with its interval (95 %, one look)."""

    raw: tuple[float, float, float]
    effect: tuple[float, float, float]
    p: float


def estimate(campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return the estimates, as JSON; under ``refused`` why there are none: ``no_history``, ``too_few``.

    ``campaign`` has one run, which begins when the campaign does.
    """
    begins, ends = campaign.starts_at, campaign.ends_at
    if begins is None or ends is None:
        return {"refused": "no_history"}
    with connection.cursor() as cursor:
        cursor.execute(ENDS)
        first, last = cursor.fetchone()
    if first is None or begins - first < LEAST_HISTORY:
        return {"refused": "no_history"}
    found = _compared(campaign, begins, min(ends, now), OUTCOMES)
    length = ends - begins
    before = None
    if begins - length - first >= LEAST_HISTORY and "refused" not in found:
        before = _compared(campaign, begins - length, begins, OUTCOMES[:1])
    return found | {"before": before, "cut_at": last.isoformat() if last < ends else None}


def _compared(campaign: Campaign, begins: datetime, until: datetime, outcomes: Sequence[str]) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415  # the web must not load the science

    from mlengine.estimators.treated_effect import TooFew, effects  # noqa: PLC0415

    rows = _rows(campaign, begins, until)
    if not rows:
        return {"refused": "too_few", "treated": 0, "people": 0}
    table = np.array(rows, np.float64)
    try:
        found, overlap = effects(table[:, 3:], table[:, 0], table[:, 1 : 1 + len(outcomes)])
    except TooFew:
        return {"refused": "too_few", "treated": int(table[:, 0].sum()), "people": len(rows)}
    told = {name: asdict(_told(one)) for name, one in zip(outcomes, found, strict=True)}
    return told | {"overlap": asdict(overlap)}


def _rows(campaign: Campaign, begins: datetime, until: datetime) -> Sequence[Sequence[Any]]:
    asked: dict[str, Any] = {
        "begins": begins,
        "from": begins - HISTORY,
        "until": until,
        "runs": list(campaign.runs.values_list("pk", flat=True)),
    }
    windows = ", ".join(WINDOW.format(near=far - WEEKS[0], far=far) for far in WEEKS)
    with transaction.atomic(), connection.cursor() as cursor, of_sets(cursor):
        cursor.execute(PEOPLE.replace("{windows}", windows), asked)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
    return rows


def _told(one: "Effect") -> Compared:
    from scipy.stats import norm  # noqa: PLC0415  # as above

    return Compared(
        raw=_interval(one.raw, one.raw_error),
        effect=_interval(one.effect, one.error),
        p=float(2 * norm.sf(abs(one.effect) / one.error)) if one.error > 0 else 1.0,
    )


def _interval(effect: float, error: float) -> tuple[float, float, float]:
    return effect, effect - SURE * error, effect + SURE * error
