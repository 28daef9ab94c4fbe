"""How fast recommenders learn and answer, beside ``implicit`` in the same process, with two threads each.

Without ``implicit`` (the extra ``bench``) the yardsticks stay empty.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from mlengine.benchmarks.top_k_parts import Cut, cut_by_part, judged, numbered
from mlengine.estimators.ease import Ease
from mlengine.estimators.ials import ImplicitALS
from mlengine.estimators.leading import leading_products
from mlengine.metrics import ranking
from tests.benchmarks.ml import Measurement, Row
from tests.benchmarks.ml.top_k import million_cut

PEOPLE, ITEMS, FACTORS, BEST = 100_000, 20_000, 64, 20
ROUNDS = 15
Curve = list[tuple[float, float]]  # seconds so far, ndcg_at_10


def ials() -> Iterator[Row]:
    """Yield the seconds until iALS is as good as ``implicit`` becomes within its rounds, on ML-1M's fixed split."""
    cut = _million()
    theirs = _implicit_curve(cut)
    ours = _our_curve(cut)
    reached = max((ndcg for _, ndcg in theirs), default=ours[-1][1])
    target = min(reached, max(ndcg for _, ndcg in ours))
    yield _row(
        f"iALS, {FACTORS} factors, to NDCG@10 {target:.4f} on ML-1M's fixed split", "seconds", _until(ours, target),
        _until(theirs, target) if theirs else None, most=1.5,
    )  # fmt: skip


def ease() -> Iterator[Row]:
    """Yield the seconds EASE takes to learn from ML-1M."""
    cut = _million()
    began = time.perf_counter()
    Ease(l2=1000.0).fit(cut.known)
    yield _row("EASE learns from ML-1M", "seconds", time.perf_counter() - began, None)


def lists() -> Iterator[Row]:
    """Yield the seconds of everybody's best twenty, exactly, without what they had."""
    draw = np.random.default_rng(0)
    people, items = (draw.normal(size=(n, FACTORS)).astype(np.float32) for n in (PEOPLE, ITEMS))
    drawn: Any = sparse.random_array((PEOPLE, ITEMS), density=20 / ITEMS, format="csr", rng=1)
    had = sparse.csr_array(drawn)
    had.sort_indices()
    began = time.perf_counter()
    found, _ = leading_products(people, items, BEST, had=had, n_jobs=2)
    ours = time.perf_counter() - began
    theirs, same = _implicit_lists(people, items, had, found)
    name = f"top-{BEST} of {ITEMS:,} items for {PEOPLE:,} people"
    yield _row(name, "seconds", ours, theirs, most=1.3)
    if same is not None:
        yield _row(name, "share of places with the same item", same, None) | {"higher_is_better": True}


def _million() -> Cut:
    return cut_by_part(*numbered(million_cut()))


def _our_curve(cut: Cut) -> Curve:
    made = ImplicitALS(factors=FACTORS, alpha=0.3, l2=0.01, iterations=ROUNDS, n_jobs=2)
    clock = _Clock(lambda: _ndcg(made.score(cut.known), cut))
    made.fit(cut.known, after_each=lambda _: clock.stop())
    return clock.curve


def _implicit_curve(cut: Cut) -> Curve:
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        return []
    # Its own defaults: what somebody who takes it into use gets.
    made = AlternatingLeastSquares(factors=FACTORS, iterations=ROUNDS, num_threads=2, random_state=0)
    X = sparse.csr_matrix(cut.known)
    with threadpool_limits(1, "blas"):
        clock = _Clock(lambda: _ndcg(made.user_factors @ made.item_factors.T, cut))
        made.fit(X, show_progress=False, callback=lambda *_: clock.stop())
    return clock.curve


def _implicit_lists(people: Any, items: Any, had: Any, ours: Any) -> tuple[float | None, float | None]:
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        return None, None
    made = AlternatingLeastSquares(factors=FACTORS, num_threads=2)
    made.user_factors, made.item_factors = people, items
    with threadpool_limits(1, "blas"):
        began = time.perf_counter()
        found, _ = made.recommend(np.arange(len(people)), sparse.csr_matrix(had), N=BEST)
    return time.perf_counter() - began, float((found == ours).mean())


class _Clock:
    """Seconds spent learning; it stands still while what was learned is judged."""

    def __init__(self, judge: Callable[[], float]) -> None:
        self.judge = judge
        self.curve: Curve = []
        self._spent = 0.0
        self._since = time.perf_counter()

    def stop(self) -> None:
        self._spent += time.perf_counter() - self._since
        self.curve.append((self._spent, self.judge()))
        self._since = time.perf_counter()


def _ndcg(scores: Any, cut: Cut) -> float:
    people = np.flatnonzero(np.diff(cut.test.indptr))
    return float(ranking.ndcg(*judged(np.array(scores)[people], cut.known[people], cut.test[people])).mean())


def _until(curve: Curve, target: float) -> float:
    return next((seconds for seconds, ndcg in curve if ndcg >= target), float("inf"))


def _row(task: str, metric: str, ours: float, yardstick: float | None, most: float | None = None) -> Row:
    must = yardstick * most if yardstick is not None and most else None
    return {
        "task": task, "metric": metric, "ours": ours, "yardstick": yardstick, "must": must, "higher_is_better": False,
    }  # fmt: skip


LINES: dict[str, Measurement] = {"iALS speed": ials, "EASE speed": ease, "top-k speed": lists}
