"""The life of a campaign, read by somebody who wants it to send twice, too late, to others, or not at all."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from campaigns.delivering import sending
from campaigns.delivering.worker import Worker
from campaigns.models import Alarm, Campaign, Delivery, Run, SegmentVersion
from campaigns.runs import approving, ending, experiments, planning, running, starting, triggers
from campaigns.runs.transitions import NotPossible
from crm import ingest
from crm.models import JobRun, Profile
from tests import factories as things
from tests.campaigns import factories
from tests.campaigns.providers import Peer, desk
from tests.campaigns.test_running import (
    DAY,
    HOUR,
    NOON,
    at_once,
    happens,
    plan_all,
    recurring,
    scheduled,
    triggered,
)
from tests.campaigns.test_running import (
    _settle as settle,
)

pytestmark = pytest.mark.django_db(transaction=True)


def work(now: Any = NOON) -> list[str]:
    """Send what is due, and return to whom."""
    peer = Peer()
    Worker(lambda: now, at=desk(email=peer), threads=2).run(30)
    return sorted(peer.addresses)


def begun(people: int = 4, **facts: Any) -> Campaign:
    """Return a campaign of which the run is planned."""
    one = scheduled(people, **facts)
    running.tick(NOON)
    plan_all()
    one.refresh_from_db()
    return one


def again(one: Campaign, now: Any = NOON) -> None:
    """Have it approved anew by two people, and let it run."""
    ann, bo = User.objects.get(username="ann"), User.objects.get(username="bo")
    approving.submit(one, ann, now)
    approving.approve(one, bo, now)
    running.schedule(one, bo, "", now)
    running.tick(now)
    plan_all(now)


def only(one: Campaign, *people: int) -> None:
    """Let the campaign's segment describe these people only."""
    approving.changed(one, NOON)
    rule = {"any": [{"field": "created_at", "is": "before", "value": "2000-01-01"}]}
    segment = one.segment
    segment.current = SegmentVersion.objects.create(segment=segment, number=2, rule=rule, made_at=NOON)
    segment.save()
    assert not people


def test_what_was_planned_before_a_change_does_not_leave_under_the_next_approval() -> None:
    """A run that was too large is paused, its segment is made smaller and approved: the old plan must not go out."""
    one = begun()
    running.pause(one, None, "too many", NOON)
    only(one)
    again(one)
    assert work() == []
    assert sorted(Run.objects.values_list("key", "status")) == [("once", "cancelled"), ("once 2", "sending")]
    assert set(Delivery.objects.values_list("status", "reason")) == {("suppressed", "cancelled")}


def test_nobody_gets_a_changed_campaign_twice_and_the_others_get_it_once() -> None:
    one = begun()
    first = Delivery.objects.order_by("pk").first()
    assert first
    Delivery.objects.exclude(pk=first.pk).update(due_at=NOON + HOUR)
    assert len(work()) == 1
    running.pause(one, None, "wrong price", NOON)
    approving.changed(one, NOON)
    again(one)
    assert len(work()) == 3
    assert work(NOON + 2 * HOUR) == []
    got = Delivery.objects.exclude(call=None).values_list("profile_id", flat=True)
    assert len(got) == len(set(got)) == 4


def test_who_was_held_out_stays_held_out_after_a_change() -> None:
    one = begun(30, holdout="0.3")
    kept = set(Delivery.objects.filter(status="held_out").values_list("profile_id", flat=True))
    assert kept
    running.pause(one, None, "", NOON)
    approving.changed(one, NOON)
    again(one)
    work()
    assert not kept & set(Delivery.objects.exclude(call=None).values_list("profile_id", flat=True))


def test_a_segment_that_changes_between_the_start_and_its_planning_is_not_planned() -> None:
    inner = factories.segment("inner")
    one = scheduled(2, segment=factories.segment("outer", {"all": [{"segment": inner.pk}]}))
    running.tick(NOON)
    inner.current = SegmentVersion.objects.create(segment=inner, number=2, rule={"any": []}, made_at=NOON)
    inner.save()
    assert not running.plan(JobRun.objects.get(kind=running.PLAN), lambda: NOON)
    one.refresh_from_db()
    assert (one.status, Delivery.objects.count()) == ("paused", 0)


