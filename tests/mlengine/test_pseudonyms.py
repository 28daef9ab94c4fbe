"""Learning sees pseudonyms only: one unique token in every personal field, and none of them in what it reads or makes.

The lake is read as it is on disk **and** decoded, artifacts, model cards, answers and jobs as the rows they are.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from crm import lake, partitions
from crm.models import Event, Identifier, JobRun, Profile, RejectedEvent, Source
from mlengine import jobs, prediction, registry, training
from mlengine.models import (
    Cluster,
    ItemLink,
    Metric,
    ModelVersion,
    PredictionRun,
    Recommendation,
    Repurchase,
    Score,
    Trial,
)
from mlengine.shop_rules import RecommendationRule
from mlengine.specs import SPECS
from tests import factories
from tests.crm.canaries import Canaries, files
from tests.mlengine.house import END, NOW, OPENED, spec

pytestmark = pytest.mark.django_db(transaction=True)

PRODUCTS = (
    *("churn", "staying_away", "rfm", "clusters", "companions", "repurchase", "recommendations", "value"),
    "discovery",
    "response",
    "conversion",
    "redemption",
    "uplift",
)
SHORTER: dict[str, dict[str, Any]] = {
    "staying_away": {"horizon": timedelta(days=28)},  # what they ask for is more than the eight months that there are
    "redemption": {"horizon": timedelta(days=28)},
    "value": {"horizon": timedelta(days=28), "activity_window": timedelta(days=91)},
}
QUICK: dict[str, dict[str, Any]] = {
    "staying_away": {"rounds": 5, "most_cutoffs": 3, "min_in_leaf": 5},
    "churn": {"rounds": 5, "seeds": 1, "most_cutoffs": 3, "min_in_leaf": 5, "calibration_folds": 2},
    "response": {"least": 20, "least_answers": 5},
    "conversion": {"least": 20, "least_answers": 5},
    "redemption": {"least": 20, "least_answers": 5, "window": timedelta(days=14)},
    "uplift": {"least": 20, "least_judged": 10, "again": 2},
    # Everybody has bought everything here: there is nothing to discover, so that all competes.
    "discovery": {"new_only": False, "recommender": "ease"},
    "value": {"most_cutoffs": 3, "growing": {"rounds": 5, "seeds": 1}},
}


PEOPLE = 170  # clusters are found among 160 at least
a_few_people = pytest.mark.parametrize("planted", [12], indirect=True)


@pytest.fixture
def planted(request: pytest.FixtureRequest) -> Canaries:
    """Fill a shop whose every personal field is a canary."""
    canary = Canaries()
    source, campaigns = factories.source(), factories.source("Campaigns", kind="system")
    partitions.ensure({partitions.month_of(OPENED + timedelta(days=n)) for n in range(0, 260, 10)})
    items = [factories.item(f"T{n}", title=f"Tea {n}", categories=["drinks", f"shelf {n % 4}"]) for n in range(25)]
    events, identifiers = [], []
    for n in range(getattr(request, "param", PEOPLE)):
        person = factories.profile(
            canary(f"identifier.external_id {n}"),
            name=canary("profile.name"),
            traits={"home": canary("profile.traits"), "deep": [{"tel": canary("profile.traits.deep", "phone")}]},
            age_band="25-34",
            attributes={"income": "middle", "nickname": canary("profile.attributes"), "note": {"deep": canary("deep")}},
        )
        identifiers += [
            Identifier(type=kind, value=canary(f"identifier.{kind} {n}"), profile=person, created_at=OPENED)
            for kind in ("email", "phone", "openid", "unionid", "anonymous_id")
        ]
        stays = n % 3
        for week in range(36 if stays else 28):
            when = OPENED + timedelta(days=7 * week, minutes=20 * n)
            events.append(
                Event(
                    id=uuid4(),
                    source=source,
                    profile=person,
                    item=items[(n + week * (1 + n % 5)) % 25],
                    kind="purchase",
                    name=canary("event.name") if week == 3 else "",
                    value=5 + n + 3 * (week % (2 + n % 7)),  # people differ, or there were no groups among them
                    quantity=1,
                    session=canary("event.session") if week == 4 else "",
                    occurred_at=when,
                    received_at=when,
                    properties={
                        "ip": canary("event.ip"),
                        "context": {"userAgent": canary("event.user_agent"), "page": {"url": canary("event.url")}},
                        "note": canary("event.free_text"),
                    },
                )
            )
        for run in (150, 200):
            events += [drawn(person, n, run, campaigns), told(person, run, "sent", campaigns)]
            events += [told(person, run, "clicked", campaigns)] if n % 4 == 0 else []
            events += [told(person, run, "redeemed", campaigns)] if n % 5 == 0 else []
    Identifier.objects.bulk_create(identifiers)
    Event.objects.bulk_create(events)
    RejectedEvent.objects.create(
        source=source,
        payload=json.dumps({"traits": {"email": canary("rejected.payload")}}),
        reason="no kind",
        index=0,
        received_at=OPENED,
    )
    return canary


def drawn(person: Profile, n: int, run: int, source: Source) -> Event:
    """Return that somebody was to get a campaign, or was held out, by lot."""
    at = OPENED + timedelta(days=run)
    out = (n // 2 + run // 50) % 2 == 0
    return Event(
        id=uuid4(),
        source=source,
        profile=person,
        kind="assigned",
        session=f"run {run}",
        channel="email",
        occurred_at=at,
        received_at=at,
        properties={"campaign": 1, "variant": None if out else 5, "propensity": 0.5},
    )


def told(person: Profile, run: int, kind: str, source: Source) -> Event:
    """Return what became of a message of that campaign."""
    at = OPENED + timedelta(days=run, hours=1 if kind == "sent" else 3)
    return Event(
        id=uuid4(),
        source=source,
        profile=person,
        kind=kind,
        session=f"run {run}",
        channel="email",
        occurred_at=at,
        received_at=at,
        properties={"campaign": 1, "variant": 5},
    )


TOLD = (ModelVersion, Metric, PredictionRun, Score, Recommendation, Repurchase, ItemLink, Cluster, Trial)


def everything_learned() -> Iterator[tuple[str, bytes]]:
    """Yield whatever learning read or made, with where it was found."""
    yield from files(Path(settings.EVENT_LAKE_URL), Path(settings.ARTIFACT_DIR))
    for model in (*TOLD, JobRun):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} AS t")
            yield model.__name__, "\n".join(row[0] for row in cursor.fetchall()).encode()


def learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train and predict with all specs of the product, and with one of the house for every kind of answer."""
    assert set(SPECS) == set(PRODUCTS)
    house = [spec(), spec("InHalves", "cluster", name="halves"), spec("Shelf", "recommendation", name="shelf")]
    few: dict[str, Any] = {"min_profiles": 5, "min_events": 50, "min_days": 50, "backtest_cutoffs": 1}
    ours = [
        replace(
            SPECS[name],
            parameters={**SPECS[name].parameters, **QUICK.get(name, {})},
            **few,
            **SHORTER.get(name, {}),
        )
        for name in PRODUCTS
    ]
    for asked in (*house, *ours):
        monkeypatch.setitem(SPECS, asked.name, asked)
        job = jobs.recorded(jobs.TRAIN, asked, cutoff=END, now=NOW)
        assert training.run(job, lambda: NOW), job.error
        if ModelVersion.objects.champion(asked.name) is None:  # among so few it need not beat the baselines
            version = ModelVersion.objects.filter(spec=asked.name).latest("number")
            registry.promote(version, by=None, reason="so that it answers", now=NOW)
        job = jobs.recorded(jobs.PREDICT, asked, cutoff=END, now=NOW)
        assert prediction.run(job, lambda: NOW), job.error


