"""Who may be scored by the switches on a profile and the age: said in three languages, meant alike."""

from itertools import product
from typing import Any

import pytest
from django.db import connection

from crm import profiling
from crm.models import Profile
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["adult", "minor"])
def ages(request: pytest.FixtureRequest, settings: Any) -> set[str]:
    """Return who is grown up, as the setting takes the unknown."""
    settings.AGE_UNKNOWN = request.param
    return {"adult", "unknown"} if request.param == "adult" else {"adult"}


def found(statement: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {pk for (pk,) in cursor.fetchall()}


def test_django_sql_and_a_profile_in_hand_mean_the_same_people(ages: set[str]) -> None:
    states = list(product([True, False], [None, factories.NOW], Profile.AgeClass.values))
    for number, (personalisation, restricted_at, age_class) in enumerate(states):
        facts = {"personalisation": personalisation, "restricted_at": restricted_at, "age_class": age_class}
        factories.profile(f"u{number}", **facts)
    expected = {
        one.pk
        for one in Profile.objects.all()
        if one.personalisation and not one.restricted_at and one.age_class in ages
    }
    assert len(expected) == len(ages)
    assert set(Profile.objects.filter(**profiling.scored()).values_list("pk", flat=True)) == expected
    assert {one.pk for one in Profile.objects.all() if profiling.may_be_scored(one)} == expected
    assert found(f"SELECT id FROM crm_profile WHERE {profiling.scored_sql()}") == expected  # words of ours
    of_one = f"SELECT id FROM crm_profile GROUP BY id HAVING {profiling.person_scored_sql()}"
    assert found(of_one) == expected


@pytest.mark.parametrize(
    ("two", "may"),
    [
        (("adult", "unknown"), {"adult", "minor"}),
        (("unknown", "unknown"), {"adult"}),
        (("adult", "minor"), set()),
        (("adult", "adult"), {"adult", "minor"}),
    ],
)
def test_a_person_of_two_profiles_is_grown_up_where_one_says_so_and_none_says_otherwise(
    two: tuple[str, str], may: set[str], ages: set[str], settings: Any
) -> None:
    for age_class in two:
        factories.profile(age_class=age_class)
    asked = f"SELECT count(*) FROM crm_profile HAVING {profiling.person_scored_sql()}"
    assert bool(found(asked)) is (settings.AGE_UNKNOWN in may)
