"""What each customer will buy, and for how much, from a list of purchases: one row a purchase.

Columns: ``customer`` (anything), ``at`` (date or time), ``amount`` (money of one currency; what is missing counts as 0,
refunds are negative). A column ``currency`` is looked at only to refuse a file with several. Options: ``until``, the
last day learned from (the middle of the file unless given), and ``days``, how long is judged after it (as long as what
was learned from, or to the end of the file). Judged are those who purchased before; purchases of one person on one day
are one. Everything is learned from the days up to ``until`` only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.benchmarks import Asked, BadFile, Line, as_words, check_filled
from mlengine.columns import OCCURRED_AT, PURCHASE, RECEIVED_AT, SCORE, USER, VALUE, Log
from mlengine.estimators.lifetime_value.customers import FREQUENCY
from mlengine.estimators.lifetime_value.gamma_gamma import GammaGamma
from mlengine.estimators.lifetime_value.histories import Histories
from mlengine.estimators.lifetime_value.likely import Likely
from mlengine.estimators.value import Value
from mlengine.metrics import values
from mlengine.metrics.bootstrap import interval

Array = NDArray[Any]
Answer = Mapping[str, Array]

COLUMNS: Final[Sequence[str]] = ("customer", "at", "amount")
METRICS: Final = {
    "mae": (values.mean_absolute_error, False),
    "rmse": (values.root_mean_squared_error, False),
    "correlation": (values.correlation, True),
    "gini": (values.gini, True),
}
_WORDS: Final = (pl.String, pl.Categorical, pl.Enum)
BASELINES: Final = ("rate_so_far", "bg_nbd")
OFTEN: Final[Mapping[str, Any]] = {**FREQUENCY, "likely": Likely}
ESTIMATORS: Final = ("rate_so_far", *OFTEN, "two_stage")
OPTIONS: Final = ("until", "days")
MOST_MONEY: Final = 1e12  # a purchase; squares of sums of more are no numbers any more


@dataclass(frozen=True, kw_only=True, eq=False)
class Purchases:
    """Purchases by whole days, customers numbered; those before ``cutoff`` are known, ``days`` after it are judged."""

    person: Array
    day: Array
    amount: Array
    cutoff: int
    days: int

    @classmethod
    def of(cls, frame: pl.DataFrame, asked: Asked) -> "Purchases":
        """Return those of a file, cut as the options say."""
        told = _told(frame)
        first, last = int(told["day"].min()), int(told["day"].max())  # type: ignore[arg-type]
        cutoff = _date(asked.options["until"]).toordinal() + 1 if "until" in asked.options else (first + last) // 2 + 1
        if not first < cutoff <= last:
            raise BadFile(f"Nothing to learn from, or to judge by, around {date.fromordinal(cutoff - 1)}.")
        days = asked.whole("days", min(cutoff - first, last + 1 - cutoff), most=36_500)
        return cls(**{name: told[name].to_numpy() for name in ("person", "day", "amount")}, cutoff=cutoff, days=days)

    def after(self, people: Array) -> Answer:
        """Return how many days with a purchase each had in the days judged, and the net spend, at least 0."""
        judged = (self.day >= self.cutoff) & (self.day < self.cutoff + self.days) & np.isin(self.person, people)
        where = np.searchsorted(people, self.person[judged])
        once = np.unique(np.stack([where, self.day[judged].astype(np.int64)]), axis=1)[0]
        spend = np.bincount(where, self.amount[judged], len(people))
        return {"purchases": np.bincount(once, minlength=len(people)) * 1.0, "spend": np.maximum(spend, 0.0)}

    def log(self) -> Log:
        """Return them as the log that the product learns from."""
        moment = pl.Series(self.day - 719_163, dtype=pl.Int32).cast(pl.Date).cast(pl.Datetime("us"))  # since 1970
        number = [str(n) for n in range(len(self.day))]
        text, real = pl.lit(None, pl.String), pl.lit(None, pl.Float64)
        events = pl.DataFrame({USER: self.person, OCCURRED_AT: moment, VALUE: self.amount, "session": number})
        events = events.with_columns(
            kind=pl.lit(PURCHASE), item=pl.lit(None, pl.Int64), quantity=real, discount=pl.lit(0.0), channel=text
        ).with_columns(pl.col(OCCURRED_AT).alias(RECEIVED_AT))
        nobody, nothing = pl.LazyFrame(schema={USER: pl.Int64}), pl.LazyFrame(schema={"item": pl.Int64})
        return Log(events=nw.from_native(events.lazy()), items=nw.from_native(nothing), profiles=nw.from_native(nobody))


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield the figures of each estimator, of purchases and (metrics that begin with ``spend_``) of money."""
    bought = Purchases.of(frame, asked)
    people, told = Histories.of_purchases(bought.person, bought.day, bought.amount, bought.cutoff)
    told = _to_the_last_day(told)
    happened = bought.after(people)
    protocol = (
        f"Learned from what was bought until {date.fromordinal(bought.cutoff - 1)}, judged by the {bought.days} days"
        f" after it, of {len(people):,} customers; 95 % by bootstrap of customers."
    )
    made: dict[str, Callable[[], Answer]] = {"rate_so_far": lambda: _rate(told, bought.days)}
    made |= {name: _customers(name, told, bought.days) for name in OFTEN}
    made["two_stage"] = lambda: _two_stage(bought, people)

    def measured(estimator: str) -> Iterator[Line]:
        key = f"{estimator} {bought.cutoff} {bought.days}"
        said, seconds = asked.checkpoints.timed(key, partial(_listed, made[estimator]))
        for what, numbers in said.items():
            for name, (metric, higher) in METRICS.items():
                found = interval(metric, happened[what], np.array(numbers))
                yield Line(
                    task="value", estimator=estimator, metric=name if what == "purchases" else f"{what}_{name}",
                    value=found.value, low=found.low, high=found.high, higher_is_better=higher,
                    protocol=protocol, seconds=seconds, is_baseline=estimator in BASELINES,
                )  # fmt: skip

    for estimator in filter(asked.wants, made):
        yield from asked.unless_refused(estimator, measured(estimator))


