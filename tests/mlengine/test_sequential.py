"""What comes next in a sequence: transitions by hand, SASRec where the next item is known, files, interruptions."""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from mlengine.estimators.recommender import recommend
from mlengine.estimators.rerank import Rerank, Scored
from mlengine.estimators.sasrec import Question, SASRec
from mlengine.estimators.sasrec_batches import batches, latest, windows_of
from mlengine.estimators.sasrec_losses import full_softmax, gbce, sampled_softmax
from mlengine.estimators.sasrec_network import Network
from mlengine.estimators.sasrec_training import Recipe, Training
from mlengine.estimators.sequences import Sequences
from mlengine.estimators.sequential import (
    SASRecRecommender,
    SequenceBlendRecommender,
    Sequential,
    TransitionsRecommender,
)
from mlengine.estimators.transitions import Transitions
from mlengine.interactions import interactions_of

ITEMS = 30
STEP = 7
SMALL: dict[str, Any] = {
    "width": 32,
    "length": 12,
    "dropout": 0.1,
    "places": 400,
    "averaging": 0.8,
    "learning_rate": 0.01,
    "warm_up": 0,
    "epochs": 40,
}


@cache
def rounds() -> Sequences:
    """Return people who always take the item seven further: what is next is known, and popularity says nothing."""
    random = np.random.default_rng(0)
    starts, lengths = random.integers(0, ITEMS, 150), random.integers(0, 20, 150)
    lists = [((start + STEP * np.arange(n)) % ITEMS).tolist() for start, n in zip(starts, lengths, strict=True)]
    return Sequences.of(lists, n_items=ITEMS)


@cache
def trained(loss: str = "softmax", negatives: int = 0) -> SASRec:
    return SASRec(loss=loss, negatives=negatives, **SMALL).fit(rounds())


def test_transitions_by_hand() -> None:
    taken = Sequences.of([[0, 1, 2], [0, 1], [3, 0]], n_items=4)
    counted = Transitions(window=2, fading=0.5, damping=1.0, last=2, decay=0.5).fit(taken)
    expected = np.zeros((4, 4))
    expected[0, 1], expected[0, 2] = 2.0 / 2.5, 0.5 / 2.5
    expected[1, 2], expected[3, 0] = 1.0, 1.0
    assert counted.after_.toarray() == pytest.approx(expected)
    scores = counted.score(taken, np.array([1, 2]))
    assert scores[0].tolist() == pytest.approx([-np.inf, 0.5 * 0.8, 1.0 + 0.5 * 0.2, -np.inf])
    assert scores[1].tolist() == pytest.approx([0.5, 0.8, 0.2, -np.inf])
    assert counted.because(taken, np.array([1, 1, 2]), np.array([2, 1, 3])).tolist() == [1, 0, -1]


def test_transitions_of_nothing_and_of_single_items_have_no_answer() -> None:
    nothing: list[list[list[int]]] = [[], [[]], [[1], [0]]]
    for lists in nothing:
        taken = Sequences.of(lists, n_items=2)
        assert np.isneginf(Transitions().fit(taken).score(taken, np.arange(len(lists)))).all()


def test_histories_keep_their_order_in_whatever_way_they_are_cut() -> None:
    taken = Sequences.of([[4, 2, 0], [], [3], [1, 4]], n_items=5)
    assert taken.without_last().item.tolist() == [4, 2, 1]
    relabelled = taken.relabelled(np.array([0, 1, -1, -1, 2]), 3)
    assert (relabelled.item.tolist(), relabelled.lengths.tolist()) == ([2, 0, 1, 2], [2, 0, 0, 2])
    assert taken.last(2, np.array([0, 1, 2])).tolist() == [[2, 0], [-1, -1], [-1, 3]]
    bought = interactions_of([(1, 10, 1.0), (1, 11, 5.0), (1, 10, 9.0), (2, 11, 2.0)])
    assert Sequences.of_interactions(bought).last(3).tolist() == [[0, 1, 0], [-1, -1, 1]]


@pytest.mark.parametrize(
    ("loss", "negatives"),
    [("softmax", 0), ("softmax", 15), pytest.param("gbce", 15, marks=[pytest.mark.slow, pytest.mark.nightly])],
)
def test_sasrec_finds_what_is_next_whatever_its_loss(loss: str, negatives: int) -> None:
    asked = (np.arange(ITEMS)[:, None] + STEP * np.arange(5)) % ITEMS
    best = trained(loss, negatives).light_.scores(asked).argmax(axis=1)
    assert np.mean(best == (np.arange(ITEMS) + 5 * STEP) % ITEMS) >= 0.75, "by chance one in thirty"


