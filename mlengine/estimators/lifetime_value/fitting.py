"""Maximum likelihood over positive parameters, the same for every model here."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mlengine.estimators.lifetime_value.histories import Histories
from mlengine.specs import NotEnoughData

Array = NDArray[Any]

FEWEST = 10
MOST = 6_000  # four parameters are known to a few percent from so many people; more would only take time
SLIGHT = 1e-4  # a prior that only holds what the data leave open
BOUND = 12.0  # of the logarithm of a parameter, relative to where it began


def maximise(mean_log_likelihood: Callable[[Array], float], begin: Array, penalty: float = 0.0) -> Array:
    """Return the positive parameters with the highest mean log-likelihood, near ``begin`` where data say nothing.

    Parameters
    ----------
    mean_log_likelihood : callable (parameters) -> float
    begin : array
        Where to begin; positive.
    penalty : float
        Weight of the squared logarithm of each parameter's ratio to ``begin`` (a log-normal prior's, a person's share).
    """
    start = np.log(begin)

    def cost(moved: Array) -> float:
        value = -mean_log_likelihood(np.exp(start + moved)) + penalty * float(moved @ moved)
        return value if np.isfinite(value) else 1e10

    bounds = [(-BOUND, BOUND)] * len(begin)
    found = minimize(
        cost,
        np.zeros(len(begin)),
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 500},
    )
    return np.asarray(np.exp(start + found.x))


class HasLikelihood(Protocol):
    """A model that says how likely each history is."""

    def log_likelihood(self, told: Histories) -> Array: ...


M = TypeVar("M", bound=HasLikelihood)


def likeliest(made: Callable[..., M], known: Histories, begin: Mapping[str, float], penalty: float = 0.0) -> M:
    """Return the model of highest likelihood, its parameters sought from ``begin``; without a penalty a slight one."""

    def likelihood(parameters: Array) -> float:
        return float(made(**dict(zip(begin, parameters, strict=True))).log_likelihood(known).mean())

    best = maximise(likelihood, np.array(list(begin.values())), penalty or SLIGHT / len(known))
    return made(**dict(zip(begin, map(float, best), strict=True)))


def learned_from(people: int, did: str = "purchased", *, random_state: int = 0) -> Array:
    """Return which of so many people to learn from: all, or a random ``MOST`` of them; in ascending order."""
    if people < FEWEST:
        raise NotEnoughData(f"Needs {FEWEST} people who {did}, there are {people}.")
    if people <= MOST:
        return np.arange(people)
    return np.sort(np.random.default_rng(random_state).choice(people, MOST, replace=False))
