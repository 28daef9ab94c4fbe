from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from crm.models import JobRun
from mlengine import jobs, nightly
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import SPECS
from tests.mlengine.house import NOW, shop, spec

pytestmark = pytest.mark.django_db(transaction=True)

TWO_AT_NIGHT = datetime.fromisoformat("2025-09-09T02:30:00+08:00")


@pytest.fixture(autouse=True)
def small_house(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be two models only: one that works, and one that always fails."""
    shop()
    for name in list(SPECS):
        monkeypatch.delitem(SPECS, name)
    works = spec()
    monkeypatch.setitem(SPECS, "broken", replace(works, name="broken", title="Broken", parameters={"fails": "no"}))
    monkeypatch.setitem(SPECS, works.name, works)


def night() -> JobRun:
    job = JobRun.objects.create(kind=jobs.NIGHTLY, title="night", created_at=NOW)
    assert nightly.run(job, lambda: NOW)
    return job


def test_a_night_exports_trains_predicts_and_judges_whatever_fails() -> None:
    job = night()
    assert job.result["exported"] == 673
    assert PredictionRun.objects.latest_finished("silence") is not None
    failed = JobRun.objects.get(status=JobRun.Status.FAILED)
    assert (failed.title, failed.error) == ("Train: Broken", "ZeroDivisionError: no")
    assert job.percent == 100


def test_a_night_without_news_trains_and_predicts_nothing_new() -> None:
    night()
    before = ModelVersion.objects.count(), PredictionRun.objects.count()
    second = night()
    assert second.result["exported"] == 0
    assert (ModelVersion.objects.count(), PredictionRun.objects.count()) == before


def test_there_is_one_job_a_night_and_none_by_day() -> None:
    with transaction.atomic():
        assert jobs.tonight(TWO_AT_NIGHT + timedelta(hours=10)) is None
        first = jobs.tonight(TWO_AT_NIGHT)
        assert first is not None
        assert jobs.tonight(TWO_AT_NIGHT + timedelta(minutes=10)) is None
        assert jobs.tonight(TWO_AT_NIGHT + timedelta(days=1)) is not None
        assert len(connection.run_on_commit) == 2
        transaction.set_rollback(True)  # no worker shall hear it
