"""A campaign by the clock: started once, paused, cancelled, missed, triggered, finished."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from time import monotonic, sleep
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from campaigns.models import Campaign, Delivery, Run
from campaigns.reach import policies
from campaigns.runs import approving, running
from campaigns.runs.transitions import NotPossible
from crm import ingest
from crm.models import JobRun, Profile
from tests import factories as things
from tests.campaigns import factories
from tests.crm import consents
from tests.staff import member

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Shanghai
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def approved(people: int = 2, **facts: Any) -> Campaign:
    consents.purpose()
    factories.account()
    for number in range(people):
        factories.person(number)
    writer, boss = member("Marketing", "ann"), member("Marketing", "bo")
    blank = {"status": "draft", "submitted_by": None, "approved_by": None, "holdout": "0", "starts_at": None}
    one = factories.campaign(**blank | facts)
    approving.submit(one, writer, NOON)
    approving.approve(one, boss, NOON)
    return one


def scheduled(people: int = 2, **facts: Any) -> Campaign:
    one = approved(people, **facts)
    running.schedule(one, None, "", NOON)
    return one


def plan_all(now: datetime = NOON) -> None:
    for job in JobRun.objects.filter(kind=running.PLAN, status="queued"):
        assert running.plan(job, lambda: now), job.error


def at_once(verb: Callable[[int], None]) -> list[str]:
    gate, ended = Barrier(2), list[str]()

    def act(number: int) -> None:
        gate.wait()
        try:
            verb(number)
            ended.append("done")
        except NotPossible:
            ended.append("late")
        finally:
            connection.close()

    threads = [Thread(target=act, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ended)


def test_a_campaign_of_once_is_planned_sent_and_finished() -> None:
    one = scheduled()
    running.tick(NOON)
    plan_all()
    one.refresh_from_db()
    assert (one.status, one.next_run_at) == ("running", None)
    assert Run.objects.get().counts == {"queued": 2}
    running.tick(NOON)
    assert Campaign.objects.get().status == "running"
    Delivery.objects.update(status="failed", reason="refused")
    running.tick(NOON + HOUR)
    assert (Campaign.objects.get().status, Run.objects.get().status) == ("finished", "done")


def test_two_beats_start_one_run_and_one_planning() -> None:
    scheduled()
    assert at_once(lambda _number: running.tick(NOON)) == ["done", "done"]
    assert (Run.objects.count(), JobRun.objects.filter(kind=running.PLAN).count()) == (1, 1)
    running.tick(NOON)
    assert (Run.objects.count(), JobRun.objects.filter(kind=running.PLAN).count()) == (1, 1)


def test_of_two_clicks_one_schedules() -> None:
    one = approved()
    assert at_once(lambda _number: running.schedule(Campaign.objects.get(pk=one.pk), None, "", NOON)) == [
        "done",
        "late",
    ]


def test_a_campaign_that_was_paused_and_cancelled_at_once_is_cancelled_in_the_end() -> None:
    scheduled()
    running.tick(NOON)
    plan_all()
    verbs = [running.pause, running.cancel]
    at_once(lambda number: verbs[number](Campaign.objects.get(), None, "x", NOON))
    assert Campaign.objects.get().status == "cancelled"
    assert list(Delivery.objects.values_list("status", "reason")) == [("suppressed", "cancelled")] * 2


def test_a_cancelled_run_that_is_still_being_planned_is_swept_by_the_tick() -> None:
    one = scheduled()
    running.tick(NOON)
    running.cancel(one, None, "wrong price", NOON)
    job = JobRun.objects.get(kind=running.PLAN)
    assert job.status == "cancelled"
    assert not running.plan(job, lambda: NOON)
    assert not Delivery.objects.exists()
    one.refresh_from_db()
    assert (one.status, one.status_reason) == ("cancelled", "wrong price")


def test_what_was_changed_behind_the_back_of_the_approval_does_not_run() -> None:
    scheduled()
    Campaign.objects.update(holdout="0.5")
    running.tick(NOON)
    one = Campaign.objects.get()
    assert (one.status, one.approved_by, Run.objects.count()) == ("draft", None, 0)


def test_a_paused_campaign_that_was_changed_is_not_resumed() -> None:
    one = scheduled()
    running.tick(NOON)
    running.pause(one, None, "", NOON)
    Campaign.objects.update(priority=99)
    with pytest.raises(NotPossible):
        running.resume(Campaign.objects.get(), None, "", NOON)
    Campaign.objects.update(priority=50)
    running.resume(Campaign.objects.get(), None, "", NOON)
    assert Campaign.objects.get().status == "running"


def test_nothing_starts_while_everything_is_stopped() -> None:
    one = scheduled()
    policies.stop_everything(User.objects.get(username="bo"), "fire", NOON)
    running.tick(NOON)
    assert not Run.objects.exists()
    policies.go_on(User.objects.get(username="bo"), "it was a false alarm", NOON)
    running.tick(NOON)
    assert Run.objects.get().campaign == one


def recurring(**facts: Any) -> Campaign:
    timing = {"every": 1, "unit": "day", "at": "10:00"}
    return scheduled(1, kind="recurring", timing=timing, starts_at=NOON - 3 * HOUR, **facts)


def test_a_recurring_campaign_runs_each_day_as_another_occasion() -> None:
    one = recurring()
    assert one.next_run_at == datetime(2026, 3, 3, 2, tzinfo=UTC)
    for day in range(1, 4):
        running.tick(NOON + day * DAY)
        plan_all(NOON + day * DAY)
    assert sorted(Run.objects.values_list("key", flat=True)) == [f"2026-03-0{day}T02:00Z" for day in (3, 4, 5)]
    assert Delivery.objects.count() == 3
    assert Campaign.objects.get().next_run_at == datetime(2026, 3, 6, 2, tzinfo=UTC)


def test_of_the_runs_that_were_missed_only_the_last_is_made_up_for() -> None:
    recurring()
    running.tick(NOON + 10 * DAY)
    assert [run.key for run in Run.objects.all()] == ["2026-03-12T02:00Z"]


def test_a_run_whose_messages_would_have_expired_is_left_out() -> None:
    recurring(message_expires_after=HOUR)
    running.tick(NOON + DAY)
    assert not Run.objects.exists()
    assert Campaign.objects.get().next_run_at == datetime(2026, 3, 4, 2, tzinfo=UTC)


def test_a_recurring_campaign_ends_with_its_time() -> None:
    recurring(ends_at=NOON + DAY)
    running.tick(NOON + DAY - HOUR)
    plan_all(NOON + DAY - HOUR)
    Delivery.objects.update(status="failed", reason="refused")
    running.tick(NOON + DAY)
    assert Campaign.objects.get().status == "finished"


def test_a_campaign_whose_time_was_over_before_it_could_start_is_cancelled_and_says_so() -> None:
    scheduled(1, ends_at=NOON + HOUR)
    running.tick(NOON + DAY)
    one = Campaign.objects.get()
    assert (one.status, "time was over" in one.status_reason) == ("cancelled", True)


def happens(kind: str, person: int, at: datetime) -> None:
    told = ingest.NewEvent(
        kind=kind, profile_id=person, occurred_at=at, received_at=at, message_id=f"{kind} {person} {at}"
    )
    ingest.record_many(things.source(), [told], now=at)
    _settle()


def _settle(patience: float = 120.0) -> None:
    """Wait until no session of the server, a test's beside us neither, is older than now: triggers wait for it, too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        (drawn,) = cursor.fetchone()
        until = monotonic() + patience
        while monotonic() < until:
            cursor.execute("SELECT %s::xid8 < pg_snapshot_xmin(pg_current_snapshot())", [drawn])
            if cursor.fetchone()[0]:
                return
            sleep(0.05)


