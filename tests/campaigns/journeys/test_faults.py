"""What goes wrong around a journey, and must not go wrong in it: outages, clocks, edits, staff in a hurry."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier, Thread
from threading import Event as Moment
from time import sleep

import pytest
from django.db import connection, transaction

from campaigns.journeys import following, managing, walking
from campaigns.models import JourneyEntry, Run
from crm import merging
from crm.models import Event
from tests.campaigns.journeys.factories import (
    DAY,
    NOW,
    condition,
    enter,
    entry,
    happens,
    journey,
    live,
    path,
    people,
    purchase,
    tree,
    wait,
)
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
BEIJING = {"field": "city", "is": "is", "value": "Beijing"}
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
Status = JourneyEntry.Status


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()


def test_steps_of_one_moment_stand_in_the_log_in_order_of_many_people_too() -> None:
    everybody = people(600)
    graph = tree(
        "pause", pause=wait("one"), one=condition(BEIJING, no="two"), two=condition(BEIJING, no="three"),
        three=condition(BEIJING, no="last"), last=wait(""),
    )  # fmt: skip
    run = journey(graph)
    enter(run, *everybody)
    walking.walk(run, NOW + DAY)
    ways = defaultdict(list)
    told = Event.objects.filter(kind="journey_step").order_by("occurred_at", "id")
    for session, facts in told.values_list("session", "properties"):
        ways[session].append(facts["step"])
    assert Counter(map(tuple, ways.values())) == {("pause", "one", "two", "three"): 600}


def test_hours_that_were_over_before_anything_ran_again_are_waited_for_once_more() -> None:
    (person,) = people(1)
    hours = {"kind": "wait_for_time", "begins": "09:00", "ends": "17:00", "weekdays": [], "ways": {"next": "last"}}
    run = journey(tree("hours", hours=hours, last=wait("")))
    night = NOW.replace(hour=22 - 8)  # in Shanghai
    enter(run, person, now=night)
    assert entry(run, person).due_at == night + 11 * HOUR
    walking.walk(run, night + DAY - HOUR)  # nine in the evening
    assert (entry(run, person).step, entry(run, person).due_at) == ("hours", night + DAY + 11 * HOUR)
    walking.walk(run, night + DAY + 12 * HOUR)
    assert entry(run, person).step == "last"


def test_what_a_clock_that_is_ahead_says_wakes_at_once() -> None:
    (person,) = people(1)
    graph = tree("bought", bought=purchase("thanks", "coupon"), thanks=wait(""), coupon=wait(""))
    run = journey(graph, leave_at_goal=False)
    enter(run, person)
    happens("purchase", person, NOW + HOUR + 2 * MINUTE)
    following.follow(NOW + HOUR)
    assert entry(run, person).step == "thanks"


def test_nobody_is_reminded_of_what_she_bought_while_nothing_ran() -> None:
    bought, other = people(2)
    run = journey(tree("pause", {"kind": "event", "event": "cart"}, pause=wait("remind", 60), remind=wait("")))
    happens("cart", bought, NOW + MINUTE)
    happens("cart", other, NOW + MINUTE)
    happens("purchase", bought, NOW + 10 * MINUTE)
    following.follow(NOW + 3 * HOUR)
    assert list(JourneyEntry.objects.values_list("profile", "step")) == [(other.pk, "remind")]
    assert run.campaign.journey.leave_at_goal


def test_the_lines_of_one_basket_are_not_what_is_waited_for_after_it() -> None:
    (person,) = people(1)
    told = tree("again", {"kind": "event", "event": "purchase"}, again=purchase("thanks", ""), thanks=wait(""))
    run = journey(told, leave_at_goal=False)
    for line in range(3):
        happens("purchase", person, NOW + line * timedelta(milliseconds=5))
    following.follow(NOW + MINUTE)
    assert (entry(run, person).step, entry(run, person).moves) == ("again", 0)


def test_of_three_who_become_one_only_the_first_goes_on_whenever_each_is_due() -> None:
    first, second, last = people(3)
    run = journey(tree("pause", pause=wait("more"), more=wait("")))
    for number, one in enumerate((first, second, last)):
        enter(run, one, now=NOW + number * HOUR)
    for one in (first, second):
        merging.join(one.pk, last.pk, now=NOW, reason="test")
    for number in range(3):
        walking.walk(run, NOW + DAY + number * HOUR)
    told = [(entry(run, one).status, entry(run, one).reason) for one in (first, second, last)]
    assert told == [(Status.WALKING, ""), (Status.LEFT, "merged"), (Status.LEFT, "merged")]


def test_a_clock_that_jumps_skips_no_step_and_turns_none_round() -> None:
    everybody = people(20)
    run = journey(tree("one", one=wait("two", 60), two=wait("three", 60), three=wait("", 60)))
    enter(run, *everybody)
    for hours in (-5, 1, -1, 0.5, 400, 1, 401, 300, 402):
        following.follow(NOW + hours * HOUR)
    assert {entry(run, one).status for one in everybody} == {Status.COMPLETED}
    assert all(path(run, one) == [("one", "next"), ("two", "next"), ("three", "next")] for one in everybody)


def at_once(*works: Callable[[], None]) -> None:
    """Do several things at the same time."""
    gate = Barrier(len(works))

    def alone(work: Callable[[], None]) -> None:
        gate.wait()
        try:
            work()
        finally:
            connection.close()

    threads = [Thread(target=alone, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lead(run: Run, hours: range, most: int) -> None:
    """Lead people on, hour by hour."""
    for hour in hours:
        while walking.walk(run, NOW + hour * HOUR, most=most):
            pass


def manage(turns: int) -> None:
    """Do with many of those who are in it what staff may do."""
    for turn in range(turns):
        some = list(JourneyEntry.objects.order_by("id").values_list("pk", flat=True)[turn :: 5 + turn % 4])
        now = NOW + turn % 8 * HOUR
        match turn % 4:
            case 0:
                managing.skip(some, None, now)
            case 1:
                managing.move(some, "two", None, now)
            case 2:
                managing.retry(some, None, now)
            case 3:
                managing.remove(some[:2], None, now)


def test_nobody_is_lost_who_comes_in_at_the_moment_in_which_a_version_is_put_into_use() -> None:
    (person,) = people(1)
    run = journey(tree("old", old=wait("")))
    held, waiting = Moment(), Moment()

    def edit() -> None:
        with transaction.atomic():
            version = live(run.campaign.journey, tree("new", new=wait("")))
            held.set()
            waiting.wait(60)
            until_blocked()
        assert version.number == 2

    def come() -> None:
        held.wait(60)
        waiting.set()
        enter(run, person)

    at_once(edit, come)
    assert entry(run, person).step == "new"


def until_blocked() -> None:
    """Return when somebody waits for what this transaction holds."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
            sleep(0.02)


