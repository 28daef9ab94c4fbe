"""Reports on worlds whose numbers can be counted on one's fingers, and on one whose truth is known."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User

from campaigns import figures, lift, planning, reports
from campaigns.models import Campaign, Delivery, Run, Variant
from crm import ingest, merging
from crm.models import Event, Profile
from tests import factories as plain
from tests.campaigns import factories
from tests.campaigns.factories import NOW

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(days=30)
DAY = timedelta(days=1)


def run_of(campaign: Campaign) -> Run:
    run = planning.begin(campaign, "once", NOW)
    Run.objects.filter(pk=run.pk).update(status="sending", planned_at=NOW)
    return run


def meant(run: Run, people: list[Profile], variant: Variant | None, **facts: Any) -> None:
    """Write down that people are to get a variant, or are held out."""
    told = {
        "status": "delivered" if variant else "held_out",
        "channel": "email",
        "planned_at": NOW,
        "due_at": NOW,
        "expires_at": NOW + DAY,
        "cost": "0.05" if variant else None,
    } | facts
    Delivery.objects.bulk_create(
        Delivery(
            id=uuid4(),
            occasion=run.pk,
            run=run,
            profile=one,
            variant=variant,
            **told,
            **({"call": uuid4(), "called_at": NOW} if told["status"] in Delivery.HANDED_OFF else {}),
        )
        for one in people
    )


def happened(profile: Profile, kind: str = "purchase", at: datetime = NOW + DAY, **facts: Any) -> None:
    told = {"value": "10.00", "currency": "CNY"} if kind in ("purchase", "refund") else {}
    new = ingest.NewEvent(
        kind=kind, profile_id=profile.pk, occurred_at=at, received_at=at, message_id=str(uuid4()), **told | facts
    )
    ingest.record_many(plain.source(), [new], now=at)


def counted(campaign: Campaign, now: datetime = LATER) -> reports.Report:
    figures.count(campaign, now)
    return reports.of(campaign, now)


@pytest.fixture
def campaign() -> Campaign:
    return factories.campaign()


def crowd(number: int, start: int = 0) -> list[Profile]:
    return [factories.person(start + one, email=False, consent=False) for one in range(number)]


def test_everybody_assigned_counts_reached_or_not(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    people = crowd(7)
    meant(run, people[:2], variant)
    meant(run, people[2:3], variant, status="bounced")
    meant(run, people[3:4], variant, status="suppressed", reason="withdrawn")
    meant(run, people[4:6], None)
    meant(run, people[6:7], None, reason="permanent_holdout")
    happened(people[0])
    happened(people[3], value="5.50")  # was never reached, but was drawn
    happened(people[4], value="2.00")
    found = counted(campaign)
    assert [(one.variant, one.people, one.converted, one.revenue) for one in found.groups] == [
        (None, 2, 1, 2.0),
        (variant.pk, 4, 2, 15.5),
    ]
    (step,) = found.funnel
    assert (step.assigned, step.accepted, step.delivered, step.bounced, step.converted) == (4, 3, 2, 1, 2)
    assert found.cost == pytest.approx(0.2)
    assert found.reasons == [("held_out", "permanent_holdout", 1), ("suppressed", "withdrawn", 1)]
    assert found.lift is None
    assert found.caveats == ["too_few"]


def test_only_what_happens_in_the_window_counts_and_refunds_take_away(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    inside, before, after, returned = crowd(4)
    meant(run, [inside, before, after, returned], variant)
    happened(inside, at=NOW)
    happened(inside, at=NOW + 14 * DAY - timedelta(microseconds=1))
    happened(before, at=NOW - timedelta(microseconds=1))
    happened(after, at=NOW + 14 * DAY)
    happened(returned)
    happened(returned, "refund", value="4.00")
    (group,) = counted(campaign).groups
    assert (group.converted, group.revenue) == (2, 26.0)
    (sums,) = figures.of(campaign, LATER).counted["groups"]
    assert (sums["goal"]["x"], sums["value"]["x"]) == (1, 10)  # of before


def test_what_has_not_happened_yet_is_not_counted(campaign: Campaign) -> None:
    run = run_of(campaign)
    people = crowd(2)
    meant(run, people, campaign.variants.get())
    happened(people[0], at=NOW + 5 * DAY)
    early = counted(campaign, NOW + 2 * DAY)
    assert early.groups[0].converted == 0
    assert "window_open" in early.caveats
    assert counted(campaign).groups[0].converted == 1


def test_merged_people_count_once_in_the_group_of_the_profile_that_was_kept(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    kept, double, triple, other = crowd(4)
    meant(run, [double, triple, other], variant)
    meant(run, [kept], None)
    happened(double)
    happened(triple, value="1.00")
    boss = User.objects.get(username="boss")
    merging.merge(triple.pk, double.pk, reason="same", user=boss, now=NOW + 2 * DAY)
    merging.merge(double.pk, kept.pk, reason="same", user=boss, now=NOW + 3 * DAY)
    found = counted(campaign)
    assert [(one.variant, one.people, one.converted, one.revenue) for one in found.groups] == [
        (None, 1, 1, 11.0),
        (variant.pk, 1, 0, 0.0),
    ]


def test_whose_data_are_restricted_counts_nowhere(campaign: Campaign) -> None:
    run = run_of(campaign)
    people = crowd(3)
    meant(run, people, campaign.variants.get())
    Profile.objects.filter(pk=people[0].pk).update(restricted_at=NOW)
    happened(people[0])
    (group,) = counted(campaign).groups
    assert (group.people, group.converted) == (2, 0)


def test_clicks_of_machines_and_opens_are_no_step(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    people = crowd(3)
    meant(run, people, variant)
    rows = dict(Delivery.objects.values_list("profile_id", "pk"))
    for one, kind, more in (
        (people[0], "clicked", {"device": "mobile"}),
        (people[0], "clicked", {"device": "mobile"}),
        (people[1], "clicked", {"automatic": "scanner"}),
        (people[2], "opened", {}),
    ):
        facts = {"delivery": str(rows[one.pk]), "link": "https://example.com/"} | more
        happened(one, kind, session=str(run.pk), properties=json.dumps(facts))
    found = counted(campaign)
    assert [step.clicked for step in found.funnel] == [1]
    assert found.devices == [("mobile", 1)]
    assert found.groups[0].converted == 0


def test_a_fallback_is_another_message_to_the_same_person(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    people = crowd(2)
    meant(run, people, variant, status="failed", reason="refused")
    meant(run, people[:1], variant, channel="sms", planned_at=NOW + DAY)
    happened(people[0], at=NOW + timedelta(hours=1))
    found = counted(campaign)
    assert [(one.people, one.converted) for one in found.groups] == [(2, 1)]
    assert [(step.channel, step.assigned, step.converted) for step in found.funnel] == [("email", 2, 1), ("sms", 1, 0)]


def test_groups_that_were_not_drawn_as_planned_are_told(campaign: Campaign) -> None:
    run = run_of(campaign)
    people = crowd(60)
    meant(run, people[:30], campaign.variants.get())
    meant(run, people[30:], None)
    found = counted(campaign)
    assert found.sample_ratio == lift.sample_ratio([30, 30], [0.1, 0.9])
    assert "sample_ratio" in found.caveats


def test_without_a_holdout_nothing_is_said_to_be_caused() -> None:
    campaign = factories.campaign(holdout="0")
    run = run_of(campaign)
    people = crowd(12)
    meant(run, people, campaign.variants.get())
    for one in people[:6]:
        happened(one)
    found = counted(campaign)
    assert (found.lift, found.variants, found.caveats) == (None, {}, ["no_holdout"])
    assert found.cost_each is None


def test_a_campaign_of_nobody_has_a_report(campaign: Campaign) -> None:
    assert counted(campaign).caveats == ["nobody"]


def test_a_known_effect_is_found_and_its_cost() -> None:
    """300 people, 60 held out: 10 of these buy, and of each variant's 120 forty and seventy."""
    campaign = factories.campaign(holdout="0.200")
    first = campaign.variants.get()
    second = Variant.objects.create(campaign=campaign, name="B", template=first.template)
    run = run_of(campaign)
    rows = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(300))
    for variant, some, buyers in ((None, rows[:60], 10), (first, rows[60:180], 40), (second, rows[180:], 70)):
        meant(run, some, variant)
        for one in some[:buyers]:
            happened(one)
    found = counted(campaign)
    assert found.lift is not None
    assert found.lift.rate.effect == pytest.approx(110 / 240 - 10 / 60)
    assert found.lift.conversions[0] == pytest.approx(70)
    assert found.lift.revenue[0] == pytest.approx(700)
    assert found.cost_each == pytest.approx(240 * 0.05 / 70)
    alone = lift.difference(
        lift.Stratum(treated=lift.Moments(n=120, y=70, yy=70), held=lift.Moments(n=60, y=10, yy=10))
    )
    assert found.variants[second.pk].rate == lift.interval(alone, alpha=0.025)
    assert found.variants[second.pk].p == pytest.approx(2 * lift.interval(alone, alpha=0.025).p)
    assert found.caveats == []
    assert found.days[False][1] == pytest.approx(110 / 240)


