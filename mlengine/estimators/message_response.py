"""Who clicks: the probability for a person, a message, a channel and an hour, learned from what was sent before.

A score is that of somebody's next message on the channel and at the hour that suit her best. Who was sent what was not
drawn by lot, so this tells who will click, and not what a message changes: for that there is campaign uplift.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.clicks import HOURS
from mlengine.columns import CHANNEL, HIGH, LABEL, LOW, OCCURRED_AT, SCORE, USER, VARIANT, Log
from mlengine.estimators import explain
from mlengine.estimators.prepared import Prepared
from mlengine.estimators.uplift import Line, Logistic, Part, part_of
from mlengine.messages import rates, sent
from mlengine.metrics.bootstrap import interval
from mlengine.metrics.classification import average_precision, brier, roc_auc
from mlengine.reasons import Reason
from mlengine.specs import Measure, NotEnoughData, Task
from mlengine.splits import cutoffs_before

Array = NDArray[Any]

CHANNELS: Final = ("wechat", "wecom", "mini_program", "email", "sms")
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "person": (USER,), "channel": (USER, CHANNEL), "message": (VARIANT,), "everybody": (CHANNEL,),
}  # fmt: skip
RATES: Final = tuple(f"{name}_{figure}" for name in KEYS for figure in ("messages", "rate"))
COLUMNS: Final = (*RATES, *(f"on_{channel}" for channel in CHANNELS), "hour_sin", "hour_cos", "hour_late", "weekend")
_TURN: Final = pl.col(OCCURRED_AT).dt.hour().cast(pl.Float64) * (2 * np.pi / 24)
_OF_HOUR: Final = (
    _TURN.sin().alias("hour_sin"),
    _TURN.cos().alias("hour_cos"),
    (pl.col(OCCURRED_AT).dt.hour() >= 18).cast(pl.Float64).alias("hour_late"),
)
STRENGTH: Final = 0.1  # of the line, scikit-learn's C on columns of one spread
MOST_MESSAGES: Final = 200  # of which a model knows how each was clicked: those sent most
METRICS: Final = {"roc_auc": roc_auc, "average_precision": average_precision, "brier": brier}


@dataclass(frozen=True, kw_only=True, eq=False)
class Clicks:
    """A logistic line over ``names``.

    Attributes
    ----------
    doubt : array of shape (len(names) + 1, len(names) + 1)
        How weights, and last the intercept, vary together from one set of people to another.
    messages : mapping
        By variant: how many of it had been judged, and their rate of clicks drawn towards everybody's.
    """

    names: tuple[str, ...]
    prepared: Prepared
    part: Part
    doubt: Array
    messages: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, rows: pl.DataFrame) -> Array:
        """Return the probability of a click for rows as ``described`` makes them, of shape (n,)."""
        return self.part(self.prepared(rows.select(self.names).to_numpy()))

    def error(self, rows: pl.DataFrame) -> Array:
        """Return the standard error of the log-odds of the same rows, of shape (n,)."""
        Z = self.prepared(rows.select(self.names).to_numpy())
        return self._error(np.column_stack([Z, np.ones(len(Z))]))

    def parts(self) -> dict[str, Any]:
        """Return what an hour and a message add to the log-odds, each with its standard error.

        ``hours`` are the 24 hours beside the best of ``HOURS``, ``messages`` those most sent beside one never sent.
        The line is a sum, so these and a person's probability on a channel give that of any hour and message.
        """
        turn = pl.DataFrame({OCCURRED_AT: [datetime(2024, 1, 1, hour) for hour in range(24)]}).with_columns(*_OF_HOUR)
        hours = self._moved(turn, ("hour_sin", "hour_cos", "hour_late"))
        best = max(HOURS, key=lambda hour: hours[hour] @ self._weight)
        known = [(0.0, self.facts.get("rate", 0.0)), *self.messages.values()]
        told = pl.DataFrame(known, schema=["message_messages", "message_rate"], orient="row")
        messages = self._moved(told, ("message_messages", "message_rate"))
        return {
            "hours": self._added(hours - hours[best]),
            "messages": dict(zip(self.messages, self._added(messages[1:] - messages[0]), strict=True)),
        }

    def _moved(self, rows: pl.DataFrame, columns: Sequence[str]) -> Array:
        """Return rows as the line sees them, zero in all other columns."""
        others = [pl.lit(0.0).alias(name) for name in self.names if name not in columns]
        Z = self.prepared(rows.with_columns(*others).select(self.names).to_numpy())
        return np.asarray(Z * np.isin(self.names, columns))

    def _added(self, moves: Array) -> list[list[float]]:
        error = self._error(np.column_stack([moves, np.zeros(len(moves))]))
        return np.column_stack([moves @ self._weight, error]).round(6).tolist()  # type: ignore[no-any-return]

    def _error(self, Z: Array) -> Array:
        return np.asarray(np.sqrt(np.maximum(np.einsum("nk,kj,nj->n", Z, self.doubt, Z), 0.0)))

    def contributions(self, X: Array) -> Array:
        """Return what each column adds to the log-odds beside the average message, of shape (n, len(names)); exact."""
        return np.asarray(self.prepared(X) * self._weight)

    def importances(self) -> dict[str, float]:
        """Return each column's share of all weight (of columns brought to one scale), the largest first."""
        share = np.abs(self._weight) / max(float(np.abs(self._weight).sum()), 1e-12)
        return {self.names[n]: float(share[n]) for n in np.argsort(-share, kind="stable")}

    @property
    def _weight(self) -> Array:
        return self.part.weight if isinstance(self.part, Line) else np.zeros(len(self.names))

    def save(self, directory: Path) -> None:
        kept = {
            "names": self.names,
            "prepared": self.prepared.kept(),
            "part": self.part.kept(),
            "doubt": self.doubt.tolist(),
            "messages": [[variant, *told] for variant, told in self.messages.items()],
            "facts": self.facts,
        }
        (directory / "model.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        kept = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        size = len(kept["names"]) + 1
        return cls(
            names=tuple(kept["names"]),
            prepared=Prepared.of(kept["prepared"]),
            part=part_of(kept["part"]),
            doubt=np.array(kept.get("doubt", np.full((size, size), np.nan))),  # nan: of a release before
            messages={variant: (messages, rate) for variant, messages, rate in kept.get("messages", ())},
            facts=kept["facts"],
        )


def described(rows: pl.DataFrame, known: pl.DataFrame, window: timedelta) -> pl.DataFrame:
    """Return rows (person, channel, variant, when) with ``COLUMNS``: rates so far, the channel and the hour."""
    for name, keys in KEYS.items():
        rows = rates(rows, known, keys, name, window)
    return rows.with_columns(
        *[
            (pl.col(CHANNEL) == channel).fill_null(value=False).cast(pl.Float64).alias(f"on_{channel}")
            for channel in CHANNELS
        ],
        *_OF_HOUR,
        (pl.col(OCCURRED_AT).dt.weekday() >= 6).cast(pl.Float64).alias("weekend"),
    )


@dataclass(frozen=True, kw_only=True)
class MessageResponse:
    """Learns clicks on messages.

    Parameters
    ----------
    horizon, activity_window : timedelta
        Messages sent in the horizon, less the window, judge; who was sent one in which window before is answered for.
    window : timedelta
        A click within it counts.
    least, least_clicks : int
        So many messages, and clicks on them, at least, to learn from.
    """

    horizon: timedelta
    activity_window: timedelta
    window: timedelta = timedelta(days=7)
    least: int = 500
    least_clicks: int = 30
    names: tuple[str, ...] = COLUMNS

    def judged_at(self, log: Log, end: datetime, most: int) -> list[datetime]:
        """Return the latest dates, a horizon apart, before which enough was sent to learn from, and something after."""
        known = sent(log, end, self.window)
        self._refuse_without(known)
        first: datetime = known[OCCURRED_AT].min()  # type: ignore[assignment]
        regular = cutoffs_before(end, first=first, horizon=self.horizon, step=self.horizon, most=52)
        at = pl.col(OCCURRED_AT)
        found = [
            cutoff
            for cutoff in regular
            if self._enough(known.filter(at + self.window <= cutoff))
            and known.filter((at >= cutoff) & (at < cutoff + self.horizon - self.window))["clicked"].sum() > 0
        ]
        if not found:
            raise NotEnoughData(f"Message response has {len(known):,} messages sent, but all of late: wait a month.")
        return found[-most:]

    def fit(self, log: Log, cutoff: datetime) -> Clicks:
        known = sent(log, cutoff, self.window)
        self._refuse_without(known)
        rows = described(known, known, self.window)
        X, y = rows.select(self.names).to_numpy(), rows["clicked"].to_numpy()
        prepared = Prepared.fit(X)
        part = Logistic(strength=STRENGTH).probability(prepared(X), y)
        facts = {"messages": len(y), "clicks": int(y.sum()), "rate": round(float(y.mean()), 6)}
        doubt = _doubt(prepared(X), y, part(prepared(X)), rows[USER].to_numpy())
        messages = _by_message(known, cutoff, self.window)
        return Clicks(names=self.names, prepared=prepared, part=part, doubt=doubt, messages=messages, facts=facts)

    def predict(self, model: Clicks, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (the best channel and hour) and its interval, ``best_hour``, and by channel.

        ``by_<channel>`` is a channel at its best hour, ``by_<channel>_low`` and ``_high`` the ends of its interval: of
        how likely people like her are to click, not of whether she will.
        """
        asked = self._asked(log, cutoff)
        chance, error = (model.probability(asked), model.error(asked)) if len(asked) else (np.empty(0), np.empty(0))
        rows = asked.select(USER, CHANNEL, hour=pl.col(OCCURRED_AT).dt.hour()).with_columns(
            pl.Series(name, values, dtype=pl.Float64) for name, values in _with_bounds(chance, error).items()
        )
        rows = rows.sort(SCORE, "hour", descending=[True, False])
        best = rows.unique(USER, keep="first", maintain_order=True)
        found = best.select(USER, SCORE, LOW, HIGH, best_hour=pl.col("hour").cast(pl.Float64)).sort(USER)
        for channel in CHANNELS:
            there = rows.filter(pl.col(CHANNEL) == channel).unique(USER, keep="first", maintain_order=True)
            called = {SCORE: f"by_{channel}", LOW: f"by_{channel}_low", HIGH: f"by_{channel}_high"}
            found = found.join(there.select(USER, *called).rename(called), on=USER, how="left")
        return nw.from_native(found.sort(USER))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge scores by whether people clicked anything sent to them; nothing where nothing was sent."""
        y, score = self.outcomes(predictions, log, cutoff)
        if not 0 < y.sum() < len(y):
            return {}
        return {name: interval(metric, y, score, resamples=200) for name, metric in METRICS.items()}

    def outcomes(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> tuple[Array, Array]:
        """Return who clicked (1) of those who were sent something, beside what was said."""
        did: pl.DataFrame = nw.to_native(self.after(log, cutoff)).rename({LABEL: "clicked"})
        told: pl.DataFrame = nw.to_native(predictions.select(USER, SCORE))
        rows = did.join(told, on=USER, how="inner").sort(USER)
        return rows["clicked"].to_numpy().astype(np.int64), rows[SCORE].to_numpy()

    def after(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``label``: who clicked (1) of those who were sent something."""
        at = pl.col(OCCURRED_AT)
        known = sent(log, cutoff + self.horizon, self.window)
        later = known.filter((at >= cutoff) & (at < cutoff + self.horizon - self.window))
        return nw.from_native(later.group_by(USER).agg(pl.col("clicked").max().alias(LABEL)).sort(USER))

    def explain(self, model: Clicks, log: Log, cutoff: datetime, users: Sequence[int]) -> dict[int, list[Reason]]:
        """Return up to three reasons for these people's scores, on the channel and at the hour that suit them best."""
        asked = self._asked(log, cutoff).filter(pl.col(USER).is_in(list(users)))
        if not len(asked):
            return {}
        chance = pl.Series("chance", model.probability(asked), dtype=pl.Float64)
        order = ["chance", OCCURRED_AT, CHANNEL]
        best = asked.with_columns(chance).sort(order, descending=[True, False, False])
        rows = best.unique(USER, keep="first", maintain_order=True).sort(USER)
        return explain.explain(model, nw.from_native(rows.select(USER, *COLUMNS)))

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and what is known of everybody answered for, on her last channel (for drift)."""
        asked = self._asked(log, cutoff).unique(USER, keep="first", maintain_order=True)
        return nw.from_native(asked.select(USER, *RATES).sort(USER))

    def load(self, directory: Path) -> Clicks:
        return Clicks.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        shared = {name: getattr(self, name) for name in self.__dataclass_fields__}
        past: Task = MessageResponse(**shared | {"names": ("person_rate",)})
        channel: Task = MessageResponse(**shared | {"names": ("everybody_rate",)})
        return {"past_clicks": past, "channel_rate": channel} if self.names == COLUMNS else {}

    def _asked(self, log: Log, cutoff: datetime) -> pl.DataFrame:
        """Return everybody's channels at each of ``HOURS`` of the day that begins at the cutoff; of no message."""
        known = sent(log, cutoff, self.window)
        lately = known.filter(pl.col(OCCURRED_AT) >= cutoff - self.activity_window).reverse()
        pairs = lately.select(USER, CHANNEL).unique(maintain_order=True)
        begin = cutoff.replace(hour=0, minute=0, second=0, microsecond=0)
        times = pl.DataFrame(
            {OCCURRED_AT: [begin + timedelta(hours=hour) for hour in HOURS]}, schema={OCCURRED_AT: pl.Datetime("us")}
        )
        rows = pairs.join(times, how="cross").with_columns(pl.lit(None, pl.Int64).alias(VARIANT))
        return described(rows, known, self.window)

    def _enough(self, known: pl.DataFrame) -> bool:
        return len(known) >= self.least and known["clicked"].sum() >= self.least_clicks

    def _refuse_without(self, known: pl.DataFrame) -> None:
        if not self._enough(known):
            raise NotEnoughData(
                f"Message response needs {self.least:,} messages sent and {self.least_clicks} clicks on them, has "
                f"{len(known):,} and {int(known['clicked'].sum())}."
            )


def _doubt(Z: Array, y: Array, chance: Array, people: Array) -> Array:
    """Return the covariance of the weights and the intercept, messages to one person counting as one draw.

    The sandwich of Huber (1967) with the messages of a person together (Liang and Zeger, 1986), about the penalised
    line; shape (k + 1, k + 1).
    """
    rows = np.column_stack([Z, np.ones(len(Z))])
    penalty = np.diag([1 / STRENGTH] * Z.shape[1] + [0.0])
    bread = np.linalg.pinv((rows * (chance * (1 - chance))[:, None]).T @ rows + penalty)
    _, person = np.unique(people, return_inverse=True)
    score = np.zeros((person.max() + 1, rows.shape[1]))
    np.add.at(score, person, rows * (y - chance)[:, None])
    return np.asarray(bread @ (score.T @ score) @ bread)


def _by_message(known: pl.DataFrame, cutoff: datetime, window: timedelta) -> dict[int, tuple[float, float]]:
    """Return how many of each message had been judged by the cutoff, and their rate; of those sent most."""
    most = known.drop_nulls(VARIANT).group_by(VARIANT).len().sort("len", VARIANT, descending=[True, False])
    rows = most.head(MOST_MESSAGES).with_columns(pl.lit(cutoff, pl.Datetime("us")).alias(OCCURRED_AT))
    told = rates(rows, known, (VARIANT,), "message", window)
    named = told.select(VARIANT, "message_messages", "message_rate").sort(VARIANT).iter_rows()
    return {variant: (messages, rate) for variant, messages, rate in named}


def _with_bounds(chance: Array, error: Array) -> dict[str, Array]:
    """Return probabilities with the ends of their 95 % intervals, which are even in the log-odds."""
    odds = np.log(np.clip(chance, 1e-12, 1 - 1e-12) / np.clip(1 - chance, 1e-12, 1.0))
    low, high = (1 / (1 + np.exp(-(odds + sign * 1.96 * error))) for sign in (-1, 1))
    return {SCORE: chance, LOW: low, HIGH: high}
