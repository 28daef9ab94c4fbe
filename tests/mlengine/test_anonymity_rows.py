"""Rows that leave stand in groups: k and l are recomputed by pycanon, and a linkage attack gets 1/k at most (G14)."""

import warnings
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlengine.anonymity.hierarchies import HIERARCHIES, coarse
from mlengine.anonymity.rows import Anonymised, CannotAnonymise, Demand, generalise, measure

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas and its friends warn while they are imported
    from pycanon import anonymity as pycanon

QUASI = ["gender", "age_band", "birth_month", "birth_day", "province", "city"]
PLACES = [("上海", "上海"), ("浙江", "杭州"), ("浙江", "宁波"), ("四川", "成都"), ("西藏", "拉萨")]
AGES = ["19-24", "25-34", "35-44", "45-54", "55-64", "65+"]


def people(count: int, seed: int = 7) -> pl.DataFrame:
    """Return people as a shop has them: most in a few cities, a handful in Lhasa, birthdays anywhere."""
    draw = np.random.default_rng(seed)
    where = draw.choice(len(PLACES), count, p=[0.5, 0.25, 0.15, 0.098, 0.002])
    return pl.DataFrame(
        {
            "gender": draw.choice(["female", "male", ""], count, p=[0.55, 0.4, 0.05]),
            "age_band": draw.choice(AGES, count),
            "birth_month": draw.integers(1, 13, count),
            "birth_day": draw.integers(1, 29, count),
            "province": [PLACES[place][0] for place in where],
            "city": [PLACES[place][1] for place in where],
            "income": draw.choice(["low", "middle", "high"], count, p=[0.45, 0.45, 0.1]),
        }
    )


def recomputed(rows: pl.DataFrame, quasi: Sequence[str], sensitive: Sequence[str]) -> tuple[int, int]:
    """Return k and l as another implementation sees them."""
    import pandas as pd

    frame = pd.DataFrame(rows.to_dict(as_series=False))
    return pycanon.k_anonymity(frame, list(quasi)), pycanon.l_diversity(frame, list(quasi), list(sensitive))


@pytest.mark.parametrize("count", [300, 3_000, 30_000])
@pytest.mark.parametrize("k", [5, 10])
def test_pycanon_finds_the_k_and_l_that_were_asked_for(count: int, k: int) -> None:
    made = generalise(people(count), QUASI, ["income"], demand=Demand(k=k, l=2))
    assert recomputed(made.rows, QUASI, ["income"]) == (made.measured.k, made.measured.l)
    assert made.measured.k >= k
    assert made.measured.l is not None
    assert made.measured.l >= 2
    assert made.share_suppressed <= 0.05
    assert len(made.rows) + made.suppressed == count


def test_raw_rows_are_measured_as_pycanon_does() -> None:
    raw = people(3_000).with_columns(pl.all().cast(pl.String))
    found = measure(raw, ["gender", "age_band"], ["income"])
    assert recomputed(raw, ["gender", "age_band"], ["income"]) == (found.k, found.l)
    assert measure(raw, QUASI).k == 1


def test_linking_a_hundredth_of_the_people_back_succeeds_once_in_k_at_most() -> None:
    """The attacker knows all facts of 1 % of the people, by name, and that they are in the file; of a group any may be
    theirs. Rows are numbered here as the attacker would love to have them."""
    count, k = 20_000, 5
    raw = people(count)
    text = raw.select(pl.col(name).cast(pl.String) for name in QUASI)
    made = generalise(raw, QUASI, demand=Demand(k=k))
    sizes = {tuple(row[:-1]): row[-1] for row in made.rows.group_by(QUASI).len().rows()}
    known = np.random.default_rng(1).choice(count, count // 100, replace=False).tolist()
    chances = []
    for person in known:
        seen = tuple(
            coarse(name, value, made.levels[name]) for name, value in zip(QUASI, text.row(person), strict=True)
        )
        chances.append(1 / sizes[seen] if seen in sizes else 0.0)
    assert max(chances) <= 1 / k
    assert 0 < sum(chances) / len(chances) <= 1 / k
    assert text.unique().height / count > 0.5  # the same attack on raw rows names more than half of the people


def test_the_least_detail_that_is_needed_is_given_up() -> None:
    rows = pl.DataFrame({"city": ["杭州"] * 6 + ["宁波"] * 6, "gender": ["female", "male"] * 6})
    assert generalise(rows, ["city", "gender"], demand=Demand(k=3)).levels == {"city": 0, "gender": 0}
    made = generalise(rows, ["city", "gender"], demand=Demand(k=5))
    assert made.levels == {"city": 1, "gender": 0}
    assert made.measured.k == 6


def test_a_group_that_shares_its_secret_is_not_told() -> None:
    rows = pl.DataFrame({"city": ["杭州"] * 50 + ["宁波"] * 50, "income": ["high"] * 50 + ["high", "low"] * 25})
    assert measure(rows, ["city"], ["income"]).l == 1
    made = generalise(rows, ["city"], ["income"], demand=Demand(k=10, l=2))
    assert made.levels == {"city": 1}
    assert made.measured.l == 2


def test_a_few_who_stand_alone_are_left_out_rather_than_everybody_made_coarse() -> None:
    rows = pl.DataFrame({"city": ["杭州"] * 97 + ["拉萨"] * 3})
    made = generalise(rows, ["city"], demand=Demand(k=5))
    assert (made.levels, made.suppressed, set(made.rows["city"])) == ({"city": 0}, 3, {"杭州"})
    more = pl.DataFrame({"city": ["杭州"] * 94 + ["拉萨"] * 4 + ["成都"] * 2})
    assert generalise(more, ["city"], demand=Demand(k=5)).levels == {"city": 1}


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (4, "k = 4")])
def test_too_few_people_are_refused_in_words(count: int, said: str) -> None:
    with pytest.raises(CannotAnonymise, match=said):
        generalise(people(count), QUASI, demand=Demand(k=5))
    with pytest.raises(CannotAnonymise, match="l = 1"):
        generalise(pl.DataFrame({"income": ["high"] * 20}), [], ["income"], demand=Demand(k=5))


def test_nothing_of_the_order_of_the_rows_is_left() -> None:
    raw = people(2_000)
    made, shuffled = (
        generalise(rows, QUASI, ["income"], demand=Demand(k=5))
        for rows in (raw, raw.sample(fraction=1, shuffle=True, seed=3))
    )
    assert made.rows.equals(shuffled.rows)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["female", "male", ""]), st.sampled_from([*AGES, "", "?"]), st.integers(0, 13)),
        max_size=60,
    )
)
def test_whatever_the_rows_the_answer_keeps_the_demand_or_says_why_not(rows: list[tuple[str, str, int]]) -> None:
    frame = pl.DataFrame(rows, schema=["gender", "age_band", "birth_month"], orient="row")
    quasi = ["gender", "age_band", "birth_month"]
    try:
        made: Anonymised = generalise(frame, quasi, demand=Demand(k=5))
    except CannotAnonymise:
        assert len(rows) < 5
        return
    assert measure(made.rows, quasi).k >= 5
    assert made.suppressed <= 0.05 * len(rows)


@pytest.mark.parametrize("column", list(HIERARCHIES))
def test_the_top_of_every_hierarchy_says_nothing(column: str) -> None:
    top = len(HIERARCHIES[column])
    assert {coarse(column, value, top) for value in ("上海", "35-44", "7", "", "x" * 1000, "٣")} == {"*"}
