"""What a person may ask of the journeys that lead her: to see them, to be forgotten; and when they go by themselves."""

from datetime import timedelta

import pytest

from campaigns.disclosure import SECTIONS
from campaigns.journeys import figures, walking
from campaigns.models import JourneyEntry
from crm.merging import merge
from crm.retention_classes import CLASSES
from crm.retention_stores import Limits
from tests.campaigns.journeys.factories import DAY, NOW, enter, entry, journey, people, tree, wait

pytestmark = pytest.mark.django_db

TREE = tree("pause", pause=wait("later"), later=wait(""))
(JOURNEYS,) = (section.rows for section in SECTIONS if section.name == "journeys")


def test_a_person_is_told_which_journeys_lead_her_and_every_step_behind_her() -> None:
    run = journey(TREE)
    one, other = people(2)
    enter(run, one, other)
    walking.walk(run, NOW + DAY)
    [told] = JOURNEYS([one.pk])
    assert told == {
        "entered": NOW,
        "journey": "way",
        "purpose": run.campaign.purpose.code,
        "version": 1,
        "state": "walking",
        "reason": "",
        "step": "later",
        "goes_on": NOW + 2 * DAY,
        "ended": None,
        "path": [f"{(NOW + DAY).isoformat()} pause: next"],
    }


def test_what_was_before_a_merge_is_hers_too() -> None:
    run = journey(TREE)
    old, new = people(2)
    enter(run, old)
    merge(old.pk, new.pk, reason="same", user=run.campaign.created_by, now=NOW)
    walking.walk(run, NOW + DAY)
    [told] = JOURNEYS([old.pk, new.pk])
    assert told["path"] == [f"{(NOW + DAY).isoformat()} pause: next"]


def test_of_who_is_forgotten_only_numbers_stay() -> None:
    run = journey(TREE)
    one, other = people(2)
    enter(run, one, other)
    walking.walk(run, NOW + DAY)
    one.delete()
    assert list(JourneyEntry.objects.values_list("profile", flat=True)) == [other.pk]
    run.campaign.journey.refresh_from_db()
    counts = figures.counts(run.campaign.journey, NOW)
    assert counts["later"].walking == 1
    assert counts["pause"].passed == {"next": 2}


def test_entries_go_two_years_after_their_end_and_who_walks_stays() -> None:
    run = journey(TREE)
    ended, late, walks = people(3)
    enter(run, ended, late, walks)
    JourneyEntry.objects.filter(profile=ended).update(status="left", ended_at=NOW)
    JourneyEntry.objects.filter(profile=late).update(status="left", ended_at=NOW + DAY)
    limits = Limits(cutoff=NOW + timedelta(hours=1), people=[], now=NOW + 800 * DAY)
    assert CLASSES["deliveries"].store.count(limits).due == 1
    CLASSES["deliveries"].store.delete(limits)
    assert set(JourneyEntry.objects.values_list("profile", flat=True)) == {late.pk, walks.pk}
    assert entry(run, walks).status == "walking"
