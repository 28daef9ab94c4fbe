"""EASE, item-kNN and ALS on matrices small enough to be solved another way."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from mlengine.estimators.als import ImplicitALS
from mlengine.estimators.ease import Ease
from mlengine.estimators.item_knn import ItemKNN
from mlengine.metrics import ranking

MOVIELENS = Path(__file__).resolve().parents[3] / "shared" / "data" / "ml1m" / "ml1m_ratings_infae_split.parquet"


def _random(people: int, items: int, *, seed: int = 3, density: float = 0.2) -> sparse.csr_array:
    drawn = np.random.default_rng(seed).random((people, items)) < density
    return sparse.csr_array(drawn.astype(float))


def _primal(X: np.ndarray, l2: float) -> np.ndarray:
    """Return Steck's B by inverting items × items (eq. 8)."""
    P = np.linalg.inv(X.T @ X + l2 * np.eye(X.shape[1]))
    B = np.asarray(P / -np.diag(P))
    np.fill_diagonal(B, 0.0)
    return B


@pytest.mark.parametrize(("people", "items", "l2"), [(12, 30, 1.0), (30, 12, 5.0), (25, 25, 300.0)])
def test_ease_in_its_dual_form_is_ease(people: int, items: int, l2: float) -> None:
    X = _random(people, items)
    expected = X.toarray() @ _primal(X.toarray(), l2)
    assert np.abs(Ease(l2=l2).fit(X).score(X) - expected).max() < 1e-8


def test_ease_scores_people_it_was_not_fitted_on_as_the_primal_does() -> None:
    X, others = _random(20, 15), _random(7, 15, seed=8)
    expected = others.toarray() @ _primal(X.toarray(), 2.0)
    assert np.abs(Ease(l2=2.0).fit(X).score(others) - expected).max() < 1e-8


def test_ease_with_too_many_people_learns_from_as_many_as_it_is_allowed() -> None:
    X = _random(50, 10)
    fitted = Ease(max_people=20, random_state=1).fit(X)
    assert fitted.kernel_.shape == (20, 20)
    assert fitted.score(X).shape == (50, 10)


def test_item_knn_by_hand() -> None:
    X = sparse.csr_array(np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]]))
    fitted = ItemKNN(neighbours=1, shrink=0.0, min_common=1).fit(X)
    # cos(0, 1) = 2 / √(3·2); cos(2, 0) = 1 / √(2·3) < cos(2, 3) = 1 / √(2·1)
    nearest = {(0, 1): 2 / 6**0.5, (1, 0): 2 / 6**0.5, (2, 3): 1 / 2**0.5, (3, 2): 1 / 2**0.5}
    expected = np.zeros((4, 4))
    for where, cosine in nearest.items():
        expected[where] = cosine
    assert fitted.similarity_.toarray() == pytest.approx(expected)
    assert fitted.score(X[[0]]).ravel() == pytest.approx([2 / 6**0.5, 2 / 6**0.5, 0.0, 0.0])


def test_item_knn_leaves_out_pairs_with_few_common_buyers_and_shrinks_the_rest() -> None:
    X = sparse.csr_array(np.array([[1.0, 1, 1], [1, 1, 0]]))
    fitted = ItemKNN(neighbours=5, shrink=2.0, min_common=2).fit(X)
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = 2 / (2 + 2)
    assert fitted.similarity_.toarray() == pytest.approx(expected)


def test_als_lowers_its_loss_every_round() -> None:
    losses = ImplicitALS(factors=4, alpha=5.0, l2=0.5, iterations=12).fit(_random(40, 30)).losses_
    assert len(losses) == 12
    assert all(after <= before + 1e-9 for before, after in pairwise(losses))


def test_als_reports_the_loss_it_is_said_to_lower() -> None:
    X = _random(9, 7)
    fitted = ImplicitALS(factors=3, alpha=2.0, l2=0.7, iterations=1).fit(X)
    start = np.random.default_rng(0).normal(0.0, 0.1 / np.sqrt(3), (7, 3))
    c, p = 1.0 + 2.0 * X.toarray(), X.toarray()
    people = np.stack(
        [
            np.linalg.solve(start.T @ (c[u, :, None] * start) + 0.7 * np.eye(3), start.T @ (c[u] * p[u]))
            for u in range(9)
        ]
    )
    Y = fitted.items_
    loss = (c * (p - people @ Y.T) ** 2).sum() + 0.7 * ((people**2).sum() + (Y**2).sum())
    assert fitted.losses_[0] == pytest.approx(loss)


def test_als_finds_the_two_tastes_that_were_planted() -> None:
    tastes = np.kron(np.eye(2), np.ones((20, 10)))
    hidden = np.random.default_rng(5).random(tastes.shape) < 0.3
    X = sparse.csr_array(tastes * ~hidden)
    scores = ImplicitALS(factors=2, alpha=5.0, l2=0.1, iterations=15).fit(X).score(X)
    # What was hidden of each person's taste scores above everything outside of it.
    assert scores[hidden & (tastes > 0)].min() > scores[tastes == 0].max()


@pytest.mark.slow
@pytest.mark.skipif(not MOVIELENS.exists(), reason="MovieLens may not be redistributed; it lies beside the checkout")
def test_ease_reaches_the_published_ndcg_on_movielens() -> None:
    """Published for this split: EASE 29.88, ∞-AE 32.82 (NeurIPS 2022); fitted on train and validation: 34.7."""
    ratings = pl.read_parquet(MOVIELENS)
    user, item, split = (ratings[name].to_numpy() for name in ("user", "item", "split_infae"))
    _, user = np.unique(user, return_inverse=True)
    _, item = np.unique(item, return_inverse=True)
    shape = (int(user.max()) + 1, int(item.max()) + 1)
    seen, wanted = (
        sparse.csr_array((np.ones(int(part.sum()), np.float32), (user[part], item[part])), shape=shape)
        for part in (split < 2, split == 2)
    )
    scores = Ease(l2=1000.0, max_people=shape[0]).fit(seen).score(seen)
    scores[seen.nonzero()] = -np.inf
    people = np.flatnonzero(np.diff(wanted.indptr))
    lists = np.argsort(-scores[people], axis=1, kind="stable")[:, :10]
    found = ranking.ndcg(ranking.hits(lists, wanted[people]), np.diff(wanted.indptr)[people])
    assert found.mean() == pytest.approx(0.347, abs=0.001)