def test_answers_by_numpy_are_those_of_the_network() -> None:
    light = trained().light_
    network = Network(ITEMS, width=32, blocks=2, heads=2, length=12, dropout=0.3)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in light.arrays.items()})
    network.eval()
    people = np.flatnonzero(rounds().lengths > 0)
    items = latest(rounds(), people, 12)
    with torch.no_grad():
        expected = network(items)[torch.arange(len(people)), (items >= 0).sum(1) - 1].numpy()
    assert np.abs(light.vectors(rounds().last(40, people)) - expected).max() < 1e-5


def test_people_without_a_history_have_no_answer_and_others_in_their_batch_the_same_as_alone() -> None:
    light = trained().light_
    together = light.scores(np.array([[-1, -1, -1], [-1, 3, 10], [-1, -1, 5]]))
    assert np.isneginf(together[0]).all()
    assert together[1] == pytest.approx(light.scores(np.array([[3, 10]]))[0], abs=1e-5)
    assert together[2] == pytest.approx(light.scores(np.array([[5]]))[0], abs=1e-5)


def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    file = tmp_path / "training.safetensors"
    SASRec(**SMALL | {"epochs": 4}).fit(rounds(), checkpoint=file)
    said: list[str] = []
    resumed = SASRec(**SMALL | {"epochs": 6}).fit(rounds(), checkpoint=file, tell=said.append)
    assert [line.split(" ")[1] for line in said] == ["6"], "it began with the fifth epoch"
    uninterrupted = SASRec(**SMALL | {"epochs": 6}).fit(rounds())
    for name, array in uninterrupted.light_.arrays.items():
        assert np.array_equal(resumed.light_.arrays[name], array), name


def test_a_checkpoint_of_other_data_or_another_recipe_or_broken_is_not_gone_on_from(tmp_path: Path) -> None:
    file, recipe = tmp_path / "training.safetensors", Recipe(width=8, heads=2)
    begun = Training.new(recipe, rounds())
    begun.run_epoch(rounds())
    begun.save(file)
    assert Training.resumed(file, recipe, rounds()).epoch == 1
    assert Training.resumed(file, Recipe(**asdict(recipe) | {"dropout": 0.0}), rounds()).epoch == 0
    assert Training.resumed(file, recipe, rounds().without_last()).epoch == 0
    file.write_bytes(file.read_bytes()[:1000])
    assert Training.resumed(file, recipe, rounds()).epoch == 0


def test_the_loss_over_all_items_is_cross_entropy_and_so_are_its_slopes() -> None:
    torch.manual_seed(0)
    hidden, items = torch.randn(600, 8, requires_grad=True), torch.randn(40, 8, requires_grad=True)
    wanted = torch.randint(0, 40, (600,))
    ours, theirs = full_softmax(hidden, items, wanted), functional.cross_entropy(hidden @ items.T, wanted)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    for one, other in zip(
        torch.autograd.grad(ours, [hidden, items]), torch.autograd.grad(theirs, [hidden, items]), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-6)


def test_losses_over_all_items_drawn_are_those_over_all_items() -> None:
    hidden, items, wanted = torch.randn(50, 8), torch.randn(20, 8), torch.randint(0, 20, (50,))
    everything = torch.arange(20)
    exact = functional.cross_entropy(hidden @ items.T, wanted)
    # The wanted item is never its own rival, so 20 drawn stand for 19 others.
    shifted = hidden @ items.T + np.log(19 / 20) * (everything != wanted[:, None])
    assert sampled_softmax(hidden, items, wanted, everything) == pytest.approx(
        functional.cross_entropy(shifted, wanted).item(), rel=1e-5
    )
    assert exact > 0
    scores = hidden @ items.T
    by_hand = functional.binary_cross_entropy_with_logits(
        scores, functional.one_hot(wanted, 20).float(), reduction="sum"
    )
    # At calibration 0, β is 1: binary cross-entropy.
    assert gbce(hidden, items, wanted, everything, calibration=0.0).item() * 50 == pytest.approx(
        by_hand.item(), rel=1e-4
    )