def test_no_canary_of_any_personal_field_is_in_what_learning_reads_or_makes(
    planted: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.export(NOW)
    learn(monkeypatch)
    places = dict(everything_learned())
    found = {place: planted.seen_in(content) for place, content in places.items()}
    assert {place: fields for place, fields in found.items() if fields} == {}
    assert sum(place.endswith(".parquet") for place in places) >= 9  # months of events, people, items
    assert {JobRun.objects.filter(kind=kind, status="succeeded").count() for kind in (jobs.TRAIN, jobs.PREDICT)} == {
        len(PRODUCTS) + 3
    }
    assert set(PRODUCTS) < set(ModelVersion.objects.values_list("spec", flat=True))
    assert PredictionRun.objects.finished().count() == len(PRODUCTS) + 3
    for model in (Score, Recommendation, Cluster, Metric):  # what was searched was not empty
        assert len(places[model.__name__].splitlines()) == model._default_manager.count() > 5
    assert len(planted.values) == 6 * PEOPLE + 12


@a_few_people
def test_the_search_would_find_a_canary_wherever_it_looks(planted: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same search, over a lake and artifacts into which one was put: a search that cannot find proves nothing."""
    lake.export(NOW)
    token = planted("profile.name")
    leak = pl.DataFrame({"user": [1], "name": [token]})
    leak.write_parquet(Path(settings.EVENT_LAKE_URL) / "leak.parquet", compression="zstd")
    version = ModelVersion.objects.create(
        spec="churn", number=1, artifact="a", sha256="0" * 64, card={"data": {"who": token}}, cutoff=NOW, trained_at=NOW
    )
    found = {place for place, content in everything_learned() if planted.seen_in(content)}
    assert found == {str(Path(settings.EVENT_LAKE_URL) / "leak.parquet"), "ModelVersion"}
    assert version.pk


@a_few_people
def test_people_in_the_lake_are_row_numbers_and_coarse_facts(planted: Canaries) -> None:
    lake.export(NOW)
    columns: set[str] = set()
    for path in Path(settings.EVENT_LAKE_URL).rglob("*.parquet"):
        columns |= set(pl.read_parquet_schema(path))
    personal = {
        "name",
        "phone",
        "email",
        "openid",
        "unionid",
        "value_text",
        "properties",
        "payload",
        "identifier",
        "ip",
    }
    assert columns & {"user"}
    assert not columns & personal


def test_every_table_that_learning_writes_is_searched() -> None:
    numbers_only: set[Any] = {apps.get_model("mlengine", "ClusterMember")}
    by_staff: set[Any] = {RecommendationRule}
    assert set(apps.get_app_config("mlengine").get_models()) == set(TOLD) | numbers_only | by_staff
    assert Profile.objects.count() == 0
