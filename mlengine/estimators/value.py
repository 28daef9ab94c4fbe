"""What somebody will spend within the horizon, and how sure that is; also how often, whether still there, when next.

Two stages of trees read what is known of a person, and among it what "buy till you die" expects; that model alone is a
baseline that they must beat, as is the rate so far times the time to come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine import labels
from mlengine.columns import HIGH, LOW, SCORE, USER, Log
from mlengine.estimators import examples, explain
from mlengine.estimators.examples import enough, matrix, ripe_cutoffs
from mlengine.estimators.lifetime_value.customers import Customers, histories
from mlengine.estimators.lifetime_value.growing import Growing
from mlengine.estimators.lifetime_value.two_stage import LEVELS, Residuals, TwoStage
from mlengine.estimators.parts import among, each_part
from mlengine.estimators.value_question import CustomersValue, Question, RateValue, frame
from mlengine.reasons import Reason
from mlengine.specs import NotEnoughData, Task
from mlengine.splits import rolling_origin

Array = NDArray[Any]

YEAR: Final = 364.0
FEWEST_BUYERS: Final = 50
FARTHEST: Final = 3_650.0  # days: an order expected later than in ten years is not one to plan for


@dataclass(frozen=True, kw_only=True)
class ValueModel:
    """The trees, and the customers' model whose expectations they read."""

    customers: Customers
    trees: TwoStage

    @property
    def facts(self) -> Mapping[str, Any]:
        return {**self.trees.facts, **self.customers.facts}

    def importances(self) -> dict[str, float]:
        return self.trees.importances()

    def save(self, directory: Path) -> None:
        self.customers.save(directory)
        self.trees.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(customers=Customers.load(directory), trees=TwoStage.load(directory))


@dataclass(frozen=True, kw_only=True, eq=False)
class Bought:
    """Rows of several cutoffs under each other: what was known (``X``), and what was spent after."""

    X: Array
    spend: Array
    cutoff: Array

    def at(self, cutoffs: Sequence[datetime]) -> "Bought":
        return self.at_rows(np.isin(self.cutoff, np.array(cutoffs, dtype="datetime64[us]")))

    def at_rows(self, which: Array) -> "Bought":
        return Bought(X=self.X[which], spend=self.spend[which], cutoff=self.cutoff[which])

    def is_enough(self) -> bool:
        return int((self.spend > 0).sum()) >= FEWEST_BUYERS


