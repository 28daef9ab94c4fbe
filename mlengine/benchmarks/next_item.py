"""next_item: what does each person take next? Leave one out, every item ranked, nothing sampled.

Columns: ``user`` and ``item`` (any values), and ``order`` or ``at`` (numbers or times; rows that are equal in it, or
all rows if there is neither, keep the order of the file); times as words must be ISO 8601, without a zone UTC. One row
is one item that one person took; what a person took more than once counts at its first time only, since what was taken
before is not ranked.

Each person's newest item is the test, the one before it the validation item; people with fewer than three items are
learned from, but not asked. All items that anybody took are ranked but those the person has taken; the history that is
asked about at the test holds the validation item. Reported: recall_at_1, recall_at_10 (the hit rate) and ndcg_at_10,
with a 95 % interval by bootstrap over people; ties count half.

Estimators: ``popular`` (baseline), ``transitions`` (window and damping chosen on the validation items, then counted
anew with them), ``sasrec`` (full softmax; learns from all but the last two items, the validation items say when to
stop), ``gsasrec`` (its calibrated loss with 256 negatives shared by a batch; only if asked for by name) and ``blend``
(LambdaMART over the scores of sasrec and two kinds of transitions, learned on the validation items).

Options: ``width``, ``blocks``, ``heads``, ``length``, ``dropout``, ``places``, ``epochs``, ``averaging`` and others of
``SASRec``. The networks use the threads of OMP_NUM_THREADS, and their figures by epoch are written beside their
checkpoints.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
import polars as pl

from mlengine.benchmarks import Asked, BadFile, Line, check_filled
from mlengine.benchmarks.next_item_models import MODELS, OF_THE_NETWORK, Model, Split
from mlengine.estimators.sequences import Sequences
from mlengine.interactions import Floats
from mlengine.metrics.ranking import mean_with_interval

COLUMNS: Final = ("user", "item")
ESTIMATORS: Final = tuple(MODELS)
OPTIONS: Final = tuple(OF_THE_NETWORK)
PROTOCOL: Final = (
    "leave one out, each item of a person once, at its first time: newest item test, second newest "
    "validation, all items ranked but those taken before, the history asked about holds the validation item; 95 % by "
    "bootstrap over people"
)
_ONLY_BY_NAME: Final = {"gsasrec"}
_BASELINES: Final = {"popular"}


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield three lines for each estimator."""
    split = Split.of(sequences(frame))
    if not len(split.people):
        raise BadFile("Nobody has three items: two to learn from and choose by, one to be asked for.")
    for name, model in MODELS.items():
        if name in asked.estimators or (asked.wants(name) and name not in _ONLY_BY_NAME):
            yield from asked.unless_refused(name, _measured(name, model, split, asked))


def _measured(name: str, model: Model, split: Split, asked: Asked) -> Iterator[Line]:
    seed = asked.seeds[0] if asked.seeds else 0
    key = f"{name}, seed {seed}, {sorted(asked.options.items())}"
    above, seconds = asked.checkpoints.timed(f"ranks of {key}", partial(_ranks, model, split, asked, seed))
    yield from _lines(name, np.array(above), seconds, seed)


def _ranks(model: Model, split: Split, asked: Asked, seed: int) -> list[float]:
    return [float(above) for above in model(split, asked, seed)]


def sequences(frame: pl.DataFrame) -> Sequences:
    """Return what everybody took by time, each item once; users and items are numbered by rank."""
    by = next((name for name in ("order", "at") if name in frame.columns), None)
    asked = ("user", "item", *([by] if by else []))
    check_filled(frame, asked)
    numbered = frame.select(
        *(pl.col(name).rank("dense").cast(pl.Int64) - 1 for name in ("user", "item")),
        *([_in_time(frame[by])] if by else []),
    )
    ordered = numbered.sort("user", *([by] if by else []), maintain_order=True)
    ordered = ordered.unique(["user", "item"], keep="first", maintain_order=True)
    lengths = np.bincount(ordered["user"].to_numpy())
    item = ordered["item"].to_numpy()
    return Sequences(item=item, ends=np.cumsum(lengths), n_items=int(item.max()) + 1)


def _in_time(values: pl.Series) -> pl.Series:
    """Return what says when, as what sorts by time: words, sorted as such, would put 10 before 9."""
    if values.dtype == pl.String:
        return _told_in_words(values)
    if not (values.dtype.is_numeric() or values.dtype.is_temporal()):
        raise BadFile(f"The column {values.name} must be numbers or times, and is {values.dtype}.")
    return values


def _told_in_words(values: pl.Series) -> pl.Series:
    for kind in (pl.Int64, pl.Float64):
        numbers = values.str.strip_chars().cast(kind, strict=False)
        if not numbers.null_count() and numbers.is_finite().all():
            return numbers
    try:
        moments = [datetime.fromisoformat(text.strip()) for text in values.to_list()]
    except ValueError as error:
        raise BadFile(f"The column {values.name} must be numbers or times like 2026-03-01T09:30: {error}") from error
    return pl.Series(values.name, [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments])


def _lines(name: str, above: Floats, seconds: float, seed: int) -> Iterator[Line]:
    """Yield the lines of one estimator from how many items it ranked above each person's next one."""
    gains = {
        "recall_at_1": (above < 1).astype(float),
        "recall_at_10": (above < 10).astype(float),
        "ndcg_at_10": np.where(above < 10, 1.0 / np.log2(above + 2.0), 0.0),
    }
    for metric, values in gains.items():
        found = mean_with_interval(values)
        yield Line(
            task="next_item",
            estimator=name,
            metric=metric,
            value=found.value,
            low=found.low,
            high=found.high,
            protocol=PROTOCOL,
            seeds=() if name in {"popular", "transitions"} else (seed,),
            seconds=seconds,
            is_baseline=name in _BASELINES,
        )
