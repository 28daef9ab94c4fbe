"""How old people are, as far as the law asks: children under 14, minors under 18, adults."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from crm.models import Profile

Age = Profile.AgeClass
CHILD_UNTIL, MINOR_UNTIL = 14, 18  # PIPL 28 and 31; Law on the Protection of Minors 2
BANDS = ((14, "under 14"), (18, "14-17"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))


def age(born: date, today: date) -> int:
    """Return how many birthdays somebody has had; who was born on 29 February has it on 1 March in other years.

    >>> age(date(2008, 2, 29), date(2026, 2, 28)), age(date(2008, 2, 29), date(2026, 3, 1))
    (17, 18)
    """
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def age_band(years: int) -> str:
    """Return the band an age falls into.

    >>> age_band(13), age_band(30), age_band(80)
    ('under 14', '25-34', '65+')
    """
    return next((band for end, band in BANDS if years < end), "65+")


def age_class(years: int) -> str:
    """Return the class an age falls into.

    >>> age_class(13), age_class(14), age_class(17), age_class(18)
    ('child', 'minor', 'minor', 'adult')
    """
    return (Age.CHILD if years < CHILD_UNTIL else Age.MINOR if years < MINOR_UNTIL else Age.ADULT).value


# Words of bands that are open at one end, in any place; "90后" tells a decade of birth, which no class follows from.
BELOW = re.compile(
    "under|below|less|young|until|up to|at most|<|≤|以下|以内|之内|未满|不满|不足|不到|小于|低于", re.IGNORECASE
)
ABOVE = re.compile(r"\+|over|above|more|older|from|>|≥|以上|大于|超过|年满", re.IGNORECASE)
OLDEST = 130


def class_of_band(band: str) -> str:
    """Return the class of all who are in a band; of those under age the youngest; ``unknown`` where it meets adults.

    >>> class_of_band("under 18"), class_of_band("14-17"), class_of_band("65+"), class_of_band("15-24")
    ('child', 'minor', 'adult', 'unknown')
    >>> class_of_band("18岁以下"), class_of_band("18岁及以上"), class_of_band("17"), class_of_band("90后")
    ('child', 'adult', 'minor', 'unknown')
    """
    numbers = [int(number) for number in re.findall(r"\d+", band)]
    if not 0 < len(numbers) <= 2 or max(numbers) > OLDEST or "后" in band:
        return Age.UNKNOWN.value
    youngest, oldest = numbers[0], numbers[-1]
    if len(numbers) == 1 and BELOW.search(band):
        youngest, oldest = 0, oldest - 1  # "18 and below", too: the band beside it begins with 18
    elif len(numbers) == 1 and ABOVE.search(band):
        oldest = OLDEST
    if oldest < MINOR_UNTIL or youngest >= MINOR_UNTIL:
        return age_class(youngest)
    return Age.UNKNOWN.value


def today(now: datetime) -> date:
    """Return the day that it is for the organisation."""
    return timezone.localdate(now)


def youngest(profiles: Iterable[Profile], now: datetime) -> str:
    """Return the age class of a person on this day, to the day where a birth date is known; the youngest counts."""
    day = today(now)
    known = {age_class(age(one.birth_date, day)) if one.birth_date else one.age_class for one in profiles}
    return next((one.value for one in (Age.CHILD, Age.MINOR, Age.ADULT) if one.value in known), Age.UNKNOWN.value)


def celebrate(now: datetime, *, days: int = 7) -> int:
    """Move minors who had a birthday in the last days into their class and band; return how many.

    Only these rows are opened: month and day lie open, the year does not. Who told an age and no birth date stays what
    they were until they tell again, the careful side.
    """
    dates = [today(now) - timedelta(days=n) for n in range(days)]
    birthday = Q()
    for one in dates:
        birthday |= Q(birth_month=one.month, birth_day=one.day)
        if (one.month, one.day) == (3, 1):
            birthday |= Q(birth_month=2, birth_day=29)
    changed = 0
    for profile in Profile.objects.filter(birthday, age_class__in=[Age.CHILD, Age.MINOR]).iterator():
        if profile.birth_date is None:
            continue
        years = age(profile.birth_date, dates[0])
        if age_class(years) != profile.age_class:
            rows = Profile.objects.filter(pk=profile.pk, age_class=profile.age_class)
            changed += rows.update(age_class=age_class(years), age_band=age_band(years), updated_at=now)
    return changed
