import threading
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from crm import lake
from crm.locks import Busy, only_one
from crm.models import JobRun
from mlengine import jobs, registry, training
from mlengine.models import Metric, ModelVersion
from mlengine.specs import SPECS, NotEnoughData, Spec
from tests.mlengine.house import DAY, END, NOW, progress, shop, spec, upside_down

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Return a spec that wins, registered, with a shop to learn from."""
    shop()
    lake.export(NOW)
    made = spec()
    monkeypatch.setitem(SPECS, made.name, made)
    return made


def trained(asked: Spec) -> ModelVersion:
    return training.train(asked, cutoff=END, now=NOW, progress=progress())


def job_for(kind: str = jobs.TRAIN, **parameters: Any) -> JobRun:
    return JobRun.objects.create(
        kind=kind, title=kind, parameters={"spec": "silence", "cutoff": None} | parameters, created_at=NOW
    )


def test_a_model_that_beats_its_baseline_becomes_champion(silence: Spec) -> None:
    version = trained(silence)
    assert ModelVersion.objects.champion("silence") == version
    assert version.decision == (
        "Promoted: concordance 1.0000 against nobody_knows 0.5000; mean over 2 cutoffs, 2025-07-15 to 2025-08-12."
    )
    found = version.metrics.order_by("cutoff", "subject").values_list("kind", "subject", "name", "value", "low", "high")
    model, baseline = ("model", "concordance", 1.0, 0.0, 1.0), ("nobody_knows", "concordance", 0.5, 0.0, 1.0)
    assert list(found) == [("backtest", *row) for row in (model, baseline, model, baseline)]


def test_a_model_that_loses_stays_a_candidate_and_the_champion_serves_on(silence: Spec) -> None:
    champion = trained(silence)
    loser = trained(upside_down(silence))
    assert ModelVersion.objects.champion("silence") == champion
    assert loser.stage == ModelVersion.Stage.CANDIDATE
    assert loser.decision.startswith("Not promoted, it does not beat nobody_knows and champion v1: concordance 0.0000")
    means = loser.card["backtest"]["means"]
    assert means["champion v1"]["concordance"] == 1.0  # its recipe was trained and judged again, at the same cutoffs


def test_a_champions_recipe_is_tried_again_as_it_was(silence: Spec) -> None:
    trained(replace(silence, parameters={"patience": 3 * DAY}))
    second = trained(silence)
    assert second.card["backtest"]["means"]["champion v1"]["concordance"] == 1.0
    assert second.stage == ModelVersion.Stage.CHAMPION  # as good as the former one, and newer


def test_the_same_recipe_on_newer_data_replaces_the_champion(silence: Spec) -> None:
    first, second = trained(silence), trained(silence)
    first.refresh_from_db()
    assert (first.stage, second.stage) == (ModelVersion.Stage.RETIRED, ModelVersion.Stage.CHAMPION)
    assert "champion v1" not in second.card["backtest"]["means"]


def test_the_card_says_what_the_model_was_made_of(silence: Spec) -> None:
    card = trained(silence).card
    assert card["data"] == {
        "from": "2025-01-01",
        "until": "2025-09-09",
        "events": 672,
        "profiles": 20,
        "active_profiles": 16,
        "currency": "",
        "foreign": 0,
    }
    assert card["recipe"]["horizon_days"] == 28
    assert card["backtest"]["cutoffs"] == ["2025-07-15", "2025-08-12"]
    assert card["facts"].keys() == {"days"}
    assert card["libraries"].keys() >= {"python", "polars", "numpy"}
    steps = [step for step, _ in card["seconds"]]
    assert steps == [
        "read the log",
        "backtest model",
        "backtest nobody_knows",
        "look at groups of people",
        "learn from everything",
    ]


def test_too_little_data_is_refused_with_what_is_missing(silence: Spec) -> None:
    greedy = replace(silence, min_events=1_000, min_days=400)
    with pytest.raises(NotEnoughData) as refused:
        trained(greedy)
    assert str(refused.value) == (
        "Who leaves: not enough to learn from until 2025-09-09: 672 events, 1,000 needed;"
        " 250 days of history, 400 needed."
    )
    assert not ModelVersion.objects.exists()


def test_a_training_that_fails_says_why_and_leaves_the_champion(silence: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    champion = trained(silence)
    monkeypatch.setitem(SPECS, "silence", replace(silence, parameters={"fails": "the disk melted"}))
    job = job_for()
    assert not training.run(job, lambda: NOW)
    assert (job.status, job.error) == (JobRun.Status.FAILED, "ZeroDivisionError: the disk melted")
    assert list(ModelVersion.objects.all()) == [champion]


def test_a_job_exports_trains_and_tells_its_result(silence: Spec) -> None:
    job = job_for()
    assert training.run(job, lambda: NOW)
    version = ModelVersion.objects.get()
    assert job.status == JobRun.Status.SUCCEEDED
    assert (job.result["version"], job.result["stage"]) == (version.pk, "champion")
    assert version.cutoff == END  # the end of the data, not of the clock
    assert job.percent == 100


def test_a_job_is_done_once_however_often_it_is_delivered(silence: Spec) -> None:
    job = job_for()
    assert training.run(job, lambda: NOW)
    assert not training.run(JobRun.objects.get(pk=job.pk), lambda: NOW)
    assert ModelVersion.objects.count() == 1


def test_a_cancelled_training_stops_at_the_next_step_and_keeps_nothing(silence: Spec) -> None:
    job = job_for()

    def clock() -> Any:
        if JobRun.objects.filter(pk=job.pk, step__startswith="backtest").exists():
            JobRun.objects.get(pk=job.pk).cancel(NOW)
        return NOW

    assert not training.run(job, clock)
    assert JobRun.objects.get(pk=job.pk).status == JobRun.Status.CANCELLED
    assert not ModelVersion.objects.exists()


def test_the_second_training_of_a_spec_at_once_is_refused(silence: Spec) -> None:
    found: list[str] = []

    def second() -> None:
        try:
            trained(silence)
        except Busy as busy:
            found.append(str(busy))
        finally:
            connection.close()

    with only_one("the training of silence"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert found == ["Another process is busy with the training of silence; try again when it has finished."]


def test_asking_twice_asks_once_and_rings_when_committed(silence: Spec) -> None:
    user = User.objects.create(username="ada")
    with transaction.atomic():
        first = training.request("silence", now=NOW, by=user)
        second = training.request("silence", now=NOW)
        bells = len(connection.run_on_commit)
        transaction.set_rollback(True)  # no worker shall hear it
    assert first == second
    assert first.requested_by == user
    assert bells == 1


def test_a_spec_that_does_not_exist_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError, match="tarot"):
        training.request("tarot", now=NOW)


def test_metrics_that_cannot_be_measured_promote_nothing(silence: Spec) -> None:
    unmeasured = replace(silence, decided_by="qini")
    version = trained(unmeasured)
    assert version.stage == ModelVersion.Stage.CANDIDATE
    assert version.decision.startswith("Not promoted, qini could not be measured")
    assert Metric.objects.filter(name="qini").count() == 0


def test_the_champion_that_lost_its_files_can_be_replaced(silence: Spec) -> None:
    first = trained(silence)
    (registry._directory(first.artifact) / "rate.json").unlink()
    assert trained(silence).stage == ModelVersion.Stage.CHAMPION
