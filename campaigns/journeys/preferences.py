"""On which channel a person would rather be written to: the one she named, or else the one she last answered on."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.journeys.graph import PREFERENCE, Send
from crm.copying import int_array, text_array
from crm.merging import pairs_of

ATTRIBUTE = "preferred_channel"
ANSWERS = ("clicked", "replied")  # not opened: mail programs open by themselves
LATELY = timedelta(days=365)

PREFERRED = """
SELECT asked.id, coalesce(
    (SELECT max(p.attributes ->> %(attribute)s) FROM crm_profile p
     WHERE p.id = ANY (asked.members) AND p.attributes ->> %(attribute)s = ANY (%(channels)s::text[])),
    (SELECT e.channel FROM crm_event e
     WHERE e.profile_id = ANY (asked.members) AND e.kind = ANY (%(answers)s::text[])
       AND e.channel = ANY (%(channels)s::text[]) AND e.occurred_at > %(since)s AND e.occurred_at <= %(now)s
     ORDER BY e.occurred_at DESC LIMIT 1))
FROM (
    SELECT pair.id, array_agg(pair.member) AS members
    FROM unnest(%(people)s::bigint[], %(members)s::bigint[]) AS pair (id, member) GROUP BY pair.id
) AS asked
"""


def by_order(step: Send, people: Sequence[int], now: datetime) -> Iterator[tuple[Sequence[str], list[int]]]:
    """Yield the orders in which a step's channels are tried, each with those for whom it is that one."""
    if step.order != PREFERENCE or len(step.channels) < 2:
        yield step.channels, list(people)
        return
    first = preferred(people, step.channels, now)
    for channel in ("", *step.channels):
        some = [person for person in people if first.get(person, "") == channel]
        if some:
            yield [*filter(None, [channel]), *(one for one in step.channels if one != channel)], some


def preferred(people: Sequence[int], channels: Sequence[str], now: datetime) -> dict[int, str]:
    """Return of some channels the one that each person prefers; nobody of whom it is not known."""
    asked, members = pairs_of(people)
    values: dict[str, Any] = {
        "people": int_array(asked),
        "members": int_array(members),
        "attribute": ATTRIBUTE,
        "channels": text_array(channels),
        "answers": text_array(ANSWERS),
        "since": now - LATELY,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(PREFERRED, values)
        return {person: channel for person, channel in cursor.fetchall() if channel}
