"""The network of a sequence model, asked in a session: what it says, of whom, why, and without what."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from django.test import Client
from django.utils import timezone
from safetensors import SafetensorError
from threadpoolctl import ThreadpoolController, threadpool_info  # type: ignore[import-untyped]

from crm.models import Identifier, Item, Profile
from mlengine import network, online, prediction, recommending, registry, standing
from mlengine.estimators.next_items import NextItems
from mlengine.estimators.recommender import recommend
from mlengine.estimators.sasrec import SASRec
from mlengine.estimators.sasrec_numpy import LightSASRec
from mlengine.estimators.sequential import SASRecRecommender, SequenceBlendRecommender
from mlengine.interactions import interactions_of
from mlengine.live import Session
from mlengine.models import ModelVersion, PredictionRun, Recommendation
from mlengine.specs import SPECS
from tests import api, factories
from tests.api import NOW
from tests.crm.senders import key_of
from tests.mlengine.test_recommending import MINUTE, SCOPES, items, linked
from tests.mlengine.test_weight import HEAVY

ROOT = Path(__file__).parents[2]
ASKED = """
import sys
from pathlib import Path
from mlengine.estimators.next_items import NextItems
made = NextItems.load(Path(sys.argv[1]), {"network": ".", "heads": 1, "repeats": True})
print([one.item for one in made.after([10], 1, without=[10])])
print(sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


def by_hand(ids: list[int]) -> SASRecRecommender:
    """Return a network that looks at the newest item alone, and knows that two neighbours belong together."""
    width, pairs = len(ids), np.arange(len(ids)) // 2
    arrays: dict[str, Any] = {
        "items.weight": 3.0 * np.eye(width)[pairs] + 0.3 * np.eye(width)[np.arange(width)],
        "positions.weight": np.zeros((5, width)),
        "blocks.0.asked.weight": np.zeros((3 * width, width)),
        "blocks.0.asked.bias": np.zeros(3 * width),
    }
    for name in ("told", "wide", "narrow"):
        arrays |= {f"blocks.0.{name}.weight": np.zeros((width, width)), f"blocks.0.{name}.bias": np.zeros(width)}
    for name in ("norm", "blocks.0.before_attention", "blocks.0.before_forward"):
        arrays |= {f"{name}.weight": np.ones(width), f"{name}.bias": np.zeros(width)}
    made = SASRecRecommender(min_buyers=1, heads=1)
    made.items_, made.estimator_ = np.array(ids), SASRec(heads=1)
    made.estimator_.light_ = LightSASRec(arrays={name: a.astype(np.float32) for name, a in arrays.items()}, heads=1)
    made.estimator_.facts_ = {}
    return made


def kept(model: SASRecRecommender, directory: Path) -> NextItems:
    model.save(directory)
    return NextItems.load(directory, model.light)


def served(shop: dict[str, Item]) -> tuple[Profile, PredictionRun]:
    """Return a person for whom a batch wrote bread, by a champion that knows which of two neighbours go together."""
    person, model = factories.profile(), by_hand([item.pk for item in shop.values()])
    card = {"light": dict(model.light)}
    facts = {"cutoff": NOW, "trained_at": NOW, "decision": "", "stage": "champion"}
    version = registry.save(model, SPECS["recommendations"], card=card, **facts)
    summary = {network.LIGHT: True, "top": [[shop["bread"].pk, 9]], "people": 10}
    run = PredictionRun.objects.create(
        spec="recommendations", version=version, cutoff=NOW, started_at=NOW, finished_at=NOW, summary=summary
    )
    Recommendation.objects.create(profile=person, run=run, item=shop["bread"], rank=1, value=0.5, reason={})
    return person, run


@pytest.fixture
def shop(db: None) -> dict[str, Item]:
    network._read.cache_clear()
    network._silent.clear()
    return items("bread", "milk", "tent", "stove", "tea", "cup")


def shown(person: Profile, k: int = 10) -> list[tuple[str, str]]:
    return [(one.item.code, one.source) for one in recommending.answer([person.pk], person.pk, k, NOW).shown]


def test_one_person_in_the_web_is_told_what_a_batch_tells_everybody(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        (user, 3 * item, 99.0 - n) for user in range(40) for n, item in enumerate(random.integers(0, 20, 9).tolist())
    ]
    x = interactions_of(rows)
    model = by_hand(x.items.tolist())
    assert isinstance(model.estimator_, SASRec)
    light = model.estimator_.light_
    drawn = {name: random.normal(size=a.shape).astype(np.float32) for name, a in light.arrays.items()}
    model.estimator_.light_ = replace(light, arrays=drawn)
    batch = recommend(model.scorer(x), x, np.arange(40), 5)
    why = model.because(x, batch)
    web = kept(model, tmp_path)
    for row in range(40):
        found = web.after([item for user, item, _ago in rows if user == row], 5)
        assert [one.item for one in found] == x.items[batch.items[row]].tolist()
        np.testing.assert_allclose([one.chance for one in found], batch.scores[row], rtol=1e-4)
        assert [one.because for one in found] == [None if own < 0 else int(x.items[own]) for own in why[row].tolist()]


def test_chances_of_all_items_add_up_to_one_and_what_nobody_knows_is_passed_over(tmp_path: Path) -> None:
    web = kept(by_hand([10, 11, 20, 21]), tmp_path)
    assert sum(one.chance for one in web.after([10], 4)) == pytest.approx(1.0)
    assert web.after([999, 20, 7], 1, without=[20]) == web.after([20], 1, without=[20])
    assert web.after([20], 1, without=[20])[0][::2] == (21, 20)
    assert web.after([], 3) == web.after([999], 3) == []


def test_a_blend_that_ranks_new_items_only_is_asked_for_such(tmp_path: Path) -> None:
    by_hand([10, 11, 20, 21]).save(tmp_path)
    light = SequenceBlendRecommender(heads=1).light
    assert light == {"network": "network", "heads": 1, "repeats": False}
    web = NextItems.load(tmp_path, {**light, "network": "."})
    assert [one.item for one in web.after([21, 10], 4)] == [11, 20]


@pytest.mark.django_db
def test_a_view_brings_what_the_network_holds_to_be_next_and_why(shop: dict[str, Item]) -> None:
    person, _run = served(shop)
    assert shown(person) == [("bread", "model")]
    api.event(person, NOW - MINUTE, item=shop["tent"])
    answer = recommending.answer([person.pk], person.pk, 2, NOW)
    assert {one.item.code for one in answer.shown} == {"bread", "stove"}
    stove = next(one for one in answer.shown if one.item.code == "stove")
    assert stove.reason == {"code": "next_of_session", "values": {"item": shop["tent"].pk}}
    assert (stove.source, answer.titles[shop["tent"].pk]) == ("session", "tent")


@pytest.mark.django_db
def test_what_was_bought_before_the_session_is_known_to_the_network_and_the_newest_event_decides(
    shop: dict[str, Item],
) -> None:
    person, run = served(shop)
    api.event(person, NOW - 9 * MINUTE * 60, item=shop["tea"], kind="purchase")
    assert network._bought_before(Session(began=NOW), [person.pk], 5) == [shop["tea"].pk]
    api.event(person, NOW - 2 * MINUTE, item=shop["tent"])
    api.event(person, NOW - MINUTE, item=shop["milk"])
    doing = recommending.answer([person.pk], person.pk, 1, NOW).session
    best = network.leads_to(run, [person.pk], doing)[0]
    assert (best[0], best[2]["values"]) == (shop["bread"].pk, {"item": shop["milk"].pk})


@pytest.mark.django_db
def test_she_is_told_no_reason_that_the_network_does_not_give(shop: dict[str, Item]) -> None:
    person, run = served(shop)
    unheard = items("of today")["of today"]
    api.event(person, NOW - 2 * MINUTE, item=shop["tent"])
    api.event(person, NOW - MINUTE, item=unheard)
    doing = recommending.answer([person.pk], person.pk, 1, NOW).session
    told = {item: reason for item, _chance, reason in network.leads_to(run, [person.pk], doing)}
    assert told == {shop["stove"].pk: {"code": "next_of_session", "values": {"item": shop["tent"].pk}}}


@pytest.mark.django_db
def test_a_session_of_which_the_network_knows_nothing_leads_it_nowhere(
    shop: dict[str, Item], django_assert_num_queries: Any
) -> None:
    person, run = served(shop)
    api.event(person, NOW - 9 * MINUTE * 60, item=shop["tea"], kind="purchase")
    doing = Session(items=((items("of today")["of today"].pk, 1.0),), began=NOW - MINUTE)
    network._network(run.version_id)
    with django_assert_num_queries(0):
        assert network.leads_to(run, [person.pk], doing) == []


@pytest.mark.django_db
def test_it_costs_one_query_more_and_none_where_the_model_has_no_network(
    shop: dict[str, Item], django_assert_num_queries: Any
) -> None:
    person, run = served(shop)
    api.event(person, NOW - MINUTE, item=shop["tent"])
    shown(person)
    with django_assert_num_queries(3):
        assert ("stove", "session") in shown(person)
    PredictionRun.objects.filter(pk=run.pk).update(summary={})
    standing.renewed()
    with django_assert_num_queries(2):
        assert shown(person) == [("bread", "model")]


@pytest.mark.django_db
@pytest.mark.parametrize("card", ["of now", "without a network", "of an earlier release"])
def test_a_batch_says_whether_the_card_of_its_model_tells_of_a_network(shop: dict[str, Item], card: str) -> None:
    person, run = served(shop)
    Recommendation.objects.all().delete()
    model = by_hand([shop["tea"].pk])
    run.version.card = {"of now": run.version.card, "without a network": {"light": {}}}.get(card, {})
    frame = pl.DataFrame({"user": [person.pk], "item": [shop["tea"].pk], "rank": [1], "score": [0.5], "reason": ["{}"]})
    found = nw.from_native(frame, eager_only=True)
    prediction._write(SPECS["recommendations"], run, found, model=model, reasons={}, now=NOW)
    assert run.summary.get(network.LIGHT) is (True if card == "of now" else None)


@pytest.mark.django_db
def test_a_model_of_an_earlier_release_has_a_batch_that_answers_alone(shop: dict[str, Item]) -> None:
    person, run = served(shop)
    card = ModelVersion.objects.get(pk=run.version_id).card
    ModelVersion.objects.filter(pk=run.version_id).update(card={"files": card["files"]})
    api.event(person, NOW - MINUTE, item=shop["tent"])
    assert shown(person) == [("bread", "model")]


@pytest.mark.django_db
def test_who_may_not_be_profiled_is_not_asked_about(shop: dict[str, Item]) -> None:
    person, _run = served(shop)
    Profile.objects.filter(pk=person.pk).update(personalisation=False)
    api.event(person, NOW - MINUTE, item=shop["tent"])
    assert shown(person) == [("bread", "popular")]


@pytest.mark.django_db
@pytest.mark.parametrize("unknown", ["adult", "minor"])
def test_of_a_person_of_unknown_age_the_setting_decides_what_she_did_and_what_was_said_before(
    shop: dict[str, Item], unknown: str, settings: Any
) -> None:
    person, _run = served(shop)
    stored = Recommendation.objects.filter(profile=person)
    assert shown(person) == [("bread", "model")]  # the statement of before the setting was changed
    settings.AGE_UNKNOWN = unknown
    api.event(person, NOW - MINUTE, item=shop["tent"])
    linked(shop["tent"], shop["cup"])
    sources = {source for _code, source in shown(person)}
    assert sources == ({"model", "session"} if unknown == "adult" else {"popular"})
    assert len(online.recommendations(person, 5, NOW)) == (1 if unknown == "adult" else 0)
    stored.delete()  # nothing was ever said of her: what she does now is not looked at either
    sources = {source for _code, source in shown(person)}
    assert sources == ({"session"} if unknown == "adult" else {"popular"})


@pytest.mark.django_db
@pytest.mark.parametrize("harm", ["changed", "missing", "card"])
def test_a_network_that_is_not_what_was_saved_is_not_asked_and_the_batch_still_answers(
    shop: dict[str, Item], harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    person, run = served(shop)
    version = ModelVersion.objects.get(pk=run.version_id)
    file = registry._directory(version.artifact) / "network.safetensors"
    match harm:
        case "changed":
            kept = file.read_bytes()
            file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        case "missing":
            file.unlink()
        case _:
            ModelVersion.objects.filter(pk=version.pk).update(sha256="0" * 64)
    api.event(person, NOW - MINUTE, item=shop["tent"])
    linked(shop["tent"], shop["cup"])
    assert shown(person) == [("bread", "model"), ("cup", "session")]
    assert "is not asked" in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError("gone since it was looked at"),
        PermissionError("no"),
        SafetensorError("header"),
        BadZipFile("no end"),
        ValueError("a pickle"),
        KeyError("ids"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_files_that_cannot_be_read_are_tried_again_after_a_minute(
    shop: dict[str, Item], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, _run = served(shop)
    api.event(person, NOW - MINUTE, item=shop["tent"])
    clock, asked = [1000.0], list[Path]()
    monkeypatch.setattr(network, "monotonic", lambda: clock[0])

    def fail(directory: Path, _light: Any) -> NextItems:
        asked.append(directory)
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(NextItems, "load", fail)
        for _time in range(2):
            assert shown(person) == [("bread", "model")]
        assert len(asked) == 1
    clock[0] += network.SILENT - 1
    assert shown(person) == [("bread", "model")]
    clock[0] += 1
    assert ("stove", "session") in shown(person)


@pytest.mark.django_db
def test_a_version_that_was_removed_meanwhile_leaves_the_batch_to_answer(shop: dict[str, Item]) -> None:
    _person, run = served(shop)
    assert network._network(run.version_id + 1) is None
    assert network._network(run.version_id) is not None


@pytest.mark.django_db
def test_a_process_that_asks_a_network_counts_with_one_thread_from_then_on(shop: dict[str, Item]) -> None:
    person, _run = served(shop)
    api.event(person, NOW - MINUTE, item=shop["tent"])
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        for _answer in range(2):
            assert ("stove", "session") in shown(person)
            assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}


@pytest.mark.django_db
def test_an_app_sends_an_event_and_the_network_answers_the_next_request(shop: dict[str, Item]) -> None:
    person, _run = served(shop)
    Identifier.objects.create(type="external_id", value="u-7", profile=person, created_at=NOW)
    client, address = api.caller(*SCOPES), f"/api/v1/profiles/{person.pk}/recommendations/"
    assert [one["item"]["code"] for one in client.get(address).json()["results"]] == ["bread"]
    sent = {"userId": "u-7", "messageId": "m-1", "event": "Product Viewed", "properties": {"product_id": "tent"}}
    sent |= {"timestamp": timezone.now().isoformat()}
    told = Client().post("/v1/track", sent, "application/json", headers=key_of(factories.source("app")))
    assert told.status_code == 200, told.content
    found = {one["item"]["code"]: one for one in client.get(address).json()["results"]}
    assert (found["stove"]["origin"], found["stove"]["because"]) == ("session", "Because you looked at tent")


def test_asking_the_network_loads_none_of_the_science(tmp_path: Path) -> None:
    by_hand([10, 11, 20, 21]).save(tmp_path)
    command = [sys.executable, "-c", ASKED, str(tmp_path), *HEAVY]
    done = subprocess.run(command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[11]", "[]"]
