"""What is asked about the effect of campaigns, and how answers are judged, whatever model gives them.

The effect is that of being chosen (whether or not the message arrived) on whether somebody purchases in the days after.
It needs campaigns with a holdout: one at least to learn from, and a later one to be judged by. What is assumed: that
the lot was as the log says, that one person's message does not change what another does, and that the next campaign
does about what the former ones did.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine import offers
from mlengine.columns import HIGH, LOW, OCCURRED_AT, PURCHASE, SCORE, SESSION, USER, Log
from mlengine.estimators.effect import Effect
from mlengine.estimators.examples import matrix, people
from mlengine.features import build
from mlengine.metrics.policy import best, gain, ips, worth
from mlengine.metrics.uplift import auuc, qini, qini_curve, uplift_at, uplift_interval
from mlengine.offers import Trials, trials
from mlengine.specs import Measure, NotEnoughData, Task
from mlengine.splits import cutoffs_before

Array = NDArray[Any]

FAMILIES: Final = ("money", "rhythm", "discounts", "engagement", "clock")
LEVERS: Final = ("wechat", "wecom", "email", "sms")
TARGETED: Final = 0.3
MOST_DAYS = 16  # on which people were drawn; of more, all of a week count as known at its beginning


@dataclass(frozen=True, kw_only=True)
class EffectQuestion:
    """How uplift is asked and judged, whatever answers.

    Parameters
    ----------
    horizon, activity_window : timedelta
        Those drawn in the horizon, less the window, judge; who purchased in which window before is answered for.
    window : timedelta
        A purchase within it after being drawn counts.
    least : int
        So many people, at least, treated and held out, to learn from.
    least_judged : int
        So many of either to judge by.
    strength : float
        Of the logistic lines; less is more cautious.
    again : int
        So many models of people drawn again, two at least, tell the doubt.
    """

    horizon: timedelta
    activity_window: timedelta
    window: timedelta = timedelta(days=14)
    kind: str = PURCHASE
    least: int = 300
    least_judged: int = 100
    strength: float = 0.03
    again: int = 20

    def judged_at(self, log: Log, end: datetime, most: int) -> list[datetime]:
        """Return the latest dates, a horizon apart, before which enough people were drawn to learn from, and after.

        Each horizon is over by ``end``: a figure over part of one is not comparable with those over a whole one.
        """
        known = trials(log, end, self.window, self.kind)
        self._refuse_without(known)
        first: datetime = known.rows[OCCURRED_AT].min()  # type: ignore[assignment]
        days = known.rows.group_by(SESSION).agg(pl.col(OCCURRED_AT).min())[OCCURRED_AT].dt.truncate("1d").to_list()
        regular = cutoffs_before(end, first=first, horizon=self.horizon, step=self.horizon, most=52)
        found: list[datetime] = []
        ripe = {day for day in days if day + self.horizon <= end}
        for cutoff in sorted({*ripe, *regular}, reverse=True):
            if len(found) < most and (not found or cutoff + self.horizon <= found[-1]) and self._judges(known, cutoff):
                found.append(cutoff)
        if not found:
            raise NotEnoughData(
                f"Campaign uplift needs {self.least} people drawn to get a message and {self.least} held out by lot to "
                f"learn from, and later {self.least_judged} of each to be judged by; there are {known.groups()[0]} "
                f"and {known.groups()[1]} in {known.rows[SESSION].n_unique()} runs."
            )
        return found[::-1]

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and all features of everybody answered for at ``cutoff`` (for drift and reasons too)."""
        return people(log, cutoff, self.activity_window, FAMILIES, self.kind)

    def predict(self, model: Effect, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (the effect on the probability to purchase), its interval, and facts.

        ``untreated`` is the probability without a message, ``effect_<channel>`` the effect by each channel and with
        ``_low`` and ``_high`` the ends of its interval, null where nothing was ever drawn for it.
        """
        rows = self.people(log, cutoff)
        X = matrix(rows, model.names) if len(rows) else np.empty((0, len(model.names)))
        middle, low, high = model.effect(X)
        columns = {SCORE: middle, LOW: low, HIGH: high, "untreated": model.alone(X)}
        by_channel = model.by_channel(X)
        unknown = (np.full(len(X), np.nan),) * 3
        for channel in LEVERS:
            told = zip(("", "_low", "_high"), by_channel.get(channel, unknown), strict=True)
            columns |= {f"effect_{channel}{end}": values for end, values in told}
        frame = pl.DataFrame({USER: rows[USER].to_numpy(), **columns}, schema_overrides={USER: pl.Int64})
        return nw.from_native(frame.with_columns(pl.col(pl.Float64).fill_nan(None)))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge scores by those drawn after ``cutoff`` whose window the log reaches the end of; nothing without any.

        Returns ``qini``, ``auuc``, ``uplift_at_30`` and ``uplift_at_100``, ``policy_gain_30`` (how many more people in
        a hundred buy if the 30 % with the highest scores get it than if a random 30 % do) and
        ``policy_revenue_30`` (the same in money a person), self-normalised inverse propensity scores, all with their
        95 % intervals, in which a person who was drawn in several runs is in or out with all of them.
        """
        rows = self._judging(predictions, log, cutoff)
        treated, y, score, chance, weight = _of(rows)
        if not 0 < treated.sum() < len(rows):
            return {}
        metrics = {"qini": qini, "auuc": auuc, "uplift_at_30": _at(TARGETED), "uplift_at_100": _at(1.0)}
        people = rows[USER].to_numpy()
        found = {
            name: uplift_interval(metric, y, score, treated, weight, people=people) for name, metric in metrics.items()
        }
        targeted = best(score, TARGETED)
        anybody = np.full(len(rows), targeted.mean())  # as many by lot: what that brings on average, nothing drawn
        return found | {
            "policy_gain_30": gain(y, treated, chance, targeted, anybody, people=people),
            "policy_revenue_30": gain(rows["spent"].to_numpy(), treated, chance, targeted, anybody, people=people),
        }

    def shown(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Any]:
        """Return, for a page, what sending by the scores would have brought those who judge them; nothing without any.

        ``curve`` is the Qini curve, ``policies`` what each way of choosing brings a person (purchases and money, beside
        what sending to nobody does; self-normalised, and ``ips`` not), ``campaigns`` the runs they were drawn in.
        """
        rows = self._judging(predictions, log, cutoff)
        treated, y, score, _chance, weight = _of(rows)
        if not 0 < treated.sum() < len(rows):
            return {}
        curve = qini_curve(y, score, treated, weight, people=rows[USER].to_numpy())
        policies = [{"name": name, **_brought(rows, chosen)} for name, chosen in _ways(score).items()]
        groups = {"treated": int(treated.sum()), "held_out": int((treated == 0).sum())}
        at = {"cutoff": f"{cutoff:%Y-%m-%d}", "window_days": self.window / timedelta(days=1)}
        return at | groups | {"curve": asdict(curve), "policies": policies, "campaigns": offers.told(rows)}

    def _judging(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> pl.DataFrame:
        """Return those drawn after the cutoff whose window the log reaches the end of, with their scores."""
        over = cutoff + self.horizon
        known = trials(log, min(over, log.ends or over), self.window, self.kind)
        drawn = known.between(cutoff, over - self.window)
        told = predictions.select(USER, SCORE).to_native()
        return drawn.join(told if isinstance(told, pl.DataFrame) else pl.DataFrame(told), on=USER, how="inner")

    def load(self, directory: Any) -> Effect:
        return Effect.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        return {}

    def drawn(self, log: Log, cutoff: datetime) -> tuple[pl.DataFrame, Array, tuple[str, ...]]:
        """Return those drawn, whose window had passed by ``cutoff``, and their features from before they were."""
        known = trials(log, cutoff, self.window, self.kind)
        self._refuse_without(known)
        treated, others = known.groups()
        if min(treated, others) < self.least:
            raise NotEnoughData(
                f"Campaign uplift needs {self.least} people drawn to get a message and {self.least} held out by lot, "
                f"has {treated} and {others}."
            )
        return log.once(("drawn", self.window, self.kind), cutoff, lambda: _with_features(log, known))

    def _refuse_without(self, known: Trials) -> None:
        if known.rows.is_empty():
            raise NotEnoughData(
                "No campaign held anybody out by lot, so nobody can tell what messages cause: whoever got one was "
                f"chosen. Plan campaigns with a holdout. ({known.nobody_held_out} runs without held-out people, "
                f"{known.mismatched} whose groups are not of the size drawn.)"
            )

    def _judges(self, known: Trials, cutoff: datetime) -> bool:
        before = known.rows.filter(pl.col(OCCURRED_AT) + self.window <= cutoff)
        after = known.between(cutoff, cutoff + self.horizon - self.window)
        return _fewest(before) >= self.least and _fewest(after) >= self.least_judged


def _of(rows: pl.DataFrame) -> tuple[Array, Array, Array, Array, Array]:
    """Return who was treated, who did it, the scores, how likely each was to be treated, and one over that."""
    treated, y, score, chance = (rows[name].to_numpy() for name in ("treated", "did", SCORE, "chance"))
    return treated, y, score, chance, 1 / np.where(treated > 0, chance, 1 - chance)


def _ways(score: Array) -> dict[str, Array]:
    """Return whom each way of sending chooses; of as many by lot, how likely each is to be among them."""
    return {
        "nobody": np.zeros(len(score), bool),
        "targeted": best(score, TARGETED),
        "by_lot": np.full(len(score), TARGETED),
        "everybody": np.ones(len(score), bool),
    }


def _brought(rows: pl.DataFrame, chosen: Array) -> dict[str, Any]:
    """Return what a choice would have brought a person, by itself and beside sending to nobody."""
    treated, y, _score, chance, _weight = _of(rows)
    people, spent, drawn = rows[USER].to_numpy(), rows["spent"].to_numpy(), (treated, chance, chosen)
    nobody = np.zeros(len(rows), bool)
    return {
        "share": round(float(chosen.mean()), 6),
        "bought": asdict(worth(y, *drawn, people=people)),
        "more": asdict(gain(y, *drawn, nobody, people=people)),
        "spent": asdict(worth(spent, *drawn, people=people)),
        "earned": asdict(gain(spent, *drawn, nobody, people=people)),
        "ips": ips(y, *drawn),
    }


def _with_features(log: Log, known: Trials) -> tuple[pl.DataFrame, Array, tuple[str, ...]]:
    """Return those drawn with features as they were when their day (or week) began."""
    days = known.rows[OCCURRED_AT].dt.truncate("1d")
    at = days if days.n_unique() <= MOST_DAYS else days.dt.truncate("1w")
    latest = at.unique().sort().tail(26).to_list()
    rows = known.rows.with_columns(known_at=at)
    parts, matrices, names = [], [], ()
    for cutoff in latest:
        there = rows.filter(pl.col("known_at") == cutoff)
        features = build(log, cutoff, FAMILIES).collect("polars").to_native()
        joined = there.join(features, on=USER, how="left", maintain_order="left")
        names = tuple(name for name in features.columns if name != USER)
        matrices.append(matrix(nw.from_native(joined), names))
        parts.append(there)
    return pl.concat(parts), np.concatenate(matrices), names


def _fewest(rows: pl.DataFrame) -> int:
    treated = int(rows["treated"].sum())
    return min(treated, len(rows) - treated)


def _at(share: float) -> Any:
    def metric(y: Array, uplift: Array, treated: Array, weight: Array) -> float:
        return uplift_at(share, y, uplift, treated, weight)

    return metric
