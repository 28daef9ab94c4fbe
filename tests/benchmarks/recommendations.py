"""Recommendations on Complete Journey: every recommender at earlier cutoffs, the champion among them at 2017-12-01.

All products bought before the cutoff compete, none is sampled. Yardsticks at 2017-12-01 (horizon 28 days): own history
with a half-life of 60 days .414, popular .171; of new items only: popular .036, EASE .048.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from resource import RUSAGE_SELF, getrusage
from typing import Any

from mlengine.columns import Log
from mlengine.estimators.recommendations import RECOMMENDERS, Recommendations
from mlengine.specs import Measure
from tests.mlengine.frames import complete_journey_log

TUNED_ON = (datetime(2017, 9, 8), datetime(2017, 10, 6), datetime(2017, 11, 3))
JUDGED_AT = datetime(2017, 12, 1)
YARDSTICKS = {False: ("own_history", 0.43), True: ("popular", 0.05)}  # the baseline, and what the issue asks for
EVERYTHING_BEFORE = timedelta(days=365)

Row = dict[str, Any]


def run() -> list[Row]:
    """Return the champion's measures beside its baseline's, its seconds and the process's memory."""
    log = complete_journey_log()
    return [row for new_only in (False, True) for row in _measured(log, new_only=new_only)]


def table() -> Iterator[tuple[str, str, float, float, float, float]]:
    """Yield recommender, cutoff, ndcg_at_10 of all and of new items, seconds to fit and to predict all items."""
    log = complete_journey_log()
    for name in RECOMMENDERS:
        for cutoff in (*TUNED_ON, JUDGED_AT):
            every, new = (_task(name, new_only=new_only) for new_only in (False, True))
            began = time.perf_counter()
            model = every.fit(log, cutoff)
            fitted = time.perf_counter()
            answers = every.predict(model, log, cutoff)
            done = time.perf_counter()
            of_all = every.evaluate(answers, log, cutoff)["ndcg_at_10"].value
            of_new = new.evaluate(new.predict(model, log, cutoff), log, cutoff)["ndcg_at_10"].value
            yield name, f"{cutoff:%Y-%m-%d}", round(of_all, 4), round(of_new, 4), fitted - began, done - fitted


def _measured(log: Log, *, new_only: bool) -> list[Row]:
    what = "new items only" if new_only else "all products"
    baseline, asked = YARDSTICKS[new_only]
    found, seconds = _judged(log, _task("blend", new_only=new_only), JUDGED_AT)
    yardstick, _ = _judged(log, _task(baseline, new_only=new_only), JUDGED_AT)
    rows = [
        _row(f"recommendations, {what}: {name}", found[name].value, "", yardstick[name].value, found[name])
        for name in found
    ]
    return [
        *rows,
        _row(f"recommendations, {what}: ndcg_at_10 against what is asked", found["ndcg_at_10"].value, "", asked),
        _row(f"recommendations, {what}: fit, predict and reasons", seconds, "s", 60.0),
        _row("recommendations: peak memory of the process", getrusage(RUSAGE_SELF).ru_maxrss / 2**20, "GiB", 2.0),
    ]


def _judged(log: Log, task: Recommendations, cutoff: datetime) -> tuple[Mapping[str, Measure], float]:
    began = time.perf_counter()
    answers = task.predict(task.fit(log, cutoff), log, cutoff)
    seconds = time.perf_counter() - began
    return task.evaluate(answers, log, cutoff), seconds


def _task(name: str, *, new_only: bool) -> Recommendations:
    return Recommendations(
        horizon=timedelta(days=28), activity_window=EVERYTHING_BEFORE, recommender=name, new_only=new_only, k=10
    )


def _row(name: str, value: float, unit: str, yardstick: float, measure: Measure | None = None) -> Row:
    interval = {} if measure is None or measure.low is None else {"low": measure.low, "high": measure.high}
    return {"name": name, "value": value, "unit": unit, "yardstick": yardstick, "ratio": value / yardstick, **interval}


if __name__ == "__main__":
    if "table" in sys.argv[1:]:
        for line in table():
            print(*line, sep="\t", flush=True)
    else:
        for row in run():
            print(row)
