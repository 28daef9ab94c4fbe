"""The published protocols of top-k lists, on files small enough to know the answer."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from mlengine.benchmarks import Asked, BadFile, Line, social, top_k
from mlengine.benchmarks.checkpoints import Checkpoints
from mlengine.benchmarks.top_k_parts import cut_by_person, measures, numbered
from mlengine.estimators.tastes import standard


def _two_tastes(people: int = 40, items: int = 30, each: int = 12) -> pl.DataFrame:
    """Return pairs where even people take even items, and odd people odd ones."""
    draw = np.random.default_rng(4)
    rows = [
        (f"p{user}", f"i{item}")
        for user in range(people)
        for item in draw.choice(np.arange(user % 2, items, 2), each, replace=False)
    ]
    return pl.DataFrame(rows, schema=["user", "item"], orient="row")


def _asked(tmp_path: Path, *estimators: str) -> Asked:
    return Asked(checkpoints=Checkpoints(tmp_path / "parts"), estimators=estimators, seeds=(3,))


def test_each_pair_is_in_one_part_and_a_quarter_of_each_person_is_the_test() -> None:
    pairs, shape = numbered(pl.concat([_two_tastes(), _two_tastes()]))
    cut = cut_by_person(pairs, shape, seed=1)
    together = cut.train + cut.validation + cut.test
    assert together.data.tolist() == [1.0] * (40 * 12)
    assert np.diff(cut.test.indptr).tolist() == [3] * 40
    assert np.diff(cut.validation.indptr).tolist() == [1] * 40


def test_measures_by_hand() -> None:
    hit = np.zeros((1, 10), bool)
    hit[0, [0, 2]] = True
    found = {name: round(float(value[0]), 6) for name, value in measures(hit, np.array([4])).items()}
    ideal = sum(1 / np.log2(place + 1) for place in range(1, 5))
    assert found == {
        "ndcg_at_10": round((1 + 1 / np.log2(4)) / ideal, 6),
        "map_at_10": round((1 + 2 / 3) / 4, 6),
        "precision_at_10": 0.2,
        "recall_at_10": 0.5,
    }


def test_what_one_s_like_take_is_found_and_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    names = ("popular", "ease", "tastes")
    lines: list[Line] = list(top_k.run(_two_tastes(), _asked(tmp_path, *names)))
    found = {line.estimator: line.value for line in lines if line.metric == "ndcg_at_10"}
    assert found["popular"] < 0.7 * found["ease"]
    # Nine of fifteen items of the taste were seen: its six others fill the first places, three of them wanted.
    assert {line.estimator: line.value for line in lines if line.metric == "recall_at_10"}["tastes"] == 1.0
    again = list(top_k.run(_two_tastes(), _asked(tmp_path, *names)))
    assert again == lines


def test_a_file_s_own_parts_are_kept_and_odd_ones_refused(tmp_path: Path) -> None:
    frame = _two_tastes().with_columns(part=pl.Series(["train", "train", "validation", "test"] * 120))
    (line, *_) = top_k.run(frame, _asked(tmp_path, "ease_plain"))
    assert line.seeds == ()
    with pytest.raises(BadFile, match="part is holdout"):
        list(top_k.run(frame.with_columns(part=pl.lit("holdout")), _asked(tmp_path)))
    with pytest.raises(BadFile, match="rows without item"):
        list(top_k.run(pl.DataFrame({"user": [1, 2], "item": [1, None]}), _asked(tmp_path)))


def test_three_seeds_do_not_make_three_people_of_one(tmp_path: Path) -> None:
    cut = cut_by_person(*numbered(_two_tastes()), seed=1)
    asked = _asked(tmp_path, "popular")
    run = top_k.Run(cut, asked, "seed 1")
    (once, *_), (thrice, *_) = (list(top_k.lines("top_k", "popular", [run] * n, "", ())) for n in (1, 3))
    assert (thrice.value, thrice.low, thrice.high) == (once.value, once.low, once.high)


def test_a_friend_counts_though_she_is_not_judged_herself(tmp_path: Path) -> None:
    took = _two_tastes().with_columns(part=pl.Series([0, 0, 0, 2] * 120))
    unjudged = took.filter((pl.col("part") == 0) | ~pl.col("user").is_in(["p2"]))
    pairs, shape = numbered(unjudged)
    friends = sparse.csr_array((np.ones(2, np.float32), ([0, 12], [12, 0])), shape=(shape[0], shape[0]))
    run = social.FriendsRun(social._cut(pairs, shape, 3), friends, _asked(tmp_path), "seed 3")
    run.asked.checkpoints.once(f"shares, {run.key}", lambda: (1.0, 0.0, 0.0))
    assert unjudged["user"].unique().sort().to_list().index("p2") == 12
    assert 12 not in run.people[1]
    alone, together = run.tastes(test=True), run._with_friends(0.5, test=True)
    assert len(alone) == shape[0] > len(run.people[1])
    assert np.allclose(together[0], standard(alone)[0] + 0.5 * standard(alone)[12], atol=1e-5)
    assert len(run._values(alone)["ndcg_at_10"]) == len(run.people[1])


def test_friends_need_a_row_each_and_are_measured_beside_the_rest(tmp_path: Path) -> None:
    took = _two_tastes().with_columns(part=pl.Series([0, 0, 0, 2] * 120), friend=pl.lit(None, pl.String))
    with pytest.raises(BadFile, match="no row with a friend"):
        list(social.run(took, _asked(tmp_path)))
    known = pl.DataFrame({"user": ["p0", "p1"], "friend": ["p2", "p3"], "part": [0, 0], "item": [None, None]})
    frame = pl.concat([took, known.with_columns(pl.col("item").cast(pl.String))], how="diagonal_relaxed")
    found = {line.metric: line.value for line in social.run(frame, _asked(tmp_path, "friends"))}
    assert found["recall_at_10"] == 1.0
