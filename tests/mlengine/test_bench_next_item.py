"""The task of what is next on files of any kind: repeats, answers that are no numbers, and times told in words."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from mlengine.benchmarks import BadFile, files
from mlengine.benchmarks.next_item import sequences
from mlengine.benchmarks.next_item_models import above
from mlengine.benchmarks.top_k_parts import numbered
from mlengine.estimators.sasrec import held_back
from mlengine.estimators.sasrec_training import Recipe, Training
from mlengine.estimators.sequences import Sequences

CPU_RECIPE = Recipe(width=8, heads=2, length=6)


def test_what_a_person_takes_again_counts_at_its_first_time_only() -> None:
    taken = sequences(pl.DataFrame({"user": ["a"] * 5 + ["b"] * 2, "item": [3, 1, 3, 2, 1, 1, 1]}))
    assert [taken.item[start:end].tolist() for start, end in zip(taken.starts, taken.ends, strict=True)] == [
        [2, 0, 1],
        [0],
    ]


def test_nobody_is_asked_for_what_they_took_before() -> None:
    again = Sequences.of([[0, 1, 2, 3, 0]] * 20 + [[0, 1, 2, 3, 4]] * 20, n_items=6)
    _, question = held_back(again, 0)
    assert len(question.people) == 4
    assert (question.people >= 20).all()
    assert question.wanted.tolist() == [4] * 4
    training = Training.new(CPU_RECIPE, again)
    assert training.ask(again, np.arange(20), np.zeros(20, np.int64)) == 0.0
    assert not training.notes


def test_an_answer_that_is_no_number_comes_last() -> None:
    histories, scores = Sequences.of([[0], [0]], n_items=5), np.full((2, 5), np.nan)
    scores[1] = [0, 1, np.nan, 0, 3]
    found = above(lambda _, rows: scores[rows], histories, np.array([0, 1]), np.array([1, 4]))
    assert found.tolist() == [3.0, 1.0], "all three rivals; the one rival without a score"


def test_a_network_that_diverged_gains_nothing_and_says_so() -> None:
    taken = Sequences.of([[0, 1, 2, 3]] * 10, n_items=6)
    training = Training.new(CPU_RECIPE, taken)
    with torch.no_grad():
        for network in (training.network, training.averaged):
            network.items.weight.fill_(float("nan"))
    assert training.ndcg(taken, np.arange(10), np.full(10, 4)) == 0.0
    with pytest.raises(FloatingPointError, match="diverged in epoch 1"):
        training.run_epoch(taken)


@pytest.mark.parametrize(
    "at",
    [
        ["10", "9", "100"],
        ["1.5e1", "9", "1e2"],
        ["2026-03-01T10:00:00+08:00", "2026-03-01T01:00:00+00:00", "2026-03-02"],
    ],
)
def test_times_in_words_are_sorted_as_times(at: list[str]) -> None:
    frame = pl.DataFrame({"user": [1, 1, 1], "item": [0, 1, 2], "at": at})
    assert sequences(frame).item.tolist() == [1, 0, 2]


@pytest.mark.parametrize("at", [["1 March", "2", "3"], ["03/04/2026", "1", "2"], ["nan", "1", "2"]])
def test_times_that_cannot_be_read_are_refused(at: list[str]) -> None:
    with pytest.raises(BadFile, match="numbers or times like"):
        sequences(pl.DataFrame({"user": [1, 1, 1], "item": [0, 1, 2], "at": at}))


def test_a_damaged_file_is_refused_in_words(tmp_path: Path) -> None:
    body = bytearray(gzip.compress(b"user,item\n" + b"1,2\n" * 1000))
    body[12:20] = b"\xff" * 8
    (tmp_path / "x.csv.gz").write_bytes(body)
    with pytest.raises(BadFile, match="cannot be read"):
        files.read(tmp_path / "x.csv.gz")


def test_parts_may_be_told_as_fractions() -> None:
    pairs, _ = numbered(pl.DataFrame({"user": [1, 1, 1], "item": [1, 2, 3], "part": [0.0, 1.0, 2.0]}))
    assert pairs["part"].to_list() == [0, 1, 2]
