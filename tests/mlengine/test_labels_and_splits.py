"""Labels and cutoffs: who counts as gone, and that no label reaches into what is judged."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mlengine.labels import churn
from mlengine.splits import cutoffs_before, rolling_origin
from tests.mlengine.frames import complete_journey_log, log_of, purchases

DAY = timedelta(days=1)
CUTOFF = datetime(2024, 3, 1)


def labels(rows: list[tuple[int, datetime, float]]) -> dict[int, int]:
    found = churn(log_of(purchases(rows)), CUTOFF, 28 * DAY, 90 * DAY).collect("polars")
    return dict(found.sort("user").iter_rows())


def test_people_active_before_are_labelled_by_what_they_do_after() -> None:
    stays = [(1, CUTOFF - 5 * DAY, 1.0), (1, CUTOFF + 27 * DAY, 1.0)]
    leaves = [(2, CUTOFF - 90 * DAY, 1.0), (2, CUTOFF + 28 * DAY, 1.0)]
    gone_before = [(3, CUTOFF - 90 * DAY - timedelta(seconds=1), 1.0), (3, CUTOFF, 1.0)]
    new = [(4, CUTOFF, 1.0)]
    assert labels(stays + leaves + gone_before + new) == {1: 0, 2: 1}


def test_complete_journey_has_the_published_people_and_share() -> None:
    found = churn(complete_journey_log(), datetime(2017, 12, 1), 28 * DAY, 90 * DAY).collect("polars")
    assert len(found) == 2323
    assert round(float(found["label"].mean()), 3) == 0.145


@given(st.integers(1, 60), st.integers(1, 30), st.integers(0, 400), st.integers(1, 20))
def test_label_windows_end_at_or_before_what_is_known(horizon: int, step: int, history: int, most: int) -> None:
    end = datetime(2024, 1, 1)
    found = cutoffs_before(end, first=end - history * DAY, horizon=horizon * DAY, step=step * DAY, most=most)
    assert all(end - history * DAY <= cutoff <= end - horizon * DAY for cutoff in found)
    assert len(found) == min(most, max(0, (history - horizon) // step + 1))
    assert found == sorted(found)


@given(st.integers(1, 60), st.integers(1, 30), st.integers(0, 25), st.integers(1, 6))
def test_no_fold_learns_from_labels_that_reach_its_judged_cutoff(horizon: int, step: int, n: int, folds: int) -> None:
    cutoffs = [CUTOFF + k * step * DAY for k in range(n)]
    judged_before = None
    for train, judged in rolling_origin(cutoffs, horizon=horizon * DAY, folds=folds):
        assert max(train) + horizon * DAY <= judged
        assert judged_before is None or judged + horizon * DAY <= judged_before
        judged_before = judged
