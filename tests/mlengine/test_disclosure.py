"""What a person is told that models say of her: all of it, and nothing that no reader uses."""

from datetime import date, timedelta

import pytest

from crm.classification import Kind
from crm.data_map import TABLES
from mlengine import disclosure
from mlengine.models import Cluster, ClusterMember, ModelVersion, PredictionRun, Recommendation, Repurchase, Score
from tests import api, factories
from tests.api import NOW

pytestmark = pytest.mark.django_db
CALLED = {"reasons": "why", "reason": "why", "cluster": "segment"}  # in a copy, for its reader
SECTIONS = {
    "mlengine.score": disclosure.scores,
    "mlengine.clustermember": disclosure.memberships,
    "mlengine.recommendation": disclosure.recommendations,
    "mlengine.repurchase": disclosure.repurchases,
}


def test_everything_that_the_data_map_calls_derived_is_in_the_persons_copy() -> None:
    person, milk, day = factories.profile(), factories.item("milk"), date(2026, 3, 1)
    facts = {"alive": 0.75, "of_old": 2.0}
    Score.objects.create(profile=person, run=api.run("value"), value=5.0, low=4.0, high=6.5, facts=facts)
    Recommendation.objects.create(profile=person, run=api.run("recommendations"), rank=1, item=milk, value=1.0)
    cluster = Cluster.objects.create(spec="rfm", code=3, first_seen_at=NOW)
    ClusterMember.objects.create(profile=person, run=api.run("rfm"), cluster=cluster)
    Repurchase.objects.create(
        profile=person, run=api.run("repurchase"), rank=1, item=milk, category="dairy", probability=0.8, times=5,
        every_days=7, last_on=day, due_on=day, due_from=day, due_until=day,
    )  # fmt: skip
    for name, rows in SECTIONS.items():
        derived = TABLES[name].names[Kind.DERIVED].split()
        (row,) = rows([person.pk])
        assert derived
        assert {CALLED.get(field, field) for field in derived} <= set(row), name
    (score,) = disclosure.scores([person.pk])
    assert (score["low"], score["high"]) == (4.0, 6.5)
    assert score["facts"][0] == {
        "name": "alive", "value": 0.75, "unit": "probability", "en": "Still a customer", "zh-hans": "仍是客户的概率",
    }  # fmt: skip
    assert (score["facts"][1]["name"], score["facts"][1]["en"]) == ("of_old", "of_old")


def test_the_segment_that_is_told_is_the_one_that_readers_use_not_one_in_the_shadow() -> None:
    person, run = factories.profile(), api.run("rfm")
    version = ModelVersion.objects.create(spec="rfm", number=2, stage="challenger", cutoff=NOW, trained_at=NOW)
    later = {"cutoff": NOW + timedelta(days=1), "started_at": NOW, "finished_at": NOW}
    shadow = PredictionRun.objects.create(spec="rfm", version=version, shadow=True, **later)
    for made, code in ((run, 1), (shadow, 2)):
        cluster = Cluster.objects.create(spec="rfm", code=code, name={"en": f"group {code}"}, first_seen_at=NOW)
        ClusterMember.objects.create(profile=person, run=made, cluster=cluster)
    assert [tag.title for tag in disclosure.segments([person.pk])] == [{"en": "group 1"}]
