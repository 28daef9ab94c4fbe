"""Whoever does not want to be profiled, or may not be, is profiled by nothing: behaviour makes no difference."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm import consent, lake
from crm.models import Profile
from mlengine import datasets, online
from mlengine.models import Recommendation, Score
from tests import api, factories
from tests.api import three_models  # noqa: F401
from tests.crm.consents import purpose, say
from tests.crm.log import bought, record

pytestmark = pytest.mark.django_db(transaction=True)  # the lake is exported outside a test's transaction
JANUARY = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
EXCLUDED: list[dict[str, Any]] = [
    {"personalisation": False},
    {"restricted_at": NOW},
    {"age_class": "minor"},
    {"age_class": "child"},
]


def learned_from(people: list[Profile]) -> set[int]:
    record([bought(person, JANUARY) for person in people])
    lake.export(NOW)
    return set(datasets.log(until=NOW).events.collect()["user"].to_list())


@pytest.mark.parametrize("facts", EXCLUDED, ids=lambda facts: str(next(iter(facts))))
def test_nothing_is_learned_from_whoever_is_out(facts: dict[str, Any]) -> None:
    stays, out = factories.profile(age_class="adult"), factories.profile(**facts)
    assert learned_from([stays, out]) == {stays.pk}


def test_people_of_unknown_age_are_what_the_setting_says(settings: Any) -> None:
    adult, unknown = factories.profile(age_class="adult"), factories.profile()
    assert learned_from([adult, unknown]) == {adult.pk, unknown.pk}
    settings.AGE_UNKNOWN = "minor"
    assert set(datasets.log(until=NOW).events.collect()["user"].to_list()) == {adult.pk}


def test_where_profiling_needs_consent_only_those_who_gave_it_are_learned_from() -> None:
    purpose("scores", kind="profiling")
    said, silent, refused = (factories.profile() for _ in range(3))
    now = timezone.now()
    say(said, purpose="scores", now=now - timedelta(days=2))
    say(refused, purpose="scores", now=now - timedelta(days=2))
    assert learned_from([said, silent, refused]) == {said.pk, refused.pk}
    consent.withdraw(refused.pk, "scores", "", "preference_centre", now)
    assert set(datasets.log(until=NOW).events.collect()["user"].to_list()) == {said.pk}


@pytest.mark.usefixtures("three_models")
@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.nightly)])
def test_opted_out_twins_get_byte_equal_answers_whatever_they_did(count: int) -> None:
    house = api.house()
    run = Recommendation.objects.get().run
    run.summary = {"people": 10, "top": [[house.item.pk, 9]]}
    run.save()
    out = [facts for facts in EXCLUDED if "restricted_at" not in facts]  # of the restricted nothing is told at all
    twins = [factories.profile(**out[n % len(out)]) for n in range(count)]
    score = Score.objects.get().run
    # What was stored before they opted out differs from one to the other; none of it may show.
    Score.objects.bulk_create(Score(profile=twin, run=score, value=n / count) for n, twin in enumerate(twins))
    Recommendation.objects.bulk_create(
        Recommendation(profile=twin, run=run, item=house.item, rank=1, value=n, reason={"code": "twin", "n": n})
        for n, twin in enumerate(twins)
    )
    assert {len(online.scores_of(twin.pk)) for twin in twins} == {0}
    caller = api.caller("recommendations:read", "scores:read")
    answers = {
        caller.get(f"/api/v1/profiles/{twin.pk}/{what}/").content
        for twin in twins[:200]
        for what in ("recommendations",)
    }
    scores = {caller.get(f"/api/v1/profiles/{twin.pk}/scores/").content for twin in twins[:200]}
    assert (len(answers), scores) == (1, {b'{"results":[]}'})
    assert b'"basis":"popular"' in answers.pop()
    assert {tuple(online.recommended_by(run, twin.pk, 5, NOW)) for twin in twins} == {()}
