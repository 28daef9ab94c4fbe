"""To which address a message goes: of the person's own one that works, a confirmed one before others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from crm.addresses import ADDRESSES
from crm.copying import int_array, text_array
from crm.merging import pairs_of
from crm.models import Identifier

STOPPED = "EXISTS (SELECT FROM crm_suppression s WHERE s.key = i.suppression_key AND s.channel IN ('', %(channel)s))"
CHOICE = f"""
SELECT DISTINCT ON (m.asked) m.asked, i.id
FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)
JOIN crm_identifier i ON i.profile_id = m.id AND i.type = ANY (%(types)s::text[])
ORDER BY m.asked, {STOPPED}, i.verified DESC, i.created_at DESC, i.id
"""  # noqa: S608  # words of ours
USABLE = f"""
SELECT i.id, i.profile_id FROM crm_identifier i WHERE i.id = ANY (%(ids)s::bigint[]) AND NOT {STOPPED}
"""  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address of a person, and the row that holds it."""

    identifier: int
    value: str


def addresses(profiles: Iterable[int], channel: str, types: Iterable[str] = ()) -> Mapping[int, Address]:
    """Return the address of each person on the channel, of the given types or of all that the channel writes to."""
    asked, members = pairs_of(profiles)
    values = {
        "asked": int_array(asked),
        "members": int_array(members),
        "types": text_array(types or ADDRESSES.get(channel, ())),
        "channel": channel,
    }
    with connection.cursor() as cursor:
        cursor.execute(CHOICE, values)
        chosen: dict[int, int] = dict(cursor.fetchall())
    rows = {row.pk: row for row in Identifier.objects.filter(pk__in=set(chosen.values()))}
    return {one: Address(identifier=pk, value=str(rows[pk].value)) for one, pk in chosen.items() if pk in rows}


def usable(identifiers: Iterable[int], channel: str) -> Mapping[int, int]:
    """Return whose each address is, of those that are nobody's wish or provider's word against."""
    wanted = set(identifiers)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(USABLE, {"ids": int_array(wanted), "channel": channel})
        return dict(cursor.fetchall())
