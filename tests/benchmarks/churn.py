"""How well and how fast churn is foretold on Complete Journey: cutoff 2017-12-01, 28 days ahead, active in 90 days.

Everything was chosen at cutoffs up to 2017-11-03; this one was looked at only to report it.
"""

import resource
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from mlengine.estimators.churn import METRICS, Churn
from mlengine.metrics.bootstrap import difference
from mlengine.metrics.classification import roc_auc
from mlengine.specs import SPECS
from tests.mlengine.frames import complete_journey_log

CUTOFF = datetime(2017, 12, 1)
PEOPLE = 2_323
PUBLISHED = 0.856  # a 20-line LightGBM on 8 features, trained at five earlier cutoffs
MOST_SECONDS, MOST_GIB = 60.0, 2.0


def run() -> list[dict[str, Any]]:
    """Return ROC AUC beside its yardsticks, paired differences from the baselines, seconds and memory."""
    log, task = complete_journey_log(), SPECS["churn"].verbs
    assert isinstance(task, Churn)
    scores: dict[str, NDArray[Any]] = {}

    def learn_and_answer() -> None:
        model = task.fit(log, CUTOFF)
        scores["y"], scores["model"] = task.outcomes(task.predict(model, log, CUTOFF), log, CUTOFF)

    seconds = _seconds(learn_and_answer)
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    for name, rival in task.baselines().items():
        answers = rival.predict(rival.fit(log, CUTOFF), log, CUTOFF)
        scores[name] = task.outcomes(answers, log, CUTOFF)[1]
    assert len(scores["y"]) == PEOPLE
    return [*_accuracy(scores), _row("churn, seconds", seconds, "s", MOST_SECONDS), _row(
        "churn, peak memory of the process", gib, "GiB", MOST_GIB
    )]  # fmt: skip


def _accuracy(scores: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    y, model = scores["y"], scores["model"]
    rows = [_row("churn, roc_auc", roc_auc(y, model), "", PUBLISHED)]
    for rival in ("days_since_last_purchase", "rfm_logistic"):
        gain = difference(roc_auc, y, model, scores[rival], resamples=1000)
        assert gain.low is not None
        rows.append(_row(f"churn, roc_auc against {rival}", roc_auc(y, model), "", roc_auc(y, scores[rival])))
        rows.append(_row(f"churn, lower end of the paired gain over {rival}", gain.low, "", 0.0))
    rows += [
        _row(f"churn, {name}", metric(y, model), "", metric(y, scores["rfm_logistic"]))
        for name, metric in METRICS.items()
        if name != "roc_auc"
    ]
    return rows


def _row(name: str, value: float, unit: str, yardstick: float) -> dict[str, Any]:
    ratio = value / yardstick if yardstick else None
    return {"name": name, "value": value, "unit": unit, "yardstick": yardstick, "ratio": ratio}


def _seconds(verb: Callable[[], None]) -> float:
    start = time.monotonic()
    verb()
    return time.monotonic() - start


if __name__ == "__main__":
    for row in run():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
        print(f"{row['name']:60} {row['value']:9.4f} {row['unit']:4} {row['yardstick']:9.4f} {ratio}")
