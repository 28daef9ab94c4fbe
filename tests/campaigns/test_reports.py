"""Reports on worlds whose numbers can be counted on one's fingers, and on one whose truth is known."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import User

from campaigns.models import Campaign, Delivery, Run, Variant
from campaigns.reporting import figures, lift, reports, strata
from campaigns.runs import planning
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


def happened(*profiles: Profile, kind: str = "purchase", at: datetime = NOW + DAY, **facts: Any) -> None:
    """Write down that each of them did something, which of a purchase was worth ten."""
    told = {"value": "10.00", "currency": "CNY"} if kind in ("purchase", "refund") else {}
    new = [
        ingest.NewEvent(
            kind=kind, profile_id=one.pk, occurred_at=at, received_at=at, message_id=str(uuid4()), **told | facts
        )
        for one in profiles
    ]
    ingest.record_many(plain.source(), new, now=at)


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
    happened(returned, kind="refund", value="4.00")
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
        happened(one, kind=kind, session=str(run.pk), properties=json.dumps(facts))
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
    happened(*people[:6])
    found = counted(campaign)
    assert (found.lift, found.variants, found.caveats) == (None, {}, ["no_holdout"])
    assert found.cost_each is None


def test_a_campaign_of_nobody_has_a_report(campaign: Campaign) -> None:
    assert counted(campaign).caveats == ["nobody"]


def experiment(buyers: tuple[int, int, int], each: int = 1) -> tuple[Campaign, Variant, list[Profile]]:
    """Return a campaign to 240 times ``each`` people in two variants, as many held out as half a variant's."""
    campaign = factories.campaign(holdout="0.200")
    first = campaign.variants.get()
    second = Variant.objects.create(campaign=campaign, name="B", template=first.template)
    run = run_of(campaign)
    rows = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(300 * each))
    edges = 60 * each, 180 * each
    groups = (None, rows[: edges[0]]), (first, rows[edges[0] : edges[1]]), (second, rows[edges[1] :])
    for (variant, some), number in zip(groups, buyers, strict=True):
        meant(run, some, variant)
        happened(*some[: number * each])
    return campaign, second, rows


def test_a_known_effect_is_found_and_its_cost() -> None:
    """Of 300 held out 50 buy, and of each variant's 600 two hundred and 350."""
    campaign, second, _rows = experiment((10, 40, 70), each=5)
    found = counted(campaign)
    assert found.lift is not None
    assert found.lift.rate.effect == pytest.approx(110 / 240 - 10 / 60)
    assert found.lift.conversions[0] == pytest.approx(350)
    assert found.lift.revenue is not None
    assert found.lift.revenue[0] == pytest.approx(3500)
    assert found.cost_each == pytest.approx(1200 * 0.05 / 350)
    alone = lift.difference(
        lift.Stratum(treated=lift.Moments(n=600, y=350, yy=350), held=lift.Moments(n=300, y=50, yy=50))
    )
    expected = lift.interval(alone, lift.tuned(4 * alone.variance, 0.025), 0.025)
    assert found.variants[second.pk].rate.low == pytest.approx(expected.low)
    assert found.variants[second.pk].p == pytest.approx(2 * expected.p)
    assert found.caveats == []
    assert found.days[False][1] == pytest.approx(110 / 240)


def test_revenue_of_few_is_not_judged() -> None:
    campaign, _second, _rows = experiment((10, 40, 70))
    found = counted(campaign)
    assert found.lift is not None
    assert (found.lift.value, found.lift.revenue) == (None, None)
    assert found.caveats == ["too_few_paid"]


def test_what_the_first_look_fixed_stays_whatever_comes() -> None:
    """The width of an interval must not follow the outcomes: it is planned once, at the first look with enough."""
    campaign, _second, rows = experiment((10, 40, 70))
    counted(campaign, NOW + 2 * DAY)
    kept = figures.of(campaign, NOW + 2 * DAY).counted["kept"]
    happened(*rows[100:170], at=NOW + 3 * DAY)
    counted(campaign, NOW + 4 * DAY)
    assert figures.of(campaign, LATER).counted["kept"] == kept
    assert kept["value"] == {}


