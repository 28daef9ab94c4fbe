"""Whom a treatment helps, of people of whom it was drawn by lot who got it.

Columns: ``treatment`` (1 or 0), ``label`` (1 or 0: did it), and any others: numbers as they are, words by category.
A column of words that only cuts one of the numbers into bins tells nothing new and is left out. All rows are taken as
drawn with one probability: the share of the treated.

Protocol: half of the rows to learn from, half to judge by, for each seed. The learner is chosen, and whether effects
differ at all is asked, on the learning half alone; ``refused`` is the share of seeds in which nothing was claimed.
``qini`` and ``auuc`` are shares of a perfect order's area (negative effects count), ``uplift_at_30`` is the difference
of shares among the highest 30 %.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.benchmarks import Asked, BadFile, Line, as_words
from mlengine.estimators.uplift_choice import CANDIDATES, Trial, chosen, learned, tells, tried
from mlengine.metrics.uplift import auuc, qini, uplift_at

Array = NDArray[Any]

COLUMNS: Final = ("treatment", "label")
SEEDS: Final = (42, 0, 1, 2, 3)
ALL: Final = (*CANDIDATES, "t_trees", "x_trees", "class_transformation_trees")
ESTIMATORS: Final = ("chosen", *ALL)
OPTIONS: Final = ()
FEWEST: Final = 10  # of each label among the treated and the others: fewer leave a fold of a half without one
MOST_CATEGORIES = 30
MOST: Final = 1e100  # squares of sums of more are no numbers any more
PROTOCOL = (
    "Half to learn from, half to judge by (scikit-learn's train_test_split), mean over the seeds, with the interval of "
    "the mean (Student's t over the seeds, which share people); the learner is chosen on the learning half alone."
)


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield the chosen learner's figures, then those of every learner by itself."""
    trial = trial_of(frame)
    seeds = asked.seeds or SEEDS
    for name in filter(asked.wants, ESTIMATORS):
        yield from asked.unless_refused(name, _lines(trial, name, tuple(seeds), asked))


def _lines(trial: Trial, name: str, seeds: tuple[int, ...], asked: Asked) -> Iterator[Line]:
    parts = [asked.checkpoints.timed(f"{name} {seed}", partial(_measured, trial, name, seed)) for seed in seeds]
    seconds = sum(taken for _, taken in parts)
    for metric in parts[0][0]:
        values = [found[metric] for found, _ in parts]
        low, high = _interval(values)
        yield Line(
            task="uplift",
            estimator=name,
            metric=metric,
            value=fmean(values),
            low=low,
            high=high,
            higher_is_better=metric != "refused",
            protocol=PROTOCOL,
            seeds=seeds,
            seconds=seconds,
            is_baseline=name != "chosen",
        )


def trial_of(frame: pl.DataFrame) -> Trial:
    """Return the rows as arrays; columns of one spread, a category a column."""
    treated, y = (_truths(frame, name) for name in COLUMNS)
    share = float(treated.mean())
    if not 0 < share < 1:
        raise BadFile("Everybody, or nobody, was treated: without others there is nothing to compare with.")
    least = int(np.bincount((2 * treated + y).astype(np.int64), minlength=4).min())
    if least < FEWEST:
        raise BadFile(f"Needs {FEWEST} rows of each label among the treated and the others, has {least} of one kind.")
    X = columns_of(frame.drop(COLUMNS))
    return Trial(X=X, y=y, treated=treated, propensity=np.full(len(y), share))


def columns_of(frame: pl.DataFrame) -> Array:
    """Return numbers and categories as columns of mean 0 and spread 1; unknown numbers as their median."""
    numbers = {name: _numbers(frame[name]) for name in frame.columns if frame[name].dtype.is_numeric()}
    words = {name: as_words(frame[name]).fill_null("") for name in frame.columns if name not in numbers}
    columns = list(numbers.values())
    for text in (text for text in words.values() if not _only_bins(text, numbers)):
        often = text.value_counts(sort=True).head(MOST_CATEGORIES)[text.name].sort().to_list()
        columns += [(text == word).to_numpy().astype(float) for word in often]
    X = np.column_stack(columns) if columns else np.zeros((len(frame), 1))
    spread = X.std(axis=0)
    return np.asarray((X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _measured(trial: Trial, name: str, seed: int) -> dict[str, float]:
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    known, asked = (
        np.sort(rows) for rows in train_test_split(np.arange(len(trial.y)), test_size=0.5, random_state=seed)
    )
    train, test = trial.among(known), trial.among(asked)
    found: dict[str, float] = {}
    if name == "chosen":
        candidates = tried(train, random_state=seed)
        name = chosen(candidates)
        found["refused"] = float(not tells(candidates, name))
    scores = learned(name, train).uplift(test.X)
    return {
        "qini": qini(test.y, scores, test.treated),
        "auuc": auuc(test.y, scores, test.treated),
        "uplift_at_30": uplift_at(0.3, test.y, scores, test.treated),
        **found,
    }


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    from scipy.stats import t  # noqa: PLC0415

    if len(values) < 2:
        return None, None
    reach = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return fmean(values) - reach, fmean(values) + reach


def _truths(frame: pl.DataFrame, name: str) -> Array:
    try:
        values = frame[name].cast(pl.Float64)
    except pl.exceptions.PolarsError as error:
        raise BadFile(f"The column {name} has something else than 0 and 1.") from error
    if frame[name].dtype.is_nested() or values.null_count() or not values.is_in([0.0, 1.0]).all():
        raise BadFile(f"The column {name} has something else than 0 and 1.")
    return values.to_numpy()


def _numbers(values: pl.Series) -> Array:
    number = values.cast(pl.Float64).to_numpy().copy()
    number[~(np.abs(number) < MOST)] = np.nan
    known = np.isfinite(number)
    middle = np.median(number[known]) if known.any() else 0.0
    return np.where(known, number, middle)


def _only_bins(words: pl.Series, numbers: Mapping[str, Array]) -> bool:
    """Return whether the words cut a number into intervals that do not overlap."""
    for number in numbers.values():
        spans = (
            pl.DataFrame({"word": words, "number": number})
            .group_by("word")
            .agg(low=pl.col("number").min(), high=pl.col("number").max())
        )
        if len(spans) < 3:
            continue
        spans = spans.sort("low")
        if (spans["high"][:-1] <= spans["low"][1:]).all() and (spans["high"] > spans["low"]).any():
            return True
    return False
