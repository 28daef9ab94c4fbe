"""A win-back journey from beginning to end: scored, quiet, written to by e-mail or WeChat, sent a coupon, or back."""

from datetime import datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from campaigns.bulk.worker import BulkWorker
from campaigns.delivering import outbox
from campaigns.delivering.worker import Worker
from campaigns.journeys import following, starting
from campaigns.models import Campaign, Follower, Journey, JourneyEntry, Run, SendingPolicy
from campaigns.reach import policies
from crm.models import Identifier
from mlengine.models import Score
from tests import api
from tests.campaigns import factories
from tests.campaigns.journeys.factories import DAY, happen, happens, live, path
from tests.campaigns.journeys.houses import House, opened
from tests.crm import consents

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Connections of the worker's threads end when they like; that is not what is tested here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NOON = datetime.fromisoformat("2026-03-02T04:00:00+00:00")  # in Shanghai, a Monday
HOUR = timedelta(hours=1)


def populate(house: House, at: datetime) -> None:
    """Let people be known by mail or on WeChat, scored by the model of churn; two of them allow nothing."""
    consents.purpose()
    openids = house.stub.post("users", appid=house.official.settings["appid"], persons=["w1", "w2", "w3"])["openids"]
    run, told = api.run("churn"), iter(openids)
    for number, (name, risk, allows) in enumerate(
        [
            *[("m1", 0.9, True), ("m2", 0.8, True), ("m3", 0.7, True), ("loyal", 0.1, True), ("shy", 0.9, False)],
            *[("w1", 0.9, True), ("w2", 0.8, True), ("w3", 0.9, False)],
        ]
    ):
        on_wechat = name.startswith("w")
        person = factories.person(number, email=not on_wechat, consent=allows and not on_wechat, language="en")
        if on_wechat:
            own = Identifier.objects.create(type="openid", value=next(told), profile=person, created_at=at)
            Follower.objects.create(account=house.official, identifier=own, synced_at=at)
            if allows:
                consents.say(person, channel="wechat", method="form")
        Score.objects.create(profile=person, run=run, value=risk, reasons=[])
        house.people[name] = person


def begin(now: datetime, **told: Any) -> Run:
    """Begin the journey as it stands to start from, with a trigger that a test can pull, and let it run."""
    of = starting.starter("win_back")
    journey = starting.begin(of, name="Win back", purpose=consents.purpose(), on=["email", "wechat"], by=None, now=now)
    tree = journey.versions.get().graph | {"trigger": {"kind": "event", "event": "page"}}
    other = factories.campaign("lends its two people")
    approved = {"submitted_by": other.submitted_by, "approved_by": other.approved_by, "created_by": other.created_by}
    Campaign.objects.filter(pk=journey.pk).update(status="running", starts_at=now, **approved | {"holdout": 0} | told)
    journey = Journey.objects.get(pk=journey.pk)
    live(journey, tree)
    run = Run.objects.create(
        pk=uuid4(),
        campaign=journey.campaign,
        key="journey",
        salt="salt",
        status="sending",
        starts_at=now,
        planned_at=now,
    )
    following.look(run, now)  # from here on
    return run


def turn(house: House, now: datetime) -> None:
    """Let beat ring once, and both workers."""
    house.stub.post("clock", set=now.timestamp())
    following.follow(now)
    Worker(lambda: now).run(20.0)
    BulkWorker(lambda: now).run(20.0)
    outbox.tell_log(now)


def ended(house: House, run: Run) -> dict[str, str]:
    rows = JourneyEntry.objects.filter(run=run).values_list("profile", "status")
    names = {person.pk: name for name, person in house.people.items()}
    return {names[profile]: status for profile, status in rows}


def test_each_is_written_to_where_she_can_be_and_gets_a_coupon_unless_she_is_back(settings: Any) -> None:
    with opened(settings, NOON) as house:
        populate(house, NOON - DAY)
        policies.policy()
        SendingPolicy.objects.update(quiet_from=time(21), quiet_until=time(9))
        run = begin(NOON)
        happen("page", list(house.people.values()), NOON + HOUR)
        turn(house, NOON + HOUR)
        assert {name for name in house.people if JourneyEntry.objects.filter(profile=house.people[name])} == {
            *("m1", "m2", "m3", "shy", "w1", "w2", "w3"),  # whom the model gives up, not who is loyal
        }
        happens("purchase", house.people["m1"], NOON + DAY)  # back by herself
        turn(house, NOON + DAY)
        assert house.mailed == {}
        turn(house, NOON + 3 * DAY + 9 * HOUR)  # the evening: three days are over, and it is too late to write
        assert (house.mailed, house.chatted()) == ({}, {})
        turn(house, NOON + 4 * DAY)
        turn(house, NOON + 4 * DAY + HOUR)
        assert house.mailed == {"p1@example.com": 1, "p2@example.com": 1}
        assert len(house.chatted()) == 2
        happens("purchase", house.people["m2"], NOON + 6 * DAY)
        happens("purchase", house.people["w1"], NOON + 6 * DAY)
        turn(house, NOON + 6 * DAY)
        for days in (12, 12.1, 30):
            turn(house, NOON + days * DAY)
        assert house.mailed == {"p1@example.com": 1, "p2@example.com": 2}
        assert sorted(house.chatted().values()) == [1, 2]
        assert ended(house, run) == {
            "m1": "goal",
            "m2": "goal",
            "m3": "completed",
            "shy": "completed",
            "w1": "goal",
            "w2": "completed",
            "w3": "completed",
        }
        assert path(run, house.people["shy"]) == [("quiet", "not"), ("consent", "no"), ("not_allowed", "end")]
        assert [step for step, _outcome in path(run, house.people["w2"])] == [
            *("quiet", "consent", "daytime", "we_miss_you", "bought", "daytime_2", "coupon", "bought_2", "over"),
        ]
