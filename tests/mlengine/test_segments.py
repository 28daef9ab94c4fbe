"""Segments: RFM by hand, and clusters that were planted."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import adjusted_rand_score

from mlengine.columns import PURCHASE, Log
from mlengine.estimators.clusters import Clusters
from mlengine.estimators.rfm import GRID, SEGMENTS, Rfm, RfmGrid
from mlengine.estimators.segments import grouped, variance_explained
from mlengine.specs import NotEnoughData
from tests.mlengine.frames import log_of

DAY = timedelta(days=1)
CUTOFF = datetime(2024, 8, 1)
CLUSTERS = Clusters(horizon=28 * DAY, activity_window=182 * DAY, fewest=2, most=5, bootstraps=4, top_categories=2)
RFM = Rfm(horizon=28 * DAY, activity_window=182 * DAY)


@pytest.fixture(scope="module")
def planted() -> Log:
    """Three kinds of people, a hundred each: daily bread, weekly bargains on milk, and a rare large basket."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(1, 301):
        gap, value, saved, item = [(1, 5.0, 0.0, 10), (7, 20.0, 20.0, 11), (45, 200.0, 0.0, 10)][user % 3]
        for day in np.arange(rng.integers(0, gap + 1), 200, gap):
            at = CUTOFF - timedelta(days=int(day) + 1, hours=-12)
            rows.append((user, item, PURCHASE, at, value * rng.uniform(0.8, 1.2), saved, f"{user}-{day}"))
    columns = ["user", "item", "kind", "occurred_at", "value", "discount", "session"]
    events = pl.DataFrame(rows, schema=columns, orient="row")
    later = events.with_columns(pl.col("occurred_at") + 30 * DAY)
    items = pl.DataFrame({"item": [10, 11], "category": ["bread", "milk"]})
    return log_of(pl.concat([events, later.filter(pl.col("occurred_at") >= CUTOFF)]), items)


def test_the_grid_names_the_corners_as_marketers_do() -> None:
    names = {segment.code: segment.name["en"] for segment in SEGMENTS}
    model = RfmGrid(edges=np.array([[10.0, 20, 30, 40], [1, 2, 3, 4], [10, 20, 30, 40]]), grid=GRID)
    X = np.array([[5, 9, 99], [5, 1, 5], [99, 9, 99], [99, 1, 5], [35, 5, 50], [25, 5, 50]], dtype=float)
    assert model.scores(X)[0].tolist() == [5, 5, 5]
    assert [names[code] for code in model.codes(X)] == [
        "Champions", "New", "Can't lose them", "Lost", "At risk", "Loyal",
    ]  # fmt: skip


def test_every_named_segment_has_a_field_in_the_grid_and_a_name_in_both_languages() -> None:
    assert set(GRID.ravel()) == {segment.code for segment in SEGMENTS} == set(range(1, 12))
    assert all(segment.name.keys() == segment.description.keys() == {"en", "zh-hans"} for segment in SEGMENTS)


def test_rfm_is_kept_and_read_again(planted: Log, tmp_path: Path) -> None:
    model = RFM.fit(planted, CUTOFF)
    model.save(tmp_path)
    found, again = (RFM.predict(each, planted, CUTOFF).to_native() for each in (model, RFM.load(tmp_path)))
    assert again.equals(found)
    assert len(found) == 300


def test_planted_clusters_come_out_and_so_does_their_number(planted: Log) -> None:
    model = CLUSTERS.fit(planted, CUTOFF)
    found = CLUSTERS.predict(model, planted, CUTOFF).sort("user")
    truth = [user % 3 for user in found["user"].to_list()]
    assert adjusted_rand_score(truth, found["cluster"].to_list()) > 0.98
    assert model.facts["k"] == 3
    assert model.facts["stability"][3] > 0.98


def test_descriptions_say_what_sets_a_cluster_apart(planted: Log) -> None:
    model = CLUSTERS.fit(planted, CUTOFF)
    found = dict(CLUSTERS.predict(model, planted, CUTOFF).iter_rows())
    words = {segment.code: segment for segment in model.segments}
    bargains = words[found[1]]
    assert "bargain hunting" in bargains.description["en"]
    assert "much on Milk" in bargains.description["en"]
    assert "偏好优惠" in bargains.description["zh-hans"]
    assert bargains.description["en"].startswith("33% of people.")


def test_clusters_keep_their_codes_in_the_next_training(planted: Log, tmp_path: Path) -> None:
    first = CLUSTERS.fit(planted, CUTOFF)
    shuffled = replace(CLUSTERS, random_state=7).fit(planted, CUTOFF)
    renamed = shuffled.following(first)
    then, now = (CLUSTERS.predict(each, planted, CUTOFF).to_native() for each in (first, renamed))
    assert (then["cluster"] == now["cluster"]).mean() > 0.99
    renamed.save(tmp_path)
    assert CLUSTERS.predict(CLUSTERS.load(tmp_path), planted, CUTOFF).to_native().equals(now)


def test_a_cluster_without_a_forerunner_gets_a_code_never_used(planted: Log) -> None:
    model = CLUSTERS.fit(planted, CUTOFF)
    earlier = replace(CLUSTERS, fewest=2, most=2).fit(planted, CUTOFF)
    followed = model.following(earlier)
    assert sorted(followed.codes)[-1] == 3
    assert followed.ever >= 3
    assert len(set(followed.codes)) == 3


def test_groups_are_judged_by_what_comes_after(planted: Log) -> None:
    answers = CLUSTERS.predict(CLUSTERS.fit(planted, CUTOFF), planted, CUTOFF)
    measures = CLUSTERS.evaluate(answers, planted, CUTOFF)
    shuffled = np.random.default_rng(0).permutation(answers["cluster"].to_numpy())
    at_random = grouped(answers, shuffled)
    assert measures["lines_explained"].value > 0.8  # daily, weekly, rarely: whoever comes rarely may not come at all
    assert measures["behaviour_explained"].value > 0.6
    assert CLUSTERS.evaluate(at_random, planted, CUTOFF)["lines_explained"].value < 0.05


def test_variance_between_groups_of_one_another_is_none() -> None:
    assert variance_explained(np.array([1, 1, 2, 2]), np.array([0.0, 1.0, 0.0, 1.0])) == 0.0


def test_too_few_people_are_refused(planted: Log) -> None:
    with pytest.raises(NotEnoughData, match="Needs 100 people active before the cutoff to find clusters, has 0"):
        CLUSTERS.fit(planted.until(datetime(2024, 1, 1)), CUTOFF)
    with pytest.raises(NotEnoughData, match="Needs 5 people"):
        RFM.fit(planted.until(datetime(2024, 1, 1)), CUTOFF)
