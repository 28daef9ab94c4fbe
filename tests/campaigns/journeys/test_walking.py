"""People walk: led on until they have to wait, each step once, in order, and told to the log."""

from collections import Counter
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from campaigns.journeys import following, walking
from campaigns.models import Delivery, JourneyEntry, Template
from crm import merging
from crm.models import Event, Profile
from tests.campaigns import factories
from tests.campaigns.journeys.factories import (
    DAY,
    NOW,
    condition,
    enter,
    entry,
    happens,
    journey,
    live,
    mail,
    messages,
    path,
    people,
    purchase,
    tree,
    wait,
)
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
BEIJING = {"field": "city", "is": "is", "value": "Beijing"}
HOUR = timedelta(hours=1)
Status = JourneyEntry.Status


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()


def test_somebody_waits_is_asked_and_gets_her_message() -> None:
    factories.account()
    person, other = factories.person(1, city="Beijing"), factories.person(2, city="Shanghai")
    run = journey(tree("pause", pause=wait("where"), where=condition(BEIJING, yes="hello"), hello=mail()))
    assert enter(run, person, other) == 2
    assert walking.walk(run, NOW) == 0
    assert walking.walk(run, NOW + DAY) == 2
    assert path(run, person) == [("pause", "next"), ("where", "yes"), ("hello", "next")]
    assert path(run, other) == [("pause", "next"), ("where", "no")]
    assert [one.status for one in messages(run, person)] == [Delivery.Status.QUEUED]
    assert messages(run, other) == []
    assert {entry(run, one).status for one in (person, other)} == {Status.COMPLETED}
    assert walking.walk(run, NOW + DAY) == 0


def test_what_was_waited_for_cuts_the_wait_short() -> None:
    person, other = people(2)
    graph = tree("bought", bought=purchase("thanks", "coupon"), thanks=wait(""), coupon=wait(""))
    run = journey(graph, leave_at_goal=False)
    enter(run, person, other)
    happens("purchase", person, NOW + HOUR)
    following.follow(NOW + HOUR)
    assert (entry(run, person).step, entry(run, other).step) == ("thanks", "bought")
    following.follow(NOW + DAY)
    assert entry(run, other).step == "coupon"
    assert (path(run, person), path(run, other)) == ([("bought", "came")], [("bought", "not")])


def test_an_event_of_another_kind_or_before_she_came_wakes_nobody() -> None:
    (person,) = people(1)
    run = journey(tree("bought", bought=purchase("thanks", "coupon"), thanks=wait(""), coupon=wait("")))
    happens("purchase", person, NOW - HOUR)
    enter(run, person)
    happens("cart", person, NOW + HOUR)
    following.follow(NOW + HOUR)
    one = entry(run, person)
    assert (one.status, one.step, one.due_at) == (Status.WALKING, "bought", NOW + DAY)


def test_whoever_reaches_the_goal_is_let_out_of_any_wait() -> None:
    person, other = people(2)
    run = journey(tree("pause", pause=wait("later", 40 * 1440), later=wait("")))
    enter(run, person, other)
    happens("purchase", person, NOW + HOUR)
    following.follow(NOW + 2 * HOUR)
    assert (entry(run, person).status, entry(run, other).status) == (Status.GOAL, Status.WALKING)
    assert (path(run, person), path(run, other)) == ([("pause", "goal")], [])


def test_an_event_lets_in_and_the_same_event_once() -> None:
    (person,) = people(1)
    run = journey(tree("pause", {"kind": "event", "event": "cart"}, pause=wait("")), again="ended")
    happens("cart", person, NOW + HOUR)
    following.follow(NOW + HOUR)
    assert entry(run, person).step == "pause"
    following.follow(NOW + 2 * DAY)
    assert entry(run, person).status == Status.COMPLETED
    run.read_until = 0
    run.save()
    following.follow(NOW + HOUR)  # all read once more
    assert JourneyEntry.objects.count() == 1


def test_whoever_is_on_the_way_does_not_enter_again_and_whoever_was_only_where_the_journey_says_so() -> None:
    (person,) = people(1)
    once = journey(tree("pause", pause=wait("")), "once")
    often = journey(tree("pause", pause=wait("")), "often", again="ended", again_after=10 * DAY)
    for run in (once, often):
        assert [enter(run, person, key="a"), enter(run, person, key="b")] == [1, 0]
        walking.walk(run, NOW + DAY)
    assert enter(once, person, key="c", now=NOW + 20 * DAY) == 0
    assert enter(often, person, key="c", now=NOW + 9 * DAY) == 0
    assert enter(often, person, key="d", now=NOW + 11 * DAY) == 1


def test_of_two_events_within_a_second_one_lets_in_and_the_next_only_after_the_end_of_that_time() -> None:
    (person,) = people(1)
    graph = tree("ask", {"kind": "event", "event": "cart"}, ask=condition(BEIJING, no="pause"), pause=wait("", 1))
    run = journey(graph, again="ended")
    second = timedelta(seconds=1)
    happens("cart", person, NOW + HOUR)
    happens("cart", person, NOW + HOUR + second / 2)
    following.follow(NOW + HOUR + second)
    assert JourneyEntry.objects.count() == 1
    happens("cart", person, NOW + HOUR + 60 * second)
    following.follow(NOW + HOUR + 62 * second)
    assert JourneyEntry.objects.count() == 1  # she was still on the way when it was read
    assert entry(run, person).status == Status.COMPLETED
    happens("cart", person, NOW + HOUR + 63 * second)
    following.follow(NOW + HOUR + 64 * second)
    assert sorted(JourneyEntry.objects.values_list("status", flat=True)) == ["completed", "walking"]


