"""Workers that are killed in the middle: nothing half done is ever seen, and the next one simply works."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from crm import lake
from crm.models import JobRun
from crm.models.jobs import SILENT_AFTER
from mlengine import jobs, prediction, training
from mlengine.models import ModelVersion, PredictionRun, Score
from mlengine.specs import SPECS, Spec
from tests.mlengine.house import END, NOW, progress, shop, spec

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
WORKER = """
import sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.utils import timezone
from crm.models import JobRun
from crm.models.jobs import SILENT_AFTER
from mlengine import prediction, training
from mlengine.specs import SPECS
from tests.mlengine import house
SPECS["silence"] = house.spec()
house.WAITS_AT.append(sys.argv[3])  # a version that was trained answers by its own recipe, not by this spec's
job = JobRun.objects.get(pk=int(sys.argv[2]))
{"train": training, "predict": prediction}[job.kind].run(job, timezone.now)
"""


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Spec:
    shop()
    lake.export(NOW)
    made = spec()
    monkeypatch.setitem(SPECS, made.name, made)
    return made


def killed_in_the_middle(job: JobRun, marker: Path) -> None:
    """Let another process do the job, and kill it when it is at its predictions."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EVENT_LAKE_URL": settings.EVENT_LAKE_URL,
        "ARTIFACT_DIR": str(settings.ARTIFACT_DIR),
        "VAR_DIR": str(settings.VAR_DIR),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"]), str(job.pk), str(marker)]
    worker = subprocess.Popen(command, env=environment, cwd=ROOT)
    deadline = time.monotonic() + 300
    while not marker.exists():
        assert worker.poll() is None, "the worker ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def job_of(kind: str) -> JobRun:
    parameters: dict[str, Any] = {"spec": "silence", "cutoff": None}
    return JobRun.objects.create(kind=kind, title=kind, parameters=parameters, created_at=NOW)


def test_a_killed_training_leaves_nothing_and_the_next_one_works(silence: Spec, tmp_path: Path) -> None:
    job = job_of(jobs.TRAIN)
    killed_in_the_middle(job, tmp_path / "here")
    job.refresh_from_db()
    assert job.status == JobRun.Status.RUNNING
    assert not ModelVersion.objects.exists()
    # Its locks went with its connection; its row is put back in the queue once it has been silent for long enough.
    assert job.heartbeat_at is not None
    assert jobs.revive(job.heartbeat_at) == []
    assert jobs.revive(job.heartbeat_at + 2 * SILENT_AFTER) == [job]
    job.refresh_from_db()
    assert training.run(job, lambda: NOW)
    assert ModelVersion.objects.champion("silence") is not None


def test_a_killed_prediction_leaves_nothing_to_see_and_the_next_one_works(silence: Spec, tmp_path: Path) -> None:
    training.train(silence, cutoff=END, now=NOW, progress=progress())
    killed_in_the_middle(job_of(jobs.PREDICT), tmp_path / "here")
    assert PredictionRun.objects.get().finished_at is None
    assert PredictionRun.objects.latest_finished("silence") is None
    assert not Score.objects.exists()
    assert prediction.run(job_of(jobs.PREDICT), lambda: NOW)
    run = PredictionRun.objects.get()
    assert run.finished_at == NOW
    assert Score.objects.filter(run=run).count() == 16
