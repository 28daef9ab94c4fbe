"""Who buys regularly is expected again after the median of her own gaps; the step waits for that day, which moves."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.journeys import expecting, following, walking
from crm import ingest
from crm.models import Profile
from tests import factories as crm
from tests.campaigns.journeys.factories import DAY, NOW, enter, entry, happens, journey, path, people, tree, wait
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)


def bought(person: Profile, *days_ago: float) -> None:
    events = [
        ingest.NewEvent(
            kind="purchase", profile_id=person.pk, occurred_at=NOW - days * DAY, received_at=NOW - days * DAY,
            message_id=f"{person.pk} {days}",
        )
        for days in days_ago
    ]  # fmt: skip
    ingest.record_many(crm.source(), events, now=NOW)


def usual(to: str = "", unknown: str = "", **told: Any) -> dict[str, Any]:
    step = {"kind": "wait_for_next", "event": "purchase", "days_before": 2, "minutes": 60 * 1440}
    return step | {"ways": {"next": to, "unknown": unknown}} | told


def test_she_is_expected_after_the_median_of_her_gaps() -> None:
    often, twice, never, years_ago = people(4)
    bought(often, 30, 30.01, 20, 13, 5, 3)  # gaps of 10, 7, 8 and 2 days: the median is 7.5
    bought(twice, 20, 10)
    bought(years_ago, 500, 490, 480, 10)
    found = expecting.next_of({one.pk for one in (often, twice, never, years_ago)}, "purchase", NOW)
    assert found == {often.pk: NOW - 3 * DAY + timedelta(days=7.5)}
    assert expecting.next_of({often.pk}, "purchase", NOW - 4 * DAY) == {often.pk: NOW - 5 * DAY + 8 * DAY}
    assert expecting.next_of({often.pk}, "cart", NOW) == expecting.next_of(set(), "purchase", NOW) == {}


def test_the_step_waits_for_the_day_and_what_she_buys_moves_it() -> None:
    consents.purpose()
    regular, again, seldom, yearly = people(4)
    for one in (regular, again):
        bought(one, 21, 11, 1)
    bought(seldom, 1)
    bought(yearly, 200, 100, 0)
    run = journey(tree("usual", usual=usual("due", "else"), due=wait(""), **{"else": wait("")}), leave_at_goal=False)
    enter(run, regular, again, seldom, yearly)
    walking.walk(run, NOW)
    assert entry(run, regular).due_at == NOW + 7 * DAY
    assert path(run, seldom) == [("usual", "unknown")]
    happens("purchase", again, NOW + 5 * DAY)
    following.follow(NOW + 7 * DAY)
    assert path(run, regular) == [("usual", "next")]
    assert entry(run, again).due_at == NOW + 13 * DAY  # five days, and ten, less two
    following.follow(NOW + 13 * DAY)
    assert path(run, again) == [("usual", "next")]
    following.follow(NOW + 60 * DAY)
    assert path(run, yearly)[0] == ("usual", "unknown")
