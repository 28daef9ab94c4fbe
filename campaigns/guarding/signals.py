"""What guardrails count: of a campaign's messages that left since a moment, how many came to what.

One read of the deliveries for all moments that are asked, by the index that holds when each left. What is told of a
message belongs to the time at which it left, so that a campaign which was let go on is not judged by older messages.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from campaigns.delivering.settling import LOST
from campaigns.models import Campaign, Guardrail, Run
from crm.copying import text_array

Signal = Guardrail.Signal
LATE = timedelta(days=14)  # so long after its last message a run may still be complained of
REACTS = timedelta(days=7)  # who unsubscribes later than this after a message does so for another reason

# The address's fault, told at once; whatever a provider took and gave back is a bounce as well.
ADDRESS = ("no_such_address", "no_such_domain", "mailbox_disabled", "mailbox_full", "blocked")

# A row that waits again was refused for now, by the provider: handing over fails no other way once it was called.
LEFT = """
SELECT width_bucket(called_at, %(begins)s::timestamptz[]), count(*),
       count(*) FILTER (WHERE status = 'bounced' OR status = 'failed'
                        AND (provider_id <> '' OR reason = ANY (%(address)s::text[]))),
       count(*) FILTER (WHERE status = 'unknown' AND reason <> %(lost)s OR status IN ('queued', 'reserved')
                        OR status = 'failed' AND provider_id = '' AND NOT reason = ANY (%(address)s::text[]))
FROM campaigns_delivery WHERE run_id = ANY (%(runs)s::uuid[]) AND called_at >= %(first)s GROUP BY 1
"""
TOLD = """
SELECT width_bucket(d.called_at, %(begins)s::timestamptz[]), count(DISTINCT d.id) FILTER (WHERE c.kind = 'complained'),
       count(DISTINCT d.id) FILTER (WHERE c.angry)
FROM campaigns_callback c JOIN campaigns_delivery d ON d.id = c.delivery_id
WHERE c.received_at >= %(first)s AND (c.kind = 'complained' OR c.angry)
  AND d.run_id = ANY (%(runs)s::uuid[]) AND d.called_at >= %(first)s
GROUP BY 1
"""
# Each withdrawal is laid to the last message before it: by whichever way it came, a click, a page, a reply.
WITHDRAWN = """
SELECT width_bucket(d.called_at, %(begins)s::timestamptz[]), count(DISTINCT d.id)
FROM crm_consentevent e JOIN crm_consenteventperson p ON p.event_id = e.id
CROSS JOIN LATERAL (
    SELECT d.id, d.run_id, d.called_at FROM campaigns_delivery d
    WHERE d.profile_id = p.profile_id AND d.called_at <= e.received_at AND d.called_at > e.received_at - %(reacts)s
      AND e.channel IN ('', d.channel)
    ORDER BY d.called_at DESC LIMIT 1
) d
WHERE e.received_at >= %(first)s AND e.state = 'withdrawn' AND e.method NOT IN ('system', 'import')
  AND d.run_id = ANY (%(runs)s::uuid[]) AND d.called_at >= %(first)s
GROUP BY 1
"""


@dataclass(frozen=True)
class Tally:
    """So many mishaps of so many messages."""

    count: int
    of: int


def runs(campaign: Campaign, now: datetime) -> list[Run]:
    """Return the runs of which something may still be told, the newest last."""
    planned = campaign.runs.exclude(planned_at=None)
    return list(planned.filter(Q(finished_at=None) | Q(finished_at__gt=now - LATE)).order_by("starts_at", "pk"))


def tally(of: Sequence[Run], begins: Sequence[datetime]) -> Mapping[tuple[str, datetime], Tally]:
    """Return what came of the messages that left at each moment or later, for each signal."""
    edges = sorted(set(begins))
    if not of or not edges:
        return {}
    asked: dict[str, Any] = {
        "runs": text_array(str(run.pk) for run in of),
        "begins": text_array(edge.isoformat() for edge in edges),
        "first": edges[0],
        "address": text_array(ADDRESS),
        "lost": LOST,
        "reacts": REACTS,
    }
    sums: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for statement, names in STATEMENTS:
        with connection.cursor() as cursor:
            cursor.execute(statement, asked)
            for bucket, *numbers in cursor.fetchall():
                for name, number in zip(names, numbers, strict=True):
                    sums[name][bucket] += number
    return {
        (signal, edge): Tally(_from(sums[signal], place), _from(sums["left"], place))
        for place, edge in enumerate(edges, start=1)
        for signal in Guardrail.RATES
    }


STATEMENTS: Sequence[tuple[str, tuple[str, ...]]] = (
    (LEFT, ("left", Signal.BOUNCES.value, Signal.PROVIDER_ERRORS.value)),
    (TOLD, (Signal.COMPLAINTS.value, Signal.NEGATIVE_REPLIES.value)),
    (WITHDRAWN, (Signal.UNSUBSCRIBES.value,)),
)


def _from(buckets: Mapping[int, int], place: int) -> int:
    return sum(number for bucket, number in buckets.items() if bucket >= place)