def triggered(**timing: Any) -> list[int]:
    scheduled(3, kind="triggered", timing={"event": "cart", **timing})
    running.tick(NOON)
    running.tick(NOON)
    return sorted(Profile.objects.values_list("pk", flat=True))


def test_each_event_is_answered_once_and_later() -> None:
    one, two, _three = triggered(after_minutes=60)
    happens("cart", one, NOON)
    happens("cart", two, NOON - 10 * DAY)  # of a file: its message would have expired long ago
    running.tick(NOON + HOUR / 2)
    running.tick(NOON + HOUR / 2)
    made = Delivery.objects.get()
    assert (made.profile_id, made.status, made.due_at) == (one, "queued", NOON + HOUR)
    happens("cart", one, NOON + HOUR)
    running.tick(NOON + 2 * HOUR)
    assert Delivery.objects.values("occasion").distinct().count() == 2


def test_a_reminder_that_became_needless_is_called_off() -> None:
    one, two, three = triggered(after_minutes=60, unless="purchase")
    for person in (one, two):
        happens("cart", person, NOON)
    running.tick(NOON)
    happens("purchase", one, NOON + HOUR / 4)
    happens("cart", three, NOON)
    happens("purchase", three, NOON + HOUR / 4)
    running.tick(NOON + HOUR / 2)
    assert dict(Delivery.objects.values_list("profile", "status")) == {one: "suppressed", two: "queued"}
    assert Delivery.objects.get(profile=one).reason == "needless"


def test_what_happened_before_the_campaign_ran_starts_nothing() -> None:
    consents.purpose()
    before = factories.person(9)
    happens("cart", before.pk, NOON - HOUR)
    triggered()
    running.tick(NOON + HOUR)
    assert not Delivery.objects.exists()