def test_staff_and_workers_at_once_move_nobody_twice_and_lose_no_step() -> None:
    everybody = people(140)
    run = journey(tree("one", one=wait("two", 60), two=wait("three", 60), three=wait("four", 60), four=wait("", 60)))
    enter(run, *everybody)
    at_once(partial(lead, run, range(3), 20), partial(lead, run, range(3), 20), partial(manage, 40))
    lead(run, range(100, 105), 200)
    moves = dict(JourneyEntry.objects.values_list("pk", "moves"))
    told = Counter(Event.objects.filter(kind="journey_step").values_list("session", flat=True))
    assert told == {str(pk): number for pk, number in moves.items()}
    ends = Counter(JourneyEntry.objects.values_list("status", flat=True))
    assert ends.keys() <= {Status.COMPLETED, Status.LEFT}
    assert ends.total() == 140
    assert ends[Status.LEFT] > 0
    outcomes = set(Event.objects.filter(kind="journey_step").values_list("properties__outcome", flat=True))
    assert {"next", "skipped", "moved", "removed"} <= outcomes


@pytest.mark.slow
@pytest.mark.nightly
def test_ten_thousand_who_are_in_it_stay_on_the_version_they_began_while_it_is_edited() -> None:
    everybody = people(10_000)
    run = journey(tree("one", one=wait("two", 60), two=wait("old", 60), old=wait("", 60)))
    begun: dict[int, int] = {}
    for turn in range(4):
        enter(run, *everybody[turn * 2500 : (turn + 1) * 2500])
        begun |= {one.pk: turn for one in everybody[turn * 2500 : (turn + 1) * 2500]}
        live(
            run.campaign.journey,
            tree("one", one=wait("two", 60), two=wait(f"v{turn}", 60), **{f"v{turn}": wait("", 60)}),
        )
        walking.walk(run, NOW + turn * HOUR, most=2000)
    at_once(*[partial(lead, run, range(4, 8), 1500)] * 3)
    last: dict[int, tuple[datetime, str]] = {}
    for profile, at, facts in Event.objects.filter(kind="journey_step").values_list(
        "profile", "occurred_at", "properties"
    ):
        last[profile] = max(last.get(profile, (at, facts["step"])), (at, facts["step"]))
    wanted = {pk: "old" if turn == 0 else f"v{turn - 1}" for pk, turn in begun.items()}
    assert {pk: step for pk, (_at, step) in last.items()} == wanted
