"""A person of several profiles is one to everybody who asks whether she may be profiled: four ways, one answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import rules
from campaigns.segmenting import segments
from crm import lake, merging
from crm.models import Profile, ProfileAlias
from mlengine import answers, datasets, online, recommending
from mlengine.models import Cluster, ClusterMember, PredictionRun, Recommendation, Repurchase, Score
from tests import api, factories
from tests.api import NOW
from tests.crm.log import bought, record
from tests.mlengine.test_recommending import needs

pytestmark = pytest.mark.django_db

ADULT, UNKNOWN, MINOR = {"age_class": "adult"}, {"age_class": "unknown"}, {"age_class": "minor"}
BOTH, TAKEN_FOR_ADULT, NEVER = {"adult", "minor"}, {"adult"}, set[str]()
# The kept profile first, then what was merged into the one before it; under which setting she may be profiled.
PEOPLE: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "adult": ([ADULT], BOTH),
    "unknown": ([UNKNOWN], TAKEN_FOR_ADULT),
    "of two unknown": ([UNKNOWN, UNKNOWN], TAKEN_FOR_ADULT),
    "told by the duplicate": ([UNKNOWN, ADULT], BOTH),
    "told by the kept": ([ADULT, UNKNOWN], BOTH),
    "told at the end of a chain": ([UNKNOWN, UNKNOWN, UNKNOWN, ADULT], BOTH),
    "minor": ([MINOR], NEVER),
    "one says minor": ([ADULT, MINOR], NEVER),
    "one says child at the end of a chain": ([ADULT, UNKNOWN, {"age_class": "child"}], NEVER),
    "the kept says minor": ([MINOR, ADULT], NEVER),
    "a duplicate says no": ([ADULT, ADULT, {"personalisation": False}], NEVER),
    "a duplicate is restricted": ([ADULT, {"restricted_at": NOW}], NEVER),
}
SEGMENTS: list[dict[str, Any]] = [
    {"repurchase": {}, "due_within_days": 7},
    {"recommended": {"item": "milk"}, "within_rank": 3},
    {"score": "churn", "is": "at_least", "value": 0.5},
    {"score": "churn", "is": "top_share", "value": 1.0},
    {"cluster": "rfm", "is": "in", "value": [3]},
]


@pytest.fixture(params=["adult", "minor"])
def unknown(request: pytest.FixtureRequest, settings: Any) -> str:
    """Return what the setting takes people of unknown age for."""
    settings.AGE_UNKNOWN = request.param
    return str(request.param)


def person(profiles: list[dict[str, Any]]) -> Profile:
    """Return the profile that was kept of a chain of merges: the last pair was merged first."""
    hers = [factories.profile(**facts) for facts in profiles]
    for place in reversed(range(1, len(hers))):
        ProfileAlias.objects.create(duplicate=hers[place], canonical=hers[place - 1], reason="", merged_at=NOW)
    return hers[0]


def told_of(people: dict[str, Profile]) -> dict[str, PredictionRun]:
    """Store an answer of each kind for each person, as of before anything was known against it."""
    runs = {spec: api.run(spec) for spec in ("repurchase", "recommendations", "churn", "rfm", "response")}
    cluster = Cluster.objects.create(spec="rfm", code=3, first_seen_at=NOW)
    milk = factories.item("milk", categories=["dairy"])
    for one in people.values():
        needs(one, runs["repurchase"], 1, 4, milk, "dairy")
        Recommendation.objects.create(profile=one, run=runs["recommendations"], rank=1, item=milk, value=1.0, reason={})
        Score.objects.create(profile=one, run=runs["churn"], value=0.9)
        Score.objects.create(profile=one, run=runs["response"], value=0.9)
        ClusterMember.objects.create(profile=one, run=runs["rfm"], cluster=cluster)
    return runs


def live(people: dict[str, Profile]) -> set[str]:
    asked = {name: (sorted(merging.members(one.pk)), one.pk) for name, one in people.items()}
    return {name for name, (all_, kept) in asked.items() if recommending.answer(all_, kept, 5, NOW).basis == "personal"}


def stored(people: dict[str, Profile]) -> list[set[str]]:
    """Return whose answers are read, by each reader."""
    run = PredictionRun.objects.get(spec="recommendations")
    readers: list[Any] = [
        online.scores_of,
        lambda pk: online.score_history(Profile.objects.get(pk=pk), "churn"),
        lambda pk: online.recommended_by(run, pk, 5, NOW),
        online.repurchases_of,
        lambda pk: online.response_of(pk)[0],
        online.clusters_of,
        recommending.answers([one.pk for one in people.values()], 5, NOW)[0].get,
    ]
    return [{name for name, one in people.items() if read(one.pk)} for read in readers]


def in_segments(people: dict[str, Profile]) -> list[set[str]]:
    trees = [segments.compile(rules.parse(tree), NOW + timedelta(days=1)) for tree in SEGMENTS]
    found = [set(segments.fetched(asked).tolist()) for asked in trees]
    return [{name for name, one in people.items() if one.pk in whom} for whom in found]


def left(people: dict[str, Profile], runs: dict[str, PredictionRun]) -> list[set[str]]:
    """Return whose answers stay when a batch is written."""
    models = {"repurchase": Repurchase, "recommendations": Recommendation, "churn": Score, "rfm": ClusterMember}
    found = []
    for spec, model in models.items():
        answers.without_those_who_left(model, runs[spec])
        there = set(model._default_manager.filter(run=runs[spec]).values_list("profile_id", flat=True))
        found.append({name for name, one in people.items() if one.pk in there})
    return found


def test_live_and_stored_answers_segments_and_batches_say_the_same_of_a_person(unknown: str) -> None:
    people = {name: person(profiles) for name, (profiles, _may) in PEOPLE.items()}
    runs = told_of(people)
    may = {name for name, (_profiles, under) in PEOPLE.items() if unknown in under}
    assert live(people) == may
    assert stored(people) == [may] * 7
    assert in_segments(people) == [may] * len(SEGMENTS)
    assert left(people, runs) == [may] * 4


@pytest.mark.django_db(transaction=True)  # the lake is exported outside a test's transaction
def test_training_says_the_same_of_a_person(unknown: str) -> None:
    january, march = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    people = {name: person(profiles) for name, (profiles, _may) in PEOPLE.items()}
    record([bought(one, january) for one in people.values()])
    lake.export(march)
    learned = set(datasets.log(until=march).events.collect()["user"].to_list())
    names = {name for name, one in people.items() if one.pk in learned}
    assert names == {name for name, (_profiles, under) in PEOPLE.items() if unknown in under}


def test_what_a_merge_made_known_or_forbade_ends_with_it(unknown: str) -> None:
    people = {name: person(PEOPLE[name][0]) for name in ("told by the duplicate", "one says minor")}
    told_of(people)
    assert live(people) == {"told by the duplicate"}
    assert stored(people) == [{"told by the duplicate"}] * 7
    user = User.objects.create_user("steward")
    for alias in ProfileAlias.objects.all():
        merging.undo(alias, now=NOW, user=user)
    alone = {"told by the duplicate", "one says minor"} if unknown == "adult" else {"one says minor"}
    assert live(people) == alone
    assert stored(people) == [alone] * 7
    assert in_segments(people) == [alone] * len(SEGMENTS)
    assert set(Profile.objects.values_list("age_class", flat=True)) == {"unknown", "adult", "minor"}


def test_what_a_merge_says_is_asked_in_the_same_statement(unknown: str) -> None:
    people = {name: person(PEOPLE[name][0]) for name in ("adult", "told at the end of a chain")}
    told_of(people)
    counts = set()
    for one in people.values():
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert online.scores_of(one.pk)
        counts.add(len(asked))
    assert counts == {1}
