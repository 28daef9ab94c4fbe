"""Bad input, asked of every spec: each answers with numbers that mean something, or refuses in words; nothing else.

What goes wrong around a training (a killed one, corrupted files, two at once) is asked in ``test_crashes``,
``test_registry`` and ``test_training``; rows that never reach a log are refused at the door (``tests/crm``).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.columns import ASSIGNED, PURCHASE, SCORE, USER, Log
from mlengine.specs import SPECS, NotEnoughData, Spec
from tests.mlengine.frames import EVENTS, log_of
from tests.mlengine.test_pseudonyms import QUICK, SHORTER

DAY = timedelta(days=1)
BEGIN = datetime(2024, 1, 1)
DAYS = 240
CUTOFF = BEGIN + (DAYS - 28) * DAY
Frames = tuple[pl.DataFrame, pl.DataFrame]


@cache
def shop() -> Frames:
    """Return events and items of 180 people, every third of whom stops some day."""
    rng = np.random.default_rng(0)
    rows: list[tuple[int, int, datetime, float, str]] = []
    for user in range(1, 181):
        stop = int(rng.integers(120, DAYS)) if user % 3 == 0 else DAYS
        day = float(rng.uniform(0, 10))
        while day < stop:
            basket = f"{user}-{day:.3f}"
            basket_items = rng.choice(24, rng.integers(1, 4), replace=False) + 1
            at, spent = BEGIN + day * DAY, rng.integers(2, 60, len(basket_items))
            rows.extend(
                (user, int(item), at, float(value), basket) for item, value in zip(basket_items, spent, strict=True)
            )
            day += float(rng.uniform(3, 14))
    events = pl.DataFrame(rows, schema=["user", "item", "occurred_at", "value", "session"], orient="row")
    events = events.with_columns(
        pl.col("occurred_at").cast(pl.Datetime("us")),
        kind=pl.lit(PURCHASE), quantity=pl.lit(1.0), discount=pl.lit(0.5), channel=pl.lit("store"),
    )  # fmt: skip
    items = [{"item": n, "kind": "product", "category": f"aisle {n % 3}", "price": 1.0 * n} for n in range(1, 25)]
    return events, pl.DataFrame(items)


def one_class(events: pl.DataFrame, items: pl.DataFrame) -> Frames:
    weekly = [
        {"user": user, "item": 1 + (user + week) % 24, "occurred_at": BEGIN + (7 * week + user % 7) * DAY}
        for user in range(1, 181)
        for week in range(DAYS // 7)
    ]
    made = pl.DataFrame(weekly).with_columns(
        pl.col("occurred_at").cast(pl.Datetime("us")), kind=pl.lit(PURCHASE), value=pl.lit(5.0), session=pl.lit("a")
    )
    return made, items


def crowd(events: pl.DataFrame, items: pl.DataFrame) -> Frames:
    n = 100_000
    many = pl.DataFrame(
        {"user": np.full(n, 999), "item": np.arange(n) % 24 + 1, "value": np.full(n, 3.0), "at": np.arange(n) * 180}
    )
    many = many.select(
        "user", "item", "value",
        occurred_at=pl.lit(BEGIN).cast(pl.Datetime("us")) + pl.duration(seconds=pl.col("at")),
        kind=pl.lit(PURCHASE), session=pl.format("m{}", pl.col("at") // 6_000),
    )  # fmt: skip
    return pl.concat([events, many], how="diagonal_relaxed"), items


def odd_money(events: pl.DataFrame, items: pl.DataFrame) -> Frames:
    odd = pl.Series("odd", [float("nan"), float("inf"), float("-inf"), -40.0, None, 9.9e11])
    where = pl.int_range(pl.len()) % 9
    value = pl.when(where < 6).then(pl.lit(odd).gather(where.clip(0, 5))).otherwise(pl.col("value"))
    discount = pl.when(where == 7).then(pl.lit(float("nan"))).otherwise(pl.col("discount"))
    return events.with_columns(value=value, discount=discount, quantity=pl.lit(float("inf"))), items


SPOILT: dict[str, Callable[[pl.DataFrame, pl.DataFrame], Frames]] = {
    "nothing is wrong": lambda events, items: (events, items),
    "nobody leaves": one_class,
    "one price, one discount, one channel": lambda events, items: (events.with_columns(value=pl.lit(1.0)), items),
    "everybody is new": lambda events, items: (events.filter(pl.col("occurred_at") >= CUTOFF - 10 * DAY), items),
    "there is one item": lambda events, items: (events.with_columns(item=pl.lit(1, pl.Int64)), items.head(1)),
    "somebody has 100,000 events": crowd,
    "every event came twice": lambda events, items: (pl.concat([events, events]), items),
    "money is odd": odd_money,
    "nothing is known but who and when": lambda events, items: (
        events.select("user", "occurred_at", "kind"), items.select("item"),
    ),
    "items nobody described": lambda events, items: (events, items.clear()),
    "only other kinds of events": lambda events, items: (events.with_columns(kind=pl.lit(ASSIGNED)), items),
    "ten rows": lambda events, items: (events.sort("occurred_at").tail(10), items),
    "no rows": lambda events, items: (events.clear(), items.clear()),
}  # fmt: skip


def quick(spec: Spec) -> Spec:
    """Return the spec with parameters so small that it learns from this shop within a second."""
    parameters = {**spec.parameters, **QUICK.get(spec.name, {})}
    return replace(spec, parameters=parameters, **SHORTER.get(spec.name, {}))


def spoilt_log(kind: str) -> Log:
    events, items = SPOILT[kind](*shop())
    return log_of(events, items)


def check(spec: Spec, answers: nw.DataFrame[Any], log: Log) -> None:
    """What readers of any answer rely on."""
    if spec.answers == "link":  # of items alone
        assert np.all(np.isfinite(answers[SCORE].to_numpy()))
        return
    users = answers[USER].to_list()
    known = set(log.profiles.select(USER).collect("polars")[USER].to_list())
    assert set(users) <= known
    if spec.answers == "cluster":
        assert len(set(users)) == len(users)
        return
    score = answers[SCORE].to_numpy()
    assert np.all(np.isfinite(score))
    if spec.answers == "score":
        assert len(set(users)) == len(users)
        assert set(answers.columns) - {USER, SCORE, "low", "high"} <= set(spec.facts)
        assert len(answers.columns) > 2 or not spec.facts
        if spec.unit == "probability":
            assert np.all((score >= 0) & (score <= 1))
        if spec.unit in {"money", "days", "count"}:
            assert np.all(score >= 0)
        for name in ("low", "high"):
            if name in answers.columns:
                bound = answers[name].to_numpy()
                known_bound = np.isfinite(bound)
                assert np.all((bound <= score + 1e-9 if name == "low" else bound >= score - 1e-9)[known_bound])


def refused(asked: Callable[[], Any]) -> Any:
    """Return what was answered, or ``None`` for a refusal, which must say why."""
    try:
        return asked()
    except NotEnoughData as refusal:
        if len(str(refusal)) < 20:
            raise
        return None


# What messages cause is learned from campaigns with a holdout, of which this shop has none: they must refuse.
NEEDS_CAMPAIGNS = {"uplift", "response", "conversion", "redemption"}
ANSWERING = [name for name, spec in SPECS.items() if name not in NEEDS_CAMPAIGNS and spec.answers != "link"]
NIGHTLY = [pytest.mark.slow, pytest.mark.nightly]
QUICK_ONES = {(name, "money is odd") for name in ("churn", "staying_away", "rfm", "clusters")}
CASES = [
    pytest.param(name, kind, marks=[] if kind == "ten rows" or (name, kind) in QUICK_ONES else NIGHTLY)
    for name in SPECS
    for kind in SPOILT
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_spec_answers_or_refuses_in_words(name: str, kind: str) -> None:
    spec, log = quick(SPECS[name]), spoilt_log(kind)
    model = refused(lambda: spec.verbs.fit(log, CUTOFF))
    assert model is not None or kind != "nothing is wrong" or name in NEEDS_CAMPAIGNS
    if model is None:
        return
    answers = spec.verbs.predict(model, log, CUTOFF)
    check(spec, answers, log)
    found = refused(lambda: spec.verbs.evaluate(answers, log, CUTOFF))
    assert all(isinstance(measure.value, float) for measure in (found or {}).values())


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("name", ANSWERING)
def test_events_of_the_future_change_no_answer(name: str) -> None:
    spec, (events, items) = quick(SPECS[name]), shop()
    future = events.with_columns(pl.col("occurred_at") + pl.duration(days=400), value=pl.lit(1e9))
    late = events.tail(50).with_columns(occurred_at=pl.lit(CUTOFF - 5 * DAY), received_at=pl.lit(CUTOFF + DAY))
    users = pl.DataFrame({"user": sorted(set(events["user"]))})
    plain = log_of(events, items, users)
    more = log_of(
        pl.concat([events.with_columns(received_at="occurred_at"), future, late], how="diagonal_relaxed").with_columns(
            pl.col("received_at").fill_null(pl.col("occurred_at"))
        ),
        items,
        users,
    )
    first, second = (
        spec.verbs.predict(spec.verbs.fit(log, CUTOFF), log, CUTOFF).sort(USER).to_dict(as_series=False)
        for log in (plain, more)
    )
    assert second == first


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("name", ANSWERING)
def test_people_items_and_categories_never_seen_are_answered(name: str) -> None:
    """Between the training and the answer everybody changed: other people, other items, other categories."""
    spec, (events, items) = quick(SPECS[name]), shop()
    model = spec.verbs.fit(log_of(events, items), CUTOFF)
    other = log_of(
        events.with_columns(pl.col("user") + 1_000, pl.col("item") + 1_000, channel=pl.lit("moon")),
        items.with_columns(pl.col("item") + 1_000, category=pl.lit("of another world")),
    )
    check(spec, spec.verbs.predict(model, other, CUTOFF), other)


def test_the_frames_of_this_shop_have_the_columns_of_a_log() -> None:
    assert set(shop()[0].columns) <= set(EVENTS)
