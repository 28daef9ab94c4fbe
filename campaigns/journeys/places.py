"""Where people live, for the clock on their walls."""

from collections.abc import Collection
from zoneinfo import ZoneInfo

from django.db import connection

from campaigns.reach.zones import zone_of
from crm.copying import int_array

PLACED = "SELECT id, attributes ->> 'time_zone', province, city FROM crm_profile WHERE id = ANY (%s::bigint[])"


def zones(people: Collection[int]) -> dict[int, ZoneInfo]:
    """Return the zone of each who is there."""
    return _read(PLACED, people)


def held(people: Collection[int]) -> dict[int, ZoneInfo]:
    """Return the zone of each who is there, and stays there until the caller's transaction ends."""
    return _read(f"{PLACED} ORDER BY id FOR KEY SHARE", people)


def _read(statement: str, people: Collection[int]) -> dict[int, ZoneInfo]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [int_array(people)])
        return {pk: zone_of(told, province, city) for pk, told, province, city in cursor.fetchall()}
