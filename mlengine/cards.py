"""What a model card says: data, recipe, figures beside the baselines, what weighs how much, what it was made with."""

import math
import platform
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import metadata
from typing import Any

from mlengine.backtest import MODEL, Backtest, Extent
from mlengine.columns import Log
from mlengine.specs import AddsUp, Continues, Group, Groups, Model, Spec, Tells, Weighs

LIBRARIES = ("lightgbm", "narwhals", "numpy", "polars", "scikit-learn", "scipy", "torch")


def model_card(
    spec: Spec,
    *,
    extent: Extent,
    log: Log,
    until: datetime,
    judged: Backtest,
    model: Model,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Return the card of a model as JSON has it.

    ``facts`` are what the estimator tells of itself, ``importances`` how much each of its columns weighs, ``parts``
    what its answers are the sum of, ``light`` how its network is asked by web processes, and ``details`` what the last
    backtest showed (a calibration curve).
    """
    at = sorted(judged.measures[MODEL])
    card = {
        "recipe": recipe(spec),
        "data": {
            "from": f"{extent.begins:%Y-%m-%d}",
            "until": f"{until:%Y-%m-%d}",
            "events": extent.events,
            "profiles": extent.profiles,
            "active_profiles": extent.active,
            "currency": log.currency,
            "foreign": log.foreign,  # events in another currency: they count, their money does not
        },
        "backtest": {
            "cutoffs": [f"{cutoff:%Y-%m-%d}" for cutoff in at],
            "decided_by": spec.decided_by,
            "means": judged.table(),
        },
        "details": judged.details,
        "facts": model.facts if isinstance(model, Tells) else {},
        "importances": model.importances() if isinstance(model, Weighs) else {},
        "parts": model.parts() if isinstance(model, AddsUp) else {},
        "light": model.light if isinstance(model, Continues) else {},
        "segments": [_told(each) for each in model.segments] if isinstance(model, Groups) else [],
        "libraries": libraries(),
        "seconds": list(seconds.items()),  # pairs: jsonb keeps no order
    }
    return dict(as_json(card))


def _told(group: Group) -> dict[str, Any]:
    return {"code": group.code, "name": group.name, "description": group.description}


def recipe(spec: Spec) -> dict[str, Any]:
    """Return what makes a model besides its data, as JSON has it."""
    made = {
        "task": spec.task,
        "parameters": dict(spec.parameters),
        "horizon_days": spec.horizon / timedelta(days=1),
        "activity_days": spec.activity_window / timedelta(days=1),
    }
    return dict(as_json(made))


def parameters_of(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a recipe as Python had them.

    >>> parameters_of({"parameters": {"step": {"days": 14.0}, "kind": "purchase"}})
    {'step': datetime.timedelta(days=14), 'kind': 'purchase'}
    """
    return {
        name: timedelta(**value) if isinstance(value, Mapping) and value.keys() == {"days"} else value
        for name, value in made["parameters"].items()
    }


def libraries() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: numbers of NumPy become plain ones, NaN and infinities null.

    >>> as_json({1: (2.0, math.nan)})
    {'1': [2.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, timedelta):
        return {"days": value / timedelta(days=1)}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(each) for each in value]
    if hasattr(value, "tolist"):  # NumPy's scalars and arrays
        return as_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
