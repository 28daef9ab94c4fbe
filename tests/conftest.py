"""The servers that all tests use: real PostgreSQL and real Valkey, embedded unless the environment names others."""

from pathlib import Path

import pytest
from django.conf import settings

from config import embedded


def pytest_configure(config: pytest.Config) -> None:
    embedded.join(settings.EMBEDDED)
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns where nothing was collected yet


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give every test its own lake and artifacts: those of the house belong to another database."""
    monkeypatch.setattr(settings, "EVENT_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setattr(settings, "ARTIFACT_DIR", tmp_path / "artifacts")