def test_nothing_leaves_after_the_end_of_a_campaign() -> None:
    begun(2, ends_at=NOON + HOUR)
    assert set(Delivery.objects.values_list("expires_at", flat=True)) == {NOON + HOUR}
    assert work(NOON + HOUR) == []
    sending.expire(NOON + HOUR)
    running.tick(NOON + HOUR)
    assert Campaign.objects.get().status == "finished"


def test_a_triggered_campaign_that_has_ended_answers_nothing_and_finishes() -> None:
    one = triggered(after_minutes=0)[0]
    Campaign.objects.update(ends_at=NOON + HOUR)
    approved = Campaign.objects.get()
    Campaign.objects.update(approved_digest=approving.digest(approved))
    happens("cart", one, NOON)
    running.tick(NOON)
    assert Delivery.objects.get().expires_at == NOON + HOUR
    happens("cart", one, NOON + HOUR)
    assert triggers.follow(NOON + HOUR) == 0
    sending.expire(NOON + HOUR)
    running.tick(NOON + HOUR)
    assert (Campaign.objects.get().status, Delivery.objects.count()) == ("finished", 1)


def test_a_second_run_is_another_occasion_for_everybody() -> None:
    recurring(message_expires_after=timedelta(days=2))
    for day in (1, 2):
        running.tick(NOON + day * DAY)
        plan_all(NOON + day * DAY)
        assert work(NOON + day * DAY) == ["p0@example.com"]
    rows = Delivery.objects.all()
    assert len({row.occasion for row in rows}) == len({row.pk for row in rows}) == len({row.call for row in rows}) == 2
    assert len(set(Run.objects.values_list("salt", flat=True))) == 2


def test_groups_are_dealt_anew_in_each_run_and_the_same_in_each_planning_of_one() -> None:
    import numpy as np

    people = np.arange(1, 2001)
    shares = experiments.Shares(holdout=0.5, variants={7: 0.5})
    first, second = (experiments.assign(salt, shares, people) for salt in ("a", "b"))
    assert (first == experiments.assign("a", shares, people)).all()
    assert 0.4 < float(np.mean(first == second)) < 0.6


def test_a_clock_that_was_a_year_ahead_for_a_minute_costs_a_recurring_campaign_no_year() -> None:
    recurring()
    running.tick(NOON + 365 * DAY)
    assert Campaign.objects.get().next_run_at == NOON + 366 * DAY - 2 * HOUR
    Delivery.objects.all().delete()
    running.tick(NOON + DAY)  # and right again
    assert Campaign.objects.get().next_run_at == NOON + 2 * DAY - 2 * HOUR
    running.tick(NOON + 2 * DAY)
    assert "2026-03-04T02:00Z" in set(Run.objects.values_list("key", flat=True))


def test_a_clock_that_goes_back_an_hour_runs_nothing_twice() -> None:
    recurring()
    running.tick(NOON + DAY)
    plan_all(NOON + DAY)
    for back in (5, 3, 1, 0):
        running.tick(NOON + DAY - back * HOUR)
        plan_all(NOON + DAY - back * HOUR)
    assert list(Run.objects.values_list("key", flat=True)) == ["2026-03-03T02:00Z"]
    assert Delivery.objects.count() == 1


def test_a_clock_that_goes_back_sends_nothing_twice() -> None:
    begun(3)
    assert len(work()) == 3
    assert work(NOON - DAY) == []
    sending.recover(NOON - DAY)
    running.tick(NOON - DAY)
    assert work(NOON + HOUR) == []


def test_two_beats_start_one_run_of_a_recurring_campaign() -> None:
    recurring()
    assert at_once(lambda _number: running.tick(NOON + DAY)) == ["done", "done"]
    assert (Run.objects.count(), JobRun.objects.filter(kind=running.PLAN).count()) == (1, 1)