def test_the_weeks_of_a_cohort_add_up() -> None:
    campaign, _second, rows = experiment((10, 40, 70))
    happened(*rows[50:60], at=NOW + 9 * DAY)  # ten more of those held out, in the second week
    held, treated = sorted(counted(campaign).cohorts, key=lambda one: not one.held)
    assert (held.people, treated.people) == (60, 240)
    assert list(held.reached) == [pytest.approx(10 / 60), pytest.approx(20 / 60)]
    assert list(treated.reached) == [pytest.approx(110 / 240)]
    assert (held.revenue, treated.revenue) == (200, 1100)


def test_profit_is_of_the_most_promising_first() -> None:
    """Only who bought before answers: a twelfth of the people brings all that there is, and the rest costs."""
    campaign, _second, rows = experiment((0, 0, 0))
    loyal = [*rows[:5], *rows[60:80]]
    happened(*loyal, at=NOW - 3 * DAY, value="100.00")
    happened(*rows[60:80], value="50.00")
    (curve,) = counted(campaign).curves
    assert curve.by == "value_before"
    first = curve.points[0]
    # Among equals chance decides who comes first: of a point, somebody held out and somebody treated must be there.
    assert (first.share, first.people) in ((0.05, 15), (0.1, 30))
    assert [point.people for point in curve.points][-1] == 300
    whole = curve.points[-1].profit[0]
    assert whole == pytest.approx(300 * (20 * 50 / 240 - 0.05), rel=0.15)  # CUPED knows a little more
    assert curve.points[2].profit[0] > 0.8 * whole  # three of twenty parts bring nearly everything


def test_parts_of_the_people_are_compared_within() -> None:
    campaign, _second, rows = experiment((20, 50, 60))
    happened(*rows[:30], *rows[60:120], *rows[180:240], at=NOW - 3 * DAY)
    found = {part.name: part for part in counted(campaign).parts if part.kind == "before"}
    assert found["yes"].treated.people == 120
    assert found["yes"].held is not None
    assert found["yes"].held.people == 30
    assert found["no"].treated.converted == 0
    assert found["no"].rate is None  # nobody of them did: nothing to compare


def test_what_machines_asked_for_is_shown_apart(campaign: Campaign) -> None:
    run, variant = run_of(campaign), campaign.variants.get()
    people = crowd(3)
    meant(run, people, variant)
    rows = dict(Delivery.objects.values_list("profile_id", "pk"))
    for one, kind, why in ((0, "clicked", "burst"), (1, "clicked", "burst"), (2, "opened", "mail_proxy")):
        facts = json.dumps({"delivery": str(rows[people[one].pk]), "automatic": why})
        happened(people[one], kind=kind, session=str(run.pk), properties=facts)
    found = counted(campaign)
    assert found.machines == [("clicked", "burst", 2), ("opened", "mail_proxy", 1)]
    assert (found.links, found.devices) == ([], [])


def test_two_runs_are_two_experiments(campaign: Campaign) -> None:
    variant = campaign.variants.get()
    rows = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(80))
    draw = np.random.default_rng(1)
    for key in ("a", "b"):
        run = planning.begin(campaign, key, NOW)
        mixed = [rows[place] for place in draw.permutation(80)]
        meant(run, mixed[:60], variant)
        meant(run, mixed[60:], None)
    happened(*rows[:40])
    found = counted(campaign)
    assert sum(group.people for group in found.groups) == 160
    assert found.lift is not None
    pairs = strata.strata(figures.of(campaign, LATER).counted["groups"], [variant.pk], "goal")
    assert len(pairs) == 2
    assert found.lift.rate.effect == pytest.approx(lift.together(pairs).effect)


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