def test_every_window_is_learned_from_once_and_batches_hold_no_more_than_they_may() -> None:
    taken = Sequences.of([list(range(25)), [1], [], [2, 3], list(range(6))], n_items=30)
    random = np.random.default_rng(1)
    windows = windows_of(taken, 10, True, random)
    assert sorted(windows.end - windows.start) == [2, 6, 10, 10]
    assert windows_of(taken, 10, False, random).start.tolist() == [15, 26, 28]
    found = list(batches(taken, windows, places=10, random=random))
    assert sorted(int((batch >= 0).sum()) for batch in found) == [2, 6, 10, 10] or len(found) == 1
    rows = [row[row >= 0].tolist() for batch in found for row in batch]
    assert sorted(rows)[0] == list(range(6))
    assert all(np.diff(row).tolist() == [1] * (len(row) - 1) for row in rows)


def test_what_speaks_for_an_item_is_the_one_before_it() -> None:
    taken = Sequences.of([[25, 10], [5]], n_items=ITEMS)
    told = trained().because(taken, np.array([0, 1]), np.array([17, 12]))
    assert told.tolist() == [10, 5]
    assert trained().light_.occluded(np.array([[-1, 3, 10]]))[0, 0].tolist() == [0.0] * 32


@pytest.mark.parametrize("made", [TransitionsRecommender, SASRecRecommender, SequenceBlendRecommender])
def test_one_item_and_one_person_and_no_purchases_at_all_are_answered_without_a_word(
    made: type[Sequential],
) -> None:
    small = {} if made is TransitionsRecommender else SMALL | {"epochs": 2}
    for rows in ([(1, 1, 1.0)], [(1, 1, 1.0), (1, 1, 2.0), (2, 1, 3.0)]):
        for least in (1, 5):
            x = interactions_of(rows)
            lists = recommend(made(min_buyers=least, **small).fit(x).scorer(x), x, np.arange(len(x.users)), 3)
            assert set(lists.items.ravel().tolist()) <= {-1, 0}


def test_a_person_with_a_hundred_thousand_purchases_is_learned_from_and_answered() -> None:
    random = np.random.default_rng(0)
    taken = Sequences.of([random.integers(0, ITEMS, 100_000).tolist(), [1, 2, 3], [4, 5]], n_items=ITEMS)
    model = SASRec(**SMALL | {"epochs": 1}).fit(taken, question=Question(np.array([1]), np.array([4])))
    assert np.isfinite(model.score(taken, np.arange(3))).all()
    assert np.isfinite(Transitions().fit(taken).score(taken, np.array([0]))).all()


def test_ranking_anew_learns_whom_to_believe_when() -> None:
    """One knows what is next for long histories, another for short ones: together they know of all."""
    taken = rounds().without_last()
    people = np.flatnonzero(rounds().lengths > 1)
    right = rounds().last(1, people)[:, 0]
    wanted = dict(zip(people.tolist(), right.tolist(), strict=True))

    def knowing(least: int, most: int) -> Scored:
        def score(histories: Sequences, asked: np.ndarray) -> np.ndarray:
            found = np.random.default_rng(asked).random((len(asked), ITEMS))
            for row, person in enumerate(asked.tolist()):
                if least <= histories.lengths[person] < most:
                    found[row, wanted[person]] = 1.0
            return found

        return score

    parts = {"of short": knowing(0, 9), "of long": knowing(9, 99)}
    model = Rerank(depth=10).fit(parts, taken, people, right)
    best = model.score(parts, taken, people).argmax(axis=1)
    alone = [score(taken, people).argmax(axis=1) for score in parts.values()]
    assert all(np.mean(guess == right) < 0.7 for guess in alone)
    assert np.mean(best == right) > 0.9


def test_ranking_anew_without_anybody_to_learn_from_keeps_the_first_order(tmp_path: Path) -> None:
    parts = {"closely": Transitions().fit(rounds()).score}
    nobody = np.empty(0, np.int64)
    model = Rerank(depth=5).fit(parts, rounds(), nobody, nobody)
    model.save(tmp_path)
    people = np.flatnonzero(rounds().lengths > 0)
    fresh = rounds().last(1, people)[:, 0]
    found = Rerank(depth=5).restore(tmp_path).score(parts, rounds(), people)
    assert found.shape == (len(people), ITEMS)
    assert np.isneginf(found[np.arange(len(people)), fresh]).all(), "what was taken is not proposed"