def test_two_runs_are_two_experiments(campaign: Campaign) -> None:
    variant = campaign.variants.get()
    rows = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(80))
    draw = np.random.default_rng(1)
    for key in ("a", "b"):
        run = planning.begin(campaign, key, NOW)
        mixed = [rows[place] for place in draw.permutation(80)]
        meant(run, mixed[:60], variant)
        meant(run, mixed[60:], None)
    for one in rows[:40]:
        happened(one)
    found = counted(campaign)
    assert sum(group.people for group in found.groups) == 160
    assert found.lift is not None
    strata = reports._strata(figures.of(campaign, LATER).counted["groups"], [variant.pk], "goal")
    assert len(strata) == 2
    assert found.lift.rate.effect == pytest.approx(lift.together(strata).effect)


def test_what_was_counted_is_shown_until_it_is_counted_anew(campaign: Campaign) -> None:
    run = run_of(campaign)
    people = crowd(2)
    meant(run, people, campaign.variants.get())
    assert counted(campaign, NOW + DAY).groups[0].converted == 0
    happened(people[0])
    assert reports.of(campaign, LATER).groups[0].converted == 0
    assert figures.refresh(LATER) == 1
    assert reports.of(campaign, LATER).groups[0].converted == 1
    assert Event.objects.filter(kind="purchase").count() == 1
