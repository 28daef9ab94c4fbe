from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import narwhals as nw
import polars as pl
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm import lake
from crm.models import JobRun, Profile, ProfileAlias
from mlengine import answers, drifting, evaluation, jobs, monitoring, online, prediction, registry, training
from mlengine.estimators import parts
from mlengine.models import Cluster, ClusterMember, Metric, ModelVersion, PredictionRun, Recommendation, Score
from mlengine.specs import SPECS, Spec
from mlengine.work import Refused
from tests import factories
from tests.mlengine.house import DAY, END, NOW, progress, shop, spec, upside_down

pytestmark = pytest.mark.django_db(transaction=True)

EARLIER = END - 28 * DAY


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spec], Spec]:
    """Return what trains a spec on the shop and registers it."""
    shop()
    for code in ("apple", "bread", "cheese", "dates"):
        factories.item(code)
    lake.export(NOW)

    def serve(made: Spec) -> Spec:
        monkeypatch.setitem(SPECS, made.name, made)
        version = training.train(made, cutoff=EARLIER, now=NOW, progress=progress())
        if version.stage != ModelVersion.Stage.CHAMPION:
            registry.promote(version, by=None, reason="for this test", now=NOW)
        return made

    return serve


def predicted(asked: Spec, cutoff=END) -> PredictionRun:  # type: ignore[no-untyped-def]
    return prediction.predict(asked, cutoff=cutoff, now=NOW, progress=progress())


def test_everybody_active_has_a_score_with_reasons_and_a_summary(serving: Callable[[Spec], Spec]) -> None:
    run = predicted(serving(spec()))
    assert run.finished_at == NOW
    assert run.rows == run.summary["count"] == 16
    assert sum(run.summary["histogram"]["counts"]) == 16
    scores = dict(Score.objects.filter(run=run).values_list("profile", "value"))
    assert scores[factories.known_as("leaver-0").pk] > scores[factories.known_as("regular-3").pk]
    stored = Score.objects.filter(run=run).first()
    assert stored is not None
    assert stored.reasons == [
        {"code": "silence", "feature": "silence", "contribution": 1.0, "values": {"days": 40, "gap": 7}, "value": None}
    ]


