"""How many messages a person may still get: caps over all channels, of one channel, and of an account a month.

What counts is what was handed over, to any of the profiles that are one person; of a campaign that goes before, what
is still to come counts too, so that the lesser message does not take the place of the greater.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.models import ChannelAccount, Delivery, FrequencyCap
from campaigns.reach.audience import Reason
from crm.copying import int_array, text_array

Pairs = tuple[Sequence[int], Sequence[int]]  # persons, and each profile that is read as one
A_MONTH = timedelta(days=30)
PENDING = (Delivery.Status.QUEUED.value, Delivery.Status.RESERVED.value)

# A row that is queued again after a busy provider has a time of its last call, and is still to come.
HAD = """
SELECT m.person,
       count(*) FILTER (WHERE d.status = ANY (%(handed)s::text[])) AS had,
       count(*) FILTER (WHERE d.status = ANY (%(pending)s::text[])) AS coming
FROM unnest(%(people)s::bigint[], %(members)s::bigint[]) AS m (person, id)
JOIN campaigns_delivery d ON d.profile_id = m.id
LEFT JOIN campaigns_run r ON r.id = d.run_id
LEFT JOIN campaigns_campaign c ON c.id = r.campaign_id
WHERE (d.status = ANY (%(handed)s::text[]) AND d.called_at > %(since)s
       OR d.status = ANY (%(pending)s::text[]) AND c.priority > %(priority)s AND c.status = 'running'
          AND r.status = 'sending' AND d.due_at < %(until)s AND d.expires_at > %(now)s)
  AND (%(channel)s = '' OR d.channel = %(channel)s)
  AND (%(account)s IS NULL OR d.account_id = %(account)s)
GROUP BY m.person HAVING count(*) >= %(most)s
"""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most so many within a time: on a channel or (empty) all, through an account or (none) all."""

    most: int
    within: timedelta
    reason: str
    channel: str = ""
    account: int | None = None


def limits(channel: str, account: ChannelAccount | None = None) -> Iterator[Limit]:
    """Yield what limits a message on the channel, through the account."""
    for cap in FrequencyCap.objects.of(channel):
        yield Limit(most=cap.most, within=cap.within, channel=cap.channel, reason=Reason.CAPPED.value)
    if account is not None and account.per_person_month is not None:
        yield Limit(most=account.per_person_month, within=A_MONTH, account=account.pk, reason=Reason.QUOTA.value)


def reached(people: Pairs, limits: Sequence[Limit], priority: int, at: datetime, now: datetime) -> dict[int, str]:
    """Return who may get no more at a moment, and why; ``people`` are as :func:`crm.merging.pairs_of` tells them."""
    found: dict[int, str] = {}
    for limit in limits:
        for person, had, _coming in _counted(people, limit, priority, at, now):
            found.setdefault(person, limit.reason if had >= limit.most else Reason.OUTRANKED.value)
    return found


def _counted(people: Pairs, limit: Limit, priority: int, at: datetime, now: datetime) -> list[tuple[int, int, int]]:
    if limit.most == 0:
        return [(person, 0, 0) for person in set(people[0])]
    values: dict[str, Any] = {
        "people": int_array(people[0]),
        "members": int_array(people[1]),
        "handed": text_array(Delivery.HANDED_OFF),
        "pending": text_array(PENDING),
        "since": at - limit.within,
        "until": at + limit.within,
        "now": now,
        "priority": priority,
        "channel": limit.channel,
        "account": limit.account,
        "most": limit.most,
    }
    with connection.cursor() as cursor:
        cursor.execute(HAD, values)
        return [(person, had, coming) for person, had, coming in cursor.fetchall()]
