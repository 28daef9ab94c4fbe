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

from mlengine.columns import CHANNEL, LABEL, OCCURRED_AT, SCORE, USER, VARIANT, Log
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

HOURS: Final = (8, 10, 12, 14, 16, 18, 20, 22)
CHANNELS: Final = ("wechat", "wecom", "mini_program", "email", "sms")
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "person": (USER,), "channel": (USER, CHANNEL), "message": (VARIANT,), "everybody": (CHANNEL,),
}  # fmt: skip
RATES: Final = tuple(f"{name}_{figure}" for name in KEYS for figure in ("messages", "rate"))
COLUMNS: Final = (*RATES, *(f"on_{channel}" for channel in CHANNELS), "hour_sin", "hour_cos", "hour_late", "weekend")
METRICS: Final = {"roc_auc": roc_auc, "average_precision": average_precision, "brier": brier}


@dataclass(frozen=True, kw_only=True, eq=False)
class Clicks:
    """A logistic line over ``names``."""

    names: tuple[str, ...]
    prepared: Prepared
    part: Part
    facts: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, rows: pl.DataFrame) -> Array:
        """Return the probability of a click for rows as ``described`` makes them, of shape (n,)."""
        return self.part(self.prepared(rows.select(self.names).to_numpy()))

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
        kept = {"names": self.names, "prepared": self.prepared.kept(), "part": self.part.kept(), "facts": self.facts}
        (directory / "model.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        kept = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        prepared, part = Prepared.of(kept["prepared"]), part_of(kept["part"])
        return cls(names=tuple(kept["names"]), prepared=prepared, part=part, facts=kept["facts"])


def described(rows: pl.DataFrame, known: pl.DataFrame, window: timedelta) -> pl.DataFrame:
    """Return rows (person, channel, variant, when) with ``COLUMNS``: rates so far, the channel and the hour."""
    for name, keys in KEYS.items():
        rows = rates(rows, known, keys, name, window)
    turn = pl.col(OCCURRED_AT).dt.hour().cast(pl.Float64) * (2 * np.pi / 24)
    return rows.with_columns(
        *[
            (pl.col(CHANNEL) == channel).fill_null(value=False).cast(pl.Float64).alias(f"on_{channel}")
            for channel in CHANNELS
        ],
        turn.sin().alias("hour_sin"),
        turn.cos().alias("hour_cos"),
        (pl.col(OCCURRED_AT).dt.hour() >= 18).cast(pl.Float64).alias("hour_late"),
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
        part = Logistic(strength=0.1).probability(prepared(X), y)
        facts = {"messages": len(y), "clicks": int(y.sum()), "rate": round(float(y.mean()), 6)}
        return Clicks(names=self.names, prepared=prepared, part=part, facts=facts)

    def predict(self, model: Clicks, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (the best channel and hour), ``best_hour``, and ``by_<channel>`` at its best."""
        asked = self._asked(log, cutoff)
        chance = model.probability(asked) if len(asked) else np.empty(0)
        rows = asked.select(USER, CHANNEL, hour=pl.col(OCCURRED_AT).dt.hour()).with_columns(
            chance=pl.Series(chance, dtype=pl.Float64)
        )
        best = rows.sort("chance", "hour", descending=[True, False]).group_by(USER, maintain_order=True).first()
        found = best.select(USER, pl.col("chance").alias(SCORE), best_hour=pl.col("hour").cast(pl.Float64)).sort(USER)
        for channel in CHANNELS:
            there = (
                rows.filter(pl.col(CHANNEL) == channel)
                .group_by(USER)
                .agg(pl.col("chance").max().alias(f"by_{channel}"))
            )
            found = found.join(there, on=USER, how="left")
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
