"""Who may be learned from and scored: the switches on a profile, the age, and the consent to be profiled."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from crm.consent_basis import bases_for
from crm.models import Profile, Purpose

PIECE = 10_000

# Of whom answers are kept, and read by anybody: by the switches on her profile and her age, in the words of Django and
# in those of SQL (over ``crm_profile``). The unknown were scored, or not, as the setting says.
AGES: Final = (Profile.AgeClass.ADULT.value, Profile.AgeClass.UNKNOWN.value)
MAY_BE_SCORED: Final[Mapping[str, Any]] = {"personalisation": True, "restricted_at": None, "age_class__in": AGES}
MAY_BE_SCORED_SQL: Final = f"personalisation AND restricted_at IS NULL AND age_class IN {AGES}"


def may_be_scored(profile: Profile) -> bool:
    """Return the same of a profile that was read before."""
    return profile.personalisation and profile.restricted_at is None and profile.age_class in AGES


def grown_up() -> list[str]:
    """Return the age classes of people who may be profiled; of the unknown the setting says what they are."""
    unknown = [Profile.AgeClass.UNKNOWN.value] if settings.AGE_UNKNOWN == Profile.AgeClass.ADULT else []
    return [Profile.AgeClass.ADULT.value, *unknown]


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
