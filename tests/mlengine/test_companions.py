"""Companions: who lies in one basket, what the same people buy, what is looked at next."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlengine.estimators.companions import Companions, LinkTable
from mlengine.specs import NotEnoughData
from tests.mlengine.frames import log_of

CUTOFF = datetime(2026, 1, 1)
TASK = Companions(horizon=timedelta(days=28), activity_window=timedelta(days=182), k=2, min_buyers=3)
Row = tuple[int, int, str, str, float]  # user, item, kind, session, days ago


def log(rows: list[Row]):  # type: ignore[no-untyped-def]
    return log_of(
        pl.DataFrame(
            {
                "user": [row[0] for row in rows],
                "item": [row[1] for row in rows],
                "kind": [row[2] for row in rows],
                "session": [row[3] for row in rows],
                "occurred_at": [CUTOFF - timedelta(days=row[4]) for row in rows],
            }
        )
    )


# Twenty people buy tea (1) with a cup (2); ten of them a lamp (3), at another time. All look from cup to tea to lamp.
BASKETS: list[Row] = [(user, item, "purchase", f"b{user}", 9.0) for user in range(20) for item in (1, 2)]
LAMPS: list[Row] = [(user, 3, "purchase", f"l{user}", 5.0) for user in range(10)]
LOOKS: list[Row] = [
    (user, item, "view", f"v{user}", 3.0 - place / 100) for user in range(20) for place, item in enumerate((2, 1, 3))
]


def links(rows: list[Row], task: Companions = TASK) -> dict[str, list[tuple[int, int, int]]]:
    frame = task.predict(task.fit(log(rows), CUTOFF), log(rows), CUTOFF).to_native()
    told = frame.sort("kind", "item", "rank").select("kind", "item", "other", "people").iter_rows()
    found: dict[str, list[tuple[int, int, int]]] = {}
    for kind, *pair in told:
        found.setdefault(kind, []).append((pair[0], pair[1], pair[2]))
    return found


def test_three_kinds_of_company_are_told_apart() -> None:
    found = links([*BASKETS, *LAMPS, *LOOKS])
    assert found["together"] == [(1, 2, 20), (2, 1, 20)]
    assert found["similar"] == [(1, 2, 20), (1, 3, 10), (2, 1, 20), (2, 3, 10), (3, 1, 10), (3, 2, 10)]
    assert found["next"] == [(1, 3, 20), (2, 1, 20), (2, 3, 20)]  # nobody looked back


def test_what_nine_people_share_is_not_told() -> None:
    pair: list[Row] = [(user, item, "purchase", f"p{user}", 4.0) for user in range(9) for item in (1, 8)]
    others: list[Row] = [(user, 8, "purchase", f"o{user}", 4.0) for user in (27, 28, 29)]
    assert all(8 not in pair[:2] for found in links([*BASKETS, *pair, *others]).values() for pair in found)


def test_one_person_with_many_baskets_makes_no_company() -> None:
    alone: list[Row] = [(0, item, "purchase", f"again{n}", 20.0 + n) for n in range(30) for item in (1, 3)]
    told = links([*BASKETS, *LAMPS[:9], *alone])["together"]
    assert told == [(1, 2, 20), (2, 1, 20)]


def test_what_happened_at_one_moment_has_no_next() -> None:
    assert "next" not in links(BASKETS)


def test_too_few_buyers_are_refused() -> None:
    with pytest.raises(NotEnoughData, match="2 items with 3 buyers"):
        TASK.fit(log(BASKETS[:2]), CUTOFF)


def test_what_was_learned_survives_the_disk(tmp_path: Path) -> None:
    model = TASK.fit(log([*BASKETS, *LOOKS]), CUTOFF)
    model.save(tmp_path)
    kept = LinkTable.load(tmp_path)
    one, other = (
        TASK.predict(each, log(BASKETS), CUTOFF).to_native().sort("kind", "item", "rank") for each in (model, kept)
    )
    assert one.equals(other)


def test_baskets_that_come_judge_and_popular_items_are_beaten() -> None:
    crowd: list[Row] = [
        (50 + n, 9, "purchase", f"c{n}", 8.0) for n in range(30)
    ]  # the most bought of all, always alone
    later: list[Row] = [(user, item, "purchase", f"n{user}", -2.0) for user in range(20) for item in (1, 2)]
    whole = log([*BASKETS, *LAMPS, *crowd, *later])
    task = Companions(horizon=timedelta(days=28), activity_window=timedelta(days=182), k=1, min_buyers=3)
    figures = {}
    for name, rival in {"cosine": task, **task.baselines()}.items():
        figures[name] = rival.evaluate(rival.predict(rival.fit(whole, CUTOFF), whole, CUTOFF), whole, CUTOFF)
    assert figures["cosine"]["ndcg_at_10"].value == 1.0
    assert figures["popular"]["ndcg_at_10"].value == 0.0