def _rate(told: Histories, days: int) -> Answer:
    rate = told.frequency / np.maximum(told.T, 1.0) * days
    return {"purchases": rate, "spend": rate * told.monetary_value}


def _customers(name: str, told: Histories, days: int) -> Callable[[], Answer]:
    def answer() -> Answer:
        purchases = OFTEN[name].fit(told).purchases(told, days)
        if not (told.monetary_value > 0).any():
            return {"purchases": purchases}
        return {"purchases": purchases, "spend": purchases * GammaGamma.fit(told).spend(told)}

    return answer


def _two_stage(bought: Purchases, people: Array) -> Answer:
    """Return what the product's model expects; it refuses where the past is too short to hold such a future."""
    cutoff, horizon = datetime.fromordinal(bought.cutoff), timedelta(days=bought.days)
    task = Value(horizon=horizon, activity_window=timedelta(days=int(bought.cutoff - bought.day.min())))
    log = bought.log()
    answers = task.predict(task.fit(log, cutoff), log, cutoff)
    said = dict(zip(answers[USER].to_list(), answers[SCORE].to_list(), strict=True))
    return {"spend": np.array([said[person] for person in people.tolist()])}


def _told(frame: pl.DataFrame) -> pl.DataFrame:
    if "currency" in frame.columns and frame["currency"].n_unique() > 1:
        found = ", ".join(sorted(map(str, frame["currency"].unique())))
        raise BadFile(f"Amounts in several currencies cannot be added up: {found}.")
    check_filled(frame, ["customer", "at"])
    customer = pl.Series("person", as_words(frame["customer"]).rank("dense")).cast(pl.Int64)
    day = pl.Series("day", _days(frame["at"]).cast(pl.Int32) + 719_163).cast(pl.Float64)  # since the year 1
    return pl.DataFrame([customer, day, pl.Series("amount", _amounts(frame["amount"]))])


def _days(values: pl.Series) -> pl.Series:
    """Return dates from dates, times, numbers like 19970101, or words like 1997-01-01."""
    if values.dtype in (pl.Date, pl.Datetime):
        return values.cast(pl.Date)
    if not (values.dtype.is_integer() or values.dtype in _WORDS):
        raise BadFile(f"The column at must be dates like 1997-01-01, and is {values.dtype}.")
    text = values.cast(pl.String)
    whole = values.dtype.is_integer()
    found = text.str.to_date("%Y%m%d", strict=False) if whole else text.str.slice(0, 10).str.to_date(strict=False)
    _check_all(found, values, "dates like 1997-01-01")
    return found


def _amounts(values: pl.Series) -> pl.Series:
    """Return money as numbers, 0 where it is missing."""
    if not (values.dtype.is_numeric() or values.dtype in _WORDS or values.dtype == pl.Null):
        raise BadFile(f"The column amount must be numbers, and is {values.dtype}.")
    found = values.cast(pl.Float64, strict=False)
    _check_all(found, values, "numbers")
    found = found.fill_nan(0.0).fill_null(0.0)
    if (found.abs() > MOST_MONEY).any():
        raise BadFile(f"A purchase has an amount that is infinite, or beyond {MOST_MONEY:,.0f}.")
    return found


def _check_all(found: pl.Series, values: pl.Series, what: str) -> None:
    odd = values.filter(found.is_null() & values.is_not_null())
    if len(odd):
        raise BadFile(f"The column {values.name} must be {what}; it also says {str(odd[0])[:50]!r}.")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadFile(f"until={text} is no date like 1997-09-30.") from error


def _to_the_last_day(told: Histories) -> Histories:
    """Return ages as of the last day learned from, as the literature has them, instead of as of the midnight after."""
    return replace(told, T=told.T - 1)


def _listed(make: Callable[[], Answer]) -> dict[str, list[float]]:
    return {name: numbers.tolist() for name, numbers in make().items()}
