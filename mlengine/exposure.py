"""Which items a model of lists gives its places to, found out at the last cutoff of its backtest; it blocks nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import Log
from mlengine.models import ModelVersion
from mlengine.specs import Exposes, Spec


def of(version: ModelVersion) -> Mapping[str, Any]:
    """Return the report that was made when a version was trained; empty where there is none."""
    return dict(version.card.get("details", {}).get("exposure") or {})


def report(spec: Spec, answers: nw.DataFrame[Any], log: Log, cutoff: datetime) -> dict[str, Any]:
    """Return how lists given at the cutoff treat groups of items; empty where a task gives no lists."""
    from mlengine.metrics.exposure import exposure  # noqa: PLC0415 (web processes load this module to read a report)

    if not isinstance(spec.verbs, Exposes):
        return {}
    items = spec.verbs.exposed(answers, log, cutoff)
    groups = {name: items[name].to_list() for name in items.columns if items.schema[name] == nw.String}
    return exposure(groups, items["places"].to_numpy(), items["sold"].to_numpy())
