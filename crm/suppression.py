"""Addresses that must not be written to: put down as keyed hashes, so that nobody can read whose they are.

A suppression is never taken back by a list or an import. It stands until the person herself, by an act of her own,
consents anew after it (``crm.consent_rules``); the row stays, and stands for everything older than that consent.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from crm import hindrances
from crm.addresses import ADDRESSES
from crm.consent_rules import GRANTS, OWN_ACTS
from crm.copying import bytes_array, text_array
from crm.encryption import suppression_keys_by_generation
from crm.keyring import ring
from crm.merging import members_of
from crm.models import ConsentState, Identifier, Suppression

UNKNOWN = "?"  # the generation of a hash that was taken over as it was

# The earliest reason stays with its time moved on: a later wish to be left alone counts from later.
INSERT = """
INSERT INTO crm_suppression AS old (channel, key, key_version, reason, basis, since)
SELECT DISTINCT %s, key, version, %s, %s, %s::timestamptz FROM unnest(%s::bytea[], %s::text[]) AS new (key, version)
ORDER BY key
ON CONFLICT (key, channel) DO UPDATE
SET since = greatest(old.since, excluded.since),
    reason = CASE WHEN excluded.reason = 'bounced' THEN old.reason ELSE excluded.reason END
"""


# The old rows stay until the new ones are there: both in one statement.
MOVE = """
WITH told AS (SELECT * FROM unnest(%s::bytea[], %s::bytea[]) AS told (old, new)),
gone AS (DELETE FROM crm_suppression USING told WHERE key = told.old RETURNING crm_suppression.*, told.new)
INSERT INTO crm_suppression AS there (channel, key, key_version, reason, basis, since)
SELECT channel, new, %s, reason, basis, since FROM gone ORDER BY new
ON CONFLICT (key, channel) DO UPDATE SET since = greatest(there.since, excluded.since),
    reason = CASE WHEN excluded.reason = 'bounced' THEN there.reason ELSE excluded.reason END
"""


def suppress(addresses: Iterable[tuple[str, str]], channel: str, reason: str, *, now: datetime, basis: str = "") -> int:
    """Suppress addresses, as (type, value), on a channel, or (empty) on every one; return how many were written.

    By every generation of the secret: what lies beside an identifier may be of either while it is rotated.
    """
    by_generation = suppression_keys_by_generation(addresses)
    keys = [(key, number) for number, found in by_generation.items() for key in found]
    return _insert(keys, channel, reason, now=now, basis=basis)


def suppress_people(
    profiles: Iterable[int],
    channel: str,
    reason: str,
    *,
    now: datetime,
    since: datetime | None = None,
    basis: str = "",
) -> int:
    """Suppress the addresses of profiles that the channel writes to; on every channel, all that they have.

    It counts from ``since``, where that was before ``now``. What is a person's wish is noted in the ledger, in the same
    transaction.
    """
    profiles = list(profiles)
    found = Identifier.objects.filter(profile_id__in=profiles)
    if channel:
        found = found.filter(type__in=ADDRESSES.get(channel, ()))
    keys = [bytes(key) for key in found.values_list("suppression_key", flat=True)]
    with transaction.atomic():
        written = suppress_keys(keys, channel, reason, now=since or now, basis=basis)
        if written and reason in Suppression.ABOUT_THE_PERSON:
            hindrances.note(now, profiles)
    return written


def suppress_keys(keys: Sequence[bytes], channel: str, reason: str, *, now: datetime, basis: str = "") -> int:
    """Suppress addresses of which only the keyed hashes are known."""
    # While there are several generations, nobody can tell of which a hash is; a rotation finds out for those it can.
    found = ring()
    number = found.version("suppression") if len(found.generations("suppression")) == 1 else UNKNOWN
    return _insert([(key, number) for key in keys], channel, reason, now=now, basis=basis)


def allowed_since(profiles: Iterable[int], channel: str) -> dict[int, datetime]:
    """Return when each of some people last allowed something on a channel by an act of her own: stops end with it.

    What any of a person's profiles allowed counts for all of them. Who has allowed nothing so is not named.
    """
    people = members_of(profiles)
    everybody = {member for members in people.values() for member in members}
    rows = ConsentState.objects.filter(profile__in=everybody, channel__in=("", channel), state__in=GRANTS)
    latest = dict(rows.filter(method__in=OWN_ACTS).order_by().values_list("profile").annotate(Max("claimed_at")))
    said = {one: [latest[member] for member in members if member in latest] for one, members in people.items()}
    return {one: max(moments) for one, moments in said.items() if moments}


def recognise(addresses: Sequence[tuple[str, str]]) -> int:
    """Let addresses that come in (again) be suppressed by the secret of today where they were by an older one.

    Of erased people only hashes by the old secret are left, and nobody can compute others: until their addresses are
    seen again. Return how many suppressions were found so.
    """
    if len(ring().generations("suppression")) == 1:
        return 0
    now, *others = suppression_keys_by_generation(addresses).values()
    return sum(move(old, now) for old in others)


def move(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Let what was suppressed by each old hash be suppressed by the new one beside it; return how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [bytes_array(old), bytes_array(new), ring().version("suppression")])
        return int(cursor.rowcount)


def mark(keys: Sequence[bytes]) -> None:
    """Note that these hashes are by the secret of today."""
    number = ring().version("suppression")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_suppression SET key_version = %s WHERE key = ANY (%s::bytea[]) AND key_version <> %s",
            [number, bytes_array(keys), number],
        )


def _insert(keys: Sequence[tuple[bytes, str]], channel: str, reason: str, *, now: datetime, basis: str) -> int:
    if not keys:
        return 0
    values = [bytes_array(key for key, _ in keys), text_array(number for _, number in keys)]
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [channel, Suppression.Why(reason).value, basis, now, *values])
        return int(cursor.rowcount)
