"""What many private answers cost together, by the privacy loss distribution (Sommer, Meiser and Mohammadi 2019).

dp-accounting composes the distributions numerically and rounds against us, so what it says is an upper bound. Adding
the epsilons up is one too, and the better one of few answers: the smaller of both counts.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import inf

from dp_accounting.pld import privacy_loss_distribution as pld

from mlengine.anonymity.noise import Mechanism

GRID = 1e-4  # step on which losses are rounded up
COARSE = 1e-3  # for more answers than a budget normally allows: still an upper bound, and a tenth of the work
MANY = 400


def spent(answers: Mapping[Mechanism, int], delta: float) -> float:
    """Return the epsilon of all answers together (how often each mechanism answered), at ``delta``.

    The thresholds' own deltas are taken off first; where nothing of ``delta`` is left, it is infinite.
    """
    answers = {mechanism: count for mechanism, count in answers.items() if count}
    if not answers:
        return 0.0
    left = delta - sum(mechanism.delta * count for mechanism, count in answers.items())
    if left < 0:
        return inf
    added = sum(mechanism.epsilon() * count for mechanism, count in answers.items())
    return min(added, _composed(answers, left)) if left > 0 else added


def _composed(answers: Mapping[Mechanism, int], delta: float) -> float:
    grid = GRID if sum(answers.values()) <= MANY else COARSE
    whole = pld.identity(grid)
    for mechanism, count in answers.items():
        whole = whole.compose(_of(mechanism, grid).self_compose(count))
    return float(whole.get_epsilon_for_delta(delta))


@lru_cache(maxsize=256)
def _of(mechanism: Mechanism, grid: float) -> pld.PrivacyLossDistribution:
    """Return the loss of one answer: that of one cell, moved as far as the bound allows, once for each cell.

    Cells get independent noise, and of one cell a longer way is never the better hidden one, so this dominates
    whatever a person within the bound can do.
    """
    bound = mechanism.bound
    if mechanism.kind == "laplace":
        cell = pld.from_discrete_laplace_mechanism(
            1 / mechanism.scale, sensitivity=bound.most, value_discretization_interval=grid
        )
    else:
        cell = pld.from_discrete_gaussian_mechanism(
            mechanism.scale, sensitivity=bound.most, value_discretization_interval=grid
        )
    return cell.self_compose(bound.cells)
