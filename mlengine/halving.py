"""Successive halving: many recipes tried with little effort, the better third with three times as much, and so on.

Source: Jamieson & Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS 2016);
random draws beat grids where few parameters matter (Bergstra & Bengio, JMLR 2012).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

ETA: Final = 3


def draws(space: Mapping[str, Sequence[Any]], most: int, *, random_state: int = 0) -> list[dict[str, Any]]:
    """Return up to ``most`` different choices of one value for each parameter, the same for the same seed.

    Examples
    --------
    >>> sorted(draws({"leaves": [4, 8]}, 5), key=lambda one: one["leaves"])
    [{'leaves': 4}, {'leaves': 8}]
    >>> len(draws({"leaves": [4, 8, 16], "rounds": [100, 200]}, 4))
    4
    """
    whole = math.prod(len(values) for values in space.values())
    if not space or not whole:
        return []
    rng = np.random.default_rng(random_state)
    places = rng.choice(whole, size=min(most, whole), replace=False)
    return [_choice(space, int(place)) for place in places]


def _choice(space: Mapping[str, Sequence[Any]], place: int) -> dict[str, Any]:
    made = {}
    for name, values in space.items():
        place, which = divmod(place, len(values))
        made[name] = values[which]
    return made


def efforts(most: int) -> list[int]:
    """Return how many dates each round judges at: one, then three times as many, up to all there are.

    Examples
    --------
    >>> efforts(4), efforts(1), efforts(9)
    ([1, 3, 4], [1], [1, 3, 9])
    """
    found = [1]
    while found[-1] < most:
        found.append(min(found[-1] * ETA, most))
    return found


def survivors(values: Mapping[int, float | None]) -> list[int]:
    """Return which trials go on: the best third, at least one; a trial that failed never does.

    Of two alike the earlier number goes on, so the recipe in use (0) is left only for a better one.

    Examples
    --------
    >>> survivors({0: 0.7, 1: 0.9, 2: None, 3: 0.8})
    [1]
    >>> survivors({0: 0.7, 1: 0.7})
    [0]
    """
    known = {number: value for number, value in values.items() if value is not None and math.isfinite(value)}
    ranked = sorted(known, key=lambda number: (-known[number], number))
    return ranked[: max(1, len(values) // ETA)] if ranked else []


def affordable(seconds_each: float, budget: float, rounds: Sequence[int]) -> int:
    """Return how many recipes a budget of seconds pays for, when judging one at one date takes ``seconds_each``.

    Examples
    --------
    >>> affordable(1.0, 30.0, [1, 3]), affordable(100.0, 1.0, [1, 3])
    (18, 1)
    """
    each = sum((effort - before) / ETA**place for place, (before, effort) in enumerate(_steps(rounds)))
    return max(1, int(budget / max(seconds_each * each, 1e-9)))


def _steps(rounds: Sequence[int]) -> list[tuple[int, int]]:
    """Return from how many dates to how many each round goes: what was judged before is not judged again."""
    return list(zip([0, *rounds], rounds, strict=False))
