"""A step's messages: by preference, another way for who cannot be reached, and nobody who has withdrawn or bought."""

from typing import Any

import pytest
from django.utils import timezone

from campaigns.journeys import following, preferences, walking
from campaigns.journeys.graph import parse
from campaigns.models import Delivery, Run
from crm import ingest
from crm.models import Identifier, Profile
from mlengine.models import ModelVersion, Score
from tests import api
from tests import factories as crm
from tests.campaigns import factories
from tests.campaigns.journeys.factories import (
    DAY,
    NOW,
    enter,
    entry,
    happens,
    journey,
    mail,
    messages,
    path,
    tree,
    wait,
)
from tests.campaigns.test_running import _settle as settle
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = {
    "email": {"en": {"subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}},
    "sms": {"en": {"text": "Hello"}},
}


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()
    factories.account()
    factories.account("sms")


def by_both(order: str) -> dict[str, Any]:
    template = factories.template(f"both {order}", **BOTH).pk
    return mail(template=template) | {"channels": ["email", "sms"], "order": order}


def reachable_by_both(number: int, **facts: Any) -> Profile:
    made = factories.person(number, **facts)
    Identifier.objects.create(type="phone", value=f"+86138001380{number:02}", profile=made, created_at=NOW)
    consents.say(made, channel="sms", method="form")
    return made


def clicks(person: Profile, channel: str, days: int) -> None:
    told = ingest.NewEvent(
        kind="clicked", profile_id=person.pk, occurred_at=NOW - days * DAY, received_at=NOW, channel=channel
    )
    ingest.record_many(crm.source(), [told], now=NOW)
    settle()


def channel_of(run: Run, person: Profile) -> str:
    (one,) = messages(run, person)
    assert one.status == Delivery.Status.QUEUED
    return one.channel


def test_channels_are_tried_in_the_order_that_each_person_prefers() -> None:
    says, answers, neither = (
        reachable_by_both(1, attributes={"preferred_channel": "sms"}),
        reachable_by_both(2),
        reachable_by_both(3, attributes={"preferred_channel": "pigeon"}),
    )
    clicks(answers, "sms", 20)
    clicks(answers, "email", 30)
    clicks(says, "email", 1)  # what she says goes before what she does
    told, own = (journey(tree("hello", hello=by_both(order)), order) for order in ("given", "preference"))
    for run in (told, own):
        enter(run, says, answers, neither)
        walking.walk(run, NOW)
    assert [channel_of(told, one) for one in (says, answers, neither)] == ["email", "email", "email"]
    assert [channel_of(own, one) for one in (says, answers, neither)] == ["sms", "sms", "email"]


def test_who_cannot_be_reached_by_what_she_prefers_is_reached_by_the_next() -> None:
    person = factories.person(1, attributes={"preferred_channel": "sms"})
    run = journey(tree("hello", hello=by_both("preference")))
    enter(run, person)
    walking.walk(run, NOW)
    assert channel_of(run, person) == "email"


def test_an_answer_of_more_than_a_year_ago_says_nothing() -> None:
    person = reachable_by_both(1)
    clicks(person, "sms", 366)
    assert preferences.preferred([person.pk], ["email", "sms"], NOW) == {}


def test_who_cannot_be_reached_goes_her_own_way_where_there_is_one() -> None:
    reached, without = factories.person(1), factories.person(2, consent=False)
    way = mail("later") | {"ways": {"next": "later", "unreached": "call"}}
    run = journey(tree("hello", hello=way, later=wait(""), call=wait("")))
    plain = journey(tree("hello", hello=mail("later"), later=wait("")), "plain")
    for one in (run, plain):
        enter(one, reached, without)
        walking.walk(one, NOW)
    assert (entry(run, reached).step, entry(run, without).step) == ("later", "call")
    assert path(run, without)[0] == ("hello", "unreached")
    assert entry(plain, without).step == "later"
    assert [one.status for one in messages(run, without)] == [Delivery.Status.SUPPRESSED]


def test_who_withdraws_in_mid_journey_gets_no_further_message_and_walks_on() -> None:
    person = factories.person(1)
    run = journey(tree("one", one=mail("pause"), pause=wait("two"), two=mail("later"), later=wait("")))
    enter(run, person)
    walking.walk(run, NOW)
    consents.say(person, state="withdrawn", channel="email", method="form", now=NOW + DAY / 2)
    walking.walk(run, NOW + DAY)
    assert entry(run, person).step == "later"
    first, second = messages(run, person)
    assert (first.status, second.status) == (Delivery.Status.QUEUED, Delivery.Status.SUPPRESSED)


def test_what_waits_to_be_sent_is_called_off_when_the_goal_is_reached() -> None:
    person, other = factories.person(1), factories.person(2)
    run = journey(tree("hello", hello=mail("pause"), pause=wait("", 5 * 1440)))
    enter(run, person, other)
    walking.walk(run, NOW)
    happens("purchase", person, NOW + DAY / 24)
    following.follow(NOW + DAY / 12)
    assert [one.reason for one in messages(run, person)] == ["needless"]
    assert [one.status for one in messages(run, other)] == [Delivery.Status.QUEUED]


def test_the_best_hour_is_not_at_night() -> None:
    person = factories.person(1, attributes={"time_zone": "Asia/Shanghai"})
    run = journey(tree("best", best={"kind": "best_hour", "ways": {"next": "later"}}, later=wait("")))
    night = NOW.replace(hour=16, minute=30)  # half past midnight in Shanghai
    enter(run, person, now=night)
    walking.walk(run, night)
    one = entry(run, person)
    assert (one.step, one.due_at > night) == ("best", True)
    assert walking.walk(run, one.due_at - DAY / 1440) == 0
    walking.walk(run, one.due_at)
    assert entry(run, person).step == "later"


def test_each_waits_for_her_own_best_hour_that_the_model_knows() -> None:
    people = [factories.person(n) for n in range(4)]
    answers = api.run("response")
    for person, hour in zip(people, (20.0, 10.0, 20.0), strict=False):  # of the last one nothing is known
        Score.objects.create(profile=person, run=answers, value=0.5, facts={"best_hour": hour})
    Profile.objects.filter(pk=people[2].pk).update(personalisation=False)
    run = journey(tree("best", best={"kind": "best_hour", "ways": {"next": "later"}}, later=wait("")))
    ten = NOW.replace(hour=2, minute=30)  # half past ten on the organisation's wall
    enter(run, *people, now=ten)
    walking.walk(run, ten)
    assert [entry(run, person).step for person in people] == ["best", "later", "later", "later"]
    assert entry(run, people[0]).due_at == NOW.replace(hour=12, minute=0)
    walking.walk(run, NOW.replace(hour=12, minute=1))
    assert entry(run, people[0]).step == "later"


def put_off(best: float, parts: dict[str, Any] | None = None, zone: str = "Asia/Shanghai") -> str:
    """Return when she goes on, on the organisation's wall, who is at the step at three in the afternoon."""
    person, answers = factories.person(1, attributes={"time_zone": zone}), api.run("response")
    ModelVersion.objects.filter(pk=answers.version_id).update(card={"parts": parts} if parts else {})
    Score.objects.create(profile=person, run=answers, value=0.5, facts={"best_hour": best})
    run = journey(tree("best", best={"kind": "best_hour", "ways": {"next": "later"}}, later=wait("")))
    three = NOW.replace(hour=7)
    enter(run, person, now=three)
    walking.walk(run, three)
    return f"{timezone.localtime(entry(run, person).due_at):%d %H:%M}"


@pytest.mark.parametrize(("best", "goes_on"), [(20.0, "01 20:00"), (22.0, "01 20:00"), (8.0, "02 10:00")])
def test_a_best_hour_in_the_quiet_ones_gives_way_to_the_next_best(best: float, goes_on: str) -> None:
    hours = [[-1.0, 0.0]] * 24
    hours[20], hours[10], hours[int(best)] = [-0.2, 0.0], [-0.1 if best == 8 else -0.3, 0.0], [0.0, 0.0]
    assert put_off(best, {"hours": hours}) == goes_on


def test_where_only_the_best_hour_is_known_the_nearest_that_is_not_quiet_counts() -> None:
    assert put_off(22.0) == "01 20:00"


def test_the_night_is_the_one_on_her_own_wall() -> None:
    assert put_off(22.0, zone="Europe/Berlin") == "01 22:00"  # three in the afternoon there


@pytest.mark.parametrize("order", ["given", "preference"])
def test_the_order_is_read(order: str) -> None:
    told = {"kind": "send", "channels": ["email"], "variants": [{"name": "A", "template": 1}], "order": order}
    (step,) = parse(tree("a", a=told)).steps.values()
    assert step.outcomes == ("next", "unreached")
