"""Staff move people who are on the way or stuck, and nobody is in two places; what was done stands in her path."""

from collections.abc import Callable
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection

from campaigns.journeys import following, managing, walking
from campaigns.models import Delivery, JourneyEntry, Run
from campaigns.runs import ending, running
from crm import merging
from crm.models import Event, Profile, ProfileAlias
from tests.campaigns import factories
from tests.campaigns.journeys.factories import (
    DAY,
    NOW,
    condition,
    enter,
    entry,
    journey,
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
Status = JourneyEntry.Status
STEPS = tree("one", one=wait("two"), two=purchase("", "three"), three=wait(""))


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()


def ids(run: Run, *some: Profile) -> list[UUID]:
    return list(JourneyEntry.objects.filter(run=run, profile__in=some).values_list("pk", flat=True))


def test_people_are_skipped_moved_and_taken_out_and_the_log_says_so() -> None:
    one, two, three, rest = people(4)
    run = journey(STEPS)
    enter(run, one, two, three, rest)
    by = run.campaign.created_by
    assert managing.skip(ids(run, one), by, NOW) == 1
    assert managing.move(JourneyEntry.objects.filter(profile=two), "three", by, NOW) == 1
    assert managing.remove(ids(run, three), by, NOW) == 1
    assert (entry(run, one).step, entry(run, one).due_at) == ("two", NOW + DAY)
    assert entry(run, two).step == "three"
    assert (entry(run, three).status, entry(run, three).reason) == (Status.LEFT, "removed")
    assert entry(run, rest).step == "one"
    assert [path(run, who) for who in (one, two, three, rest)] == [
        [("one", "skipped")], [("one", "moved")], [("one", "removed")], []
    ]  # fmt: skip
    assert managing.skip(ids(run, one), by, NOW, way="came") == 1
    assert entry(run, one).status == Status.COMPLETED
    said = [one.change_message for one in LogEntry.objects.order_by("pk")]
    assert said == ["Skipped: 1", "Moved to three: 1", "Taken out: 1", "Skipped came: 1"]


def test_what_does_not_fit_changes_nothing() -> None:
    (one,) = people(1)
    run = journey(STEPS)
    enter(run, one)
    assert managing.move(ids(run, one), "nowhere", None, NOW) == 0
    assert managing.skip(ids(run, one), None, NOW, way="came") == 0
    assert managing.retry(ids(run, one), None, NOW) == 0
    assert managing.remove([], None, NOW) == 0
    assert (path(run, one), entry(run, one).moves) == ([], 0)


def test_who_failed_tries_again_unless_she_is_on_the_way_anew() -> None:
    one, two = people(2)
    run = journey(
        tree("pause", pause=wait("ask"), ask=condition({"all": []}, yes="later"), later=wait("")), again="ended"
    )
    enter(run, one, two)
    JourneyEntry.objects.update(status=Status.FAILED, reason="broken", step="ask", ended_at=NOW)
    enter(run, two, key="second", now=NOW + DAY)
    assert managing.retry(JourneyEntry.objects.all(), None, NOW + DAY) == 1
    walking.walk(run, NOW + DAY + DAY / 1440)
    assert (entry(run, one).step, entry(run, one).status, entry(run, one).reason) == ("later", Status.WALKING, "")
    assert path(run, one) == [("ask", "retried"), ("ask", "yes")]
    assert sorted(JourneyEntry.objects.filter(profile=two).values_list("status", flat=True)) == ["failed", "walking"]


def test_what_waits_to_be_sent_to_somebody_who_is_taken_out_is_not_sent() -> None:
    factories.account()
    person = factories.person(1)
    run = journey(tree("hello", hello=mail("pause"), pause=wait("")))
    enter(run, person)
    walking.walk(run, NOW)
    managing.remove(ids(run, person), None, NOW)
    assert [(one.status, one.reason) for one in messages(run, person)] == [(Delivery.Status.SUPPRESSED, "needless")]


def test_skipping_while_workers_lead_on_leaves_each_step_once() -> None:
    everybody = people(80)
    run = journey(tree("one", one=wait("two", 60), two=wait("three", 60), three=wait("", 60)))
    enter(run, *everybody)
    gate, later = Barrier(3), NOW + DAY

    def together(act: Callable[[], object]) -> Thread:
        def work() -> None:
            gate.wait()
            try:
                for _turn in range(8):
                    act()
            finally:
                connection.close()

        return Thread(target=work)

    threads = [
        together(lambda: walking.walk(run, later, most=10)),
        together(lambda: walking.walk(run, later, most=10)),
        together(lambda: managing.skip(ids(run, *everybody[:40]), None, later)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for row in JourneyEntry.objects.all():
        told = Event.objects.filter(session=str(row.pk), kind="journey_step").count()
        assert told == row.moves
    for person in everybody:
        left = sorted(step for step, _outcome in path(run, person))  # all of one moment
        assert left == sorted(["one", "two", "three"][: entry(run, person).moves])


def test_nobody_walks_while_it_is_paused_and_all_are_let_out_when_it_is_cancelled() -> None:
    one, two = people(2)
    run = journey(STEPS)
    enter(run, one, two)
    running.pause(run.campaign, None, "", NOW)
    assert following.follow(NOW + 2 * DAY) == 0
    assert entry(run, one).step == "one"
    ending.cancel(run.campaign, None, "over", NOW + 2 * DAY)
    following.follow(NOW + 2 * DAY)
    assert [(entry(run, who).status, entry(run, who).reason) for who in (one, two)] == [(Status.LEFT, "cancelled")] * 2
    assert managing.retry(JourneyEntry.objects.all(), None, NOW) == 0


def test_a_journey_that_runs_dry_lets_nobody_in_and_leads_on_who_is_in_it() -> None:
    one, two = people(2)
    run = journey(STEPS)
    enter(run, one)
    assert managing.drain(run.campaign.journey, True, run.campaign.created_by, NOW)
    assert not managing.drain(run.campaign.journey, True, run.campaign.created_by, NOW)
    assert enter(run, two) == 0
    assert following.follow(NOW + DAY) == 1
    assert managing.drain(run.campaign.journey, False, None, NOW)
    assert enter(run, two) == 1


def test_two_who_were_read_as_one_go_on_as_two_when_that_is_undone() -> None:
    one, same = people(2)
    run = journey(tree("pause", pause=wait("later"), later=wait("", 10 * 1440)))
    enter(run, one, same)
    merging.join(one.pk, same.pk, now=NOW, reason="test")
    following.follow(NOW + DAY)
    left = JourneyEntry.objects.get(status=Status.LEFT)
    merging.undo(ProfileAlias.objects.get(), now=NOW + DAY, user=User.objects.create(username="officer"))
    following.follow(NOW + DAY)
    left.refresh_from_db()
    assert (left.status, left.reason, left.step) == (Status.WALKING, "", "later")
    assert JourneyEntry.objects.walking().count() == 2
