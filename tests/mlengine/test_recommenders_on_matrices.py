"""EASE, item-kNN and iALS on matrices small enough to be solved another way."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from mlengine.estimators.ease import Ease
from mlengine.estimators.ials import ImplicitALS
from mlengine.estimators.item_knn import ItemKNN
from mlengine.estimators.leading import leading, leading_products
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
def test_ease_is_ease_in_either_form(people: int, items: int, l2: float) -> None:
    X = _random(people, items)
    expected = X.toarray() @ _primal(X.toarray(), l2)
    assert np.abs(Ease(l2=l2).fit(X).score(X) - expected).max() < 1e-8


def test_ease_scores_people_it_was_not_fitted_on_as_the_primal_does() -> None:
    X, others = _random(20, 15), _random(7, 15, seed=8)
    expected = others.toarray() @ _primal(X.toarray(), 2.0)
    assert np.abs(Ease(l2=2.0).fit(X).score(others) - expected).max() < 1e-8


def test_ease_with_too_many_people_learns_from_as_many_as_it_is_allowed() -> None:
    X = _random(50, 60)
    fitted = Ease(max_people=20, random_state=1).fit(X)
    assert fitted.kernel_.shape == (20, 20)
    assert fitted.score(X).shape == (50, 60)


@pytest.mark.parametrize("form", [{"max_items": 0}, {}])
def test_ease_weighs_people_and_items_by_how_much_they_have_in_both_forms(form: dict[str, int]) -> None:
    X = _random(30, 12, density=0.5)
    dense = X.toarray()
    people, items = dense.sum(axis=1), dense.sum(axis=0)
    row, column = (people / people.mean()) ** -0.15, (items / items.mean()) ** -0.25
    B = _primal(dense * row[:, None] * column, 2.0)
    expected = (dense * column) @ B / column
    found = Ease(l2=2.0, by_person=0.3, by_item=0.5, **form).fit(X).score(X)
    assert np.abs(found - expected).max() < 1e-8


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


def test_ials_lowers_its_loss_every_round() -> None:
    X, losses = _random(40, 30), []
    made = ImplicitALS(factors=4, alpha=0.2, l2=0.05, iterations=12)
    made.fit(X, after_each=lambda _: losses.append(made.loss(X)))
    assert len(losses) == 12
    assert all(after <= before + 1e-4 for before, after in pairwise(losses))


@pytest.mark.parametrize("factors", [3, 12])
def test_ials_solves_each_person_exactly_with_fewer_or_more_factors_than_purchases(factors: int) -> None:
    X = _random(25, 20)
    fitted = ImplicitALS(factors=factors, alpha=0.3, l2=0.1, iterations=2).fit(X)
    Y, dense = fitted.items_.astype(float), X.toarray()
    for person, bought in zip(fitted.vectors(X), dense, strict=True):
        own = Y[bought > 0]
        left = own.T @ own + 0.3 * Y.T @ Y + 0.1 * (len(own) + 0.3 * 20) * np.eye(factors)
        assert person == pytest.approx(np.linalg.solve(left, own.sum(axis=0)), rel=1e-3, abs=1e-4)


def test_ials_reports_the_loss_it_is_said_to_lower() -> None:
    X = _random(9, 7)
    fitted = ImplicitALS(factors=3, alpha=0.5, l2=0.2, iterations=1).fit(X)
    P, Q, dense = fitted.vectors(X), fitted.items_, X.toarray()
    guess = P @ Q.T
    held = ((dense.sum(axis=1) + 0.5 * 7) @ (P**2).sum(axis=1)) + ((dense.sum(axis=0) + 0.5 * 9) @ (Q**2).sum(axis=1))
    loss = ((1 - guess[dense > 0]) ** 2).sum() + 0.5 * (guess**2).sum() + 0.2 * held
    assert fitted.loss(X) == pytest.approx(loss, rel=1e-4)


def test_ials_finds_the_two_tastes_that_were_planted() -> None:
    tastes = np.kron(np.eye(2), np.ones((20, 10)))
    hidden = np.random.default_rng(5).random(tastes.shape) < 0.3
    X = sparse.csr_array(tastes * ~hidden)
    scores = ImplicitALS(factors=2, alpha=0.1, l2=0.01, iterations=15).fit(X).score(X)
    # What was hidden of each person's taste scores above everything outside of it.
    assert scores[hidden & (tastes > 0)].min() > scores[tastes == 0].max()


def test_ials_answers_alike_however_many_threads_share_the_work_and_knows_nothing_of_who_has_nothing() -> None:
    X = sparse.csr_array(sparse.vstack([_random(200, 50), sparse.csr_array((1, 50))], format="csr"))
    one, four = (ImplicitALS(factors=8, iterations=3, n_jobs=n).fit(X).score(X) for n in (1, 4))
    assert np.array_equal(one, four)
    assert not one[-1].any()


@pytest.mark.parametrize("seed", range(40))
def test_the_leading_are_those_that_sorting_finds(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n, m, k = draw.integers(1, 9), draw.integers(1, 300), draw.integers(1, 30)
    scores = draw.integers(0, draw.choice([2, 50, 10_000]), (n, m)).astype(np.float32)
    scores[draw.random((n, m)) < 0.3] = -np.inf
    items, best = leading(scores, int(k))
    for row in range(n):
        there = np.flatnonzero(scores[row] > -np.inf)
        expected = there[np.lexsort((there, -scores[row, there]))][:k]
        assert items[row].tolist() == [*expected, *[-1] * (k - len(expected))]
        assert best[row, : len(expected)].tolist() == scores[row, expected].tolist()


def test_the_leading_products_leave_out_what_was_had_whoever_shares_the_work() -> None:
    draw = np.random.default_rng(2)
    people, items, had = draw.normal(size=(300, 5)), draw.normal(size=(90, 5)), _random(300, 90)
    scores = people @ items.T
    scores[had.nonzero()] = -np.inf
    expected, _ = leading(scores, 7)
    for n_jobs in (1, 3):
        assert np.array_equal(leading_products(people, items, 7, had=had, n_jobs=n_jobs)[0], expected)


@pytest.mark.nightly
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
