"""Addresses that must not be written to: put down as keyed hashes, so that nobody can read whose they are.

A suppression is never taken back by a list or an import. It stands until the person herself, by an act of her own,
consents anew after it (``crm.consent_rules``); the row stays, and stands for everything older than that consent.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection

from crm.addresses import ADDRESSES
from crm.copying import bytes_array
from crm.encryption import suppression_keys
from crm.models import Identifier, Suppression

KEY_VERSION = "1"

# The earliest reason stays with its time moved on: a later wish to be left alone counts from later.
INSERT = """
INSERT INTO crm_suppression AS old (channel, key, key_version, reason, basis, since)
SELECT DISTINCT %s, key, %s, %s, %s, %s::timestamptz FROM unnest(%s::bytea[]) AS key ORDER BY key
ON CONFLICT (key, channel) DO UPDATE
SET since = greatest(old.since, excluded.since),
    reason = CASE WHEN excluded.reason = 'bounced' THEN old.reason ELSE excluded.reason END
"""


def suppress(addresses: Iterable[tuple[str, str]], channel: str, reason: str, *, now: datetime, basis: str = "") -> int:
    """Suppress addresses, as (type, value), on a channel, or (empty) on every one; return how many were written."""
    return suppress_keys(suppression_keys(addresses), channel, reason, now=now, basis=basis)


def suppress_people(profiles: Iterable[int], channel: str, reason: str, *, now: datetime, basis: str = "") -> int:
    """Suppress the addresses of profiles that the channel writes to; on every channel, all that they have."""
    found = Identifier.objects.filter(profile_id__in=list(profiles))
    if channel:
        found = found.filter(type__in=ADDRESSES.get(channel, ()))
    keys = [bytes(key) for key in found.values_list("suppression_key", flat=True)]
    return suppress_keys(keys, channel, reason, now=now, basis=basis)


def suppress_keys(keys: Sequence[bytes], channel: str, reason: str, *, now: datetime, basis: str = "") -> int:
    """Suppress addresses of which only the keyed hashes are known."""
    if not keys:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [channel, KEY_VERSION, Suppression.Why(reason).value, basis, now, bytes_array(keys)])
        return int(cursor.rowcount)
