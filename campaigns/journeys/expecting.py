"""When somebody is expected to buy again: as long after the last time as usually lies between two of her purchases.

What is usual is the median over the days of the last year on which she bought: one long holiday does not move it, and
the lines of a basket are one purchase. Of who bought on fewer than three days nothing is expected.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.timezone import get_default_timezone_name

from crm.copying import int_array
from crm.merging import pairs_of

A_YEAR = timedelta(days=365)
FEWEST_GAPS = 2

EXPECTED = """
SELECT person, max(at) + percentile_cont(0.5) WITHIN GROUP (ORDER BY gap)
FROM (
    SELECT person, at, at - lag(at) OVER (PARTITION BY person ORDER BY at) AS gap
    FROM (
        SELECT asked.person, max(event.occurred_at) AS at
        FROM unnest(%(people)s::bigint[], %(members)s::bigint[]) AS asked (person, member)
        JOIN crm_event event ON event.profile_id = asked.member AND event.kind = %(kind)s
            AND event.occurred_at > %(since)s AND event.occurred_at <= %(now)s
            AND event.received_at <= %(now)s
        GROUP BY asked.person, (event.occurred_at AT TIME ZONE %(zone)s)::date
    ) AS days
) AS gaps
GROUP BY person HAVING count(gap) >= %(fewest)s
"""


def next_of(people: Collection[int], kind: str, now: datetime) -> dict[int, datetime]:
    """Return when each is expected to do something again, as of a moment; who did it too seldom is not there."""
    if not people:
        return {}
    asked, members = pairs_of(people)
    values: dict[str, Any] = {
        "people": int_array(asked),
        "members": int_array(members),
        "kind": kind,
        "since": now - A_YEAR,
        "now": now,
        "zone": get_default_timezone_name(),
        "fewest": FEWEST_GAPS,
    }
    with connection.cursor() as cursor:
        cursor.execute(EXPECTED, values)
        return dict(cursor.fetchall())
