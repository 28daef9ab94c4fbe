"""How old people are to the day, in the organisation's zone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from crm import ages, people
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
        ("15-24", "unknown"), ("13-17", "unknown"), ("<18", "unknown"), ("0-13", "child"), ("under 10", "child"),
        ("17", "unknown"), ("30", "adult"), ("middle", "unknown"),
    ],
)  # fmt: skip
def test_a_band_that_spans_two_classes_says_nothing(band: str, expected: str) -> None:
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
        "d": {"plan": "x"},
    }.items():
        assert rejected(send("identify", {"userId": user, "traits": traits})) == []
    found = {user: factories.known_as(user).age_class for user in "abcd"}
    assert found == {"a": "adult", "b": "minor", "c": "child", "d": "unknown"}
    assert factories.known_as("a").birth_date == date(1990, 5, 17)
