"""Why a model learns again, which recipe it learns by, who may be challenger, what is kept until it can be judged."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mlengine import monitoring, prediction, recipes, registry, retraining
from mlengine import search as searching
from mlengine.cards import recipe
from mlengine.models import Metric, ModelVersion, PredictionRun
from mlengine.recipes import Found
from tests.mlengine.house import DAY, END, NOW, Rate, spec

pytestmark = pytest.mark.django_db

LEARNED = END - 28 * DAY
Stage = ModelVersion.Stage


def version(stage: str = Stage.CHAMPION) -> ModelVersion:
    """Return a version with files of its own, that had 1.0 on its backtest."""
    made = spec()
    facts: dict[str, Any] = {"card": {"recipe": recipe(made)}, "cutoff": LEARNED, "trained_at": NOW, "stage": stage}
    found = registry.save(Rate(days=1, upside_down=False), made, **facts)
    backtest = {"kind": Metric.Kind.BACKTEST, "subject": "model", "name": "concordance", "value": 1.0}
    Metric.objects.create(version=found, cutoff=LEARNED - 28 * DAY, **backtest)
    return found


@pytest.mark.parametrize(
    ("days", "drifts", "live", "found"),
    [
        (7, {}, None, "schedule"),
        (6, {}, None, None),
        (6, {"labels": (0.3, 0.1)}, None, "drift"),
        (6, {"labels": (0.3, 0.4)}, None, None),  # by chance
        (6, {"score": (0.2, 0.0)}, None, None),  # not much
        (1, {"score": (9.0, 0.1)}, None, None),  # it has just learned
        (6, {}, 0.9, "worse_than_backtest"),
        (6, {}, 0.97, None),
    ],
)
def test_a_model_learns_again_by_schedule_or_because_it_no_longer_fits(
    days: int, drifts: dict[str, tuple[float, float]], live: float | None, found: str | None
) -> None:
    champion = version()
    for subject, (value, chance) in drifts.items():
        facts = {"kind": Metric.Kind.DRIFT, "name": "psi", "subject": subject, "value": value, "high": chance}
        Metric.objects.create(version=champion, cutoff=END, **facts)
    if live is not None:
        facts = {"kind": Metric.Kind.LIVE, "name": "concordance", "subject": "model", "value": live}
        Metric.objects.create(version=champion, cutoff=END, **facts)
    cause = retraining.cause(spec(), LEARNED + timedelta(days=days))
    assert (cause.code if cause else None) == found


def test_a_column_that_hardly_weighs_may_drift_as_it_likes() -> None:
    champion = version()
    champion.card["importances"] = {"tenure": 1.0, "recency": 99.0}
    rows = [Metric(subject=name, value=0.5, high=0.0) for name in ("tenure", "recency", "unheard_of", "score")]
    assert {row.subject for row in monitoring.weighty(rows, champion)} == {"recency", "score"}


def test_a_new_recipe_in_the_code_is_tried_and_what_a_search_found_is_kept_until_then() -> None:
    made, champion = spec(), version()
    assert retraining.cause(made, LEARNED + 3 * DAY) is None
    changed = replace(made, parameters={"patience": 2 * DAY})
    cause = retraining.cause(changed, LEARNED + 3 * DAY)
    assert cause is not None
    assert cause.code == "recipe"
    champion.card["tuned"] = Found(recipe=made, parameters={"patience": 5 * DAY}, base=made, trial=3).told()
    assert recipes.adopted(made, champion).parameters == {"patience": 5 * DAY}
    assert recipes.adopted(changed, champion) == changed


def test_old_answers_wait_until_their_labels_ripen_night_after_night() -> None:
    made, champion = spec(), version()
    for night in range(40, -1, -1):
        at = END - night * DAY
        PredictionRun.objects.create(spec="silence", version=champion, cutoff=at, started_at=NOW, finished_at=NOW)
        prediction.prune(made, keep=3)
    kept = [(END - at).days for at in PredictionRun.objects.order_by("-cutoff").values_list("cutoff", flat=True)]
    assert kept == [0, 1, 2, 5, 12, 19, 26, 33, 40]


def test_the_champion_is_kept_on_the_dates_on_which_its_challenger_waits() -> None:
    champion, challenger = version(), version(Stage.CHALLENGER)
    for night in range(20, -1, -1):
        facts = {"spec": "silence", "cutoff": END - night * DAY, "started_at": NOW, "finished_at": NOW}
        PredictionRun.objects.create(version=champion, **facts)
        if night < 16:  # it began in the middle of a week
            PredictionRun.objects.create(version=challenger, shadow=True, **facts)
        prediction.prune(spec(), keep=3)
    runs = PredictionRun.objects.order_by("-cutoff")
    kept = {
        hidden: [(END - at).days for at in runs.filter(shadow=hidden).values_list("cutoff", flat=True)]
        for hidden in (False, True)
    }
    assert kept == {True: [0, 1, 2, 8, 15], False: [0, 1, 2, 6, 8, 13, 15, 20]}


def test_there_is_one_challenger_and_never_the_champion() -> None:
    champion, first, second = version(), version(Stage.CHALLENGER), version(Stage.CANDIDATE)
    registry.challenge(second, reason="another")
    registry.challenge(champion, reason="nonsense")
    for one in (champion, first):
        one.refresh_from_db()
    assert (first.stage, second.stage, champion.stage) == (Stage.CANDIDATE, Stage.CHALLENGER, Stage.CHAMPION)
    assert registry.stand_down(second, reason="enough")
    assert not registry.stand_down(second, reason="again")
    assert ModelVersion.objects.challenger("silence") is None


def test_trials_are_judged_before_the_dates_of_the_backtest() -> None:
    made = spec()
    begins, end = (END - 250 * DAY).replace(tzinfo=None), END.replace(tzinfo=None)
    assert max(searching.dates(made, begins, end)) + made.horizon == end - 2 * made.horizon
