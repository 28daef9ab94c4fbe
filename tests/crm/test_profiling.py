"""Who may be scored by the switches on a profile and the age: said in three languages, meant alike."""

from itertools import product

import pytest
from django.db import connection

from crm import profiling
from crm.models import Profile
from tests import factories

pytestmark = pytest.mark.django_db


def test_django_sql_and_a_profile_in_hand_mean_the_same_people() -> None:
    states = list(product([True, False], [None, factories.NOW], Profile.AgeClass.values))
    for number, (personalisation, restricted_at, age_class) in enumerate(states):
        facts = {"personalisation": personalisation, "restricted_at": restricted_at, "age_class": age_class}
        factories.profile(f"u{number}", **facts)
    expected = {
        one.pk
        for one in Profile.objects.all()
        if one.personalisation and not one.restricted_at and one.age_class not in {"child", "minor"}
    }
    assert len(expected) == 2
    assert set(Profile.objects.filter(**profiling.MAY_BE_SCORED).values_list("pk", flat=True)) == expected
    assert {one.pk for one in Profile.objects.all() if profiling.may_be_scored(one)} == expected
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM crm_profile WHERE {profiling.MAY_BE_SCORED_SQL}")  # words of ours
        assert {pk for (pk,) in cursor.fetchall()} == expected
