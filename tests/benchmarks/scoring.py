"""Scoring a million people, written to the database and all, against LightGBM's bare prediction of the same rows.

Features are ready: they are drawn at random, of as many columns as the champion of the churn spec has. Everything that
the product does after that is timed: calibrated probabilities by all boosters, the frame of answers, COPY into an
indexed table in one transaction, the check for people who left, the summary. The yardstick is what anybody would
call first: ``booster.predict`` of the same number of trees over the same rows.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import lightgbm
import numpy as np

from mlengine.estimators.boosted import BoostedTrees
from mlengine.estimators.calibration import Platt
from mlengine.specs import SPECS
from tests.benchmarks.databases import fresh_database, set_up

PEOPLE = 1_000_000
COLUMNS = 70
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROFILES = """
INSERT INTO crm_profile (id, age_band, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '', '', '', '', '', '{}', true, now(), now() FROM generate_series(1, %s) AS n
"""


def run() -> list[dict[str, Any]]:
    """Return the seconds of scoring with writing, and of bare prediction, over the same million rows."""
    set_up()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(PEOPLE, COLUMNS))
    boosters = _boosters(X[:20_000], rng)
    names = tuple(f"column_{n}" for n in range(COLUMNS))
    model = BoostedTrees(names=names, boosters=boosters, calibrator=Platt(slope=1.0, intercept=0.0))
    with fresh_database():
        _people()
        bare = _seconds(lambda: [booster.predict(X, raw_score=True) for booster in boosters])
        whole = _seconds(lambda: _score(model, X))
    return [
        {
            "name": "scoring 1 M profiles, written, against bare predict",
            "value": whole,
            "unit": "s",
            "yardstick": bare,
            "ratio": whole / bare,
        }
    ]


def _score(model: BoostedTrees, X: np.ndarray[Any, Any]) -> None:
    """Do what a prediction does once features are there."""
    import narwhals as nw
    from django.db import transaction

    from mlengine import answers, summaries
    from mlengine.columns import SCORE, USER
    from mlengine.models import ModelVersion, PredictionRun

    probability = model.probability(X)
    users = np.arange(1, PEOPLE + 1, dtype=np.int64)
    found = nw.from_dict({USER: users, SCORE: probability}, backend="polars")
    version = ModelVersion.objects.create(spec="churn", number=1, artifact="", sha256="", cutoff=NOW, trained_at=NOW)
    made = PredictionRun.objects.create(spec="churn", version=version, cutoff=NOW, started_at=NOW)
    with transaction.atomic():
        made.rows = answers.write_scores(made, found, {})
        made.summary = summaries.of_scores(found, made, None)
        made.finished_at = NOW
        made.save()
    if made.rows != PEOPLE:
        raise RuntimeError(f"Wrote {made.rows:,} scores, not {PEOPLE:,}.")


def _boosters(X: np.ndarray[Any, Any], rng: np.random.Generator) -> tuple[lightgbm.Booster, ...]:
    """Return boosters of the size that the churn spec trains."""
    shape = SPECS["churn"].parameters
    y = (X[:, :5].sum(axis=1) + rng.normal(size=len(X)) > 2).astype(int)
    parameters = {"objective": "binary", "num_leaves": shape["leaves"], "num_threads": 2, "verbose": -1}
    return tuple(
        lightgbm.train(parameters | {"seed": seed}, lightgbm.Dataset(X, y), num_boost_round=shape["rounds"])
        for seed in range(shape["seeds"])
    )


def _people() -> None:
    from django.db import connection

    from crm.database_roles import as_owner

    with connection.cursor() as cursor:
        cursor.execute(PROFILES, [PEOPLE])
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_profile")


def _seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
