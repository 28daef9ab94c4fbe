"""Who may be learned from and scored: the switches on a profile, the age, and the consent to be profiled."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from crm.consent_basis import bases_for
from crm.models import Profile, Purpose

PIECE = 10_000

# Under age nobody is profiled. What the unknown are is asked each time: answers may be older than the setting.
NOT_UNDER_AGE: Final = (Profile.AgeClass.ADULT.value, Profile.AgeClass.UNKNOWN.value)


def grown_up() -> list[str]:
    """Return the age classes of people who may be profiled; of the unknown the setting says what they are."""
    unknown = [Profile.AgeClass.UNKNOWN.value] if settings.AGE_UNKNOWN == Profile.AgeClass.ADULT else []
    return [Profile.AgeClass.ADULT.value, *unknown]


def scored() -> dict[str, Any]:
    """Return of whom answers are kept, and read by anybody, in Django's words: by the switches on her profile, her age.

    The same in those of SQL is ``scored_sql``, and of a profile that was read before ``may_be_scored``.
    """
    return {"personalisation": True, "restricted_at": None, "age_class__in": grown_up()}


def scored_sql() -> str:
    """Return the same as a condition over ``crm_profile``."""
    return f"personalisation AND restricted_at IS NULL AND age_class IN ({_listed(grown_up())})"


def may_be_scored(profile: Profile) -> bool:
    """Return the same of a profile that was read before."""
    return profile.personalisation and profile.restricted_at is None and profile.age_class in grown_up()


def person_scored_sql(over: str = "") -> str:
    """Return whether a person may be scored, as an aggregate of her profiles: none says no, and one tells her age.

    ``over`` makes it one of a window.
    """
    none_says_no = f"personalisation AND restricted_at IS NULL AND age_class IN ({_listed(NOT_UNDER_AGE)})"
    return f"bool_and({none_says_no}) {over} AND bool_or(age_class IN ({_listed(grown_up())})) {over}"


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
