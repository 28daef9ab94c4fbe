"""The servers that all tests use: real PostgreSQL and real Valkey, embedded unless the environment names others."""

import pytest
from django.conf import settings

from config import embedded


def pytest_configure(config: pytest.Config) -> None:
    embedded.join(settings.EMBEDDED)
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns where nothing was collected yet
