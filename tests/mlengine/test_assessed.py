"""No model learns, answers or serves without a valid impact assessment: in verbs, jobs, admin, API and command."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from crm import assessments, lake
from crm.assessments import NoAssessment
from crm.models import ImpactAssessment, JobRun
from mlengine import jobs, prediction, registry, training
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import SPECS, Spec
from tests import api
from tests.mlengine.house import END, NOW, progress, shop, spec

pytestmark = pytest.mark.django_db(transaction=True)
MISSING = "spec:unassessed has no valid impact assessment"


def unassessed() -> Spec:
    return replace(spec(), name="unassessed")


def test_training_reads_nothing_without_an_assessment() -> None:
    with pytest.raises(NoAssessment, match=MISSING):
        training.train(unassessed(), cutoff=END, now=NOW, progress=progress())
    assert not ModelVersion.objects.exists()


def test_a_champion_whose_assessment_was_withdrawn_or_has_ended_answers_no_more() -> None:
    shop()
    lake.export(NOW)
    asked = unassessed()
    assessments.synthesise({asked.subject: "Silence"}, NOW)
    version = training.train(asked, cutoff=END, now=NOW, progress=progress())
    assert version.stage == "champion"
    assert prediction.predict(asked, cutoff=END, now=NOW, progress=progress()).rows > 0
    ended = NOW + timedelta(days=366)
    with pytest.raises(NoAssessment, match=MISSING):
        prediction.predict(asked, cutoff=END - timedelta(days=1), now=ended, progress=progress())
    assert assessments.require(asked.subject, NOW).withdraw(NOW)
    with pytest.raises(NoAssessment, match=MISSING):
        prediction.predict(asked, cutoff=END - timedelta(days=1), now=NOW, progress=progress())
    with pytest.raises(NoAssessment, match=MISSING):
        registry.promote(version, by=None, reason="again", now=NOW)
    assert PredictionRun.objects.count() == 1


def test_a_job_says_in_its_error_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    shop()
    monkeypatch.setitem(SPECS, "unassessed", unassessed())
    job = jobs.recorded(jobs.TRAIN, SPECS["unassessed"], cutoff=END, now=NOW)
    assert not training.run(job, lambda: NOW)
    job.refresh_from_db()
    assert job.status == JobRun.Status.FAILED
    assert MISSING in job.error
    with pytest.raises(CommandError, match=MISSING):
        call_command("train", spec="unassessed")


def forget_all() -> None:
    ImpactAssessment.objects.update(withdrawn_at=NOW)


def test_the_admin_says_it_when_a_button_is_pressed_and_no_job_is_made() -> None:
    forget_all()
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    for verb in ("train", "predict"):
        page = client.post(reverse(f"admin:mlengine_modelversion_{verb}", args=["churn"]), follow=True)
        assert "Churn risk has no valid impact assessment" in page.content.decode()
    assert not JobRun.objects.exists()


def test_the_admin_promotes_nothing_without_an_assessment() -> None:
    house = api.house()
    forget_all()
    candidate = ModelVersion.objects.create(
        spec="churn", number=2, artifact="churn/2", sha256="0" * 64, cutoff=NOW, trained_at=NOW
    )
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    address = reverse("admin:mlengine_modelversion_promote", args=[candidate.pk])
    page = client.post(address, {"reason": "better"}, follow=True)
    assert "Churn risk has no valid impact assessment" in page.content.decode()
    assert ModelVersion.objects.champion("churn") == house.version


def test_the_api_answers_409() -> None:
    forget_all()
    answer = api.caller("models:train").post("/api/v1/jobs/", {"spec": "churn"}, content_type="application/json")
    status, code, field = api.error(answer)
    assert (status, code, field) == (409, "conflict", None)
    assert "spec:churn has no valid impact assessment" in answer.json()["error"]["message"]
    assert not JobRun.objects.exists()
