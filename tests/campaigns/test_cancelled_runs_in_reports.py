"""Of a run that was cancelled and planned anew, those count whose turn had come, treated or held out; each once."""

from datetime import timedelta

import pytest

from campaigns.models import Campaign, Run
from campaigns.reporting import reports
from campaigns.runs import planning
from crm.models import Profile
from tests.campaigns import factories
from tests.campaigns.factories import NOW
from tests.campaigns.test_reports import DAY, counted, crowd, happened, meant, run_of

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def campaign() -> Campaign:
    return factories.campaign()


def cancelled(campaign: Campaign, groups: str, left: int) -> list[Profile]:
    """Plan a run for people in the order of their turns, ``t`` or ``h`` (held out); cancel it when some had left."""
    run, variant = run_of(campaign), campaign.variants.get()
    people = crowd(len(groups))
    for place, (one, group) in enumerate(zip(people, groups, strict=True)):
        due = NOW + place * timedelta(minutes=1)
        if group == "h":
            meant(run, [one], None, due_at=due)
        elif place < left:
            meant(run, [one], variant, due_at=due)
        else:
            meant(run, [one], variant, due_at=due, status="suppressed", reason="cancelled", cost=None)
    Run.objects.filter(pk=run.pk).update(status="cancelled", finished_at=NOW + HOUR)
    return people


def planned_anew(campaign: Campaign, treated: list[Profile], held: list[Profile]) -> None:
    run = planning.begin(campaign, "once 2", NOW + DAY)
    Run.objects.filter(pk=run.pk).update(status="sending", planned_at=NOW + DAY)
    meant(run, treated, campaign.variants.get(), planned_at=NOW + DAY, due_at=NOW + DAY)
    meant(run, held, None, planned_at=NOW + DAY, due_at=NOW + DAY)


def sizes(found: reports.Report) -> list[tuple[bool, int, int]]:
    return [(group.variant is None, group.people, group.converted) for group in found.groups]


def test_those_whose_turn_had_come_count_where_they_were_drawn_and_the_others_where_they_were_drawn_again(
    campaign: Campaign,
) -> None:
    people = cancelled(campaign, "thttttthtt", left=4)  # the second person was held out, and so was the eighth
    planned_anew(campaign, treated=people[4:7], held=people[8:])
    happened(people[1], people[3], people[7], at=NOW + HOUR)
    happened(people[5], people[8], at=NOW + DAY + HOUR)
    found = counted(campaign)
    # Held out: the second and the last two. Treated: three that had left, and three of the second time. The eighth was
    # held out of what was never sent, and is compared with nobody.
    assert sizes(found) == [(True, 3, 2), (False, 6, 2)]


def test_what_a_cancelled_run_never_sent_is_no_message_but_a_reason(campaign: Campaign) -> None:
    people = cancelled(campaign, "tttt", left=1)
    planned_anew(campaign, treated=people[1:], held=[])
    found = counted(campaign)
    (step,) = found.funnel
    assert (step.assigned, step.delivered) == (4, 4)
    assert step.cost == pytest.approx(0.2)
    assert found.reasons == [("suppressed", "cancelled", 3)]


def test_what_somebody_does_before_she_is_drawn_again_is_not_of_the_second_time(campaign: Campaign) -> None:
    """Else a campaign would have caused what people bought while nobody had told them anything."""
    people = cancelled(campaign, "tttttt", left=1)
    planned_anew(campaign, treated=people[1:4], held=people[4:])
    happened(*people[1:], at=NOW + HOUR)
    assert sizes(counted(campaign)) == [(True, 2, 0), (False, 4, 0)]


def test_of_a_run_that_was_cancelled_before_anything_left_nobody_counts(campaign: Campaign) -> None:
    cancelled(campaign, "ththt", left=0)
    assert counted(campaign).caveats == ["nobody"]


def test_whose_turn_had_come_and_who_was_not_reached_counts_once_where_her_turn_was(campaign: Campaign) -> None:
    """Her provider was busy when it was cancelled, so she is planned anew: one person, of the first time."""
    people = cancelled(campaign, "ttht", left=4)
    run = Run.objects.get(key="once")
    run.deliveries.filter(profile=people[1]).update(status="suppressed", reason="cancelled", call=None, called_at=None)
    planned_anew(campaign, treated=[], held=[people[1]])
    assert sizes(counted(campaign)) == [(True, 1, 0), (False, 3, 0)]


def test_each_channel_has_come_as_far_as_it_has(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    people = crowd(4)
    later = NOW + HOUR
    meant(run, people[:1], variant, due_at=later)
    meant(run, people[1:2], None, due_at=NOW)
    meant(run, people[2:3], variant, channel="sms", status="suppressed", reason="cancelled", due_at=NOW)
    meant(run, people[3:], None, channel="sms", due_at=NOW)
    Run.objects.filter(pk=run.pk).update(status="cancelled")
    assert sizes(counted(campaign)) == [(True, 1, 0), (False, 1, 0)]


def test_a_run_of_a_recurring_campaign_stands_for_itself(campaign: Campaign) -> None:
    """The same person is meant by each run: that the one before was cancelled takes her out of no other."""
    Campaign.objects.filter(pk=campaign.pk).update(kind="recurring")
    campaign.refresh_from_db()
    people = cancelled(campaign, "htht", left=4)
    planned_anew(campaign, treated=people[:2], held=people[2:])
    assert sizes(counted(campaign)) == [(True, 4, 0), (False, 4, 0)]
