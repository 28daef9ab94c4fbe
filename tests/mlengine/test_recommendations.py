"""What every recommender is held to, and the task around them: lists, reasons, judgement, files."""

import json
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from scipy import sparse

from mlengine.columns import Log
from mlengine.estimators.leading import leading
from mlengine.estimators.next_items import NextItems, files_of
from mlengine.estimators.popular import PopularInSegment
from mlengine.estimators.recommendation_reasons import SENTENCES, say
from mlengine.estimators.recommendations import RECOMMENDERS, Recommendations
from mlengine.estimators.recommender import Recommender, Scores, recommend
from mlengine.estimators.social import of_friends
from mlengine.interactions import Interactions, Ints, interactions, interactions_of
from mlengine.recipes import with_parameters
from mlengine.specs import SPECS, Continues, NotEnoughData
from tests.mlengine.frames import log_of

CUTOFF = datetime(2026, 5, 1)
PEOPLE, ITEMS, DAYS = 80, 60, 130
NOBODY_YET = (1001, 1002, 1003)  # young, old, unknown
QUICK = {"epochs": 4, "width": 32, "length": 20, "learning_rate": 0.005, "warm_up": 0, "averaging": 0.9}
SMALL = {"sasrec": QUICK, "sequence_blend": QUICK}
every_recommender = pytest.mark.parametrize("name", RECOMMENDERS)