def test_predicting_twice_changes_nothing(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    first = predicted(asked)
    before = list(Score.objects.order_by("pk").values_list("pk", "value"))
    assert predicted(asked) == first
    assert list(Score.objects.order_by("pk").values_list("pk", "value")) == before


def test_what_a_killed_run_left_is_removed_and_was_never_seen(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    version = ModelVersion.objects.get()
    left = PredictionRun.objects.create(spec="silence", version=version, cutoff=EARLIER, started_at=NOW)
    Score.objects.create(profile=Profile.objects.all()[0], run=left, value=0.5)
    assert PredictionRun.objects.latest_finished("silence") is None
    predicted(asked)
    assert not PredictionRun.objects.filter(pk=left.pk).exists()
    assert not Score.objects.filter(run=left.pk).exists()


def test_without_a_champion_nothing_is_predicted(serving: Callable[[Spec], Spec]) -> None:
    with pytest.raises(Refused, match="Who leaves has no champion yet: train it first"):
        predicted(spec())


def test_a_changed_artifact_fails_the_job_and_readers_keep_the_former_answers(
    serving: Callable[[Spec], Spec],
) -> None:
    asked = serving(spec())
    former = predicted(asked, EARLIER)
    version = ModelVersion.objects.get()
    (registry._directory(version.artifact) / "rate.json").write_text("{}")
    job = jobs.request(jobs.PREDICT, "silence", now=NOW)
    assert not prediction.run(job, lambda: NOW)
    assert job.status == JobRun.Status.FAILED
    assert "is not what was saved: rate.json differ" in job.error
    assert PredictionRun.objects.latest_finished("silence") == former


def test_somebody_who_wants_no_personalisation_is_scored_by_nothing(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    person = factories.known_as("regular-1")
    former = predicted(asked, EARLIER)
    assert [score.run for score in online.latest_scores(person)] == [former]
    Profile.objects.filter(pk=person.pk).update(personalisation=False)
    person.refresh_from_db()
    assert online.latest_scores(person) == []
    assert not Score.objects.filter(run=predicted(asked), profile=person).exists()


def test_a_merged_person_is_one_and_asked_by_either_profile(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    kept, other = (factories.known_as(f"leaver-{n}") for n in (0, 1))
    alias = ProfileAlias.objects.create(duplicate=other, canonical=kept, reason="same card", merged_at=NOW)
    run = predicted(asked)
    assert run.rows == 15
    assert [score.profile_id for score in online.latest_scores(other)] == [kept.pk]
    alias.undone_at = NOW
    alias.save()
    PredictionRun.objects.all().delete()
    assert predicted(asked).rows == 16


def test_old_runs_go_but_one_a_week_waits_to_be_judged(
    serving: Callable[[Spec], Spec], settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serving(spec())
    version = ModelVersion.objects.get()
    for day in range(20):
        at = END - day * DAY
        PredictionRun.objects.create(spec="silence", version=version, cutoff=at, started_at=NOW, finished_at=NOW)
    prediction.prune(asked, keep=3)
    kept = [(END - at).days for at in PredictionRun.objects.order_by("-cutoff").values_list("cutoff", flat=True)]
    assert kept == [0, 1, 2, 5, 12, 19]
    PredictionRun.objects.update(judged_at=NOW)
    prediction.prune(asked, keep=3)
    assert PredictionRun.objects.count() == 3


def test_going_back_to_an_earlier_version_takes_back_its_successors_answers(
    serving: Callable[[Spec], Spec],
) -> None:
    good = serving(spec())
    trusted = predicted(good)
    wrong = predicted(serving(upside_down(good)))
    assert PredictionRun.objects.latest_finished("silence") == wrong
    registry.promote(trusted.version, by=None, reason="back", now=NOW)
    assert PredictionRun.objects.latest_finished("silence") == trusted


def test_recommendations_leave_out_what_has_ended_since(serving: Callable[[Spec], Spec]) -> None:
    run = predicted(serving(spec("Shelf", "recommendation", name="shelf")))
    assert run.summary["people"] == 16
    assert run.summary["items"] == 3
    person = factories.known_as("regular-1")
    first = online.recommendations(person, 2, NOW)
    assert [(row.item.code, row.rank) for row in first] == [("apple", 1), ("bread", 2)]
    assert first[0].reason == {"code": "popular"}
    apple = first[0].item
    apple.available_to = NOW
    apple.save()
    assert [row.item.code for row in online.recommendations(person, 2, NOW)] == ["bread", "cheese"]
    assert Recommendation.objects.filter(run=run).count() == 48


def test_groups_have_rows_sizes_and_movement(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec("InHalves", "cluster", name="halves"))
    predicted(asked, EARLIER)
    run = predicted(asked)
    assert [cluster.name for cluster in Cluster.objects.order_by("code")] == [{"en": "half 1"}, {"en": "half 2"}]
    assert run.summary["sizes"] == {"1": 12, "2": 4}
    assert sum(count for _, _, count in run.summary["moved"]) == ClusterMember.objects.filter(run=run).count() == 16
    person = factories.known_as("leaver-0")
    assert [member.cluster.code for member in online.clusters(person)] == [2]
    assert Cluster.objects.count() == 2


def test_ripe_predictions_are_judged_once_as_the_backtest_was(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    early, late = predicted(asked, EARLIER), predicted(asked, END)
    assert evaluation.evaluate(asked, now=NOW) == [early]
    assert evaluation.evaluate(asked, now=NOW) == []
    live = Metric.objects.get(kind=Metric.Kind.LIVE)
    assert (live.version, live.name, live.value, live.cutoff) == (early.version, "concordance", 1.0, EARLIER)
    late.refresh_from_db()
    assert late.judged_at is None


def test_of_many_people_some_are_watched_for_drift(
    serving: Callable[[Spec], Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = serving(spec())
    predicted(asked, EARLIER)
    run = predicted(asked)
    monkeypatch.setattr(parts, "SOME", 10)
    drifting.measure(run, asked)
    run.refresh_from_db()
    assert 3 < run.summary["watched"] < 16
    assert run.summary["count"] == 16


def test_what_a_run_was_told_while_its_drift_was_measured_stays(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    predicted(asked, EARLIER)
    run = predicted(asked)
    PredictionRun.objects.get(pk=run.pk).add_to_summary(since="told meanwhile")
    drifting.measure(run, asked)
    assert run.summary == PredictionRun.objects.get(pk=run.pk).summary
    assert (run.summary["since"], run.summary["watched"]) == ("told meanwhile", 16)


def test_drift_and_health_are_told(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    predicted(asked, EARLIER)
    run = predicted(asked)
    moved = drifting.measure(run, asked)
    run.refresh_from_db()
    assert run.summary["watched"] == 16
    assert {row.subject for row in moved} == {"silence", "score"}
    assert drifting.measure(run, asked) is not None
    assert Metric.objects.filter(kind=Metric.Kind.DRIFT).count() == 2
    found = {health.spec: health for health in monitoring.health(NOW)}["silence"]
    assert (found.champion, found.backtest, found.baselines) == (1, 1.0, {"nobody_knows": 0.5})
    assert found.answered_at == END
    assert found.drift == max(row.value for row in moved)
    later = {health.spec: health for health in monitoring.health(NOW + timedelta(days=40))}["silence"]
    assert "old" in later.concerns


@pytest.mark.django_db
def test_health_takes_as_many_queries_for_all_models_as_for_one(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    def champion_of(name: str) -> None:
        version = ModelVersion.objects.create(
            spec=name, number=1, sha256=name, stage=ModelVersion.Stage.CHAMPION, cutoff=END, trained_at=NOW
        )
        facts = {"version": version, "subject": "model", "name": SPECS[name].decided_by}
        for kind, value, cutoff in (("backtest", 0.6, EARLIER), ("backtest", 0.8, END), ("live", 0.5, END)):
            Metric.objects.create(kind=kind, value=value, cutoff=cutoff, **facts)
        for subject, value, cutoff in (("score", 0.9, EARLIER), ("score", 0.1, END), ("labels", 0.3, END)):
            Metric.objects.create(
                version=version, kind="drift", name="psi", subject=subject, value=value, cutoff=cutoff
            )

    first, *others = SPECS
    champion_of(first)
    with CaptureQueriesContext(connection) as queries:
        monitoring.health(NOW)
    for name in others:
        champion_of(name)
    with django_assert_num_queries(len(queries)):
        found = monitoring.health(NOW)
    assert [one.backtest for one in found] == pytest.approx([0.7] * len(SPECS))
    assert {(one.live, one.drift, one.drifted) for one in found} == {(0.5, 0.3, "labels")}
    assert all({"drift", "worse_than_backtest"} <= set(one.concerns) for one in found)


def test_reasons_are_worked_out_when_somebody_looks_and_then_kept(
    serving: Callable[[Spec], Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "EXPLAINED", 1)
    run = predicted(serving(spec()))
    assert Score.objects.filter(run=run, reasons__isnull=False).count() == 1
    person = Score.objects.filter(run=run, reasons__isnull=True)[0].profile_id
    assert prediction.explain(run, [person])[person][0]["code"] == "silence"
    assert Score.objects.filter(run=run, reasons__isnull=False).count() == 2


def test_answers_for_people_erased_meanwhile_are_not_kept(serving: Callable[[Spec], Spec]) -> None:
    asked = serving(spec())
    run = predicted(asked)
    frame = evaluation.answers_of(run, asked)
    gone = factories.known_as("regular-5")
    gone.delete()
    other = PredictionRun.objects.create(spec="silence", version=run.version, cutoff=EARLIER, started_at=NOW)
    with transaction.atomic():
        assert answers.write_scores(other, frame, {}) == 15


def test_the_predictions_of_the_future_need_no_label(serving: Callable[[Spec], Spec]) -> None:
    asked = replace(serving(spec()), horizon=300 * DAY)
    predicted(asked)
    assert evaluation.evaluate(asked, now=NOW) == []


def test_bounds_and_facts_are_kept_beside_a_score() -> None:
    people = [factories.profile(name) for name in ("one", "two", "three")]
    version = ModelVersion.objects.create(spec="value", number=1, cutoff=END, trained_at=NOW)
    run = PredictionRun.objects.create(spec="value", version=version, cutoff=END, started_at=NOW)
    told = pl.DataFrame(
        {
            "user": [person.pk for person in reversed(people)],
            "score": [3.0, 2.0, 1.0],
            "low": [2.5, None, float("nan")],
            "high": [4.0, None, float("inf")],
            "alive": [0.9, None, float("nan")],
        }
    )
    why = {people[0].pk: [{"code": "said", "values": {"words": 'a "b", c'}}]}
    with transaction.atomic():
        assert answers.write_scores(run, nw.from_native(told, eager_only=True), why) == 3
    kept = {score.profile_id: (score.value, score.low, score.high, score.facts) for score in Score.objects.all()}
    assert kept == {
        people[2].pk: (3.0, 2.5, 4.0, {"alive": 0.9}),
        people[1].pk: (2.0, None, None, {"alive": None}),
        people[0].pk: (1.0, None, None, {"alive": None}),
    }
    assert Score.objects.get(profile=people[0]).reasons == why[people[0].pk]
