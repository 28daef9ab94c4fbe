"""A journey walked through the past gives what walking gives, and changes nothing."""

import pytest

from campaigns.journeys import figures, following, graph, rehearsing
from campaigns.models import Delivery, JourneyEntry, Run, SegmentVersion
from crm.models import Event
from tests.campaigns import factories
from tests.campaigns.journeys.factories import (
    DAY,
    NOW,
    condition,
    entry,
    happens,
    journey,
    mail,
    path,
    purchase,
    tree,
    wait,
)
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_past_gives_what_walking_gave_and_nothing_is_written() -> None:
    consents.purpose()
    factories.account()
    people = [factories.person(number, city="Beijing" if number % 2 else "Shanghai") for number in range(6)]
    beijing = {"field": "city", "is": "is", "value": "Beijing"}
    told = tree(
        "bought", {"kind": "event", "event": "cart"},
        bought=purchase("where", "hello", 2 * 1440), where=condition(beijing, "hello", "later"),
        hello=mail("later"), later=wait(""),
    )  # fmt: skip
    run = journey(told, leave_at_goal=False)
    for hours in range(1, 80):
        now = NOW + DAY / 24 * hours
        if hours <= 6:
            happens("cart", people[hours - 1], now)
        elif hours == 24:
            for person in people[:3]:
                happens("purchase", person, now)
        following.follow(now)
    before = (JourneyEntry.objects.count(), Event.objects.count(), Delivery.objects.count())
    play = rehearsing.rehearse(
        run.campaign.journey, graph.parse(told), NOW, NOW + DAY / 24 * 79, tick=DAY / 24,
    )  # fmt: skip
    assert (JourneyEntry.objects.count(), Event.objects.count(), Delivery.objects.count()) == before
    assert play.entered == before[0] == 6
    assert {step: dict(outcomes) for step, outcomes in play.passed.items()} == {
        "bought": {"came": 3, "not": 3},
        "where": {"yes": 1, "no": 2},
        "hello": {"next": 4},
        "later": {"next": 6},
    }
    assert dict(play.ended) == {"completed": 6, "walking": 0}
    for person in people:
        assert [(step, outcome) for _at, step, outcome in play.ways[person.pk]] == path(run, person)
        assert entry(run, person).status == "completed"


def test_what_had_not_arrived_yet_was_not_known() -> None:
    consents.purpose()
    person = factories.person(1)
    told = tree("later", {"kind": "event", "event": "cart"}, later=wait(""))
    run = journey(told)
    happens("cart", person, NOW + DAY, received=NOW + 5 * DAY)
    journeys = run.campaign.journey, graph.parse(told), NOW
    assert rehearsing.rehearse(*journeys, NOW + 4 * DAY).entered == 0
    assert rehearsing.rehearse(*journeys, NOW + 6 * DAY).entered == 1


def test_each_step_tells_whom_it_would_reach_today_and_why_not_the_others() -> None:
    consents.purpose()
    factories.account()
    reachable, silent = factories.person(1), factories.person(2, consent=False)
    told = tree("hello", {"kind": "event", "event": "cart"}, hello=mail("later"), later=wait(""))
    told["steps"]["hello"]["ways"]["unreached"] = ""
    run = journey(told)
    for person in (reachable, silent):
        happens("cart", person, NOW + DAY)
    play = rehearsing.rehearse(run.campaign.journey, graph.parse(told), NOW, NOW + 2 * DAY)
    assert dict(play.reached["hello"]) == {"email": 1, "no_consent": 1}
    assert dict(play.passed["hello"]) == {"next": 1, "unreached": 1}
    assert play.counts()["hello"] == figures.Counts(passed=play.passed["hello"])
    assert play.until == NOW + 2 * DAY


def test_who_comes_into_the_segment_enters_on_that_day() -> None:
    consents.purpose()
    bought = {"event": "purchase", "measure": {"count": {"is": "at_least", "value": 1}}, "within": {"days": 3}}
    told = tree("later", {"kind": "segment"}, later=wait(""))
    run = journey(told)
    SegmentVersion.objects.filter(segment=run.campaign.segment).update(rule=bought)
    run = Run.objects.get(pk=run.pk)
    early, late, never = (factories.person(number) for number in range(3))
    happens("purchase", early, NOW - DAY)
    happens("purchase", late, NOW + 2 * DAY)
    journeys = run.campaign.journey, graph.parse(told), NOW, NOW + 5 * DAY
    play = rehearsing.rehearse(*journeys)
    assert list(play.ways) == [late.pk], "who was in it at the beginning is not new"
    told["trigger"]["present"] = True
    play = rehearsing.rehearse(run.campaign.journey, graph.parse(told), NOW, NOW + 5 * DAY)
    assert list(play.ways) == [early.pk, late.pk]
    assert never.pk not in play.ways


def test_birthdays_come_by_the_clock_on_each_wall_also_those_of_29_february() -> None:
    consents.purpose()
    told = tree("later", {"kind": "date", "field": "birthday", "at": "09:00"}, later=wait(""))
    run = journey(told)
    leap = factories.person(1, birth_month=2, birth_day=29)
    soon = factories.person(2, birth_month=3, birth_day=5, attributes={"time_zone": "America/New_York"})
    factories.person(3, birth_month=9, birth_day=5)
    since = NOW.replace(month=2, day=20)
    play = rehearsing.rehearse(run.campaign.journey, graph.parse(told), since, since + 30 * DAY, tick=DAY / 24)
    assert list(play.ways) == [leap.pk, soon.pk]
    assert list(play.days) == ["2026-03-01", "2026-03-05"]
    assert play.entered == 2


def test_a_rehearsal_that_is_called_off_tells_how_far_it_came() -> None:
    consents.purpose()
    told = tree("later", {"kind": "event", "event": "cart"}, later=wait(""))
    run = journey(told)
    happens("cart", factories.person(1), NOW + 3 * DAY)
    asked = []

    def go_on(reached: object) -> bool:
        asked.append(reached)
        return len(asked) < 4

    play = rehearsing.rehearse(run.campaign.journey, graph.parse(told), NOW, NOW + 9 * DAY, go_on=go_on)
    assert play.until == NOW + DAY
    assert asked == [NOW + DAY / 4 * number for number in range(1, 5)]
    assert play.entered == 0