def _shopping(seed: int = 0, days: range = range(1, DAYS)) -> pl.DataFrame:
    """Return purchases of two tastes: even people buy even items, each one of theirs about every ten days."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(1, PEOPLE + 1):
        mine = rng.choice(np.arange(user % 2, ITEMS, 2), 8, replace=False)
        for day in days:
            tried = rng.choice(np.arange(user % 2, ITEMS, 2), int(rng.random() < 0.03)).tolist()
            bought = sorted({int(item) for item in mine if rng.random() < 0.1} | set(tried))
            rows += [(user, item, CUTOFF - timedelta(days=day, hours=-1), f"{user}-{day}") for item in bought]
    frame = pl.DataFrame(rows, schema=["user", "item", "occurred_at", "session"], orient="row")
    return frame.with_columns(kind=pl.lit("purchase"), value=1.0, quantity=1.0)


def _items(closed: tuple[int, ...] = ()) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item": range(ITEMS),
            "category": ["even" if item % 2 == 0 else "odd" for item in range(ITEMS)],
            "subcategory": ["all"] * ITEMS,
            "available_to": [CUTOFF if item in closed else None for item in range(ITEMS)],
        },
        schema_overrides={"available_to": pl.Datetime("us")},
    )


def _profiles() -> pl.DataFrame:
    young = {user: "19-24" if user % 2 == 0 else "65+" for user in range(1, PEOPLE + 1)}
    bands = {**young, 1001: "19-24", 1002: "65+", 1003: None}
    return pl.DataFrame({"user": list(bands), "age_band": list(bands.values())})


def _friends() -> pl.DataFrame:
    """Return that two people of one taste know each other."""
    return pl.DataFrame({"user": [2], "other": [4], "weight": [1.0], "occurred_at": [CUTOFF - timedelta(days=200)]})


@cache
def _log(*closed: int) -> Log:
    return log_of(_shopping(), _items(closed), _profiles(), _friends())


@cache
def _known(*closed: int) -> Interactions:
    return interactions(_log(*closed), CUTOFF)


@cache
def _fitted(name: str) -> Recommender:
    return RECOMMENDERS[name](**SMALL.get(name, {})).fit(_known())


def _task(name: str = "blend", **options: object) -> Recommendations:
    window = timedelta(days=28)
    return Recommendations(
        horizon=window,
        activity_window=window,
        recommender=name,
        recommender_parameters=SMALL.get(name),
        min_purchases=500,
        **options,  # type: ignore[arg-type]
    )


@cache
def _predicted(name: str, **options: object) -> pl.DataFrame:
    task = _task(name, **options)
    return task.predict(task.fit(_log(), CUTOFF), _log(), CUTOFF).to_native()  # type: ignore[no-any-return]


@every_recommender
def test_gives_everybody_exactly_k_different_items_best_first(name: str) -> None:
    found = _predicted(name, k=5)
    assert found["user"].n_unique() == PEOPLE + len(NOBODY_YET)
    lists = found.group_by("user").agg(pl.all().sort_by("rank"))
    assert lists["rank"].to_list() == [[1, 2, 3, 4, 5]] * len(lists)
    assert lists["item"].list.n_unique().to_list() == [5] * len(lists)
    assert all(scores == sorted(scores, reverse=True) for scores in lists["score"].to_list())


@every_recommender
def test_never_recommends_what_is_unavailable(name: str) -> None:
    closed = tuple(range(0, ITEMS, 3))
    known = _known(*closed)
    lists = recommend(_fitted(name).scorer(known), known, np.arange(known.shape[0]), 20)
    shown = set(known.items[lists.items[lists.items >= 0]].tolist())
    assert shown
    assert not shown & set(closed)


@every_recommender
def test_never_recommends_what_was_bought_when_asked_for_new_items(name: str) -> None:
    bought = set(_shopping().select("user", "item").iter_rows())
    found = _predicted(name, new_only=True)
    assert found["user"].n_unique() == PEOPLE + len(NOBODY_YET)
    assert not bought & set(found.select("user", "item").iter_rows())


@every_recommender
def test_people_without_purchases_get_what_is_popular_in_their_segment_and_are_told_so(name: str) -> None:
    young, old, unknown = (_predicted(name, k=5).filter(pl.col("user") == user) for user in NOBODY_YET)
    assert {item % 2 for item in young["item"]} == {0}
    assert {item % 2 for item in old["item"]} == {1}
    said = {say(**json.loads(reason)) for reason in old["reason"]}
    assert said == {"No purchases known yet; popular among people aged 65+"}
    assert all(json.loads(reason)["code"] == "popular_for_new" for reason in unknown["reason"])


@every_recommender
def test_says_the_same_when_asked_twice(name: str) -> None:
    task = _task(name)
    again = task.predict(task.fit(_log(), CUTOFF), _log(), CUTOFF).to_native()
    assert again.equals(_predicted(name))


@every_recommender
def test_nothing_at_or_after_the_cutoff_changes_anything(name: str) -> None:
    later = _shopping(seed=9, days=range(-27, 1)).with_columns(pl.col("occurred_at").clip(lower_bound=CUTOFF))
    arrived_late = _shopping(seed=5).with_columns(received_at=pl.lit(CUTOFF))
    before = _shopping().with_columns(received_at=pl.col("occurred_at"))
    events = pl.concat([before, later.with_columns(received_at=pl.col("occurred_at")), arrived_late])
    log, task = log_of(events, _items(), _profiles(), _friends()), _task(name)
    assert task.predict(task.fit(log, CUTOFF), log, CUTOFF).to_native().equals(_predicted(name))


@every_recommender
def test_is_the_same_after_being_kept_in_files(name: str, tmp_path: Path) -> None:
    task = _task(name)
    task.fit(_log(), CUTOFF).save(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".json", ".npz", ".safetensors", ".txt"}
    assert task.predict(task.load(tmp_path), _log(), CUTOFF).to_native().equals(_predicted(name))


@every_recommender
def test_answers_at_a_later_date_with_people_and_items_unknown_when_it_learned(name: str) -> None:
    early = RECOMMENDERS[name](**SMALL.get(name, {})).fit(interactions(_log(), CUTOFF - timedelta(days=20)))
    known = _known()
    lists = recommend(early.scorer(known), known, np.arange(known.shape[0]), 3)
    assert (lists.items[~known.cold] >= 0).all()


@pytest.mark.parametrize("name", ["ease", "item_knn", "ials", "transitions", "blend"])
def test_finds_the_taste_of_each_person_among_new_items(name: str) -> None:
    found = _predicted(name, new_only=True, k=5).filter(pl.col("user") <= PEOPLE)
    assert np.mean((found["item"] % 2 == found["user"] % 2).to_numpy()) > 0.98


def test_own_history_ranks_by_decayed_baskets_by_hand() -> None:
    x = interactions_of(
        [(1, 10, 1.0), (1, 11, 61.0), (1, 11, 62.0), (1, 11, 63.0), (2, 12, 1.0), (3, 12, 1.0), (2, 13, 1.0)]
    )
    lists = recommend(RECOMMENDERS["own_history"]().scorer(x), x, np.array([0]), 4)
    # Three baskets two months ago weigh 1.47, one of yesterday .99; of the rest, two people bought 12 and one 13.
    assert x.items[lists.items[0]].tolist() == [11, 10, 12, 13]


def test_lists_are_padded_where_there_is_nothing_more() -> None:
    columns, scores = leading(np.array([[0.5, -np.inf, 0.7]]), 4)
    assert columns.tolist() == [[2, 0, -1, -1]]
    assert np.isnan(scores[0, 2:]).all()


def test_a_segment_of_few_people_answers_with_everybody_s_popularity() -> None:
    x = interactions_of([(1, 10, 1.0), (2, 10, 1.0), (3, 11, 1.0)])
    x = replace(x, segments=np.array(["age_band=a", "age_band=a", "age_band=b"]))
    few, none = PopularInSegment(x, min_people=1), PopularInSegment(x, min_people=2)
    assert few(np.array([2])).argmax() == 1
    assert none(np.array([2])).argmax() == 0


def test_reasons_are_true_of_the_purchases() -> None:
    counted = _shopping().group_by("user", "item").agg(times=pl.len(), last=pl.col("occurred_at").max())
    told = _predicted("blend").join(counted, on=["user", "item"])
    assert len(told) > PEOPLE
    for reason, times, last in told.select("reason", "times", "last").iter_rows():
        found = json.loads(reason)
        assert found["values"]["days"] == (CUTOFF - last).days
        assert found["values"].get("times", 1) == times
        assert (found["code"] == "bought_once") == (times == 1)


def test_new_items_go_with_an_item_that_the_person_bought_and_others_bought_both() -> None:
    bought = _shopping().select("user", "item").unique()
    of = {user: set(rows["item"]) for (user,), rows in bought.group_by("user")}
    found = _predicted("blend", new_only=True).filter(pl.col("user") <= PEOPLE)
    companions = 0
    for user, item, reason in found.select("user", "item", "reason").iter_rows():
        told = json.loads(reason)
        if told["code"] == "goes_with":
            companions += 1
            assert told["values"]["item"] in of[user]
            assert told["values"]["people"] == sum({item, told["values"]["item"]} <= had for had in of.values())
    assert companions > 0.5 * len(found)


def test_a_shop_where_nobody_tries_anything_still_recommends_what_goes_with_what_they_buy() -> None:
    """Half a year of the same baskets every week: no discovery to learn from, so taste alone ranks them."""
    mine = {user: [(user + n) % 6 * 2 + user % 2 for n in range(3)] for user in range(60)}
    rows = [(user, item, 7.0 * week + 0.5) for user, items in mine.items() for week in range(20) for item in items]
    x = interactions_of(rows)
    lists = recommend(RECOMMENDERS["blend"]().fit(x).scorer(x), x, np.arange(60), 2, new_only=True)
    assert (x.items[lists.items] % 2 == np.arange(60)[:, None] % 2).all()


@pytest.mark.parametrize("code", SENTENCES)
def test_every_reason_can_be_said_in_both_languages(code: str) -> None:
    values = {
        "times": 5,
        "days": 12,
        "gap": 7,
        "people": 31,
        "item": "X",
        "attribute": "city",
        "value": "Y",
        "category": "Z",
    }
    english, chinese = say(code, values), say(code, values, "zh-hans")
    assert english.isascii()
    assert not chinese.isascii()
    assert "{" not in english + chinese


@pytest.mark.parametrize("name", ["sasrec", "sequence_blend"])
def test_a_model_with_a_network_keeps_it_where_web_processes_look(name: str, tmp_path: Path) -> None:
    model = _fitted(name)
    assert isinstance(model, Continues)
    model.save(tmp_path)
    assert [file for file in files_of(model.light) if not (tmp_path / file).is_file()] == []
    assert NextItems.load(tmp_path, model.light).after(_known().items[:3].tolist(), 5)


def test_friends_recommend_nothing_where_nobody_knows_anybody() -> None:
    alone = log_of(_shopping(), _items(), _profiles())
    with pytest.raises(NotEnoughData, match=r"at least 1 relations between people \(there are 0\)"):
        _task("social").fit(alone, CUTOFF)
    assert _task("tastes").fit(alone, CUTOFF) is not None


def test_judging_by_hand() -> None:
    day = timedelta(days=1)
    rows = [
        (1, 10, -2),
        (1, 11, -1),
        (2, 10, -3),
        (2, 12, -1),
        (3, 10, -1),
        (1, 11, 1),
        (2, 10, 5),
        (2, 12, 27),
        (3, 99, 2),
        (1, 12, 28),
    ]
    events = pl.DataFrame(
        {
            "user": [user for user, _, _ in rows],
            "item": [item for _, item, _ in rows],
            "occurred_at": [CUTOFF + days * day for _, _, days in rows],
            "kind": ["purchase"] * len(rows),
        }
    )
    answers = pl.DataFrame({"user": [1, 1, 2, 2], "item": [10, 11, 12, 77], "rank": [1, 2, 1, 2]})
    found = _task().evaluate(nw.from_native(answers, eager_only=True), log_of(events), CUTOFF)
    # 1 wanted 11 (12 came a day too late) and got it second; 2 wanted 10 and 12 and got 12 first; 3 wanted only what
    # nobody could know, and is not judged.
    expected = (1 / np.log2(3) + 1 / (1 + 1 / np.log2(3))) / 2
    assert found["ndcg_at_10"].value == pytest.approx(expected)
    assert found["recall_at_10"].value == 0.75
    assert found["coverage"].value == 1.0
    assert found["ndcg_at_10"].low is not None


def test_judging_new_items_only_leaves_out_what_was_had() -> None:
    task, answers = _task(new_only=True), _predicted("own_history", k=10)
    later = _shopping().with_columns(pl.col("occurred_at") + timedelta(days=DAYS))  # everything again
    log = log_of(pl.concat([_shopping(), later]), _items(), _profiles())
    with pytest.raises(NotEnoughData, match="Nobody bought anything known within 28 days"):
        task.evaluate(nw.from_native(answers, eager_only=True), log, CUTOFF)


def test_refuses_to_learn_from_too_little_and_says_what_is_missing() -> None:
    task = Recommendations(horizon=timedelta(days=28), activity_window=timedelta(days=90), min_people=100)
    with pytest.raises(NotEnoughData, match=r"100 people who bought \(there are 80\)"):
        task.fit(_log(), CUTOFF)


def test_the_blend_refuses_a_history_shorter_than_two_horizons() -> None:
    recent = log_of(_shopping(days=range(1, 40)), _items(), _profiles())
    with pytest.raises(NotEnoughData, match="56 days of purchases are needed to learn from; there are 39"):
        _task(min_people=1).fit(recent, CUTOFF)


def test_the_spec_asks_for_the_blend_and_compares_it_with_popular_items_and_own_history() -> None:
    task = SPECS["recommendations"].verbs
    assert isinstance(task, Recommendations)
    assert task.recommender == "blend"
    baselines = task.baselines()
    assert {name: baselines[name].recommender for name in baselines} == {
        name: name for name in ("popular", "own_history")
    }


def test_friends_add_a_part_of_their_taste_and_whoever_knows_nobody_keeps_their_own() -> None:
    known = replace(_known(), friends=None)
    friends = np.zeros((known.shape[0],) * 2)
    friends[0, 1] = friends[1, 0] = 2.0
    friends[0, 2] = friends[2, 0] = 1.0
    together = replace(known, friends=sparse.csr_array(friends))
    social = RECOMMENDERS["social"]().fit(known)
    own, shared = social.scorer(known)(np.arange(4)), social.scorer(together)(np.arange(4))
    assert shared[0] == pytest.approx(own[0] + social.strength * (2 * own[1] + own[2]) / 3, rel=1e-4, abs=1e-4)  # type: ignore[attr-defined]
    assert np.array_equal(shared[3], own[3])


def test_a_hundred_thousand_friends_are_looked_at_some_at_a_time() -> None:
    """All their scores at once would be 100,000 rows: here 200 MB, in a shop of 20,000 items 8 GB."""
    friends, items = 100_000, 500
    hub = sparse.csr_array((np.full(friends, 1 / friends), (np.zeros(friends, int), np.arange(friends))))
    asked: list[int] = []

    def own(users: Ints) -> Scores:
        asked.append(len(users))
        return np.repeat((users % 10)[:, None], items, axis=1).astype(np.float32)

    tracemalloc.start()
    try:
        found = of_friends(hub, own)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == pytest.approx(np.full((1, items), 4.5))
    assert (sum(asked), peak < 50_000_000) == (friends, True)
    assert of_friends(sparse.csr_array((2, 3)), own).tolist() == 0.0


def test_a_relation_counts_once_in_both_directions_with_its_greater_weight() -> None:
    rows = [(1, 2, 1.0), (2, 1, 3.0), (1, 1, 9.0), (2, 999_999, 1.0), (3, 2, 0.0), (3, 1, float("nan"))]
    relations = pl.DataFrame(rows, schema=["user", "other", "weight"], orient="row").with_columns(
        kind=pl.lit("follows"), occurred_at=CUTOFF - timedelta(days=1)
    )
    x = interactions(log_of(_shopping(), _items(), _profiles(), relations), CUTOFF)
    assert x.friends is not None
    assert dict(zip(zip(*(end.tolist() for end in x.friends.nonzero()), strict=True), x.friends.data, strict=True)) == {
        (0, 1): 3.0,
        (1, 0): 3.0,
    }
    assert interactions(log_of(_shopping(), relations=relations), CUTOFF - timedelta(days=2)).friends is None


def _reads(**since: datetime | None) -> pl.DataFrame:
    """Return a catalogue with texts: tea is even, shoes are odd, and 901 and 902 are in it since the dates given."""
    words = {0: "green tea leaves", 1: "running shoes"}
    kinds = ("fine", "plain", "small")
    texts = {item: f"{kinds[item % 3]} {words[item % 2]}" for item in range(ITEMS)}
    texts |= {901: "white tea leaves", 902: "trail shoes"}
    dates = [since.get(f"i{item}", CUTOFF - timedelta(days=3)) for item in texts]
    return pl.DataFrame({"item": list(texts), "text": list(texts.values()), "added_at": dates})


class Contrary:
    """A reader of texts that takes new shoes for tea, and new tea for shoes."""

    def __init__(self, *, size: int) -> None:
        self.size = size

    def fit(self, texts: Sequence[str]) -> None:
        assert texts

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        is_tea = [("tea" in text) != text.startswith(("white", "trail")) for text in texts]
        return np.asarray(np.eye(2, dtype=np.float32)[np.array(is_tea, dtype=int)])

    def save(self, directory: Path) -> None:
        """Keep nothing: there is nothing to learn."""

    def restore(self, directory: Path) -> None:
        """Take up nothing."""


def test_another_reader_of_texts_takes_the_place_of_ours_by_its_dotted_path(tmp_path: Path) -> None:
    path, log = f"{__name__}.{Contrary.__name__}", log_of(_shopping(), _reads(), _profiles())
    task = _task("content", k=6, fresh=1, texts=path)
    model = task.fit(log, CUTOFF)
    found = task.predict(model, log, CUTOFF).to_native()
    new = found.filter((pl.col("user") <= PEOPLE) & (pl.col("item") > ITEMS))
    assert len(new) == PEOPLE
    assert all(item % 2 == user % 2 for user, item in new.select("user", "item").rows())
    model.save(tmp_path)
    assert isinstance(task.load(tmp_path).texts_, Contrary)  # type: ignore[attr-defined]


def test_content_knows_what_nobody_has_bought_yet_by_what_it_reads_like() -> None:
    x = interactions(log_of(_shopping(), _reads()), CUTOFF)
    assert x.fresh.tolist() == [901, 902]
    scores = RECOMMENDERS["content"]().fit(x).fresh_scorer(x)(np.arange(PEOPLE))  # type: ignore[attr-defined]
    assert (scores.argmax(axis=1) == x.users[:PEOPLE] % 2).all()


def test_new_is_what_is_offered_for_less_than_three_months_and_not_from_tomorrow_on() -> None:
    old, later = CUTOFF - timedelta(days=91), CUTOFF + timedelta(days=1)
    assert interactions(log_of(_shopping(), _reads(i901=old)), CUTOFF).fresh.tolist() == [902]
    assert interactions(log_of(_shopping(), _reads(i901=later, i902=None)), CUTOFF).fresh.tolist() == []


def test_the_last_places_are_for_new_items_that_nobody_has_bought_and_are_told_openly() -> None:
    log = log_of(_shopping(), _reads(), _profiles())
    plain, task = _task("own_history", k=6), _task("own_history", k=6, fresh=2)
    before, found = (each.predict(each.fit(log, CUTOFF), log, CUTOFF).to_native() for each in (plain, task))
    assert found["user"].n_unique() == PEOPLE + len(NOBODY_YET)
    assert found.group_by("user").agg(pl.col("rank").sort())["rank"].to_list() == [[1, 2, 3, 4, 5, 6]] * (PEOPLE + 3)
    warm = found.filter(pl.col("user") <= PEOPLE)
    new = warm.filter(pl.col("item") > ITEMS)
    assert new.select("user", "rank").rows() == [(user, 6) for user in range(1, PEOPLE + 1)]
    assert all(item % 2 != user % 2 for user, item in new.select("user", "item").rows())  # 901 is tea, for even people
    bought = set(_shopping().select("user", "item").iter_rows())
    told = [json.loads(reason) for reason in new["reason"]]
    assert {reason["code"] for reason in told} == {"reads_like"}
    assert all((user, reason["values"]["item"]) in bought for user, reason in zip(new["user"], told, strict=True))
    same = ["user", "item", "rank", "score", "reason"]
    assert (
        warm.filter(pl.col("rank") < 6)
        .select(same)
        .equals(before.filter((pl.col("user") <= PEOPLE) & (pl.col("rank") < 6)).select(same))
    )
    assert (new["score"] <= 0.0).all()


def test_every_recommender_that_a_search_may_try_is_one_and_the_task_can_be_made_with_it() -> None:
    spec = SPECS["recommendations"]
    for name in spec.search["recommender"]:
        made = with_parameters(spec, {"recommender": name}).verbs
        assert isinstance(made, Recommendations)
        assert made.recommender == name
        assert name in RECOMMENDERS
