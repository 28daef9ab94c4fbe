"""The calendar of campaigns: what ran, what will run, in quiet hours or close to another; an autumn and a leap year."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from campaigns.reach import policies
from campaigns.runs import calendars, planning
from tests.campaigns import factories
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db
HERE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)  # ten in the morning here, a Monday
MAY = date(2026, 5, 1)
STATUS = Campaign.Status


def at(day: int, hour: int, month: int = 5) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=HERE)


def made(name: str, **facts: Any) -> Campaign:
    told = {"status": STATUS.SCHEDULED, "segment": factories.segment(name)} | facts
    return factories.campaign(name, **told)


def shown(first: date = MAY, now: datetime = NOW) -> calendars.Month:
    return calendars.month(first, policies.policy(), HERE, now)


def entries(month: calendars.Month) -> list[tuple[str, str]]:
    found = [one for week in month.weeks for day in week for one in day.entries]
    return [(one.campaign.name, f"{one.at.astimezone(HERE):%m-%d %H:%M}") for one in found]


def test_a_month_has_whole_weeks_and_says_what_ran_and_what_will() -> None:
    past = made("past", status=STATUS.FINISHED)
    planning.begin(past, "once", at(2, 10))
    made("once", starts_at=at(20, 10), next_run_at=at(20, 10))
    made("weekly", kind="recurring", timing={"every": 1, "unit": "week", "at": "10:00"}, starts_at=at(1, 10, 4),
         next_run_at=at(6, 10), ends_at=at(20, 0))  # fmt: skip
    month = shown()
    assert (month.weeks[0][0].on, month.weeks[-1][-1].on) == (date(2026, 4, 27), date(2026, 5, 31))
    assert entries(month) == [
        ("past", "05-02 10:00"), ("weekly", "05-06 10:00"), ("weekly", "05-13 10:00"), ("once", "05-20 10:00"),
    ]  # fmt: skip
    assert [day.on for week in month.weeks for day in week if day.is_today] == [date(2026, 5, 4)]
    assert (month.before, month.after) == (date(2026, 4, 1), date(2026, 6, 1))


def test_what_begins_at_night_waits_and_what_begins_together_collides() -> None:
    made("late", starts_at=at(8, 22), next_run_at=at(8, 22))
    made("first", starts_at=at(9, 10), next_run_at=at(9, 10))
    made("second", starts_at=at(9, 12), next_run_at=at(9, 12))
    made("by sms", starts_at=at(9, 11), next_run_at=at(9, 11), channels=["sms"])
    made("later", starts_at=at(9, 15), next_run_at=at(9, 15))
    month = shown()
    found = {one.campaign.name: one for week in month.weeks for day in week for one in day.entries}
    assert found["late"].leaves_at == at(9, 9)
    assert {name: one.collides for name, one in found.items() if one.collides} == {
        "first": ("second",), "second": ("first",),
    }  # fmt: skip
    assert (month.quiet, month.collisions) == (1, 2)


def test_a_wish_is_no_promise_and_what_waits_for_events_stands_apart() -> None:
    made("draft", status=STATUS.DRAFT, approved_by=None, submitted_by=None, starts_at=at(9, 10))
    made("cancelled", status=STATUS.CANCELLED, starts_at=at(9, 10))
    made("basket", kind="triggered", status=STATUS.RUNNING, starts_at=at(1, 10), timing={"event": "cart"})
    month = shown()
    (wish,) = [one for week in month.weeks for day in week for one in day.entries]
    assert (wish.campaign.name, wish.firm) == ("draft", False)
    assert [one.name for one in month.triggered] == ["basket"]
    assert shown(date(2026, 3, 1), NOW).triggered == []


@pytest.mark.parametrize("first", [date(2028, 2, 1), date(2000, 1, 1), date(2200, 12, 1)])
def test_any_month_is_whole(first: date) -> None:
    month = shown(first)
    days = [day.on for week in month.weeks for day in week]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert {len(week) for week in month.weeks} == {7}
    assert sum(day.is_within for week in month.weeks for day in week) == (month.after - first).days


def test_a_run_that_comes_every_day_is_shown_every_day() -> None:
    made("daily", kind="recurring", status=STATUS.RUNNING, timing={"every": 1, "unit": "day", "at": "10:00"},
         starts_at=at(1, 10), next_run_at=at(5, 10))  # fmt: skip
    assert len(entries(shown())) == 27
    made("broken", kind="recurring", timing={"every": "x"}, starts_at=at(1, 10), next_run_at=at(5, 10))
    assert len(entries(shown())) == 27


def test_the_page_shows_a_month_to_whoever_sees_campaigns(client: Client) -> None:
    address = reverse("admin:campaigns_campaign_calendar")
    ann = logged_in(member("Marketing"), second_factor=True)
    for told in ("", "?month=2026-05", "?month=nonsense", "?month=9999-12", "?month=%00"):
        assert ann.get(address + told).status_code == 200
    assert client.get(address).status_code == 302
