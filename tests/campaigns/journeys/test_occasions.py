"""People enter by coming into the segment, on a day of the year by their own clocks, and by another system's call."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.journeys import managing, occasions, triggering
from campaigns.journeys.reasons import Refusal
from campaigns.models import Campaign, JourneyEntry, Run, Segment, SegmentVersion
from crm import merging
from crm.models import Profile
from tests.campaigns import factories
from tests.campaigns.journeys.factories import DAY, NOW, enter, entry, journey, people, tree, wait
from tests.crm import consents

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()


def in_beijing(name: str) -> Segment:
    return factories.segment(f"Beijing {name}", {"field": "city", "is": "is", "value": "Beijing"})


def by_segment(name: str, present: bool = False) -> Run:
    run = journey(tree("pause", {"kind": "segment", "present": present}, pause=wait("")), name)
    Campaign.objects.filter(pk=run.campaign_id).update(segment=in_beijing(name))
    return run


def entered(run: Run) -> set[int]:
    return set(JourneyEntry.objects.filter(run=run).values_list("profile", flat=True))


def test_who_comes_into_the_segment_enters_and_who_was_there_only_where_it_is_said() -> None:
    (there,) = people(1, city="Beijing")
    (comes,) = people(1, city="Shanghai")
    new, all_ = by_segment("new"), by_segment("all", present=True)
    occasions.look(NOW)
    assert (entered(new), entered(all_)) == (set(), {there.pk})
    Profile.objects.filter(pk=comes.pk).update(city="Beijing")
    assert occasions.look(NOW + timedelta(minutes=1)) == 0  # too early to look again
    assert occasions.look(NOW + HOUR) == 2
    assert occasions.look(NOW + 2 * HOUR) == 0
    assert (entered(new), entered(all_)) == ({comes.pk}, {there.pk, comes.pk})


def test_who_has_left_the_segment_meanwhile_does_not_enter() -> None:
    (comes,) = people(1, city="Shanghai")
    run = by_segment("left")
    occasions.look(NOW)
    Campaign.objects.filter(pk=run.campaign_id).update(status="paused")
    Profile.objects.filter(pk=comes.pk).update(city="Beijing")
    occasions.look(NOW + HOUR)
    assert entered(run) == set()
    Profile.objects.filter(pk=comes.pk).update(city="Shanghai")
    Campaign.objects.filter(pk=run.campaign_id).update(status="running")
    assert occasions.look(NOW + 2 * HOUR) == 0


def test_a_segment_whose_rule_cannot_be_read_any_more_holds_up_no_other_journey() -> None:
    (there,) = people(1, city="Beijing")
    bad, good = by_segment("bad", present=True), by_segment("good", present=True)
    SegmentVersion.objects.filter(segment__name="Beijing bad").update(rule={"field": "shoe size"})
    assert occasions.look(NOW) == 1
    assert (entered(bad), entered(good)) == (set(), {there.pk})


def by_birthday(began: datetime, **facts: Any) -> Run:
    trigger = {"kind": "date", "field": "birthday", "at": "09:00"} | facts
    run = journey(tree("pause", trigger, pause=wait("")), again="ended")
    Run.objects.filter(pk=run.pk).update(starts_at=began)
    return run


def test_a_birthday_begins_by_the_clock_on_her_wall_and_once() -> None:
    tokyo, berlin = (
        people(1, birth_month=3, birth_day=10, attributes={"time_zone": zone})[0]
        for zone in ("Asia/Tokyo", "Europe/Berlin")
    )
    day = datetime(2027, 3, 10, tzinfo=UTC)
    run = by_birthday(day - timedelta(hours=12))
    looks = {hour: occasions.look(day + hour * HOUR) for hour in (-1, 0, 1, 7, 8, 9)}
    assert looks == {-1: 0, 0: 1, 1: 0, 7: 0, 8: 1, 9: 0}
    assert entered(run) == {tokyo.pk, berlin.pk}


@pytest.mark.parametrize(
    ("day", "before"), [("2027-03-01", 0), ("2028-02-29", 0), ("2027-02-22", 7), ("2028-02-22", 7)]
)
def test_who_was_born_on_the_29th_of_february_has_a_birthday_every_year(day: str, before: int) -> None:
    people(1, birth_month=2, birth_day=29, attributes={"time_zone": "UTC"})
    at = datetime.fromisoformat(f"{day}T09:00:00+00:00")
    by_birthday(at - 40 * DAY, days_before=before)
    found = {days: occasions.look(at + days * DAY) for days in (-2, -1, 0, 1, 2)}
    assert found == {-2: 0, -1: 0, 0: 1, 1: 0, 2: 0}


def test_after_an_outage_a_birthday_of_the_last_day_is_not_missed_and_one_of_last_week_is_over() -> None:
    zone = {"attributes": {"time_zone": "UTC"}}
    people(1, birth_month=3, birth_day=10, **zone)
    (late,) = people(1, birth_month=3, birth_day=16, **zone)
    run = by_birthday(datetime(2027, 3, 1, tzinfo=UTC))
    occasions.look(datetime(2027, 3, 9, tzinfo=UTC))
    assert occasions.look(datetime(2027, 3, 17, 8, tzinfo=UTC)) == 1
    assert entered(run) == {late.pk}


def test_another_system_lets_a_person_in_once_and_is_told_why_not() -> None:
    one, same, other = people(3)
    run = journey(tree("pause", pause=wait("")))
    told = run.campaign.journey
    found = triggering.call(told, one.pk, "a", NOW)
    assert found == entry(run, one)
    assert triggering.call(told, one.pk, "a", NOW + HOUR) == found
    merging.join(same.pk, one.pk, now=NOW, reason="test")
    assert triggering.call(told, same.pk, "a", NOW) == found
    assert triggering.call(told, same.pk, "b", NOW) == Refusal.ON_THE_WAY
    assert triggering.leave(told, same.pk, None, NOW)
    assert not triggering.leave(told, same.pk, None, NOW)
    assert triggering.call(told, one.pk, "b", NOW) == Refusal.BEEN_BEFORE
    assert triggering.call(told, 2**40, "a", NOW) == Refusal.UNKNOWN
    managing.drain(told, True, None, NOW)
    assert triggering.call(told, other.pk, "a", NOW) == Refusal.DRAINING
    Campaign.objects.update(status="paused")
    assert triggering.call(told, other.pk, "a", NOW) == Refusal.NOT_RUNNING


def test_a_call_is_refused_where_the_rules_do_not_let_the_person_in() -> None:
    (one,) = people(1)
    often = journey(tree("pause", pause=wait("")), "often", again="ended", again_after=10 * DAY)
    enter(often, one)
    managing.remove(JourneyEntry.objects.all(), None, NOW)
    assert triggering.call(often.campaign.journey, one.pk, "b", NOW + DAY) == Refusal.TOO_SOON
    by_event = journey(tree("pause", {"kind": "event", "event": "cart"}, pause=wait("")), "by event")
    assert triggering.call(by_event.campaign.journey, one.pk, "a", NOW) == Refusal.NOT_BY_CALL
    nobody = journey(tree("pause", pause=wait("")), "nobody", segment=in_beijing("nobody"))
    assert triggering.call(nobody.campaign.journey, one.pk, "a", NOW) == Refusal.NOT_MEANT
