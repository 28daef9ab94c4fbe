"""Buying till you die, of money: a model of how often beside a model of how much, kept together."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mlengine.columns import USER, VALUE, Log
from mlengine.estimators.lifetime_value.bg_nbd import BgNbd
from mlengine.estimators.lifetime_value.gamma_gamma import GammaGamma
from mlengine.estimators.lifetime_value.histories import Histories
from mlengine.estimators.lifetime_value.pareto_nbd import ParetoNbd
from mlengine.features.days import shopping_days
from mlengine.specs import NotEnoughData

Array = NDArray[Any]

MOST_KEPT: Final = 200_000  # people whose histories are kept for the next question: 10 MB
FREQUENCY: Final[dict[str, type[ParetoNbd] | type[BgNbd]]] = {"pareto_nbd": ParetoNbd, "bg_nbd": BgNbd}


@dataclass(frozen=True, kw_only=True)
class Customers:
    """How often (Pareto/NBD or BG/NBD, in days) and how much (Gamma-Gamma) people buy."""

    often: ParetoNbd | BgNbd
    much: GammaGamma

    @classmethod
    def fit(cls, told: Histories, frequency: str = "pareto_nbd") -> Self:
        """Return both, fitted; people who never paid are left to the first."""
        return cls(often=FREQUENCY[frequency].fit(told), much=GammaGamma.fit(told))

    def spend(self, told: Histories, horizon: float) -> Array:
        """Return the expected spend of each in the ``horizon`` days after the cutoff, of shape (n,)."""
        return np.asarray(self.often.purchases(told, horizon) * self.much.spend(told))

    def next_order(self, told: Histories) -> Array:
        """Return the median days until the next purchase of each, were the person not to leave; of shape (n,).

        The waiting time of a Gamma(r + x, alpha + T) rate is Lomax.
        """
        tail = np.log(2.0) / (self.often.r + told.frequency)
        return np.asarray((self.often.alpha + told.T) * np.expm1(np.minimum(tail, 20.0)))

    def save(self, directory: Path) -> None:
        told = {"frequency": _name(self.often), "often": self.often.facts(), "much": self.much.facts()}
        (directory / "customers.json").write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        told = json.loads((directory / "customers.json").read_text(encoding="utf-8"))
        return cls(often=FREQUENCY[told["frequency"]](**told["often"]), much=GammaGamma(**told["much"]))

    @property
    def facts(self) -> dict[str, Any]:
        rounded = {name: round(value, 4) for name, value in (self.often.facts() | self.much.facts()).items()}
        return {"frequency": _name(self.often), **rounded}


def histories(log: Log, cutoff: datetime) -> tuple[Array, Histories]:
    """Return everybody who purchased before ``cutoff``, in the order of users, and their histories in days.

    Worked out once a cutoff for whoever asks again, where that is not too much to keep.
    """

    def found() -> tuple[Array, Histories]:
        days = shopping_days(log, cutoff).select(USER, "days_ago", VALUE).collect("polars")
        users, ago = days[USER].to_numpy(), days["days_ago"].to_numpy()
        spend = np.nan_to_num(days[VALUE].to_numpy(), nan=0.0, posinf=0.0, neginf=0.0)
        order = np.lexsort((-ago, users))
        people, told = Histories.of_days(users[order], -ago[order].astype(np.float64), np.round(spend[order], 9), 0.0)
        if not len(people):
            raise NotEnoughData("There are no purchases at all.")
        return people, told

    return log.once(("histories",), cutoff, found, keep=lambda made: len(made[0]) <= MOST_KEPT)


def _name(model: ParetoNbd | BgNbd) -> str:
    return next(name for name, kind in FREQUENCY.items() if isinstance(model, kind))