@dataclass(frozen=True, kw_only=True)
class Value(Question):
    """Two stages of trees on what is known of a person, and on what "buy till you die" expects.

    Parameters
    ----------
    history : timedelta
        How much of the log must lie before the earliest cutoff learned from.
    step : timedelta
        Distance between cutoffs learned from.
    most_cutoffs : int
        Learn from so many at most, the latest ones.
    growing : mapping
        What of :class:`Growing` is otherwise.
    """

    history: timedelta = timedelta(days=84)
    step: timedelta = timedelta(days=28)
    most_cutoffs: int = 5
    growing: Mapping[str, Any] = field(default_factory=dict)

    families: ClassVar[tuple[str, ...]] = ("money", "rhythm", "trend")
    expected: ClassVar[tuple[str, ...]] = ("expected_purchases", "expected_spend", "alive", "spend_a_time")

    def fit(self, log: Log, cutoff: datetime) -> ValueModel:
        """Learn at the cutoffs whose spending is known at ``cutoff``.

        Raises
        ------
        NotEnoughData
            No spending has ripened, or fewer than 50 of those it is known of bought anything.
        """
        known = log.until(cutoff)
        cutoffs = self.cutoffs(known, cutoff)
        some = enough(known, cutoffs, self.activity_window, self.kind)
        names, found = self._examples(some, cutoffs)
        if not found.is_enough():
            bought = int((found.spend > 0).sum())
            raise NotEnoughData(f"Needs {FEWEST_BUYERS} buyers to learn from, has {bought} at {len(cutoffs)} cutoffs.")
        prior = found.X[:, names.index("expected_spend")]
        facts = {
            "cutoffs": [f"{each:%Y-%m-%d}" for each in cutoffs],
            "rows": len(found.spend),
            "bought": int((found.spend > 0).sum()),
        }
        buys, spends = self._grown(found, names)
        trees = TwoStage(
            names=names, buys=buys, spends=spends, prior="expected_spend", facts=facts,
            typical=float(np.exp(np.log(np.maximum(prior, 1e-9)).mean())),
            residuals=Residuals(edges=np.empty(0), quantiles=np.zeros((1, len(LEVELS)))),
        )  # fmt: skip
        trees = replace(trees, residuals=self._residuals(found, cutoffs, trees))
        return ValueModel(customers=self._customers(some, cutoff), trees=trees)

    def predict(self, model: ValueModel, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (expected spend) and the ends of its 95 % interval, for everybody asked about.

        Beside it: ``purchases`` expected, the probability ``alive`` of still being a customer, ``next_order_days``
        (the median, of whoever is) and the spend expected in a ``year``.
        """
        return each_part(log, cutoff, self.activity_window, self.kind, lambda some: self._answers(model, some, cutoff))

    def _answers(self, model: ValueModel, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        rows = self.rows(model.customers, log, cutoff)
        if not len(rows):
            names = (USER, SCORE, LOW, HIGH, "purchases", "alive", "next_order_days", "year")
            return frame(dict.fromkeys(names, ()))
        X = matrix(rows, model.trees.names)
        spend, low, high = model.trees.with_interval(X)
        _, told = self.active(log, cutoff)
        soon, later = model.customers.spend(told, self.days), model.customers.spend(told, YEAR)
        return frame(
            {
                USER: rows[USER].to_numpy(),
                SCORE: spend,
                LOW: low,
                HIGH: high,
                "purchases": model.customers.often.purchases(told, self.days),
                "alive": model.customers.often.alive(told),
                "next_order_days": np.minimum(model.customers.next_order(told), FARTHEST),
                "year": spend * np.divide(later, soon, out=np.full(len(soon), YEAR / self.days), where=soon > 0),
            }
        )

    def load(self, directory: Path) -> ValueModel:
        return ValueModel.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        """Return what must be beaten: the rate so far, and "buy till you die" alone in both its forms."""
        shared = {name: getattr(self, name) for name in (one.name for one in fields(Question))}
        return {
            "rate_so_far": RateValue(**shared),
            "pareto_nbd": CustomersValue(frequency="pareto_nbd", **shared),
            "bg_nbd": CustomersValue(frequency="bg_nbd", **shared),
        }

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and all features of everybody asked about at ``cutoff``, for drift."""
        return examples.people(log, cutoff, self.activity_window, self.families, self.kind)

    def explain(self, model: ValueModel, log: Log, cutoff: datetime, users: Sequence[int]) -> dict[int, list[Reason]]:
        """Return up to three reasons for the expected spends of these people, the weightiest first."""
        some = among(log, cutoff, self.activity_window, self.kind, users)
        rows = self.rows(model.customers, some, cutoff)
        return explain.explain(model.trees, rows.filter(nw.col(USER).is_in(list(users))))

    def rows_for(self, model: ValueModel, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return the rows that are scored."""
        return self.rows(model.customers, log, cutoff)

    def score(self, model: ValueModel, rows: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
        """Return ``user`` and ``score``, the expected spend, for rows of columns."""
        return frame({USER: rows[USER].to_numpy(), SCORE: model.trees.spend(matrix(rows, model.trees.names))})

    def rows(self, customers: Customers, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, the families' columns, and what the customers' model expects, in the order of users."""
        found = self.people(log, cutoff)
        people, told = self.active(log, cutoff)
        if people.tolist() != found[USER].to_list():
            raise ValueError("Features and histories are of different people.")
        purchases, spend = customers.often.purchases(told, self.days), customers.spend(told, self.days)
        expected = dict(
            zip(self.expected, (purchases, spend, customers.often.alive(told), customers.much.spend(told)), strict=True)
        )
        columns = [nw.new_series(name, made, nw.Float64, backend="polars") for name, made in expected.items()]
        return found.with_columns(*columns)

    def cutoffs(self, log: Log, cutoff: datetime) -> list[datetime]:
        """Return the cutoffs to learn from, whose spending is known at ``cutoff``; raise ``NotEnoughData`` if none."""
        asked = {"history": self.history, "horizon": self.horizon, "step": self.step}
        return ripe_cutoffs(log, cutoff, self.kind, most=self.most_cutoffs, **asked)

    def _customers(self, log: Log, cutoff: datetime) -> Customers:
        return log.once(("customers",), cutoff, lambda: Customers.fit(histories(log, cutoff)[1]))

    def _examples(self, log: Log, cutoffs: Sequence[datetime]) -> tuple[tuple[str, ...], Bought]:
        parts: list[tuple[Array, Array]] = []
        names: tuple[str, ...] = ()
        for cutoff in cutoffs:
            rows = self.rows(self._customers(log.until(cutoff), cutoff), log, cutoff)
            after = labels.spending(log, cutoff, self.horizon, self.activity_window, self.kind).collect("polars")
            names = tuple(name for name in rows.columns if name != USER)
            spend = rows.select(USER).join(after, on=USER, how="left").sort(USER)[labels.SPEND].to_numpy()
            parts.append((matrix(rows, names), spend))
        return names, Bought(
            X=np.concatenate([X for X, _ in parts]),
            spend=np.concatenate([spend for _, spend in parts]),
            cutoff=np.repeat(np.array(cutoffs, dtype="datetime64[us]"), [len(spend) for _, spend in parts]),
        )

    def _grown(self, found: Bought, names: tuple[str, ...]) -> tuple[Any, Any]:
        growing, paid = Growing(**self.growing), found.spend > 0
        buys = growing.grow(found.X, paid.astype(np.float64), names, "binary")
        return buys, growing.grow(found.X[paid], found.spend[paid], names, "gamma")

    def _residuals(self, found: Bought, cutoffs: list[datetime], made: TwoStage) -> Residuals:
        """Return how far trees were off at later cutoffs than those learned from; at worst, with one, for others."""
        folds = list(rolling_origin(cutoffs, horizon=self.horizon, folds=2))
        pairs = [(found.at(earlier), found.at([judged])) for earlier, judged in folds]
        pairs = [pair for pair in pairs if all(part.is_enough() for part in pair)] or [_halves(found)]
        said, spent = [], []
        for learned, judged in pairs:
            buys, spends = self._grown(learned, made.names)
            then = replace(made, buys=buys, spends=spends)
            paid = judged.at_rows(judged.spend > 0)
            said.append(then.spend(paid.X) / then.probability(paid.X))
            spent.append(paid.spend)
        return Residuals.of(np.concatenate(said), np.concatenate(spent))


def _halves(found: Bought) -> tuple[Bought, Bought]:
    """Return two halves of the rows: people are judged by what others taught, if not by what came later."""
    half = np.random.default_rng(0).permutation(len(found.spend)) % 2 == 0
    return found.at_rows(half), found.at_rows(~half)
