"""Campaigns that another system sent: history that is judged with care, and never taken for ours."""

import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import numpy as np
import polars as pl
import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from campaigns.delivering import outbox, worker
from campaigns.demonstration import complete_journey
from campaigns.models import Campaign, Delivery, Run, Variant, WebhookMessage
from campaigns.reach import caps
from campaigns.reporting import figures, findings, reports
from campaigns.runs import transitions
from crm import complete_journey as sample
from crm import ingest, lake
from crm.merging import pairs_of
from crm.models import Event, HandOff, PendingLeaf, Profile
from mlengine import datasets, messages
from mlengine.specs import SPECS, NotEnoughData
from tests import factories as plain
from tests.campaigns import factories
from tests.campaigns.factories import NOW
from tests.campaigns.test_report_page import page

pytestmark = pytest.mark.django_db

WEEK = timedelta(weeks=1)
LATER = NOW + 8 * WEEK


def imported(name: str = "history", **facts: object) -> tuple[Campaign, Variant, Run]:
    told = {"kind": "imported", "status": "finished", "submitted_by": None, "approved_by": None, "holdout": "0"}
    window = {"attribution_window": 4 * WEEK, "ends_at": NOW + 4 * WEEK, "goal": "redeemed", "goal_name": name}
    campaign = factories.campaign(name, **told | window | facts)
    variant = campaign.variants.get()
    run = complete_journey._run(campaign, variant)
    return campaign, variant, run


def reached(campaign: Campaign, people: list[Profile]) -> None:
    variant, run = campaign.variants.get(), campaign.runs.get()
    Delivery.objects.bulk_create(complete_journey._deliveries(run, variant, [one.pk for one in people]))


def bought(people: list[Profile], weeks: int, worth: np.ndarray) -> None:
    """Write down a purchase of each person in that week, counted from the campaign's beginning."""
    at = NOW + weeks * WEEK + timedelta(days=2)
    new = [
        ingest.NewEvent(
            kind="purchase", profile_id=one.pk, occurred_at=at, received_at=at, message_id=str(uuid4()),
            value=Decimal(f"{max(value, 0.01):.2f}"), currency="USD",
        )
        for one, value in zip(people, worth, strict=True)
    ]  # fmt: skip
    ingest.record_many(plain.source(), new, now=LATER)


def world() -> Campaign:
    """Return a campaign to those who spend most anyway; each of them spends 30 more because of it."""
    campaign, _variant, _run = imported()
    draw = np.random.default_rng(4)
    people = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(400))
    usual = draw.gamma(3, 20, 400)
    chosen = draw.random(400) < 1 / (1 + np.exp(-(usual - 70) / 15))
    reached(campaign, [one for one, is_ in zip(people, chosen, strict=True) if is_])
    for weeks in range(-20, 4):
        effect = 7.5 * chosen if weeks >= 0 else 0  # a quarter of thirty in each of four weeks
        bought(people, weeks, usual + effect + draw.normal(0, 8, 400))
    figures.count(campaign, LATER)
    return campaign


def test_the_plain_difference_misleads_and_the_adjusted_one_does_not() -> None:
    campaign = world()
    found = reports.of(campaign, LATER)
    assert found.lift is None
    assert found.observed is not None
    assert found.observed.value is not None
    assert found.observed.before is not None
    raw, (effect, low, high) = found.observed.value.raw, found.observed.value.effect
    assert raw[1] > 100  # of which 30 were caused
    assert low < 30 < high
    assert effect == pytest.approx(30, abs=12)
    assert not found.observed.before.sure
    assert found.caveats[0] == "not_drawn"
    assert findings.headline(found).startswith("Those reached spent ")
    text = page(campaign)
    assert "nobody was drawn by lot" in text
    assert "misleading" in text


def test_what_another_system_sent_is_no_hand_off_of_ours() -> None:
    campaign, _variant, _run = imported()
    people = [factories.person(number) for number in range(3)]
    before = HandOff.objects.count(), PendingLeaf.objects.count()
    reached(campaign, people)
    assert (HandOff.objects.count(), PendingLeaf.objects.count()) == before
    assert not Delivery.objects.filter(status__in=Delivery.HANDED_OFF | Delivery.OPEN).exists()
    assert not Delivery.objects.due(LATER).exists()
    assert worker.Worker(lambda: LATER).run(0.1).total() == 0
    assert transitions.possible(campaign) == frozenset()


@pytest.mark.parametrize(
    "facts", [{"call": uuid4()}, {"called_at": NOW}, {"provider_id": "x"}, {"attempt": 1}, {"logged": False}]
)
def test_the_database_refuses_history_that_looks_sent(facts: dict[str, object]) -> None:
    campaign, _variant, _run = imported()
    reached(campaign, [factories.person(1)])
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.update(**facts)


@pytest.mark.parametrize("facts", [{"status": "running"}, {"status": "draft"}, {"next_run_at": NOW}])
def test_the_database_refuses_history_that_would_run(facts: dict[str, object]) -> None:
    campaign, _variant, _run = imported()
    with pytest.raises(IntegrityError), transaction.atomic():
        Campaign.objects.filter(pk=campaign.pk).update(**facts)


