"""How likely somebody clicks, by channel, hour and message, over REST."""

from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from crm import merging
from mlengine.models import PredictionRun, Score
from tests import api, factories
from tests.api import NOW

pytestmark = pytest.mark.django_db

HOURS = [[-1.0, 0.2]] * 24
HOURS[20] = [0.0, 0.0]
FACTS = {
    "best_hour": 20.0,
    "by_email": 0.1,
    "by_email_low": 0.05,
    "by_email_high": 0.2,
    "by_sms": 0.5,
    "by_sms_low": 0.4,
    "by_sms_high": 0.6,
    "by_wechat": None,
}


@pytest.fixture
def run() -> PredictionRun:
    made = api.run("response")
    made.version.card = {"parts": {"hours": HOURS, "messages": {"7": [1.0, 0.5]}}}
    made.version.save()
    return made


def scored(run: PredictionRun, facts: dict[str, Any] | None = None, **about: Any) -> int:
    profile = factories.profile(**about)
    Score.objects.create(profile=profile, run=run, value=0.5, facts=FACTS if facts is None else facts)
    return profile.pk


def told(profile: int, client: Any = None, **query: object) -> Any:
    client = client or api.caller("scores:read")
    return client.get(f"/api/v1/profiles/{profile}/response/", query).json()


def test_channels_come_likeliest_first_with_their_hours_intervals_and_where_it_is_from(run: PredictionRun) -> None:
    found = told(scored(run))
    assert (found["run"], found["version"]) == (run.pk, run.version_id)
    assert found["cutoff"] == "2026-03-01T20:00:00+08:00"
    assert [row["channel"] for row in found["results"]] == ["sms", "email"]
    sms = found["results"][0]
    assert (sms["probability"], sms["best_hours"]) == (pytest.approx(0.5), [20, 8, 10])
    assert (sms["low"], sms["high"]) == (pytest.approx(0.4), pytest.approx(0.6))
    assert [one["hour"] for one in sms["hours"]] == [8, 10, 12, 14, 16, 18, 20, 22]
    at_ten = sms["hours"][1]
    assert at_ten["probability"] == pytest.approx(0.2689, abs=1e-4)  # one off the log-odds of a half
    assert (at_ten["low"], at_ten["high"]) == (pytest.approx(0.1422, abs=1e-4), pytest.approx(0.4495, abs=1e-4))


def test_her_own_times_of_the_day_move_the_hours_of_every_channel(run: PredictionRun) -> None:
    run.version.card["parts"]["own_doubt"] = 0.1
    run.version.save()
    own = {"in_morning": 0.5, "in_midday": 0.2, "in_afternoon": 0.2, "in_evening": 0.2, "best_hour": 8.0}
    sms, email = told(scored(run, FACTS | own))["results"]
    assert (sms["best_hours"], email["best_hours"]) == ([8, 10, 20], [8, 10, 20])
    assert (sms["probability"], email["probability"]) == (pytest.approx(0.5), pytest.approx(0.1))
    at = {one["hour"]: one for one in sms["hours"]}
    assert at[10]["probability"] == pytest.approx(0.5)
    assert at[14]["probability"] == pytest.approx(0.2)
    assert at[20]["probability"] == pytest.approx(1 / (1 + 4 * np.exp(-2 / 3)))  # above the evening's mean
    assert at[10]["low"] > at[14]["low"]


def test_one_channel_one_hour_and_one_message_can_be_asked_for(run: PredictionRun) -> None:
    person, client = scored(run), api.caller("scores:read")
    (email,) = told(person, client, channel="email", hour=3)["results"]
    assert (email["channel"], [one["hour"] for one in email["hours"]]) == ("email", [3])
    assert email["probability"] == email["hours"][0]["probability"] == pytest.approx(0.0393, abs=1e-4)
    (sms,) = told(person, client, channel="sms", message=7)["results"]
    assert sms["probability"] == pytest.approx(0.7311, abs=1e-4)
    assert told(person, client, message=8) == told(person, client)  # not seen by the model: a new message
    assert told(person, client, channel="wechat")["results"] == []


