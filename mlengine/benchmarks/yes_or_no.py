"""A table of any columns with a yes or no each: how it is cut, who answers, and how answers are judged.

Shared by the tasks ``churn`` and ``response_rate``, which differ in how their published protocols cut the rows. The
option ``folds`` is that of the ensemble.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.benchmarks import Asked, BadFile, Line
from mlengine.estimators.members import Deep, Prepared
from mlengine.estimators.members import Line as Bent
from mlengine.estimators.tables import Encoder
from mlengine.estimators.tabular import Tabular
from mlengine.metrics.calibration import calibration_error
from mlengine.metrics.classification import average_precision, brier, log_loss, roc_auc
from mlengine.specs import NotEnoughData

Array = NDArray[Any]
Cut = tuple[NDArray[np.int64], NDArray[np.int64]]

LABEL: Final = "label"
YES: Final = {"1", "1.0", "yes", "true", "y", "t"}
NO: Final = {"0", "0.0", "no", "false", "n", "f"}
METRICS: Final = {
    "roc_auc": (roc_auc, True),
    "average_precision": (average_precision, True),
    "brier": (brier, False),
    "calibration_error": (calibration_error, False),
    "log_loss": (log_loss, False),
}
RESAMPLES: Final = 300


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How rows are cut for a seed, in words and in rows to learn from and rows to judge.

    ``fewest`` rows of either label are needed for each part to have some.
    """

    task: str
    words: str
    seed: int
    cuts: Callable[[Array, int], Iterator[Cut]]
    fewest: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of the file that one part judges, their labels, and what was said of them."""

    rows: NDArray[np.int64]
    y: Array
    said: Array


def run(frame: pl.DataFrame, asked: Asked, protocol: Protocol) -> Iterator[Line]:
    """Yield a line for each estimator and metric, and how far the ensemble is above boosted trees on the same rows."""
    y, table = labels_of(frame), frame.drop(LABEL)
    least = int(min(y.sum(), len(y) - y.sum()))
    if least < protocol.fewest:
        raise BadFile(f"Needs {protocol.fewest} rows of either {LABEL} to cut into parts, has {least} of one.")
    seeds = asked.seeds or (protocol.seed,)
    cuts = [(seed, n, cut) for seed in seeds for n, cut in enumerate(protocol.cuts(y, seed))]
    parts: dict[str, list[Part]] = {}
    folds = asked.whole("folds", Tabular.folds, least=2, most=100)
    answers: dict[str, Callable[..., Array]] = {**BASELINES, "ensemble": partial(_ensemble, folds=folds)}
    for name, answer in answers.items():
        if not asked.wants(name):
            continue

        def measured(name: str = name, answer: Callable[..., Array] = answer) -> Iterator[Line]:
            said, spent = [], 0.0
            for seed, n, (learn, judge) in cuts:
                make = partial(_rounded, answer, table[learn], y[learn], table[judge])
                found, seconds = asked.checkpoints.timed(f"{name} seed {seed} part {n} folds {folds}", make)
                said.append(Part(rows=judge, y=y[judge], said=np.array(found)))
                spent += seconds
            parts[name] = said
            yield from _lines(protocol, seeds, name, said, spent)

        yield from asked.unless_refused(name, measured())
    if parts.keys() >= {"ensemble", "trees"}:
        yield _above(protocol, seeds, parts)


def labels_of(frame: pl.DataFrame) -> Array:
    """Return the labels as 1 and 0.

    Raises
    ------
    BadFile
        A label is neither yes nor no, or all are the same.
    """
    values = frame[LABEL].cast(pl.Float64) if frame[LABEL].dtype.is_decimal() else frame[LABEL]
    told = [str(value).strip().lower() for value in values.to_list()]
    odd = sorted({value for value in told if value not in YES | NO})
    if odd:
        raise BadFile(f"The column {LABEL} must say yes or no (or 1 or 0) in every row; it also says {odd[0]!r}.")
    y = np.array([value in YES for value in told], dtype=np.int64)
    if not 0 < y.sum() < len(y):
        raise BadFile(f"All rows have the same {LABEL}; nothing can be told apart.")
    return y


def _rounded(answer: Callable[..., Array], learn: pl.DataFrame, y: Array, judge: pl.DataFrame) -> list[float]:
    return [round(float(value), 7) for value in answer(learn, y, judge)]


def _ensemble(learn: pl.DataFrame, y: Array, judge: pl.DataFrame, *, folds: int) -> Array:
    return Tabular(folds=folds).fit(learn, y).probability(judge)


def _alone(kind: Any, learn: pl.DataFrame, y: Array, judge: pl.DataFrame) -> Array:
    """Return what one kind of model says that sees single columns only, learned from all rows."""
    encoder = Encoder.fit(nw.from_native(learn))
    if not encoder.names:
        raise NotEnoughData("No column tells rows apart: each has one value throughout.")
    rows = Prepared.plain(encoder(nw.from_native(learn)), y, encoder.categorical)
    return np.asarray(1 / (1 + np.exp(-kind.fit(rows).raw(encoder(nw.from_native(judge))))))


BASELINES: Final[Mapping[str, Callable[[pl.DataFrame, Array, pl.DataFrame], Array]]] = {
    "logistic": partial(_alone, Bent),
    "trees": partial(_alone, Deep),
}
ESTIMATORS: Final = (*BASELINES, "ensemble")
OPTIONS: Final = ("folds",)


def _lines(
    protocol: Protocol, seeds: tuple[int, ...], name: str, parts: Sequence[Part], seconds: float
) -> Iterator[Line]:
    for metric, (measure, higher) in METRICS.items():
        drawn = [partial(_drawn, measure, part.y, part.said) for part in parts]
        # drawing rows anew adds noise to each bin, which a calibration error takes for error: no interval
        bounds = _interval(drawn, [part.rows for part in parts]) if measure is not calibration_error else (None, None)
        yield Line(
            task=protocol.task,
            estimator=name,
            metric=metric,
            value=float(np.mean([measure(part.y, part.said) for part in parts])),
            low=bounds[0],
            high=bounds[1],
            higher_is_better=higher,
            protocol=protocol.words,
            seeds=seeds,
            seconds=seconds,
            is_baseline=name != "ensemble",
        )


def _above(protocol: Protocol, seeds: tuple[int, ...], parts: Mapping[str, Sequence[Part]]) -> Line:
    """Return how far the ensemble's ROC AUC is above that of trees, people drawn together."""
    ensemble, trees = parts["ensemble"], parts["trees"]
    pairs = [(ours.y, ours.said, theirs.said) for ours, theirs in zip(ensemble, trees, strict=True)]

    def gain(y: Array, ours: Array, theirs: Array, rows: Array) -> float:
        return roc_auc(y[rows], ours[rows]) - roc_auc(y[rows], theirs[rows])

    low, high = _interval([partial(gain, *pair) for pair in pairs], [part.rows for part in ensemble])
    return Line(
        task=protocol.task,
        estimator="ensemble",
        metric="roc_auc above trees",
        value=float(np.mean([gain(*pair, np.arange(len(pair[0]))) for pair in pairs])),
        low=low,
        high=high,
        protocol=protocol.words,
        seeds=seeds,
        seconds=0.0,
    )


def _drawn(measure: Callable[[Array, Array], float], y: Array, said: Array, rows: Array) -> float:
    return measure(y[rows], said[rows])


def _interval(
    measures: Sequence[Callable[[Array], float]], judged: Sequence[NDArray[np.int64]]
) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the mean over the parts, the rows of the file drawn anew, once for all parts.

    A row that several parts judge is the same customer in each: drawn part by part, she would count as several.
    """
    rng = np.random.default_rng(0)
    everybody = np.unique(np.concatenate(judged))
    places = [np.searchsorted(everybody, rows) for rows in judged]

    def value(measure: Callable[[Array], float], times: NDArray[np.int64]) -> float:
        return measure(np.repeat(np.arange(len(times)), times)) if times.any() else float("nan")

    draws = np.empty(RESAMPLES)
    for n in range(RESAMPLES):
        times = np.bincount(rng.integers(0, len(everybody), len(everybody)), minlength=len(everybody))
        draws[n] = np.mean([value(measure, times[place]) for measure, place in zip(measures, places, strict=True)])
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return None, None
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