def test_without_history_nothing_is_adjusted() -> None:
    campaign, _variant, _run = imported()
    people = [factories.person(number, email=False, consent=False) for number in range(4)]
    reached(campaign, people[:2])
    bought(people, -1, np.full(4, 10.0))
    figures.count(campaign, LATER)
    found = reports.of(campaign, LATER)
    assert found.observed is not None
    assert (found.observed.refused, found.observed.value) == ("no_history", None)
    assert found.caveats == ["not_drawn", "no_history"]
    assert [(group.people, group.converted) for group in found.groups] == [(2, 0)]


def load_and_count_the_largest() -> reports.Report:
    sample.load(NOW)
    assert complete_journey.load(NOW) == 27
    assert complete_journey.load(NOW) == 0
    assert Delivery.objects.filter(status="imported").count() == Delivery.objects.count() == 6_589
    assert Event.objects.filter(kind="sent", channel="post").count() == 6_589
    largest = Campaign.objects.get(name="Complete Journey 18 (Type A)")
    complete_journey.count(largest.pk, NOW)
    assert largest.pk not in complete_journey.uncounted()
    found = reports.of(largest, NOW)
    assert (found.assigned, found.groups[0].converted) == (1133, 214)
    return found


@pytest.mark.nightly
def test_the_samples_campaigns_are_loaded_once() -> None:
    found = load_and_count_the_largest()
    assert found.observed is not None
    assert found.observed.value is not None
    assert found.observed.value.raw[0] == pytest.approx(192, abs=5)  # of those who had somebody alike
    assert abs(found.observed.value.effect[0]) < 60  # less than a third of the plain difference is left


@pytest.mark.slow
def test_the_samples_campaigns_are_loaded_once_with_a_twentieth_of_its_purchases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = sample.table

    def thinned(name: str) -> pl.DataFrame:
        rows = whole(name)
        if name == "transactions":  # of every household some
            return rows.filter(pl.int_range(pl.len()).over("household_id") % 20 == 0)
        return rows.join(thinned("transactions"), on="product_id", how="semi") if name == "products" else rows

    monkeypatch.setattr(sample, "table", thinned)
    found = load_and_count_the_largest()
    assert found.observed is not None
    assert found.observed.value is not None
    assert abs(found.observed.value.effect[0]) < found.observed.value.raw[0]


def told_of_letters(coupons: dict[int, str]) -> list[Profile]:
    """Load a campaign of four letters, and the coupons that people used after it (by their place, each's session)."""
    campaign, variant, run = imported(starts_at=NOW)
    people = [factories.person(number, email=False, consent=False) for number in range(4)]
    reached(campaign, people)
    letters = complete_journey._deliveries(run, variant, [one.pk for one in people])
    assert [complete_journey.tell(letters, "18", LATER) for _ in range(2)] == [4, 0]
    at = NOW + WEEK
    used = [
        ingest.NewEvent(
            kind="redeemed", profile_id=people[place].pk, occurred_at=at, received_at=at, session=session, name="coupon"
        )
        for place, session in coupons.items()
    ]
    bought(people, -1, np.full(4, 10.0))
    ingest.record_many(plain.source(), used, now=LATER)
    return people


def test_the_log_is_told_once_of_each_letter_as_of_a_message_and_no_webhook_is() -> None:
    people = told_of_letters({})
    events = list(Event.objects.filter(kind="sent").order_by("profile"))
    assert [one.profile_id for one in events] == [one.pk for one in people]
    (first, *_rest) = events
    row, run = Delivery.objects.get(profile=people[0]), Run.objects.get()
    assert (first.name, first.session, first.channel) == ("history", "18", "post")
    assert first.occurred_at == first.received_at == NOW
    assert first.properties == {"campaign": run.campaign_id, "variant": row.variant_id, "delivery": str(row.pk)}
    assert first.source.kind == "system"
    assert not Event.objects.filter(kind="assigned").exists()  # nobody was drawn
    assert not WebhookMessage.objects.exists()
    assert outbox.tell_log(LATER) == 0


@pytest.mark.django_db(transaction=True)
def test_letters_reach_the_models_through_the_lake_and_their_coupons_are_known_to_be_theirs() -> None:
    people = told_of_letters({0: "18", 1: "another", 2: ""})
    lake.export(LATER)
    log = datasets.log(until=LATER)
    assert log.offers is not None
    found = messages.redeemed(log, datasets.wall_clock(LATER), 4 * WEEK)
    assert dict(found.select("user", "did").iter_rows()) == dict(
        zip([one.pk for one in people], [1.0, 1.0, 1.0, 0.0], strict=True)
    )
    assert found["channel"].unique().to_list() == ["post"]
    assert found["variant"].unique().to_list() == [Variant.objects.get().pk]
    with pytest.raises(
        NotEnoughData, match="No campaign held anybody out by lot, so nobody can tell what messages cause"
    ):
        SPECS["uplift"].verbs.fit(log, datasets.wall_clock(LATER))


def test_letters_of_another_system_count_for_no_cap_of_ours() -> None:
    people = [one.pk for one in told_of_letters({})]
    soon, limits = NOW + timedelta(hours=1), [caps.Limit(most=1, within=WEEK, reason="cap")]
    assert caps.reached(pairs_of(people), limits, 0, soon, soon) == {}


def test_a_letter_reads_well_on_a_persons_timeline(admin_client: Client) -> None:
    people = told_of_letters({0: "18"})
    text = admin_client.get(reverse("admin:crm_profile_timeline", args=[people[0].pk])).content.decode()
    words = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "message sent history letter 18" in words
    assert "coupon redeemed coupon 18" in words
