"""How old people are to the day, in the organisation's zone."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from django.db import transaction

from crm import ages, people
from crm.imports import tables
from crm.models import Profile
from tests import factories
from tests.crm.senders import Send, rejected

MIDNIGHT = datetime(2026, 5, 16, 16, tzinfo=UTC)  # the seventeenth of May begins in Shanghai
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("born", "at", "expected"),
    [
        (date(2012, 5, 17), MIDNIGHT - SECOND, "child"),
        (date(2012, 5, 17), MIDNIGHT, "minor"),
        (date(2008, 5, 17), MIDNIGHT - SECOND, "minor"),
        (date(2008, 5, 17), MIDNIGHT, "adult"),
        (date(2008, 2, 29), datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC), "minor"),
        (date(2008, 2, 29), datetime(2026, 2, 28, 16, tzinfo=UTC), "adult"),
        (date(2012, 2, 29), datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC), "child"),
        (date(2012, 2, 29), datetime(2026, 2, 28, 16, tzinfo=UTC), "minor"),
    ],
)
def test_a_class_begins_with_the_birthday_in_shanghai(born: date, at: datetime, expected: str) -> None:
    assert ages.age_class(ages.age(born, ages.today(at))) == expected


@pytest.mark.parametrize(
    ("band", "expected"),
    [
        ("under 14", "child"), ("14-17", "minor"), ("18-24", "adult"), ("65+", "adult"), ("", "unknown"),
        ("15-24", "unknown"), ("13-17", "child"), ("<18", "child"), ("0-13", "child"), ("under 10", "child"),
        ("17", "minor"), ("30", "adult"), ("middle", "unknown"), ("under 25", "unknown"), ("14+", "unknown"),
        ("18岁以下", "child"), ("未满18周岁", "child"), ("１４岁以下", "child"), ("18 and under", "child"),
        ("younger than 18", "child"), ("18岁及以上", "adult"), ("over 18", "adult"), ("05后", "unknown"),
        ("1990s", "unknown"), ("14至17岁", "minor"), ("18–24, 25–34", "unknown"), ("999", "unknown"),
    ],
)  # fmt: skip
def test_a_band_below_eighteen_never_counts_as_unknown_and_one_that_meets_adults_does(band: str, expected: str) -> None:
    assert ages.class_of_band(band) == expected


@pytest.mark.django_db
def test_minors_grow_up_on_their_birthday_and_not_before() -> None:
    born = {"turns 18": date(2008, 5, 17), "turns 14": date(2012, 5, 17), "turns 17": date(2009, 5, 17)}
    for name, day in born.items():
        with transaction.atomic():
            told = {"birth_date": day, "birth_month": day.month, "birth_day": day.day}
            people.update_many({factories.profile(name).pk: told}, now=MIDNIGHT - SECOND)
    unknown = factories.profile("told only an age", age_class="minor", birth_month=5, birth_day=17)
    classes = {name: factories.known_as(name).age_class for name in born}
    assert classes == {"turns 18": "minor", "turns 14": "child", "turns 17": "minor"}
    assert ages.celebrate(MIDNIGHT - SECOND) == 0
    assert ages.celebrate(MIDNIGHT) == 2
    assert ages.celebrate(MIDNIGHT) == 0
    classes = {name: factories.known_as(name).age_class for name in born}
    assert classes == {"turns 18": "adult", "turns 14": "minor", "turns 17": "minor"}
    assert factories.known_as("turns 18").age_band == "18-24"
    assert Profile.objects.get(pk=unknown.pk).age_class == "minor"


@pytest.mark.django_db
def test_a_birthday_that_a_dead_beat_missed_is_made_up_for() -> None:
    leapling = factories.profile("u", birth_date=date(2008, 2, 29), birth_month=2, birth_day=29, age_class="minor")
    assert ages.celebrate(datetime(2026, 3, 6, tzinfo=UTC)) == 1
    assert Profile.objects.get(pk=leapling.pk).age_class == "adult"


@pytest.mark.django_db
def test_a_message_tells_the_class_by_date_or_by_age(send: Send) -> None:
    for user, traits in {
        "a": {"birthday": "1990-05-17"},
        "b": {"age": 16},
        "c": {"age": 13},
        "e": {"age": "17 "},
        "f": {"age": 17.0},
        "g": {"age": "１３"},
        "h": {"age": True},
        "i": {"age": "-3"},
        "j": {"age": float(10**30)},
        "d": {"plan": "x"},
    }.items():
        assert rejected(send("identify", {"userId": user, "traits": traits})) == []
    found = {user: factories.known_as(user).age_class for user in "abcdefghij"}
    told = {"a": "adult", "b": "minor", "c": "child", "e": "minor", "f": "minor", "g": "child"}
    assert found == dict.fromkeys("dhij", "unknown") | told
    assert factories.known_as("a").birth_date == date(1990, 5, 17)


@pytest.mark.django_db
def test_a_birthday_told_as_a_moment_is_the_day_that_it_was_in_shanghai(send: Send) -> None:
    for user, told in {
        "a": "2008-05-16T16:00:00Z",
        "b": "2008-05-17T00:00:00",
        "c": "2008-05-17T07:59:59+08:00",
    }.items():
        assert rejected(send("identify", {"userId": user, "traits": {"birthday": told}})) == []
        assert factories.known_as(user).birth_date == date(2008, 5, 17)
    (refused,) = rejected(send("identify", {"userId": "d", "traits": {"birthday": "0001-01-01T00:00:00+14:00"}}))
    assert refused["field"] == "traits.birthday"


def test_a_file_that_is_read_at_midnight_counts_birthdays_of_the_day_that_begins_in_shanghai() -> None:
    born = pl.Series([date(2008, 5, 17), date(2012, 5, 17), None])
    before, after = (tables._age_bands(born, now).to_list() for now in (MIDNIGHT - SECOND, MIDNIGHT))
    assert (before, after) == (["14-17", "under 14", None], ["18-24", "14-17", None])
