"""A small shop of which everything is known, and a task small enough to be right or wrong at a glance."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np

from crm.models import JobRun
from mlengine import labels
from mlengine.columns import CLUSTER, ITEM, LABEL, OCCURRED_AT, RANK, SCORE, USER, Log
from mlengine.reasons import Reason
from mlengine.specs import Measure, Spec, Task
from mlengine.work import Progress
from tests import factories
from tests.crm.log import bought, record

DAY = timedelta(days=1)
WAITS_AT: list[str] = []  # a file to write before sleeping, so that a test may kill the process here
OPENED = datetime(2025, 1, 1, 4, tzinfo=UTC)  # noon on the wall
END = datetime(2025, 9, 8, 16, tzinfo=UTC)  # midnight on the wall: the 9th begins
NOW = END + timedelta(hours=3)


def shop() -> list[int]:
    """Fill the record: 12 regulars buy every week to the end, 8 who leave buy daily for their last month, then never.

    Every four weeks another two of them leave. Return the keys of the regulars.
    """
    regulars = [factories.profile(f"regular-{n}") for n in range(12)]
    events = [bought(person, OPENED + week * 7 * DAY) for person in regulars for week in range(36)]
    for n in range(8):
        person, last = factories.profile(f"leaver-{n}"), 250 - 28 * (n // 2 + 1) - 10
        events += [bought(person, OPENED + (last - back) * DAY) for back in range(30)]
    record([*events, bought(regulars[0], END + timedelta(minutes=5))])
    return [person.pk for person in regulars]


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A model: how many days pass between visits."""

    days: float
    upside_down: bool

    def save(self, directory: Path) -> None:
        (directory / "rate.json").write_text(json.dumps({"days": self.days, "upside_down": self.upside_down}))

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(**json.loads((directory / "rate.json").read_text()))

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"days": self.days}


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Who leaves: whoever has been silent for long. It knows the shop's people perfectly; ``upside_down`` never."""

    horizon: timedelta
    activity_window: timedelta
    upside_down: bool = False
    patience: timedelta = DAY
    fails: str = ""

    def fit(self, log: Log, cutoff: datetime) -> Rate:
        if self.fails:
            raise ZeroDivisionError(self.fails)
        log.until(cutoff - self.patience)  # fails where a recipe came back with anything but a duration
        events = log.until(cutoff).events
        days = events.select(nw.col(OCCURRED_AT).dt.date().n_unique()).collect().item()
        return Rate(days=float(days), upside_down=self.upside_down)

    def predict(self, model: Rate, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        self._wait()
        seen = log.until(cutoff).events.group_by(USER).agg(nw.col(OCCURRED_AT).max()).collect("polars")
        people = labels.active(log, cutoff, self.activity_window).collect("polars")
        rows = people.join(seen, on=USER, how="left").sort(USER)
        silent = np.array([(cutoff - at) / self.activity_window for at in rows[OCCURRED_AT].to_list()])
        score = 1 - silent if model.upside_down else silent
        return rows.select(USER).with_columns(nw.new_series(SCORE, score, nw.Float64, backend="polars"))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Return ``concordance``: how often somebody who left has a higher score than somebody who stayed."""
        left = labels.churn(log, cutoff, self.horizon, self.activity_window).collect("polars")
        both = predictions.join(left, on=USER, how="inner")
        score, label = both[SCORE if SCORE in both.columns else CLUSTER].to_numpy(), both[LABEL].to_numpy()
        pairs = score[label == 1][:, None] - score[label == 0][None, :]
        return {"concordance": Measure(value=float(((pairs > 0) + 0.5 * (pairs == 0)).mean()), low=0.0, high=1.0)}

    def baselines(self) -> Mapping[str, Task]:
        return {"nobody_knows": Alike(horizon=self.horizon, activity_window=self.activity_window)}

    def load(self, directory: Path) -> Rate:
        return Rate.load(directory)

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        return self.predict(Rate(days=1, upside_down=False), log, cutoff).rename({SCORE: "silence"})

    def explain(self, model: Rate, log: Log, cutoff: datetime, users: list[int]) -> dict[int, list[Reason]]:
        reason = Reason(code="silence", feature="silence", contribution=1.0, values={"days": 40, "gap": 7})
        return {user: [reason] for user in users}

    def _wait(self) -> None:
        for file in WAITS_AT:
            Path(file).touch()
            time.sleep(60)


@dataclass(frozen=True, kw_only=True)
class Alike(Silence):
    """The baseline: everybody alike."""

    def predict(self, model: Rate, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        return super().predict(model, log, cutoff).with_columns(nw.lit(0.5).alias(SCORE))

    def baselines(self) -> Mapping[str, Task]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Shelf(Silence):
    """Recommends the first three items of the catalogue to everybody active."""

    def predict(self, model: Rate, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        people = labels.active(log, cutoff, self.activity_window).collect("polars").sort(USER)
        items = log.items.select(ITEM).sort(ITEM).head(3).collect("polars")
        ranked = items.with_columns(nw.new_series(RANK, [1, 2, 3][: len(items)], nw.Int64, backend="polars"))
        rows = people.join(ranked, how="cross")
        return rows.with_columns((1.0 / nw.col(RANK)).alias(SCORE), nw.lit('{"code": "popular"}').alias("reason"))


@dataclass(frozen=True, kw_only=True)
class Word:
    """The name of a group."""

    code: int
    name: Mapping[str, str]
    description: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Halves(Rate):
    """A model that names two groups."""

    @property
    def segments(self) -> list[Word]:
        return [Word(code=n, name={"en": f"half {n}"}, description={"en": f"the half called {n}"}) for n in (1, 2)]


@dataclass(frozen=True, kw_only=True)
class InHalves(Silence):
    """Puts everybody active into one of two groups, by silence."""

    def fit(self, log: Log, cutoff: datetime) -> Halves:
        return Halves(days=1, upside_down=self.upside_down)

    def predict(self, model: Rate, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        scored = super().predict(model, log, cutoff)
        return scored.select(USER, nw.when(nw.col(SCORE) > 0.25).then(2).otherwise(1).cast(nw.Int64).alias(CLUSTER))

    def load(self, directory: Path) -> Halves:
        return Halves.load(directory)


def spec(task: str = "Silence", answers: str = "score", **facts: Any) -> Spec:
    """Return a spec of this house: leaving for four weeks, judged at two cutoffs."""
    known: dict[str, Any] = {
        "name": "silence",
        "title": "Who leaves",
        "description": "",
        "answers": answers,
        "task": f"{__name__}.{task}",
        "horizon": 28 * DAY,
        "activity_window": 90 * DAY,
        "decided_by": "concordance",
        "min_profiles": 5,
        "min_events": 100,
        "min_days": 100,
        "backtest_cutoffs": 2,
    }
    return Spec(**known | facts)


def upside_down(former: Spec) -> Spec:
    return replace(former, parameters={"upside_down": True})


def progress(job: JobRun | None = None) -> Progress:
    return Progress(job=job, clock=lambda: NOW)
