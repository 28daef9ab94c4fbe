"""Who may be learned from and scored: the switches on a profile, the age, and the consent to be profiled."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db.models.expressions import RawSQL

from crm.consent_basis import bases_for
from crm.copying import int_array
from crm.models import Profile, Purpose

PIECE = 10_000

# Under age nobody is profiled. What the unknown are is asked each time: answers may be older than the setting.
NOT_REFUSED: Final = "personalisation AND restricted_at IS NULL AND age_class IN ('adult', 'unknown')"

# The profiles that a merge joins with the one at hand, either way; each step asks two indexes. That a profile is found
# once only ends a ring, too.
JOINED: Final = """CROSS JOIN LATERAL (
        SELECT canonical_id FROM crm_profilealias WHERE duplicate_id = person.id AND undone_at IS NULL
        UNION ALL
        SELECT duplicate_id FROM crm_profilealias WHERE canonical_id = person.id AND undone_at IS NULL
    ) AS other (id)"""
OF_MERGED: Final = f"""
WITH RECURSIVE person (id) AS (
    SELECT id FROM crm_profile WHERE ({{condition}}) AND id IN (
        SELECT unnest(ARRAY[duplicate_id, canonical_id]) FROM crm_profilealias WHERE undone_at IS NULL
    )
    UNION
    SELECT other.id FROM person {JOINED}
) SELECT id FROM person
"""  # noqa: S608  # words of ours
OF_SOME: Final = f"""
WITH RECURSIVE person (asked, id) AS (
    SELECT id, id FROM unnest(%s::bigint[]) AS id
    UNION
    SELECT asked, other.id FROM person {JOINED}
) SELECT asked FROM person JOIN crm_profile USING (id) GROUP BY asked HAVING {{may_be_scored}}
"""  # noqa: S608  # words of ours


def grown_up() -> list[str]:
    """Return the age classes of people who may be profiled; of the unknown the setting says what they are."""
    unknown = [Profile.AgeClass.UNKNOWN.value] if settings.AGE_UNKNOWN == Profile.AgeClass.ADULT else []
    return [Profile.AgeClass.ADULT.value, *unknown]


def scored() -> RawSQL:
    """Return the profiles of whose person answers are kept, and read by anybody: for statements about everybody.

    Where it is known who is asked about, ``scored_of`` looks at these only.
    """
    return RawSQL(f"SELECT id FROM crm_profile WHERE {scored_sql()}", ())  # noqa: S608, S611  # words of ours


def scored_sql() -> str:
    """Return the same as a condition over ``crm_profile``: what her other profiles say is looked up once for all.

    A person is all profiles that are read as one. Most are one profile, which answers for itself.
    """
    none_says_no = f"{NOT_REFUSED} AND crm_profile.id NOT IN ({_with_one(f'NOT ({NOT_REFUSED})')})"
    told = f"age_class IN ({_listed(grown_up())})"
    if settings.AGE_UNKNOWN == Profile.AgeClass.ADULT:
        return none_says_no  # whoever is not under age is grown up
    return f"{none_says_no} AND ({told} OR crm_profile.id IN ({_with_one(told)}))"


def scored_of(profiles: Iterable[int]) -> RawSQL:
    """Return the same of some profiles, part of a statement that asks about them."""
    statement = OF_SOME.format(may_be_scored=person_scored_sql())
    return RawSQL(statement, (int_array(profiles),))  # noqa: S611  # words of ours


def _with_one(condition: str) -> str:
    """Return the profiles of those who consist of several, one of which fulfils a condition."""
    return OF_MERGED.format(condition=condition)


def person_scored_sql(over: str = "") -> str:
    """Return whether a person may be scored, as an aggregate of her profiles: none says no, and one tells her age.

    ``over`` makes it one of a window.
    """
    return f"bool_and({NOT_REFUSED}) {over} AND bool_or(age_class IN ({_listed(grown_up())})) {over}"


def _listed(ages: Iterable[str]) -> str:
    return ", ".join(f"'{age}'" for age in ages)  # words of ours


def refused(now: datetime) -> set[int]:
    """Return the profiles that an active purpose of profiling does not cover.

    Where no such purpose is set up nobody is asked, so nobody has refused; the switch on a profile counts always.
    """
    purposes = list(Purpose.objects.profiling())
    return {
        profile
        for piece in (_pieces() if purposes else ())
        for purpose in purposes
        for profile, basis in bases_for(piece, purpose, "", now).items()
        if not basis.allowed
    }


def refused_of(profile: int, purposes: Iterable[Purpose], now: datetime) -> bool:
    """Return whether one of the active purposes of profiling does not cover one person; asked while she waits."""
    return any(not basis.allowed for purpose in purposes for basis in bases_for([profile], purpose, "", now).values())


def _pieces() -> Iterator[list[int]]:
    last = 0
    while piece := list(Profile.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PIECE]):
        yield piece
        last = piece[-1]
