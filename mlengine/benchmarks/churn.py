"""Who leaves, from what is known of each customer: one row a customer.

Columns: ``label`` (1 or yes: left) and any others, numbers or words; what only names a customer (an id) should be left
out. Three stratified random splits, a quarter of the rows judged (``StratifiedShuffleSplit(3, test_size=.25)``, seed
1337 unless another is asked for). Nothing is tuned on the part that is judged: the weights of the ensemble's members
come from folds within the part learned from.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

from mlengine.benchmarks import Asked, Line, yes_or_no

COLUMNS: Final[Sequence[str]] = (yes_or_no.LABEL,)
ESTIMATORS: Final = yes_or_no.ESTIMATORS
OPTIONS: Final = yes_or_no.OPTIONS


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield the figures of each estimator."""
    return yes_or_no.run(frame, asked, PROTOCOL)


def _cuts(y: NDArray[Any], seed: int) -> Iterator[yes_or_no.Cut]:
    yield from StratifiedShuffleSplit(3, test_size=0.25, random_state=seed).split(np.zeros(len(y)), y)


PROTOCOL: Final = yes_or_no.Protocol(
    task="churn",
    words="Three stratified splits, a quarter judged; mean over splits, 95 % by bootstrap of all customers.",
    seed=1337,
    cuts=_cuts,
    fewest=8,
)
