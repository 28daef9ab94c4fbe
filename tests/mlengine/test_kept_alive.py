"""Challengers in the champion's shadow, drift of labels, why a model learns again, going back, the way to a score."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import pytest
from django.contrib.auth.models import User

from crm import lake
from crm.assessments import NoAssessment
from crm.models import JobRun
from mlengine import (
    drifting,
    evaluation,
    jobs,
    labels,
    lineage,
    nightly,
    online,
    prediction,
    registry,
    training,
)
from mlengine import search as searching
from mlengine.admin import care
from mlengine.admin.decision_words import decision_text
from mlengine.cards import recipe
from mlengine.columns import LABEL, SCORE, USER, Log
from mlengine.models import Metric, ModelVersion, PredictionRun, Trial
from mlengine.recipes import NoSuchChoice
from mlengine.specs import SPECS, NotEnoughData, Spec
from tests import factories
from tests.crm.log import bought, record
from tests.mlengine.house import DAY, END, NOW, Silence, progress, shop, spec, upside_down

pytestmark = pytest.mark.django_db(transaction=True)

EARLIER = END - 28 * DAY


@dataclass(frozen=True, kw_only=True)
class Known(Silence):
    """A task that can say what people did."""

    def outcomes(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> tuple[Any, Any]:
        left = labels.churn(log, cutoff, self.horizon, self.activity_window).collect("polars")
        both = left.join(predictions.select(USER, SCORE), on=USER, how="inner").sort(USER)
        return both[LABEL].to_numpy(), both[SCORE].to_numpy()


Stage = ModelVersion.Stage


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Return a registered spec over a shop."""
    shop()
    lake.export(NOW)
    made = spec()
    monkeypatch.setitem(SPECS, made.name, made)
    return made


def trained(made: Spec, cutoff: Any = EARLIER) -> ModelVersion:
    return training.train(made, cutoff=cutoff, now=NOW, progress=progress())


def predicted(made: Spec, cutoff: Any = EARLIER) -> PredictionRun:
    return prediction.predict(made, cutoff=cutoff, now=NOW, progress=progress())


def in_shadow(made: Spec, cutoff: Any = EARLIER) -> PredictionRun:
    return prediction.predict_in_shadow(made, cutoff=cutoff, now=NOW, progress=progress())


def challenged(made: Spec) -> tuple[ModelVersion, ModelVersion]:
    """Return a champion that knows everybody, and a challenger that has everybody the wrong way round."""
    champion = trained(made)
    challenger = trained(upside_down(made))
    registry.challenge(challenger, reason="let us see")
    return champion, challenger


def test_a_challenger_answers_where_no_reader_finds_it(asked: Spec) -> None:
    _, challenger = challenged(asked)
    seen, hidden = predicted(asked, END), in_shadow(asked, END)
    assert (hidden.version, hidden.shadow, hidden.rows) == (challenger, True, 16)
    assert PredictionRun.objects.latest_finished("silence") == seen
    leaver = factories.known_as("leaver-0")
    assert [score.run for score in online.latest_scores(leaver)] == [seen]
    assert [score.run for score in online.score_history(leaver, "silence")] == [seen]
    said = {run: dict(run.score_set.values_list("profile", "value")) for run in (seen, hidden)}
    assert all(said[hidden][person] == pytest.approx(1 - value) for person, value in said[seen].items())  # its recipe


def test_both_are_judged_beside_each_other_when_labels_ripen(asked: Spec) -> None:
    champion, challenger = challenged(asked)
    predicted(asked), in_shadow(asked)
    assert len(evaluation.evaluate(asked, now=NOW)) == 2
    rows = {row.subject: row for row in challenger.metrics.filter(kind=Metric.Kind.SHADOW)}
    assert (rows["champion v1"].value, rows["difference"].value) == (1.0, -1.0)
    assert (rows["difference"].low, rows["difference"].high) == (-1.0, -1.0)  # whoever is left out, it is wrong
    assert challenger.metrics.get(kind=Metric.Kind.LIVE).value == 0.0
    assert champion.metrics.get(kind=Metric.Kind.LIVE).value == 1.0
    assert evaluation.evaluate(asked, now=NOW) == []