def test_two_beats_answer_an_event_once() -> None:
    one = triggered(after_minutes=0)[0]
    happens("cart", one, NOON)
    assert at_once(lambda _number: running.tick(NOON)) == ["done", "done"]
    running.tick(NOON)
    assert Delivery.objects.count() == 1


def test_two_beats_finish_a_campaign_once_and_two_plannings_make_one_row_each() -> None:
    scheduled(5)
    running.tick(NOON)
    job = JobRun.objects.get(kind=running.PLAN)
    run = Run.objects.get()

    def plan(_number: int) -> None:
        people = iter([list(Profile.objects.order_by("pk").values_list("pk", flat=True))])
        planning.plan(Run.objects.select_related("campaign__purpose", "campaign__segment").get(pk=run.pk), people, NOON)

    assert at_once(plan) == ["done", "done"]
    assert Delivery.objects.count() == 5
    job.cancel(NOON)
    Delivery.objects.update(status="failed", reason="refused")
    assert at_once(lambda _number: running.tick(NOON + HOUR)) == ["done", "done"]
    assert (Campaign.objects.get().status, Run.objects.get().status) == ("finished", "done")


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_campaign_that_finishes_while_somebody_clicks_ends_once(verb: str) -> None:
    begun(1)
    Delivery.objects.update(status="failed", reason="refused")
    click = {"pause": running.pause, "cancel": running.cancel}[verb]
    both = [lambda: running.tick(NOON), lambda: click(Campaign.objects.get(), None, "x", NOON)]
    at_once(lambda number: both[number]())
    assert Campaign.objects.get().status in {"finished", "paused" if verb == "pause" else "cancelled"}
    running.tick(NOON)
    assert Run.objects.get().status in {"done", "cancelled"}


def test_a_campaign_that_is_paused_before_its_time_starts_when_it_is_resumed_and_not_before() -> None:
    one = scheduled(1, starts_at=NOON + HOUR)
    running.pause(one, None, "", NOON)
    running.tick(NOON + 2 * HOUR)
    assert not Run.objects.exists()
    running.resume(one, None, "", NOON + 2 * HOUR)
    running.tick(NOON + 2 * HOUR)
    assert Run.objects.get().key == starting.ONCE


def test_a_paused_campaign_whose_time_is_over_ends_when_it_is_resumed() -> None:
    one = scheduled(1, starts_at=NOON + HOUR, ends_at=NOON + DAY)
    running.pause(one, None, "", NOON)
    running.resume(one, None, "", NOON + 2 * DAY)
    running.tick(NOON + 2 * DAY)
    assert Campaign.objects.values_list("status", flat=True).get() == "cancelled"
    assert not Run.objects.exists()


def test_an_ended_campaign_stays_ended() -> None:
    one = begun(1)
    ending.cancel(one, None, "", NOON)
    for verb in (running.schedule, running.pause, running.resume, running.cancel):
        with pytest.raises((NotPossible, approving.NotReady)):
            verb(Campaign.objects.get(), None, "x", NOON)
    running.tick(NOON + DAY)
    assert Campaign.objects.get().status == "cancelled"


def test_a_file_of_events_does_not_flood_a_triggered_campaign() -> None:
    """It was approved for three people; a hundred events at once are no basket that somebody left."""
    people = triggered(after_minutes=0)
    told = [
        ingest.NewEvent(kind="cart", profile_id=person, occurred_at=NOON, received_at=NOON, message_id=f"{person} {n}")
        for person in people
        for n in range(30)
    ]
    ingest.record_many(things.source(), told, now=NOON)
    settle()
    running.tick(NOON)
    assert (Delivery.objects.count(), Campaign.objects.get().status) == (0, "paused")
    alarm = Alarm.objects.get()
    assert (alarm.signal, alarm.seen["people"], alarm.seen["expected"]) == ("audience", 90, 3)
    running.tick(NOON)
    assert Alarm.objects.count() == 1
    running.resume(Campaign.objects.get(), User.objects.get(username="bo"), "a sale", NOON)
    running.tick(NOON)
    assert Delivery.objects.count() == 90
