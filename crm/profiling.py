"""Who may be learned from and scored: the switches on a profile, the age, and the consent to be profiled."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.conf import settings

from crm.consent_basis import bases_for
from crm.models import Profile, Purpose

PIECE = 10_000


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