def test_a_promoted_challengers_answers_are_read_at_once(asked: Spec) -> None:
    _, challenger = challenged(asked)
    predicted(asked, END)
    hidden = in_shadow(asked, END)
    registry.promote(challenger, by=None, reason="it was better", now=NOW)
    assert PredictionRun.objects.latest_finished("silence") == hidden
    assert predicted(replace(asked), END) == hidden  # and nothing is done twice


def test_a_challenger_whose_files_changed_costs_the_champion_nothing(asked: Spec) -> None:
    champion, challenger = challenged(asked)
    (registry._directory(challenger.artifact) / "rate.json").write_text("{}")
    job = JobRun.objects.create(
        kind=jobs.SHADOW, title="", parameters={"spec": "silence", "cutoff": None}, created_at=NOW
    )
    assert not prediction.run_shadow(job, lambda: NOW)
    assert "is not what was saved: rate.json differ" in job.error
    assert predicted(asked, END).version == champion


def test_what_loses_to_the_champion_alone_answers_in_its_shadow(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(replace(asked, parameters={"patience": 3 * DAY}))
    monkeypatch.setattr(
        training, "decide", lambda *_: (False, "Not promoted, it does not beat champion v1: for this test")
    )
    assert trained(asked).stage == Stage.CHALLENGER
    assert trained(asked).stage == Stage.CANDIDATE  # the one before has not had its say
    assert trained(upside_down(asked)).stage == Stage.CANDIDATE  # and this one beats no baseline


def test_going_back_holds_against_the_next_training(asked: Spec) -> None:
    officer = User.objects.create(username="ada")
    first, second = trained(asked), trained(asked)
    assert ModelVersion.objects.champion_before("silence") == first
    registry.roll_back(first, by=officer, reason="complaints", now=NOW)
    assert (first.stage, first.held, first.promoted_by, first.decision) == (Stage.CHAMPION, True, officer, "complaints")
    assert ModelVersion.objects.champion_before("silence") is None  # and never what was just left
    assert second.stage == Stage.CHAMPION
    third = trained(asked)
    assert third.stage == Stage.CHALLENGER
    assert third.decision.startswith("Not promoted, it answers in the shadow first: concordance 1.0000")
    registry.promote(third, by=officer, reason="mended", now=NOW)
    first.refresh_from_db()
    assert (first.stage, first.held, third.held) == (Stage.RETIRED, False, False)


def test_with_a_held_champion_a_challenger_keeps_the_shadow_until_it_was_judged(asked: Spec) -> None:
    first = trained(asked)
    registry.roll_back(first, by=User.objects.create(username="ada"), reason="complaints", now=NOW)
    second, third = trained(asked), trained(asked)
    assert (second.stage, third.stage) == (Stage.CHALLENGER, Stage.CANDIDATE)
    assert third.decision.startswith(f"{training.SHADOW_TAKEN} concordance 1.0000")
    predicted(asked), in_shadow(asked)
    evaluation.evaluate(asked, now=NOW)
    assert trained(asked).stage == Stage.CHALLENGER
    links = replace(asked, answers="link")  # whose answers nobody can tell apart: waiting would never end
    assert training._shadow_is_free(links)
    assert not training._shadow_is_free(asked)


def test_a_champion_that_was_held_while_another_learned_stays(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained(asked)
    decide = training.decide

    def held_meanwhile(*facts: Any) -> tuple[bool, str]:
        registry.roll_back(first, by=User.objects.create(username="ada"), reason="complaints", now=NOW)
        return decide(*facts)

    monkeypatch.setattr(training, "decide", held_meanwhile)
    assert trained(asked).stage == Stage.CHALLENGER
    assert ModelVersion.objects.champion("silence") == first


def test_what_began_in_the_shadow_ends_there_though_it_was_stood_down(
    asked: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenged(asked)
    seen, load = predicted(asked, END), registry.load

    def stood_down(version: ModelVersion, made: Spec | None = None) -> Any:
        assert registry.stand_down(version, reason="enough")
        return load(version, made)

    monkeypatch.setattr(registry, "load", stood_down)
    assert in_shadow(asked, END).shadow
    assert PredictionRun.objects.latest_finished("silence") == seen


def test_a_promotion_shows_the_latest_of_what_was_said_in_the_shadow_alone(asked: Spec) -> None:
    _, challenger = challenged(asked)
    before, latest = in_shadow(asked), in_shadow(asked, END)
    registry.promote(challenger, by=None, reason="it was better", now=NOW)
    assert list(PredictionRun.objects.finished()) == [latest]
    assert predicted(asked) == before
    assert set(PredictionRun.objects.finished()) == {before, latest}, "the champion was asked"


def test_a_promotion_never_goes_back_to_older_answers(asked: Spec) -> None:
    _, challenger = challenged(asked)
    in_shadow(asked)
    seen = predicted(asked, END)
    registry.promote(challenger, by=None, reason="it was better", now=NOW)
    assert PredictionRun.objects.latest_finished("silence") == seen


def test_a_challenger_that_had_served_can_be_gone_back_to_when_it_stands_down(asked: Spec) -> None:
    first, second = trained(asked), trained(asked)
    registry.challenge(first, reason="once more")
    assert registry.stand_down(first, reason="no")
    assert (first.stage, ModelVersion.objects.champion_before("silence")) == (Stage.RETIRED, first)
    never = trained(upside_down(asked))
    registry.challenge(first, reason="once more")
    registry.challenge(never, reason="and this")
    registry.stand_down(never, reason="no")
    first.refresh_from_db()
    assert (first.stage, second.stage, never.stage) == (Stage.RETIRED, Stage.CHAMPION, Stage.CANDIDATE)


def test_a_batch_that_cannot_be_judged_keeps_no_other_from_it(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    challenged(asked)
    good, bad = predicted(asked), in_shadow(asked)
    judge = evaluation.judge

    def judged(run: PredictionRun, *facts: Any) -> list[Metric]:
        if run == bad:
            raise NotEnoughData("Nobody answered.")
        return judge(run, *facts)

    monkeypatch.setattr(evaluation, "judge", judged)
    assert evaluation.evaluate(asked, now=NOW) == [good]
    assert not PredictionRun.objects.filter(judged_at=None).exists()


@pytest.mark.parametrize("optional", [True, False])
def test_a_night_leaves_out_what_was_refused_for_want_of_data_or_a_report(
    asked: Spec, optional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in set(SPECS) - {"silence"}:
        monkeypatch.delitem(SPECS, name)
    monkeypatch.setitem(SPECS, "silence", replace(asked, is_optional=optional))

    def refused(*_: Any, **__: Any) -> None:
        raise NotEnoughData("No trial yet.") if optional else NoAssessment("Nobody has assessed it.")

    monkeypatch.setattr(training, "train", refused)
    job = JobRun.objects.create(kind=jobs.NIGHTLY, title="night", created_at=NOW)
    assert nightly.run(job, lambda: NOW)
    step = next(one for one in job.result["steps"] if one["kind"] == "train")
    why = {"code": "not_enough", "values": {"what": "No trial yet."}} if optional else {"code": "not_assessed"}
    assert (step["state"], step["why"]) == ("skipped", why)


def test_labels_are_watched_for_drift(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = replace(asked, task=f"{__name__}.Known")
    monkeypatch.setitem(SPECS, "silence", judged)
    trained(judged)
    moved = {(row.subject, row.name): row for row in drifting.measure(predicted(judged, END), judged)}
    then, now = moved["labels", "mean"].low, moved["labels", "mean"].value
    assert (then, now) == (6 / 20, 6 / 18)
    assert moved["labels", "psi"].value < (moved["labels", "psi"].high or 0.0)  # so few people say nothing


def test_a_version_says_why_it_learned_and_from_what(asked: Spec) -> None:
    first = trained(asked)
    run = predicted(asked, END)
    chain = lineage.chain(run)
    assert chain["trained_because"] == {"code": "first", "values": {}}
    assert (chain["data_from"], chain["data_until"], chain["version"]) == ("2025-01-01", "2025-08-12", 1)
    assert chain["learned_from"]["lake"]["digest"] == chain["answered_from"]["lake"]["digest"]
    assert len(chain["learned_from"]["code"]["sources"]) == 64
    assert chain["recipe"] == recipe(asked)
    assert chain["sha256"] == first.sha256
    record([bought(factories.profile("newcomer"), END - DAY)])
    lake.export(NOW + timedelta(minutes=5))
    assert lineage.of_run()["lake"]["digest"] != chain["learned_from"]["lake"]["digest"]


def test_a_night_of_challengers_is_kept_step_by_step(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(SPECS) - {"silence"}:
        monkeypatch.delitem(SPECS, name)
    challenged(asked)
    job = JobRun.objects.create(kind=jobs.NIGHTLY, title="night", created_at=NOW)
    assert nightly.run(job, lambda: NOW)
    steps = {f"{step['kind']}:{step['spec']}": step for step in job.result["steps"]}
    assert list(steps) == [
        *("export:", "train:silence", "predict:silence", "shadow:silence", "judge:silence", "drift:silence", "compact:")
    ]
    assert {key: step["state"] for key, step in steps.items() if step["state"] != "done"} == {
        "drift:silence": "skipped"
    }
    assert steps["train:silence"]["why"] == {"code": "schedule", "values": {"days": 28}}
    assert JobRun.objects.get(pk=steps["shadow:silence"]["job"]).result["rows"] == 16
    assert steps["judge:silence"]["after"] == ["predict:silence", "shadow:silence"]


def test_a_night_whose_worker_was_killed_goes_on_where_it_was(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(SPECS) - {"silence"}:
        monkeypatch.delitem(SPECS, name)
    job = JobRun.objects.create(kind=jobs.NIGHTLY, title="night", created_at=NOW)
    predict, calls = prediction.run, list[JobRun]()

    def killed(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(prediction, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        nightly.run(job, lambda: NOW)

    def counted(job: JobRun, clock: Any) -> bool:
        calls.append(job)
        return predict(job, clock)

    monkeypatch.setattr(prediction, "run", counted)
    JobRun.objects.filter(pk=job.pk).update(status=JobRun.Status.QUEUED, done=0, step="")  # as ``jobs.revive`` does
    again = JobRun.objects.get(pk=job.pk)
    assert nightly.run(again, lambda: NOW)
    assert ModelVersion.objects.count() == 1  # trained by the first worker, and not again
    assert len(calls) == 1
    assert {step["state"] for step in again.result["steps"]} <= {"done", "skipped"}


# -- search --


@pytest.fixture
def searchable(asked: Spec, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Spec]:
    monkeypatch.setattr(searching, "MOST_CUTOFFS", 3)  # at the fourth nobody had left yet

    def make(**facts: Any) -> Spec:
        made = replace(asked, **{"search": {"upside_down": (True, False)}, **facts})
        monkeypatch.setitem(SPECS, made.name, made)
        return made

    return make


def search_job() -> JobRun:
    parameters = {"spec": "silence", "cutoff": None, "minutes": 30}
    return JobRun.objects.create(kind=jobs.SEARCH, title="", parameters=parameters, created_at=NOW)


def test_a_search_finds_the_better_recipe_and_it_becomes_a_challenger(searchable: Callable[..., Spec]) -> None:
    wrong = searchable(parameters={"upside_down": True})
    champion = trained(wrong)
    registry.promote(champion, by=None, reason="for this test", now=NOW)
    job = search_job()
    assert searching.run(job, lambda: NOW)
    found = ModelVersion.objects.challenger("silence")
    assert found is not None
    assert job.result["found"] == {"upside_down": False}
    assert (found.card["recipe"]["parameters"], found.card["tuned"]["trial"]) == ({"upside_down": False}, 1)
    assert [(trial.number, trial.value) for trial in Trial.objects.filter(rung=0)] == [(0, 0.0), (1, 1.0)]
    registry.promote(found, by=None, reason="it was better", now=NOW)
    later = trained(wrong, END)  # by what was found, and not by what the code says
    assert (later.stage, later.card["recipe"]["parameters"]) == (Stage.CHAMPION, {"upside_down": False})
    assert later.card["tuned"] == found.card["tuned"]


def test_what_a_person_asks_for_is_trained_waits_in_the_shadow_and_is_kept_to(searchable: Callable[..., Spec]) -> None:
    wrong = searchable(parameters={"upside_down": True})
    registry.promote(trained(wrong), by=None, reason="for this test", now=NOW)
    with pytest.raises(NoSuchChoice, match="cannot be trained with fails 'always'"):
        training.request("silence", now=NOW, wanted={"fails": "always"})
    job = training.request("silence", now=NOW, wanted={"upside_down": False})
    assert training.run(job, lambda: NOW), job.error
    found = ModelVersion.objects.challenger("silence")
    assert found is not None
    assert found.card["recipe"]["parameters"] == {"upside_down": False}
    assert (found.card["tuned"]["trial"], found.card["cause"]["code"]) == (None, "asked")
    registry.promote(found, by=None, reason="we want it so", now=NOW)
    same = training.request("silence", now=NOW, wanted={"upside_down": False})
    assert training.run(same, lambda: NOW), same.error
    assert ModelVersion.objects.get(pk=same.result["version"]).card["tuned"] == found.card["tuned"]


def test_who_asks_for_what_is_in_use_gets_a_challenger_too(searchable: Callable[..., Spec]) -> None:
    champion = trained(searchable(parameters={"upside_down": False}))
    job = training.request("silence", now=NOW, wanted={"upside_down": False})
    assert training.run(job, lambda: NOW), job.error
    assert job.result["stage"] == Stage.CHALLENGER  # as good as the champion, and newer: unasked it would serve
    assert ModelVersion.objects.champion("silence") == champion


def test_what_a_search_found_does_not_push_out_a_challenger_that_waits_to_be_judged(
    searchable: Callable[..., Spec],
) -> None:
    wrong = searchable(parameters={"upside_down": True})
    registry.promote(trained(wrong), by=None, reason="for this test", now=NOW)
    waiting = trained(wrong)
    registry.challenge(waiting, reason="somebody wants to see it")
    job = search_job()
    assert searching.run(job, lambda: NOW)
    found = ModelVersion.objects.get(pk=job.result["version"])
    assert (ModelVersion.objects.challenger("silence"), found.stage) == (waiting, Stage.CANDIDATE)
    assert found.decision.startswith(f"{training.SHADOW_TAKEN} concordance")
    assert decision_text(found.decision).endswith("Another one that waits to be judged is in the shadow.")
    assert care.about(wrong)["waits"]
    registry.stand_down(waiting, reason="make room")
    assert not care.about(wrong)["waits"]


def test_a_search_that_was_killed_goes_on_from_its_trials(searchable: Callable[..., Spec]) -> None:
    made = searchable(parameters={"upside_down": True}, search={"upside_down": (False,), "fails": ("", "no")})
    job = search_job()
    facts = {"spec": "silence", "job": job, "cutoffs": 1, "seconds": 1.0}
    Trial.objects.create(number=0, rung=0, value=0.25, **facts)
    assert job.start(NOW)
    found = searching.search(made, cutoff=END, now=NOW, seconds=600, progress=progress(job))
    assert found is not None
    assert found.trial
    assert found.recipe.parameters == {"upside_down": False, "fails": ""}
    first = {trial.number: trial for trial in Trial.objects.filter(rung=0)}
    assert first[0].value == 0.25  # it was not tried again
    failed = 3 - found.trial
    assert (first[failed].value, first[failed].error) == (None, "ZeroDivisionError: no")
    assert Trial.objects.filter(number=0).count() == 2  # the recipe in use is held against the winner at every effort
