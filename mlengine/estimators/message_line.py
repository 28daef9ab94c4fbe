"""The line that tells how likely a message is answered, how sure that is, and what an hour or a message adds to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.clicks import HOURS
from mlengine.columns import OCCURRED_AT
from mlengine.estimators.prepared import Prepared
from mlengine.estimators.uplift import Line, Part, part_of

Array = NDArray[Any]

HER_TIME: Final = "time_more"  # the column that makes one's best hour another than everybody's
STRENGTH: Final = 0.1  # of the line, scikit-learn's C on columns of one spread
_TURN: Final = pl.col(OCCURRED_AT).dt.hour().cast(pl.Float64) * (2 * np.pi / 24)
OF_HOUR: Final = (
    _TURN.sin().alias("hour_sin"),
    _TURN.cos().alias("hour_cos"),
    (pl.col(OCCURRED_AT).dt.hour() >= 18).cast(pl.Float64).alias("hour_late"),
)
HOUR_COLUMNS: Final = ("hour_sin", "hour_cos", "hour_late")


@dataclass(frozen=True, kw_only=True, eq=False)
class MessageLine:
    """A logistic line over ``names``.

    Attributes
    ----------
    doubt : array of shape (len(names) + 1, len(names) + 1)
        How weights, and last the intercept, vary together from one set of people to another.
    messages : mapping
        By variant: how many of it had been judged, and their rate of answers drawn towards everybody's.
    """

    names: tuple[str, ...]
    prepared: Prepared
    part: Part
    doubt: Array
    messages: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, rows: pl.DataFrame) -> Array:
        """Return the probability of an answer for rows as ``described`` makes them, of shape (n,)."""
        return self.part(self.prepared(rows.select(self.names).to_numpy()))

    def error(self, rows: pl.DataFrame) -> Array:
        """Return the standard error of the log-odds of the same rows, of shape (n,)."""
        Z = self.prepared(rows.select(self.names).to_numpy())
        return self._error(np.column_stack([Z, np.ones(len(Z))]))

    def parts(self) -> dict[str, Any]:
        """Return what an hour and a message add to the log-odds, each with its standard error.

        ``hours`` are the 24 hours beside the best of ``HOURS``, for somebody without hours of her own, and none where
        the line knows no hours; ``messages``
        those most sent beside one never sent; ``own_doubt`` is the standard error of what a time of the day of her own
        adds, as a share of that. The line is a sum, so these, a person's probability on a channel and those of her
        times of the day give that of any hour and message.
        """
        known = [(0.0, self.facts.get("rate", 0.0)), *self.messages.values()]
        told = pl.DataFrame(known, schema=["message_messages", "message_rate"], orient="row")
        messages = self._moved(told, ("message_messages", "message_rate"))
        return {
            "hours": self._hours(),
            "own_doubt": round(1 / max(self._sureness(HER_TIME), 1.0), 6) if HER_TIME in self.names else 0.0,
            "messages": dict(zip(self.messages, self._added(messages[1:] - messages[0]), strict=True)),
        }

    def _hours(self) -> list[list[float]]:
        if not set(HOUR_COLUMNS) & set(self.names):
            return []
        turn = pl.DataFrame({OCCURRED_AT: [datetime(2024, 1, 1, hour) for hour in range(24)]}).with_columns(*OF_HOUR)
        hours = self._moved(turn, HOUR_COLUMNS)
        best = max(HOURS, key=lambda hour: hours[hour] @ self._weight)
        return self._added(hours - hours[best])

    def is_sure_of(self, name: str) -> bool:
        """Whether a column surely raises the odds: its weight is above two standard errors."""
        return self._sureness(name) > 2

    def _sureness(self, name: str) -> float:
        k = self.names.index(name)
        return float(self._weight[k] / max(float(self.doubt[k, k]), 1e-24) ** 0.5)

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


def doubt_of(Z: Array, y: Array, chance: Array, people: Array, strength: float = STRENGTH) -> Array:
    """Return the covariance of the weights and the intercept, messages to one person counting as one draw.

    The sandwich of Huber (1967) with the messages of a person together (Liang and Zeger, 1986), about the penalised
    line; shape (k + 1, k + 1).
    """
    rows = np.column_stack([Z, np.ones(len(Z))])
    penalty = np.diag([1 / strength] * Z.shape[1] + [0.0])
    bread = np.linalg.pinv((rows * (chance * (1 - chance))[:, None]).T @ rows + penalty)
    _, person = np.unique(people, return_inverse=True)
    score = np.zeros((person.max() + 1, rows.shape[1]))
    np.add.at(score, person, rows * (y - chance)[:, None])
    return np.asarray(bread @ (score.T @ score) @ bread)
