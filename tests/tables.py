"""The tables of the product."""

from typing import Any

from django.apps import apps
from django.db.models import Model


def models(**asked: Any) -> list[type[Model]]:
    """Return every model but those of yardsticks, which benchmarks define and a test may have been collected beside."""
    return [model for model in apps.get_models(**asked) if not model.__module__.startswith("tests.")]