def test_two_triggers_at_once_let_a_person_in_once() -> None:
    (person,) = people(1)
    run, gate, entered = journey(tree("pause", pause=wait(""))), Barrier(4), Counter[int]()

    def act(number: int) -> None:
        gate.wait()
        try:
            entered[enter(run, person, key=str(number))] += 1
        finally:
            connection.close()

    threads = [Thread(target=act, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered == {1: 1, 0: 3}


def test_people_in_flight_stay_on_their_version() -> None:
    before, after = people(2)
    run = journey(tree("pause", pause=wait("old"), old=wait("")))
    enter(run, before)
    live(run.campaign.journey, tree("pause", pause=wait("new"), new=wait("")))
    enter(run, after)
    walking.walk(run, NOW + DAY)
    assert (entry(run, before).step, entry(run, after).step) == ("old", "new")


def test_a_message_that_was_archived_stops_whoever_comes_to_it_and_nobody_else() -> None:
    factories.account()
    person, other = factories.person(1, city="Beijing"), factories.person(2)
    template = factories.template("gone")
    graph = tree("where", where=condition(BEIJING, "hello", "pause"), hello=mail("pause", template.pk), pause=wait(""))
    run = journey(graph)
    enter(run, person, other)
    Template.objects.filter(pk=template.template_id).update(archived_at=NOW)
    walking.walk(run, NOW)
    one = entry(run, person)
    assert (one.status, one.reason, one.step) == (Status.FAILED, "template_gone", "hello")
    assert entry(run, other).step == "pause"


def test_those_held_out_walk_nowhere_and_the_log_knows_both() -> None:
    everybody = people(200)
    run = journey(tree("pause", pause=wait("")), holdout="0.5")
    assert enter(run, *everybody) == 200
    states = Counter(JourneyEntry.objects.values_list("status", flat=True))
    assert 70 <= states["held_out"] <= 130
    assert states["held_out"] + states["walking"] == 200
    told = Event.objects.filter(kind="assigned").values_list("properties", flat=True)
    assert Counter(one["variant"] for one in told) == {None: states["held_out"], "journey 1": states["walking"]}
    assert {one["propensity"] for one in told} == {0.5}


def test_whoever_was_erased_walks_no_more() -> None:
    person, other = people(2)
    run = journey(tree("pause", pause=wait("later"), later=wait("")))
    enter(run, person, other)
    Profile.objects.filter(pk=person.pk).delete()
    walking.walk(run, NOW + DAY)
    assert [one.profile_id for one in JourneyEntry.objects.all()] == [other.pk]


def test_what_a_merged_profile_did_counts() -> None:
    person, same = people(2)
    run = journey(
        tree("bought", bought=purchase("thanks", "coupon"), thanks=wait(""), coupon=wait("")), leave_at_goal=False
    )
    enter(run, person)
    merging.join(same.pk, person.pk, now=NOW, reason="test")
    assert enter(run, same, key="other") == 0
    happens("purchase", same, NOW + HOUR)
    following.follow(NOW + HOUR)
    assert entry(run, person).step == "thanks"


def test_two_on_the_way_who_become_one_go_on_as_one() -> None:
    factories.account()
    person, same = factories.person(1), factories.person(2)
    run = journey(tree("pause", pause=wait("hello"), hello=mail()))
    enter(run, person, now=NOW)
    enter(run, same, now=NOW + HOUR)
    merging.join(person.pk, same.pk, now=NOW, reason="test")
    walking.walk(run, NOW + 2 * DAY)
    assert (entry(run, person).status, entry(run, same).status) == (Status.COMPLETED, Status.LEFT)
    assert entry(run, same).reason == "merged"
    assert len(messages(run, same)) == 1  # to her whom both are now
    assert messages(run, person) == []


def test_a_round_is_left_after_thousands_of_steps() -> None:
    (person,) = people(1)
    run = journey(tree("pause", pause=wait("pause", 1)))
    enter(run, person)
    at = NOW
    JourneyEntry.objects.update(moves=1999)
    walking.walk(run, at + HOUR)
    assert (entry(run, person).status, entry(run, person).reason) == (Status.FAILED, "too_many_steps")


def test_an_outage_of_a_week_moves_everybody_once_in_order() -> None:
    everybody = people(30)
    run = journey(tree("one", one=wait("two", 60), two=wait("three", 60), three=wait("", 60)))
    enter(run, *everybody)
    for hours in (168, 169, 170):
        walking.walk(run, NOW + hours * HOUR)
    assert all(path(run, one) == [("one", "next"), ("two", "next"), ("three", "next")] for one in everybody)


def test_workers_at_once_lead_each_person_once() -> None:
    everybody = people(60)
    run = journey(tree("one", one=wait("two"), two=wait("three"), three=wait("")))
    enter(run, *everybody)
    gate, led = Barrier(4), list[int]()

    def act() -> None:
        gate.wait()
        try:
            led.extend(walking.walk(run, NOW + DAY, most=5) for _turn in range(20))
        finally:
            connection.close()

    threads = [Thread(target=act) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(led) == 60
    assert Event.objects.filter(kind="journey_step").count() == 60
