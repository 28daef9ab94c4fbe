"""Which rows the clusters of a model are: the same group keeps its code and its row from version to version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np

from mlengine.columns import CLUSTER, USER
from mlengine.models import Cluster, ClusterMember, ModelVersion, PredictionRun
from mlengine.specs import Groups


def rows_for(
    version: ModelVersion, model: Groups, answers: nw.DataFrame[Any], previous: PredictionRun | None, now: datetime
) -> dict[int, int]:
    """Return the key of the row for each number that the model gives its clusters, made or renamed as needed."""
    described = model.clusters()
    codes = {number: number for number in described} if model.fixed else _codes(version, described, answers, previous)
    found = {}
    for number, words in described.items():
        row, _ = Cluster.objects.update_or_create(
            spec=version.spec,
            code=codes[number],
            defaults={"name": dict(words["name"]), "description": dict(words["description"])},
            create_defaults={
                "name": dict(words["name"]),
                "description": dict(words["description"]),
                "first_seen_at": now,
            },
        )
        found[number] = row.pk
    return found


def _codes(
    version: ModelVersion,
    described: Mapping[int, Any],
    answers: nw.DataFrame[Any],
    previous: PredictionRun | None,
) -> dict[int, int]:
    """Return the code of each cluster, decided once for a version and kept in its card."""
    if "codes" in version.card:
        return {int(number): code for number, code in version.card["codes"].items()}
    free = (Cluster.objects.filter(spec=version.spec).order_by("-code").values_list("code", flat=True).first() or 0) + 1
    codes = matched(sorted(described), _members(answers), _members_of(previous), free=free)
    version.card["codes"] = {str(number): code for number, code in codes.items()}
    version.save(update_fields=["card"])
    return codes


def matched(numbers: list[int], now: Mapping[int, int], before: Mapping[int, int], *, free: int) -> dict[int, int]:
    """Return the code of each cluster number: that of the former group with which it shares most people.

    Parameters
    ----------
    numbers : list of int
        The clusters of the new model.
    now, before : mapping of int to int
        For each person the cluster's number now, and the group's code before.
    free : int
        The first code that no group has used; clusters without a counterpart get codes from there.

    Notes
    -----
    The pairs are chosen together so that as many people as possible stay where they were (Kuhn 1955).

    Examples
    --------
    >>> matched([0, 1], {1: 0, 2: 0, 3: 1}, {1: 8, 2: 8, 3: 7}, free=9)
    {0: 8, 1: 7}
    >>> matched([0, 1], {1: 0, 2: 0, 3: 1}, {1: 8, 2: 8}, free=9)
    {0: 8, 1: 9}
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 (web processes may load this module)

    codes = sorted(set(before.values()))
    shared = np.zeros((len(numbers), len(codes)), np.int64)
    for person, number in now.items():
        if person in before:
            shared[numbers.index(number), codes.index(before[person])] += 1
    pairs = zip(*linear_sum_assignment(shared, maximize=True), strict=True)
    found = {numbers[row]: codes[column] for row, column in pairs if shared[row, column]}
    for number in numbers:
        if number not in found:
            found[number], free = free, free + 1
    return dict(sorted(found.items()))


def _members(answers: nw.DataFrame[Any]) -> dict[int, int]:
    return dict(zip(answers[USER].to_list(), answers[CLUSTER].to_list(), strict=True))


def _members_of(run: PredictionRun | None) -> dict[int, int]:
    if run is None:
        return {}
    return dict(ClusterMember.objects.filter(run=run).values_list("profile_id", "cluster__code"))
