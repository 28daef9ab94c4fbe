"""Two profiles that are one person: joined by a row, parted again by ending it."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction

from crm.copying import int_array
from crm.models import ProfileAlias, Source

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger(__name__)

MERGE_LOCK = 7305199  # two merges that cross each other would make a ring

# Each index is asked by itself: of an OR over both columns PostgreSQL would read the whole table.
MERGES = """
WITH asked AS MATERIALIZED (SELECT id FROM unnest(%s::bigint[]) AS id)
SELECT a.duplicate_id, a.canonical_id FROM asked JOIN crm_profilealias a ON a.duplicate_id = asked.id
WHERE a.undone_at IS NULL
UNION
SELECT a.duplicate_id, a.canonical_id FROM asked JOIN crm_profilealias a ON a.canonical_id = asked.id
WHERE a.undone_at IS NULL
"""


class MergeRefused(ValueError):
    """The merge is not allowed or makes no sense; the message says why."""


def merge(
    duplicate: int,
    canonical: int,
    *,
    now: datetime,
    reason: str,
    source: Source | None = None,
    user: "AbstractBaseUser | None" = None,
) -> ProfileAlias | None:
    """Read ``duplicate`` as ``canonical`` from now on; ``None`` if the two are one person already.

    What either was merged into before counts: their last canonical profiles are joined, so chains never form a ring.

    Raises
    ------
    MergeRefused
        Nobody stands behind the call, or its source's key is public; or both are the same profile.
    """
    if user is None and (source is None or not source.may_merge):
        raise MergeRefused("Only a person, or a source whose key is not public, may merge two profiles.")
    return join(duplicate, canonical, now=now, reason=reason, source=source, user=user)


def join(
    duplicate: int,
    canonical: int,
    *,
    now: datetime,
    reason: str,
    source: Source | None = None,
    user: "AbstractBaseUser | None" = None,
) -> ProfileAlias | None:
    """Do what :func:`merge` does for whoever need not be asked who they are: the house itself."""
    if duplicate == canonical:
        raise MergeRefused(f"Profile #{duplicate} cannot be merged into itself.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
        roots = canonical_ids([duplicate, canonical])
        if roots[duplicate] == roots[canonical]:
            return None
        alias = ProfileAlias.objects.create(
            duplicate_id=roots[duplicate],
            canonical_id=roots[canonical],
            source=source,
            merged_by_id=user.pk if user else None,
            reason=reason,
            merged_at=now,
        )
    logger.info("Profile #%s is read as #%s: %s", alias.duplicate_id, alias.canonical_id, reason)
    return alias


def undo(alias: ProfileAlias, *, now: datetime, user: "AbstractBaseUser") -> bool:
    """Part the two again; False if somebody did before."""
    active = ProfileAlias.objects.filter(pk=alias.pk, undone_at__isnull=True)
    undone = active.update(undone_at=now, undone_by_id=user.pk) == 1
    alias.refresh_from_db()
    if undone:
        logger.info("Profile #%s is itself again, not #%s", alias.duplicate_id, alias.canonical_id)
    return undone


def alias_map() -> dict[int, int]:
    """Return every merged profile's last canonical profile."""
    step = dict(ProfileAlias.objects.filter(undone_at__isnull=True).values_list("duplicate_id", "canonical_id"))
    return {duplicate: _end(duplicate, step) for duplicate in step}


def canonical_ids(profiles: Iterable[int]) -> dict[int, int]:
    """Return the last canonical profile of each; its own number where it was not merged."""
    asked = set(profiles)
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE chain (profile, at) AS (SELECT id, id FROM unnest(%s::bigint[]) AS id"
            " UNION SELECT chain.profile, a.canonical_id FROM chain JOIN crm_profilealias a"
            " ON a.duplicate_id = chain.at AND a.undone_at IS NULL)"
            " SELECT profile, at FROM chain WHERE NOT EXISTS (SELECT FROM crm_profilealias a"
            " WHERE a.duplicate_id = at AND a.undone_at IS NULL)",
            [int_array(asked)],
        )
        return {profile: profile for profile in asked} | dict(cursor.fetchall())


def members_of(profiles: Iterable[int]) -> dict[int, set[int]]:
    """Return for each profile all that are read as the same person, itself included."""
    asked = set(profiles)
    merged = merged_with(asked)
    return {profile: merged.get(profile) or {profile} for profile in asked}


def pairs_of(profiles: Iterable[int]) -> tuple[list[int], list[int]]:
    """Return :func:`members_of` as two columns: who was asked, and each profile that is read as the same person."""
    asked = list(profiles)
    merged = merged_with(set(asked))
    alone = [profile for profile in asked if profile not in merged] if merged else asked
    joined = [(profile, one) for profile in asked if profile in merged for one in merged[profile]] if merged else []
    return alone + [profile for profile, _ in joined], alone + [one for _, one in joined]


def merged_with(profiles: set[int]) -> dict[int, set[int]]:
    """Return the profiles that are read as one person for each that a merge touches, which are few; these share a set.

    Merge by merge in rounds, of which most people need none and most others one: PostgreSQL would prepare a recursion
    for millions of rows. A ring, which no constraint can forbid, ends it too.
    """
    person: dict[int, set[int]] = {}
    seen, new = set(profiles), profiles
    while new:
        ends = set[int]()
        for pair in _merges(new):
            few, many = sorted((person.setdefault(one, {one}) for one in pair), key=len)
            if few is not many:
                many |= few
                person.update(dict.fromkeys(few, many))
            ends.update(pair)
        new = ends - seen
        seen |= new
    return person


def _merges(profiles: Iterable[int]) -> list[tuple[int, int]]:
    """Return the merges of these profiles, into others or of others into them."""
    with connection.cursor() as cursor:
        cursor.execute(MERGES, [int_array(profiles)])
        rows: list[tuple[int, int]] = cursor.fetchall()
    return rows


def members(profile: int) -> set[int]:
    """Return every profile that is read as the same person, itself included: whose events are this person's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE person (id) AS (SELECT %s::bigint UNION SELECT a.duplicate_id FROM person"
            " JOIN crm_profilealias a ON a.canonical_id = person.id AND a.undone_at IS NULL) SELECT id FROM person",
            [canonical_ids([profile])[profile]],
        )
        return {row[0] for row in cursor.fetchall()}


def _end(profile: int, step: dict[int, int]) -> int:
    while profile in step:
        profile = step[profile]
    return profile
