"""What a search may try for each spec: recipes that exist, and on made data the better one wins, from either side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from crm.models import JobRun
from mlengine import jobs
from mlengine.admin.recipe_words import PARAMETERS, parameters_text
from mlengine.admin.words import SUBJECTS
from mlengine.columns import Log
from mlengine.estimators.recommendations import RECOMMENDERS
from mlengine.halving import draws
from mlengine.models import Trial
from mlengine.recipes import with_parameters
from mlengine.search import Search
from mlengine.specs import SPECS, Spec
from tests.mlengine import campaign_worlds, test_recommendations, test_value
from tests.mlengine.frames import log_of
from tests.mlengine.house import NOW, progress
from tests.mlengine.test_pseudonyms import QUICK

DAY = timedelta(days=1)
SEARCHED = [spec for spec in SPECS.values() if spec.search]
every_searched = pytest.mark.parametrize("spec", SEARCHED, ids=lambda spec: spec.name)
World = Callable[[], tuple[Log, list[datetime]]]


@every_searched
def test_the_recipe_in_use_is_one_that_a_search_may_come_back_to(spec: Spec) -> None:
    assert {name: spec.parameters[name] in values for name, values in spec.search.items()} == dict.fromkeys(
        spec.search, True
    )


@every_searched
def test_all_that_may_be_tried_exists(spec: Spec) -> None:
    for changed in draws(spec.search, 20):
        assert with_parameters(spec, changed).verbs is not None


def test_all_recommenders_but_baselines_may_be_tried_and_have_names() -> None:
    assert set(SPECS["recommendations"].search["recommender"]) == set(RECOMMENDERS) - {"popular"}
    assert set(SPECS["discovery"].search["recommender"]) == set(RECOMMENDERS) - {"popular", "own_history"}
    assert set(RECOMMENDERS) <= set(SUBJECTS)


def test_trials_are_told_in_words() -> None:
    told = {"recommender": "popular", "growing": {"leaves": 4, "rounds": 75}, "l2": 1.0}
    assert parameters_text(told) == "Popular items, smoothing (L2) 1.0, leaves of a tree 4, rounds (trees) 75"


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_all_that_recipes_are_made_of_and_searches_try_has_a_name(spec: Spec) -> None:
    tried = {name for changed in draws(spec.search, 60) for name in _names(changed)}
    assert sorted((_names(spec.parameters) | tried) - set(PARAMETERS)) == []


def _names(changed: Mapping[str, Any]) -> set[str]:
    return {one for name, value in changed.items() for one in (value if isinstance(value, dict) else [name])}


def shopping() -> tuple[Log, list[datetime]]:
    log = log_of(test_recommendations._shopping(), test_recommendations._items(), test_recommendations._profiles())
    return log, [test_recommendations.CUTOFF - days * DAY for days in (60, 30)]


def spending() -> tuple[Log, list[datetime]]:
    return log_of(test_value.lives()), [test_value.CUTOFF]


def campaigns() -> tuple[Log, list[datetime]]:
    return campaign_worlds.world(400), [campaign_worlds.RUNS[2]]


@cache
def _shelves() -> pl.DataFrame:
    """Return what people of four kinds buy in half a year: how often is a matter of what."""
    rng = np.random.default_rng(0)
    rows = [
        (user, user % 4, datetime(2025, 1, 1) + float(at) * DAY)
        for user in range(240)
        for at in np.cumsum(rng.gamma(4, (2 + 3 * (user % 4)) / 4, 200 // (2 + 3 * (user % 4))))
    ]
    frame = pl.DataFrame(rows, schema=["user", "item", "occurred_at"], orient="row")
    return frame.with_columns(kind=pl.lit("purchase"), value=10.0, quantity=1.0, discount=0.0)


def shelves() -> tuple[Log, list[datetime]]:
    items = pl.DataFrame({"item": range(4), "category": ["a", "b", "c", "d"]})
    return log_of(_shelves(), items), [datetime(2025, 5, 20)]


def search(
    spec: Spec, world: World, used: dict[str, Any], other: dict[str, Any], known: Sequence[Trial] = ()
) -> Search:
    """Return a search from one recipe with only the other to try; what it need not try again may be known."""
    spec = replace(with_parameters(spec, used), search={name: (value,) for name, value in other.items()})
    job = JobRun.objects.create(kind=jobs.SEARCH, title="", created_at=NOW)
    assert job.start(NOW)
    for trial in known:
        Trial.objects.create(
            job=job, number=1 - trial.number, rung=trial.rung, value=trial.value, cutoffs=trial.cutoffs, seconds=1.0
        )
    log, at = world()
    return Search(spec, log, at, progress(job), job, seconds=600)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "world", "good", "bad", "quick"),
    [
        ("discovery", shopping, {"recommender": "item_knn"}, {"recommender": "popular"}, {"min_purchases": 300}),
        ("value", spending, {"growing": {"rounds": 40, "seeds": 1}}, {"growing": {"rounds": 1, "seeds": 1}}, {}),
        ("uplift", campaigns, {"strength": 0.03}, {"strength": 1e-9}, QUICK["uplift"]),
        ("clusters", shelves, {"top_categories": 4}, {"top_categories": 0}, {"bootstraps": 2, "most": 5}),
    ],
)
def test_the_better_recipe_stays_and_is_found(
    name: str, world: World, good: dict[str, Any], bad: dict[str, Any], quick: dict[str, Any]
) -> None:
    spec = with_parameters(SPECS[name], quick)
    if name == "value":
        spec = replace(with_parameters(spec, {"most_cutoffs": 2}), horizon=56 * DAY, activity_window=120 * DAY)
    finds = search(spec, world, bad, good)
    assert finds.best() == 1
    assert good.items() <= finds.recipe(1).parameters.items()
    trials = list(Trial.objects.filter(job=finds.job).order_by("rung", "number"))
    assert [(trial.number, trial.cutoffs) for trial in trials[-2:]] == [(0, len(world()[1])), (1, len(world()[1]))]
    stays = search(spec, world, good, bad, known=trials)
    assert stays.best() == 0
    assert stays.recipe(0) == stays.spec
