"""Who clicks: the probability for a person, a message, a channel and an hour, learned from what was sent before.

A score is that of somebody's next message on the channel and at the hour that suit her best. It is judged by what was
said of the message that she was sent next, on its own channel and at its own time of the day. Who was sent what was not
drawn by lot, so this tells who will click, and not what a message changes: for that there is campaign uplift. Who
orders is asked in the same way, by :mod:`mlengine.estimators.message_conversion`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.clicks import HOURS, LETTERS, TIMES_OF_DAY
from mlengine.columns import CHANNEL, HIGH, LABEL, LOW, OCCURRED_AT, SAID, SCORE, USER, VARIANT, Log
from mlengine.estimators import explain
from mlengine.estimators.message_judging import OF_DAY, TIME_OF_DAY, first_of_each, judged_by, log_odds, said_of
from mlengine.estimators.message_line import HER_TIME, HOUR_COLUMNS, OF_HOUR, STRENGTH, MessageLine, doubt_of
from mlengine.estimators.prepared import Prepared
from mlengine.estimators.uplift import Logistic
from mlengine.messages import rates, sent, written_to
from mlengine.metrics.bootstrap import interval
from mlengine.metrics.calibration import calibration_error, expected_ratio
from mlengine.metrics.classification import average_precision, brier, roc_auc
from mlengine.reasons import Reason
from mlengine.specs import Measure, NotEnoughData, Task
from mlengine.splits import cutoffs_before

Array = NDArray[Any]

CHANNELS: Final = ("wechat", "wecom", "mini_program", "email", "sms")
IS_LETTER: Final = pl.col(CHANNEL).eq_missing(LETTERS)
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "person": (USER,), "channel": (USER, CHANNEL), "message": (VARIANT,), "everybody": (CHANNEL,),
}  # fmt: skip
RATES: Final = tuple(f"{name}_{figure}" for name in KEYS for figure in ("messages", "rate"))
OF_TIME: Final = (*HOUR_COLUMNS, "weekend", HER_TIME)
# How often a message was sent is no column: the next message is a new one, and where the same few were sent again and
# again, never sent lies far outside of what was learned from. A new one's rate is everybody's, amid what was.
COLUMNS: Final = (
    *(name for name in RATES if name != "message_messages"),
    *(f"on_{channel}" for channel in CHANNELS),
    *OF_TIME,
)
MOST_MESSAGES: Final = 200  # of which a model knows how each was clicked: those sent most
METRICS: Final = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "brier": brier,
    "calibration_error": calibration_error,
    "expected_ratio": expected_ratio,
}


def described(rows: pl.DataFrame, known: pl.DataFrame, window: timedelta) -> pl.DataFrame:
    """Return rows (person, channel, variant, when) with ``COLUMNS``: rates so far, the channel and the hour.

    ``time_more`` is by how much more she answers at that time of the day than on the whole, in log-odds; of whom little
    is known it is near 0. A letter is read at no known hour: what is of the time is 0 for it.
    """
    for name, keys in KEYS.items():
        rows = rates(rows, known, keys, name, window)
    at_times = known.filter(~IS_LETTER).with_columns(OF_DAY)
    rows = rates(rows.with_columns(OF_DAY), at_times, (USER, TIME_OF_DAY), "time", window, towards="person_rate")
    return rows.with_columns(
        (_odds("time_rate") - _odds("person_rate")).fill_nan(0.0).alias(HER_TIME),
        *[
            (pl.col(CHANNEL) == channel).fill_null(value=False).cast(pl.Float64).alias(f"on_{channel}")
            for channel in (*CHANNELS, LETTERS)
        ],
        *OF_HOUR,
        (pl.col(OCCURRED_AT).dt.weekday() >= 6).cast(pl.Float64).alias("weekend"),
    ).with_columns(pl.when(IS_LETTER).then(0.0).otherwise(pl.col(name)).alias(name) for name in OF_TIME)


def _odds(name: str) -> pl.Expr:
    return (pl.col(name) / (1 - pl.col(name))).log()


@dataclass(frozen=True, kw_only=True)
class MessageResponse:
    """Learns clicks on messages; another answer to a message is learned by a class below this one.

    Parameters
    ----------
    horizon, activity_window : timedelta
        Messages sent in the horizon, less the window, judge; who was sent one in which window before is answered for.
    window : timedelta
        A click within it counts.
    least, least_answers : int
        So many messages, and clicks on them, at least, to learn from.
    strength : float
        Of the line, scikit-learn's C on columns of one spread: the fewer answers, the smaller.
    """

    title: ClassVar[str] = "Message response"
    answers: ClassVar[str] = "clicks"
    said_by: ClassVar[str] = "clicks on them"
    channels: ClassVar[tuple[str, ...]] = CHANNELS
    hours: ClassVar[tuple[int, ...]] = HOURS  # of the day, at which it is asked
    columns: ClassVar[tuple[str, ...]] = COLUMNS
    watched: ClassVar[tuple[str, ...]] = RATES
    alone: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "past_clicks": ("person_rate",), "channel_rate": ("everybody_rate",),
    }  # fmt: skip

    horizon: timedelta
    activity_window: timedelta
    window: timedelta = timedelta(days=7)
    least: int = 500
    least_answers: int = 30
    strength: float = STRENGTH
    names: tuple[str, ...] = COLUMNS

    def judged_at(self, log: Log, end: datetime, most: int) -> list[datetime]:
        """Return the latest dates before which enough was sent to learn from, and something answered after.

        They lie so far apart that each message is judged at one of them.
        """
        known = self._known(log, end)
        self._refuse_without(known)
        first: datetime = known[OCCURRED_AT].min()  # type: ignore[assignment]
        step = self.horizon - self.window
        regular = cutoffs_before(end, first=first, horizon=self.horizon, step=step, most=52)
        at = pl.col(OCCURRED_AT)
        found = [
            cutoff
            for cutoff in regular
            if self._enough(known.filter(at + self.window <= cutoff))
            and known.filter((at >= cutoff) & (at < cutoff + self.horizon - self.window))["did"].sum() > 0
        ]
        if not found:
            raise NotEnoughData(f"{self.title} has {len(known):,} messages sent, but all of late: wait a month.")
        return found[-most:]

    def fit(self, log: Log, cutoff: datetime) -> MessageLine:
        known = self._known(log, cutoff)
        self._refuse_without(known)
        rows = self._described(known, known, log, cutoff)
        model = self._line(rows, self.names)
        if HER_TIME in self.names and not model.is_sure_of(HER_TIME):  # chance alone would send each at another hour
            model = self._line(rows, tuple(name for name in self.names if name != HER_TIME))
        return replace(model, messages=_by_message(known, cutoff, self.window))

    def _line(self, rows: pl.DataFrame, names: tuple[str, ...]) -> MessageLine:
        X, y = rows.select(names).to_numpy(), rows["did"].to_numpy()
        prepared = Prepared.fit(X)
        part = Logistic(strength=self.strength).probability(prepared(X), y)
        facts = {"messages": len(y), self.answers: int(y.sum()), "rate": round(float(y.mean()), 6)}
        doubt = doubt_of(prepared(X), y, part(prepared(X)), rows[USER].to_numpy(), self.strength)
        return MessageLine(names=names, prepared=prepared, part=part, doubt=doubt, facts=facts)

    def predict(self, model: MessageLine, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (the best channel and hour), its interval, ``best_hour``, by channel and by time.

        ``by_<channel>`` is a channel at its best hour, ``by_<channel>_low`` and ``_high`` the ends of its interval: of
        how likely people like her are to click, not of whether she will. ``in_<time of day>`` is the best channel at
        the usual hour of that time: the mean of the log-odds of its hours. Neither is known of a letter.
        """
        asked = self._asked(log, cutoff)
        chance, error = (model.probability(asked), model.error(asked)) if len(asked) else (np.empty(0), np.empty(0))
        rows = asked.select(USER, CHANNEL, hour=pl.col(OCCURRED_AT).dt.hour()).with_columns(
            pl.Series(name, values, dtype=pl.Float64) for name, values in _with_bounds(chance, error).items()
        )
        rows = rows.sort(SCORE, "hour", descending=[True, False])
        rows = rows.with_columns(pl.when(~IS_LETTER).then(pl.col("hour")).alias("hour"))
        best = rows.unique(USER, keep="first", maintain_order=True)
        found = best.select(USER, SCORE, LOW, HIGH, best_hour=pl.col("hour").cast(pl.Float64)).sort(USER)
        for channel in self.channels:
            there = rows.filter(pl.col(CHANNEL) == channel).unique(USER, keep="first", maintain_order=True)
            called = {SCORE: f"by_{channel}", LOW: f"by_{channel}_low", HIGH: f"by_{channel}_high"}
            found = found.join(there.select(USER, *called).rename(called), on=USER, how="left")
        by_time = _by_time(rows.join(best.select(USER, CHANNEL), on=[USER, CHANNEL], how="semi"))
        return nw.from_native(found.join(by_time, on=USER, how="left").sort(USER))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge what was said of the first message that each person was sent on each channel; nothing where none was.

        Returns ``roc_auc``, ``average_precision``, ``brier``, ``calibration_error`` (expected, ten equal bins) and
        ``expected_ratio``, each with its 95 % bootstrap interval.
        """
        rows = self.matched(predictions, log, cutoff)
        y, said, people = rows[LABEL].to_numpy(), rows[SAID].to_numpy(), rows[USER].to_numpy()
        if not 0 < y.sum() < len(y):
            return {}
        return {name: interval(metric, y, said, people=people, resamples=200) for name, metric in METRICS.items()}

    def outcomes(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> tuple[Array, Array]:
        """Return which first messages were answered (1), beside what was said of them."""
        rows = self.matched(predictions, log, cutoff)
        return rows[LABEL].to_numpy(), rows[SAID].to_numpy()

    @property
    def judged_by(self) -> tuple[str, ...]:
        return judged_by(self.channels)

    def matched(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``said`` and ``label`` (1 answered) of her first messages, one on each channel, in time."""
        there = [name for name in (USER, SCORE, *self.judged_by) if name in predictions.columns]
        rows = said_of(self._first(log, cutoff), nw.to_native(predictions.select(*there)))
        return nw.from_native(rows.select(USER, SAID, LABEL))

    def after(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``label``: who answered (1) the first message, of those who were sent something."""
        return nw.from_native(
            self._first(log, cutoff).unique(USER, keep="first", maintain_order=True).select(USER, LABEL)
        )

    def _first(self, log: Log, cutoff: datetime) -> pl.DataFrame:
        at = pl.col(OCCURRED_AT)
        known = self._known(log, cutoff + self.horizon)
        later = known.filter((at >= cutoff) & (at < cutoff + self.horizon - self.window))
        return first_of_each(later).with_columns(pl.col("did").cast(pl.Int64).alias(LABEL))

    def explain(self, model: MessageLine, log: Log, cutoff: datetime, users: Sequence[int]) -> dict[int, list[Reason]]:
        """Return up to three reasons for these people's scores, on the channel and at the hour that suit them best."""
        asked = self._asked(log, cutoff).filter(pl.col(USER).is_in(list(users)))
        if not len(asked):
            return {}
        chance = pl.Series("chance", model.probability(asked), dtype=pl.Float64)
        order = ["chance", OCCURRED_AT, CHANNEL]
        best = asked.with_columns(chance).sort(order, descending=[True, False, False])
        rows = best.unique(USER, keep="first", maintain_order=True).sort(USER)
        # By the names of the model: one saved by a release before may know a column that is learned from no more.
        return explain.explain(model, nw.from_native(rows.select(USER, *model.names)))

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and what is known of everybody answered for, on her last channel (for drift)."""
        asked = self._asked(log, cutoff).unique(USER, keep="first", maintain_order=True)
        return nw.from_native(asked.select(USER, *self.watched).sort(USER))

    def load(self, directory: Path) -> MessageLine:
        return MessageLine.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        """Return what must be beaten, each a line over a few of the columns."""
        if self.names != self.columns:
            return {}
        return {name: replace(self, names=names) for name, names in self.alone.items()}

    def _asked(self, log: Log, cutoff: datetime) -> pl.DataFrame:
        """Return everybody's channels at each of the hours of the day that begins at the cutoff; of no message."""
        known = self._known(log, cutoff)
        pairs = written_to(log, cutoff - self.activity_window, cutoff)
        pairs = pairs if LETTERS in self.channels else pairs.filter(~IS_LETTER)
        begin = cutoff.replace(hour=0, minute=0, second=0, microsecond=0)
        times = pl.DataFrame(
            {OCCURRED_AT: [begin + timedelta(hours=hour) for hour in self.hours]},
            schema={OCCURRED_AT: pl.Datetime("us")},
        )
        rows = pairs.join(times, how="cross").with_columns(pl.lit(None, pl.Int64).alias(VARIANT))
        return self._described(rows, known, log, cutoff)

    def _known(self, log: Log, until: datetime) -> pl.DataFrame:
        """Return one row a message whose window had passed by ``until``, with ``did``: who answered it."""
        return sent(log, until, self.window).filter(~IS_LETTER)

    def _described(self, rows: pl.DataFrame, known: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
        """Return rows (person, channel, variant, when) with ``columns``, by what was known at each and at ``until``."""
        return described(rows, known, self.window)

    def _enough(self, known: pl.DataFrame) -> bool:
        return len(known) >= self.least and known["did"].sum() >= self.least_answers

    def _refuse_without(self, known: pl.DataFrame) -> None:
        if not self._enough(known):
            raise NotEnoughData(
                f"{self.title} needs {self.least:,} messages sent and {self.least_answers} {self.said_by}, has "
                f"{len(known):,} and {int(known['did'].sum())}."
            )


def _by_message(known: pl.DataFrame, cutoff: datetime, window: timedelta) -> dict[int, tuple[float, float]]:
    """Return how many of each message had been judged by the cutoff, and their rate; of those sent most."""
    most = known.drop_nulls(VARIANT).group_by(VARIANT).len().sort("len", VARIANT, descending=[True, False])
    rows = most.head(MOST_MESSAGES).with_columns(pl.lit(cutoff, pl.Datetime("us")).alias(OCCURRED_AT))
    told = rates(rows, known, (VARIANT,), "message", window)
    named = told.select(VARIANT, "message_messages", "message_rate").sort(VARIANT).iter_rows()
    return {variant: (messages, rate) for variant, messages, rate in named}


def _by_time(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``user`` and ``in_<time of day>`` from rows (user, hour, score) of one channel each."""
    odds = rows.with_columns(pl.Series("odds", log_odds(rows[SCORE].to_numpy())))
    means = [
        (1 / (1 + (-pl.col("odds").filter(pl.col("hour").is_in(hours)).mean()).exp())).alias(f"in_{name}")
        for name, hours in TIMES_OF_DAY.items()
    ]
    return odds.group_by(USER).agg(*means)


def _with_bounds(chance: Array, error: Array) -> dict[str, Array]:
    """Return probabilities with the ends of their 95 % intervals, which are even in the log-odds."""
    low, high = (1 / (1 + np.exp(-(log_odds(chance) + sign * 1.96 * error))) for sign in (-1, 1))
    return {SCORE: chance, LOW: low, HIGH: high}
