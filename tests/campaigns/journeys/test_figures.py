"""How many stand at the steps of a journey, failed there, and went which way."""

from collections import Counter
from datetime import datetime

import pytest

from campaigns.journeys import figures, walking
from campaigns.models import JourneyEntry, Passage, Run
from crm.models import Event
from tests.campaigns.journeys.factories import DAY, NOW, condition, enter, journey, live, people, tree, wait

pytestmark = pytest.mark.django_db

BEIJING = {"field": "city", "is": "is", "value": "Beijing"}
TREE = tree("pause", pause=wait("where"), where=condition(BEIJING, yes="later", no=""), later=wait(""))


def walk(run: Run, now: datetime) -> None:
    while walking.walk(run, now):
        pass


def test_each_step_tells_who_stands_there_and_which_way_people_went() -> None:
    run = journey(TREE)
    here, there = people(3, city="Beijing"), people(2, city="Shanghai")
    enter(run, *here, *there)
    run.campaign.journey.refresh_from_db()
    version = run.campaign.journey.versions.get()
    assert figures.counts(version, NOW) == {"pause": figures.Counts(walking=5)}
    walk(run, NOW + DAY)
    assert figures.counts(version, NOW) == {
        "pause": figures.Counts(passed=Counter(next=5)),
        "where": figures.Counts(passed=Counter(yes=3, no=2)),
        "later": figures.Counts(walking=3),
    }
    assert figures.counts(version, NOW)["later"].arrived == 3


def test_a_journey_tells_all_its_versions_together() -> None:
    run = journey(TREE)
    enter(run, *people(2))
    live(run.campaign.journey, TREE)
    enter(run, *people(3), key="other")
    run.campaign.journey.refresh_from_db()
    assert figures.counts(run.campaign.journey, NOW)["pause"].walking == 5
    assert figures.counts(run.campaign.journey.versions.get(number=2), NOW)["pause"].walking == 3


def test_who_failed_stands_where_she_failed() -> None:
    run = journey(TREE)
    enter(run, *people(2))
    JourneyEntry.objects.update(status="failed", reason="rule", ended_at=NOW)
    assert figures.counts(run.campaign.journey, NOW) == {"pause": figures.Counts(failed=2)}


def test_adding_up_leaves_one_row_of_each_way_and_the_same_sums() -> None:
    run = journey(TREE)
    for number in range(4):
        enter(run, *people(2, city="Beijing"), key=str(number))
        walk(run, NOW + DAY)
    before = figures.counts(run.campaign.journey, NOW)
    assert Passage.objects.count() == 8
    assert figures.add_up() == 8
    assert Passage.objects.count() == 2
    assert figures.counts(run.campaign.journey, NOW) == before
    assert figures.add_up() == 2, "nothing is lost by doing it again"


def test_the_sums_are_those_of_the_log() -> None:
    run = journey(TREE)
    enter(run, *people(7, city="Beijing"), *people(2))
    for days in range(1, 4):
        walk(run, NOW + days * DAY)
    told = Counter((one["step"], one["outcome"]) for one in Event.objects.filter(kind="journey_step").values_list(
        "properties", flat=True))  # fmt: skip
    found = figures.counts(run.campaign.journey, NOW)
    assert {(step, way): n for step, one in found.items() for way, n in one.passed.items()} == told
