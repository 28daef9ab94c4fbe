"""Who says yes when asked, from what is known before: one row an approach.

Columns: ``label`` (1 or yes: did) and any others, numbers or words, none of which may be known only afterwards (how
long a call took, for one). Ten stratified folds (``StratifiedKFold(10, shuffle)``, seed 42 unless another is asked
for), each judged once. Nothing is tuned on the fold that is judged.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from mlengine.benchmarks import Asked, Line, yes_or_no

COLUMNS: Final[Sequence[str]] = (yes_or_no.LABEL,)
ESTIMATORS: Final = yes_or_no.ESTIMATORS
OPTIONS: Final = yes_or_no.OPTIONS


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield the figures of each estimator."""
    return yes_or_no.run(frame, asked, PROTOCOL)


def _cuts(y: NDArray[Any], seed: int) -> Iterator[yes_or_no.Cut]:
    yield from StratifiedKFold(10, shuffle=True, random_state=seed).split(np.zeros(len(y)), y)


PROTOCOL: Final = yes_or_no.Protocol(
    task="response_rate",
    words="Ten stratified folds, each judged once; mean over folds, 95 % by bootstrap of all rows.",
    seed=42,
    cuts=_cuts,
    fewest=10,
)
