"""Every spec of the product with parameters so small that a test can train it on a little shop."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlengine.specs import Spec
from tests.mlengine.test_pseudonyms import QUICK, SHORTER

FEW: Mapping[str, Any] = {"min_profiles": 5, "min_events": 50, "min_days": 50, "backtest_cutoffs": 1}


def quick(spec: Spec) -> Spec:
    """Return a spec that learns from a few people within a second or two."""
    parameters = {**spec.parameters, **QUICK.get(spec.name, {})}
    return replace(spec, parameters=parameters, **FEW, **SHORTER.get(spec.name, {}))