def test_orders_after_a_message_are_answered_for_in_the_same_way(run: PredictionRun) -> None:
    person, client = scored(run), api.caller("scores:read")
    assert told(person, client, spec="conversion")["results"] == []
    Score.objects.create(
        profile_id=person, run=api.run("conversion"), value=0.1, facts={"best_hour": 9.0, "by_sms": 0.1}
    )
    assert [one["channel"] for one in told(person, client, spec="conversion")["results"]] == ["sms"]
    assert len(told(person, client)["results"]) == 2


def test_of_coupons_and_of_letters_no_hour_is_told(run: PredictionRun) -> None:
    person, client = scored(run), api.caller("scores:read")
    coupons = api.run("redemption")
    coupons.version.card = {"parts": {"hours": [], "messages": {"7": [1.0, 0.5]}}}
    coupons.version.save()
    Score.objects.create(profile_id=person, run=coupons, value=0.5, facts={"by_post": 0.5, "by_email": 0.1})
    found = told(person, client, spec="redemption")["results"]
    assert [(one["channel"], one["best_hours"], one["hours"]) for one in found] == [("post", [], []), ("email", [], [])]
    assert told(person, client, spec="redemption", hour=9)["results"] == []
    (about,) = told(person, client, spec="redemption", channel="post", message=7)["results"]
    assert about["probability"] == pytest.approx(0.7311, abs=1e-4)


def test_of_a_model_of_a_release_before_only_the_best_hour_is_told(run: PredictionRun) -> None:
    run.version.card = {}
    run.version.save()
    person = scored(run, {"best_hour": 18.0, "by_sms": 0.25})
    (sms,) = told(person)["results"]
    assert sms == {
        "channel": "sms",
        "probability": pytest.approx(0.25),
        "low": None,
        "high": None,
        "best_hours": [18],
        "hours": [{"hour": 18, "probability": pytest.approx(0.25), "low": None, "high": None}],
    }
    assert told(person, hour=9)["results"] == []


@pytest.mark.parametrize("about", [{"personalisation": False}, {"age_class": "minor"}])
def test_of_whom_nothing_may_be_said_nothing_is(run: PredictionRun, about: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"cutoff": None, "run": None, "version": None, "results": []}
    assert told(scored(run, **about)) == nothing
    assert told(factories.profile("never written to").pk) == nothing


def test_before_anything_was_learned_the_answer_is_empty_and_whoever_is_not_there_is_not_found() -> None:
    assert told(factories.profile().pk)["results"] == []
    client = api.caller("scores:read")
    assert api.error(client.get("/api/v1/profiles/999999999999/response/"))[:2] == (404, "not_found")
    restricted = factories.profile("r", restricted_at=timezone.now())
    assert api.error(client.get(f"/api/v1/profiles/{restricted.pk}/response/"))[0] == 403


def test_a_merged_profile_is_answered_for_as_the_one_that_was_kept(run: PredictionRun) -> None:
    kept, duplicate = scored(run), factories.profile("duplicate")
    merging.merge(duplicate.pk, kept, now=NOW, reason="test", source=factories.source())
    assert told(duplicate.pk)["results"][0]["channel"] == "sms"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("hour=24", "hour"),
        ("hour=-1", "hour"),
        ("hour=x", "hour"),
        ("spec=churn", "spec"),
        ("channel=pigeon", "channel"),
        ("message=0", "message"),
    ],
)
def test_a_bad_question_is_named(query: str, field: str) -> None:
    answer = api.caller("scores:read").get(f"/api/v1/profiles/{factories.profile().pk}/response/?{query}")
    assert api.error(answer) == (400, "invalid", field)


def test_an_answer_takes_few_queries(run: PredictionRun, django_assert_num_queries: Any) -> None:
    person, client = scored(run), api.caller("scores:read")
    with django_assert_num_queries(3):  # the token; who is meant; her score with the model's parts
        told(person, client)
