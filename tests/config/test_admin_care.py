"""How models are kept alive, as analysts see it: who serves and challenges, going back, nights, where scores begin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from crm.models import JobRun
from mlengine import registry
from mlengine.models import Metric, ModelVersion, PredictionRun, Trial
from mlengine.specs import SPECS
from tests import factories
from tests.config.test_admin_access import member
from tests.factories import NOW
from tests.mlengine.house import Rate

pytestmark = pytest.mark.django_db

Stage = ModelVersion.Stage


def version(stage: str, **facts: Any) -> ModelVersion:
    made = {"card": {}, "cutoff": NOW, "trained_at": NOW, "stage": stage, **facts}
    return registry.save(Rate(days=1, upside_down=False), SPECS["churn"], **made)


def figure(of: ModelVersion, kind: str, subject: str, value: float, **bounds: float) -> None:
    facts = {"kind": kind, "subject": subject, "value": value, "cutoff": NOW, **bounds}
    Metric.objects.create(version=of, name="roc_auc", **facts)


@pytest.fixture
def analyst() -> Client:
    return member("Analyst")


def page(client: Client, name: str, *args: Any) -> str:
    return client.get(reverse(name, args=args)).content.decode()


def care(client: Client) -> str:
    return page(client, "admin:mlengine_care", "churn")


def test_a_models_page_says_who_serves_who_challenges_and_what_moved(analyst: Client) -> None:
    champion, challenger = version(Stage.CHAMPION, promoted_at=NOW), version(Stage.CHALLENGER)
    figure(champion, Metric.Kind.LIVE, "model", 0.8123)
    figure(challenger, Metric.Kind.LIVE, "model", 0.8345)
    figure(challenger, Metric.Kind.SHADOW, "champion v1", 0.8123)
    figure(challenger, Metric.Kind.SHADOW, "difference", 0.0222, low=0.0101, high=0.0343)
    drift = {"version": champion, "kind": Metric.Kind.DRIFT, "name": "psi", "cutoff": NOW}
    Metric.objects.create(subject="labels", value=0.412, high=0.05, **drift)
    found = care(analyst)
    for words in ("champion v1", "challenger v2", "0.8345", "[0.0101, 0.0343]", "What people did", "0.412"):
        assert words in found, words
    assert "Better on 1 dates, worse on 0, not told apart on 0." in found


def test_of_how_many_people_drift_was_measured_is_told_to_those_who_may_see_people(analyst: Client) -> None:
    champion = version(Stage.CHAMPION)
    Metric.objects.create(version=champion, kind="drift", name="psi", cutoff=NOW, subject="score", value=0.3)
    root = member("superuser")
    assert "people were compared" not in care(root)
    times = {"cutoff": NOW, "started_at": NOW, "finished_at": NOW}
    PredictionRun.objects.create(spec="churn", version=champion, summary={"watched": 48_210}, **times)
    assert "Columns of 48,210 people were compared." in care(root)
    assert "people were compared" not in care(analyst)


def test_a_version_says_of_how_many_people_its_dependences_were_asked(analyst: Client) -> None:
    champion = version(Stage.CHAMPION)
    points = [{"value": at, "mean": 0.5, "low": 0.4, "high": 0.6, "people": 0.5} for at in (1.0, 2.0)]
    found = {"column": "gap_mean", "code": "silence", "people": 49_876, "missing": 0.0, "points": points}
    champion.card = {"dependence": [found]}
    champion.save()
    root, address = member("superuser"), ("admin:mlengine_modelversion_change", champion.pk)
    assert "Asked of 49,876 people." in page(root, *address)
    assert "Asked of" not in page(analyst, *address)
    champion.card = {"dependence": [{name: value for name, value in found.items() if name != "people"}]}
    champion.save()
    assert "Asked of" not in page(root, *address)


def test_the_page_says_when_a_model_learns_again_and_why(analyst: Client) -> None:
    assert "it has never learned" in care(analyst)
    champion = version(Stage.CHAMPION)
    assert "7 days after what it learned from" in care(analyst)
    champion.cutoff = NOW - timedelta(days=3)
    champion.card = {"cause": {"code": "drift", "values": {"of": "labels", "psi": 0.4}}}
    champion.save()
    PredictionRun.objects.create(spec="churn", version=champion, cutoff=NOW, started_at=NOW, finished_at=NOW)
    figure(champion, Metric.Kind.BACKTEST, "model", 0.9)
    figure(champion, Metric.Kind.LIVE, "model", 0.8)
    found = care(analyst)
    assert "Tonight. ROC AUC fell by 0.1 below the backtest." in " ".join(found.split())
    assert "What people did drifted: PSI 0.4." in found


def test_the_page_shows_the_trials_of_the_latest_search_the_best_first(analyst: Client) -> None:
    job = JobRun.objects.create(kind="search", title="", parameters={"spec": "churn"}, created_at=NOW, started_at=NOW)
    facts = {"spec": "churn", "job": job, "cutoffs": 1, "seconds": 2.0}
    Trial.objects.create(number=0, rung=0, value=0.71, **facts)
    Trial.objects.create(number=1, rung=0, value=0.73, parameters={"leaves": 8}, **facts)
    Trial.objects.create(number=1, rung=1, value=0.75, parameters={"leaves": 8}, **facts)
    Trial.objects.create(number=2, rung=0, value=None, error="ValueError: no", **facts)
    found = care(analyst)
    assert found.index("leaves of a tree 8") < found.index("0.7100") < found.index("ValueError: no")


def test_a_search_goes_on_for_as_long_as_chosen_and_its_end_is_told(analyst: Client) -> None:
    factories.assess("churn")
    address = reverse("admin:mlengine_modelversion_search", args=["churn"])
    assert [_minutes_of(analyst, address, said) for said in ("5", "7000")] == [5, 20]
    done = {"kind": "search", "status": "succeeded", "result": {"found": None}}
    job = JobRun.objects.create(parameters={"spec": "churn"}, created_at=NOW, started_at=NOW, **done)
    Trial.objects.create(spec="churn", job=job, number=0, rung=0, cutoffs=1, seconds=2.0, value=0.71)
    assert "Nothing did better than the recipe in use" in care(analyst)


def _minutes_of(analyst: Client, address: str, said: str) -> int:
    analyst.post(address, {"minutes": said})
    job = JobRun.objects.filter(kind="search").latest("pk")
    job.fail(NOW, "stopped")
    return int(job.parameters["minutes"])


def test_going_back_takes_one_click_and_a_reason_and_is_kept(analyst: Client) -> None:
    factories.assess("churn")
    former, present = version(Stage.RETIRED, promoted_at=NOW), version(Stage.CHAMPION, promoted_at=NOW)
    assert "Go back to v1" in care(analyst)
    address = reverse("admin:mlengine_modelversion_roll_back", args=[former.pk])
    assert analyst.get(address).status_code == 405
    assert "Say why" in analyst.post(address, {"reason": " "}, follow=True).content.decode()
    assert ModelVersion.objects.champion("churn") == present
    found = analyst.post(address, {"reason": "complaints since Monday"}, follow=True).content.decode()
    former.refresh_from_db()
    assert (former.stage, former.held, former.decision) == (Stage.CHAMPION, True, "complaints since Monday")
    assert "Held: a person went back to it." in found
    assert LogEntry.objects.get().get_change_message() == "Rolled back: complaints since Monday"
    assert JobRun.objects.get(kind="predict").parameters["spec"] == "churn"  # it answers at once


def test_going_back_to_a_version_whose_files_changed_is_refused_in_words(analyst: Client) -> None:
    factories.assess("churn")
    former, present = version(Stage.RETIRED, promoted_at=NOW), version(Stage.CHAMPION)
    (registry._directory(former.artifact) / "rate.json").write_text("{}")
    address = reverse("admin:mlengine_modelversion_roll_back", args=[former.pk])
    assert "is not what was saved" in analyst.post(address, {"reason": "so"}, follow=True).content.decode()
    assert ModelVersion.objects.champion("churn") == present
    assert not LogEntry.objects.exists()


def test_a_night_is_drawn_with_what_failed_and_why_and_how_long_it_took(analyst: Client) -> None:
    step: dict[str, Any] = {"spec": "churn", "after": [], "began_at": "", "job": None, "error": "", "why": {}}
    steps = [
        {**step, "kind": "train", "state": "failed", "seconds": 75.0, "error": "NotEnoughData: too little"},
        {**step, "kind": "predict", "state": "skipped", "seconds": 0.1, "why": {"code": "no_champion", "values": {}}},
    ]
    JobRun.objects.create(kind="nightly", title="", created_at=NOW, result={"steps": steps})
    found = page(analyst, "admin:mlengine_nights")
    for words in ("NotEnoughData: too little", "1 min 15 s", "There is no champion.", "<svg"):
        assert words in found, words


def test_a_night_that_never_was_shows_what_one_does(analyst: Client) -> None:
    assert "No night has been worked yet" in page(analyst, "admin:mlengine_nights")


def test_from_a_score_there_is_a_way_back_to_data_and_code(analyst: Client) -> None:
    made = {"lake": {"digest": "f" * 64, "files": 3}, "code": {"release": "0.1.0", "sources": "e" * 64}}
    card = {"data": {"from": "2025-01-01", "until": "2026-02-01", "profiles": 4711}, "lineage": made}
    champion = version(Stage.CHAMPION, card=card | {"importances": {"days_since": 1.0}})
    facts = {"cutoff": NOW, "started_at": NOW, "finished_at": NOW, "lineage": made}
    run = PredictionRun.objects.create(spec="churn", version=champion, **facts)
    found = page(analyst, "admin:mlengine_lineage", run.pk)
    for words in ("f" * 12, "e" * 12, "2025-01-01", "2026-02-01", "days_since", champion.sha256[:12]):
        assert words in found, words
    assert "4,711" not in found  # an analyst is told of no exact number of people


def test_an_analyst_sees_by_what_is_recommended_and_trains_with_another(analyst: Client) -> None:
    factories.assess("recommendations")
    card = {"recipe": {"parameters": {"recommender": "sasrec"}}}
    made = {"card": card, "cutoff": NOW, "trained_at": NOW, "stage": Stage.CHAMPION}
    champion = registry.save(Rate(days=1, upside_down=False), SPECS["recommendations"], **made)
    found = page(analyst, "admin:mlengine_care", "recommendations")
    assert "<dt>Recommends by</dt><dd>Network of sequences (SASRec)</dd>" in found
    assert '<option value="social">Tastes, and those of friends</option>' in found
    assert "Network of sequences (SASRec)" in page(analyst, "admin:mlengine_modelversion_change", champion.pk)
    address = reverse("admin:mlengine_modelversion_train", args=["recommendations"])
    told = analyst.post(address, {"recommender": "crystal_ball"}, follow=True).content.decode()
    assert "Recommendations cannot be trained with this choice: recommender &#x27;crystal_ball&#x27;." in told
    assert not JobRun.objects.exists()
    analyst.post(address, {"recommender": "social"})
    assert JobRun.objects.get().parameters["wanted"] == {"recommender": "social"}


def test_the_page_says_what_becomes_of_a_training_with_another_recommender(analyst: Client) -> None:
    made = {"card": {}, "cutoff": NOW, "trained_at": NOW}
    for stage, said in (
        (Stage.RETIRED, "nothing serves yet, so it does at once if it beats its rivals:"),
        (Stage.CHAMPION, "it answers in the shadow until you promote it:"),
        (Stage.CHALLENGER, "it stays a candidate while the challenger waits to be judged:"),
    ):
        registry.save(Rate(days=1, upside_down=False), SPECS["recommendations"], **made, stage=stage)
        assert said in page(analyst, "admin:mlengine_care", "recommendations"), stage


def test_a_model_that_recommends_nothing_offers_no_recommender(analyst: Client) -> None:
    version(Stage.CHAMPION)
    assert "Recommends by" not in care(analyst)
    assert "train-with" not in care(analyst)
