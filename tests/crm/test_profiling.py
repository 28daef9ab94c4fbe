"""Who may be scored by the switches on a profile and the age: said in several ways, meant alike."""

from collections.abc import Iterable
from itertools import product
from random import Random
from typing import Any

import pytest
from django.db import connection

from crm import profiling
from crm.merging import alias_map
from crm.models import Profile, ProfileAlias
from mlengine import datasets
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


def scored(profiles: Iterable[int]) -> list[set[int]]:
    """Return who of all may be scored, as each way of asking has it."""
    rows = (Profile.objects.filter(pk__in=asked) for asked in (profiling.scored(), profiling.scored_of(profiles)))
    of_all = found(f"SELECT id FROM crm_profile WHERE {profiling.scored_sql()}")  # words of ours
    return [of_all, *(set(one.values_list("pk", flat=True)) for one in rows)]


def test_who_is_one_profile_is_what_it_says(ages: set[str]) -> None:
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
    assert scored(Profile.objects.values_list("pk", flat=True)) == [expected] * 3
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


@pytest.mark.parametrize("seed", range(5))
def test_what_one_profile_tells_holds_for_all_of_a_person_however_they_were_merged(seed: int, ages: set[str]) -> None:
    random = Random(seed)
    states: dict[str, Any] = {
        "age_class": ["adult", *["unknown"] * 5, "minor"],
        "restricted_at": [None] * 9 + [factories.NOW],
    }
    people = [factories.profile(**{name: random.choice(of) for name, of in states.items()}) for _ in range(60)]
    for place, one in enumerate(people[1:], start=1):  # into whoever came before, so that chains grow and no ring
        if random.random() < 0.7:
            undone = factories.NOW if random.random() < 0.2 else None
            kept = random.choice(people[max(0, place - 5) : place])
            ProfileAlias.objects.create(duplicate=one, canonical=kept, merged_at=factories.NOW, undone_at=undone)
    read_as = alias_map()
    persons: dict[int, list[Profile]] = {}
    for one in people:
        persons.setdefault(read_as.get(one.pk, one.pk), []).append(one)
    may = {one.pk for hers in persons.values() if _may(hers, ages) for one in hers}
    assert any(_may(hers, ages) is not _may(hers[:1], ages) for hers in persons.values())
    assert scored(one.pk for one in people) == [may] * 3
    assert set(datasets._people().collect()["profile"].to_list()) == may
    some = random.sample([one.pk for one in people], 7)
    asked = Profile.objects.filter(pk__in=profiling.scored_of(some)).values_list("pk", flat=True)
    assert set(asked) == may.intersection(some)


def _may(hers: list[Profile], ages: set[str]) -> bool:
    told = {one.age_class for one in hers}
    return bool(told & ages) and told <= {"adult", "unknown"} and not any(one.restricted_at for one in hers)


def test_a_ring_of_merges_ends_too(ages: set[str]) -> None:
    ring = [factories.profile(age_class=age_class) for age_class in ("adult", "unknown", "unknown")]
    for place, one in enumerate(ring):
        ProfileAlias.objects.create(duplicate=one, canonical=ring[place - 1], merged_at=factories.NOW)
    everybody = {one.pk for one in ring}
    assert scored(everybody) == [everybody] * 3
    Profile.objects.filter(pk=ring[2].pk).update(age_class="child")
    assert scored(everybody) == [set()] * 3
