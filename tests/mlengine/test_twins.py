"""Twins: two records that differ only in people who may not be learned from teach every model the same bytes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from crm import lake, partitions
from crm.models import Event, Item, Profile, Relation
from mlengine import datasets
from mlengine.columns import REASON, USER, Log
from mlengine.estimators.recommendation_reasons import SENTENCES
from mlengine.registry import digests
from mlengine.specs import SPECS, Spec
from tests import factories
from tests.mlengine.house import END, NOW, OPENED
from tests.mlengine.quick import quick
from tests.mlengine.test_pseudonyms import drawn, told

pytestmark = pytest.mark.django_db(transaction=True)  # the lake is exported outside a test's transaction

PEOPLE = 165  # clusters are found among 160 at least
WEEKS = 36
OUT: tuple[dict[str, Any], ...] = (
    {"personalisation": False},
    {"restricted_at": OPENED},
    {"age_class": "minor"},
    {"age_class": "child"},
)
NAMES = UUID("6d7e1f0a-6f0f-4a55-9d0c-0d8f2b6a7c11")


def shop() -> tuple[list[Profile], list[Item]]:
    """Fill the record with people who differ in how often, when and what they buy; every third stops."""
    factories.source("shop")
    campaigns = factories.source("Campaigns", kind="system")
    partitions.ensure({partitions.month_of(OPENED + timedelta(days=n)) for n in range(0, 260, 10)})
    items = [factories.item(f"T{n}", title=f"Tea {n}", categories=["drinks", f"shelf {n % 4}"]) for n in range(25)]
    people = [
        factories.profile(f"in {n}", age_band=("25-34", "35-44")[n % 2], gender="female", age_class="adult")
        for n in range(PEOPLE)
    ]
    events = [event for n, person in enumerate(people) for event in _buys(person, n, items, stops=n % 3 == 0)]
    for n, person in enumerate(people):
        for run in (150, 200):
            events += [drawn(person, n, run, campaigns), told(person, run, "sent", campaigns)]
            events += [told(person, run, "clicked", campaigns)] if n % 4 == 0 else []
            events += [told(person, run, "redeemed", campaigns)] if n % 5 == 0 else []
    Event.objects.bulk_create(events)
    pairs = pairwise(people[:20])
    Relation.objects.bulk_create(
        Relation(from_profile=a, to_profile=b, kind="friend", created_at=OPENED) for a, b in pairs
    )
    return people, items


def _buys(person: Profile, n: int, items: list[Item], *, stops: bool) -> Iterator[Event]:
    source = factories.source("shop")
    for week in range(28 if stops else WEEKS):
        when = OPENED + timedelta(days=7 * week, minutes=20 * n)
        yield Event(
            id=uuid5(NAMES, f"{person.pk}-{week}"),
            source=source,
            profile=person,
            item=items[(n + week * (1 + n % 5)) % len(items)],
            kind="purchase",
            value=5 + n % 50 + 3 * (week % (2 + n % 7)),
            quantity=1,
            occurred_at=when,
            received_at=when,
        )


def add_people_who_are_out(people: list[Profile], items: list[Item]) -> list[Profile]:
    """Add twins of people who are in, each out for another reason, who buy one item all day long and know everybody."""
    source = factories.source("shop")
    out = [factories.profile(f"out {n}", age_band="65+", gender="male", **OUT[n % len(OUT)]) for n in range(12)]
    times = [OPENED + timedelta(hours=8 * n) for n in range(3 * 245)]
    Event.objects.bulk_create(
        Event(
            id=uuid5(NAMES, f"{person.pk}-{n}"),
            source=source,
            profile=person,
            item=items[0],
            kind="purchase",
            value=999,
            quantity=1,
            occurred_at=when,
            received_at=when,
        )
        for person in out
        for n, when in enumerate(times[:: 1 + person.pk % 5])
    )
    pairs = [(a, b) for a in out for b in people[:10]]
    Relation.objects.bulk_create(
        Relation(from_profile=a, to_profile=b, kind="friend", created_at=OPENED) for a, b in pairs
    )
    return out


def learned(spec: Spec, log: Log, directory: Path) -> tuple[dict[str, str], str]:
    """Return the digests of a model's files, and of all that it says of everybody."""
    wall = datasets.wall_clock(END)
    model = spec.verbs.fit(log, wall)
    directory.mkdir(parents=True)
    model.save(directory)
    said = spec.verbs.predict(model, log, wall)
    if REASON in said.columns:  # every recommendation has a reason that can be said
        codes = {json.loads(reason)["code"] for reason in said[REASON].unique().to_list()}
        assert codes
        assert codes <= set(SENTENCES)
    return digests(directory), sha256(said.sort(*said.columns).write_csv(None).encode()).hexdigest()


def test_people_who_are_out_change_no_byte_of_any_model_and_of_nothing_it_says(tmp_path: Path) -> None:
    people, items = shop()
    lake.export(NOW)
    log = datasets.log(until=END)
    specs = [quick(spec) for spec in SPECS.values()]
    without = {spec.name: learned(spec, log, tmp_path / "without" / spec.name) for spec in specs}

    out = add_people_who_are_out(people, items)
    assert lake.export(NOW).rows > 1000
    again = datasets.log(until=END)
    assert {spec.name: learned(replace(spec), again, tmp_path / "with" / spec.name) for spec in specs} == without

    Profile.objects.filter(pk=out[0].pk).update(personalisation=True)  # a test that cannot fail proves nothing
    one_more = datasets.log(until=END)
    assert set(one_more.events.select(USER).unique().collect("polars")[USER].to_list()) == {
        *(person.pk for person in people),
        out[0].pk,
    }
    spec = quick(SPECS["rfm"])
    files, said = learned(spec, one_more, tmp_path / "one more")
    assert files != without["rfm"][0]
    assert said != without["rfm"][1]
