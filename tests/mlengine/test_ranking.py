"""Ranking metrics against answers worked out by hand, and properties that hold of all lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from mlengine.interactions import Ints
from mlengine.metrics import ranking


def _relevant(*people: set[int], n_items: int = 6) -> csr_array:
    dense = np.array([[float(item in wanted) for item in range(n_items)] for wanted in people])
    return csr_array(dense)


def test_a_hit_is_an_item_that_the_same_person_wanted() -> None:
    found = ranking.hits(np.array([[0, 1], [0, 1]]), _relevant({1}, {0}))
    assert found.tolist() == [[False, True], [True, False]]


def test_padding_is_never_a_hit_even_after_a_person_who_wants_the_last_item() -> None:
    # −1 of the second person would be the last item of the first one in a flattened matrix.
    found = ranking.hits(np.array([[5, -1], [-1, -1]]), _relevant({5}, {0}))
    assert found.tolist() == [[True, False], [False, False]]


def test_ndcg_by_hand() -> None:
    hit = np.array([[True, False, True], [False, True, False]])
    # First person wanted 2 items: (1 + 1/2) / (1 + 1/log2 3); second wanted 1: (1/log2 3) / 1.
    assert ranking.ndcg(hit, np.array([2, 1]), k=3) == pytest.approx([1.5 / 1.6309297535714573, 0.6309297535714575])


def test_recall_is_out_of_what_k_items_can_reach() -> None:
    hit = np.array([[True, False], [True, True]])
    assert ranking.recall(hit, np.array([1, 5]), k=2).tolist() == [1.0, 1.0]


def test_what_stands_beyond_k_does_not_count() -> None:
    hit = np.array([[False, False, True]])
    assert ranking.ndcg(hit, np.array([1]), k=2).tolist() == [0.0]
    assert ranking.recall(hit, np.array([1]), k=2).tolist() == [0.0]


def test_coverage_counts_each_shown_item_once() -> None:
    assert ranking.coverage(np.array([[0, 1], [1, -1]]), n_items=8) == 0.25


def test_novelty_is_bits_of_surprise() -> None:
    buyers = np.array([8.0, 2.0, 0.0])  # of 8 people: 0 bits, 2 bits, and as if one had bought it: 3 bits
    found = ranking.novelty(np.array([[0, 1], [2, -1], [-1, -1]]), buyers, n_people=8)
    assert found[:2].tolist() == [1.0, 3.0]
    assert np.isnan(found[2])


def test_popularity_share_is_the_part_among_the_most_bought() -> None:
    found = ranking.popularity_share(np.array([[0, 1], [2, 3]]), np.array([9.0, 5.0, 8.0, 1.0]), top=2)
    assert found.tolist() == [0.5, 0.5]


def test_the_interval_of_a_mean_is_as_wide_as_its_theory_says() -> None:
    values = np.random.default_rng(1).normal(0.3, 0.1, 2000)
    found = ranking.mean_with_interval(values)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.1 / np.sqrt(2000), rel=0.15)


def test_the_mean_of_nothing_is_not_a_number() -> None:
    assert np.isnan(ranking.mean_with_interval(np.array([np.nan])).value)


_LISTS = st.permutations(range(12)).map(lambda order: np.array([order]))
_WANTED = st.sets(st.integers(0, 11), min_size=1)


@given(_LISTS, _WANTED)
def test_metrics_lie_between_none_and_all(lists: Ints, wanted: set[int]) -> None:
    hit = ranking.hits(lists, _relevant(wanted, n_items=12))
    for metric in (ranking.ndcg, ranking.recall):
        assert 0.0 <= metric(hit, np.array([len(wanted)]))[0] <= 1.0 + 1e-12


@given(_LISTS, _WANTED)
def test_wanted_items_first_is_perfect(lists: Ints, wanted: set[int]) -> None:
    best = np.array([sorted(lists[0].tolist(), key=lambda item: item not in wanted)])
    hit = ranking.hits(best, _relevant(wanted, n_items=12))
    assert ranking.ndcg(hit, np.array([len(wanted)]))[0] == pytest.approx(1.0)
    assert ranking.recall(hit, np.array([len(wanted)]))[0] == 1.0


@given(_LISTS, _WANTED, st.integers(0, 8))
def test_moving_a_wanted_item_up_never_lowers_ndcg(lists: Ints, wanted: set[int], at: int) -> None:
    swapped = lists.copy()
    if lists[0, at] not in wanted and lists[0, at + 1] in wanted:
        swapped[0, [at, at + 1]] = swapped[0, [at + 1, at]]
    relevant, n = _relevant(wanted, n_items=12), np.array([len(wanted)])
    before, after = (ranking.ndcg(ranking.hits(each, relevant), n)[0] for each in (lists, swapped))
    assert after >= before - 1e-12
