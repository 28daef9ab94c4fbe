"""The sample's 27 campaigns of 2017, as history: another system mailed them, and nobody was drawn by lot.

Each is a campaign that is over, one run, and a delivery to each household that was chosen, all marked as imported: no
worker sees them, no cap counts them, and the ledger has no leaf of them. A success is a coupon of the campaign that was
redeemed while it was valid.

The event log is told of each letter that it was sent, as of any message, for the models to learn from: on the day on
which its campaign began; when it was read nobody knows. No webhook tells of it. That somebody was drawn is told of
nobody, so nothing is learned of what the letters caused.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from django.db import transaction

from campaigns.delivering import outbox
from campaigns.keys import delivery_id, run_id
from campaigns.models import Campaign, Delivery, Run, Segment, Template, TemplateVersion, Variant
from campaigns.reporting import figures
from campaigns.runs.planning import source
from campaigns.segmenting import lists
from crm import complete_journey, ingest
from crm.keys import message_keys
from crm.models import Channel, Event, Purpose, Source

KEY = "imported"
CHOSEN = "Chosen by another system"
MAILED = "Coupons by mail"
A_DAY = timedelta(days=1)
MARKETING = {"kind": Purpose.Kind.MARKETING, "name": {"en": "Offers and news", "zh-hans": "优惠与资讯"}}


def load(now: datetime) -> int:
    """Load the campaigns after the sample itself; return how many of them are new.

    Raises
    ------
    FileNotFoundError
        The package is not installed.
    """
    sample = Source.objects.get(name=complete_journey.SOURCE)
    told = complete_journey.table("campaign_descriptions")
    told = told.with_columns(complete_journey.utc("start_date"), complete_journey.utc("end_date"))
    targeted = complete_journey.table("campaigns").with_columns(household=pl.col("household_id").cast(pl.String))
    profiles, _ = complete_journey.resolved(targeted["household"].unique(), sample, now)
    targeted = targeted.join(profiles, on="household")
    new = 0
    for row in told.sort("start_date", "campaign_id").iter_rows(named=True):
        people = targeted.filter(pl.col("campaign_id") == row["campaign_id"])["id"].sort().to_list()
        new += _load(row, people, now)
    return new


def uncounted() -> list[int]:
    """Return those whose report was never counted, the largest first."""
    waiting = Campaign.objects.filter(kind=Campaign.Kind.IMPORTED, figures=None)
    return list(waiting.order_by("-attribution_window", "pk").values_list("pk", flat=True))


def count(campaign: int, now: datetime) -> None:
    """Count the report of one, with its estimate: about two seconds."""
    figures.count(Campaign.objects.get(pk=campaign), now)


def _load(row: dict[str, Any], people: list[int], now: datetime) -> bool:
    with transaction.atomic():
        campaign, new = Campaign.objects.get_or_create(
            name=f"Complete Journey {row['campaign_id']:02d} ({row['campaign_type']})", defaults=_facts(row, now)
        )
        variant, _ = Variant.objects.get_or_create(
            campaign=campaign, name=row["campaign_type"], defaults={"template": _template(now)}
        )
        run = _run(campaign, variant)
        letters = _deliveries(run, variant, people)
        Delivery.objects.bulk_create(letters, ignore_conflicts=True)
        tell(letters, str(row["campaign_id"]), now)
    return new


def tell(letters: Sequence[Delivery], session: str, now: datetime) -> int:
    """Write that letters were sent, once, and return how many are new.

    ``session`` is what the other system calls its campaign: its coupons were redeemed under that, so it is known of
    which letter each was.
    """
    house = source()
    keys = message_keys(house.pk, (f"{one.pk}:{Event.Kind.SENT}" for one in letters))
    frame = pl.DataFrame(
        {
            "profile_id": [one.profile_id for one in letters],
            "name": [one.run.campaign.name if one.run else "" for one in letters],
            "properties": [outbox.properties(one) for one in letters],
            "occurred_at": [one.planned_at.astimezone(UTC).replace(tzinfo=None) for one in letters],
            "key_hi": keys[:, 0],
            "key_lo": keys[:, 1],
        }
    ).with_columns(
        kind=pl.lit(Event.Kind.SENT.value),
        session=pl.lit(session),
        channel=pl.lit(Channel.POST.value),
        received_at="occurred_at",
    )
    return ingest.record_frame(house, frame, now=now) if letters else 0


def _facts(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    begins, ends = (row[name].replace(tzinfo=UTC) for name in ("start_date", "end_date"))
    return {
        "kind": Campaign.Kind.IMPORTED,
        "status": Campaign.Status.FINISHED,
        "purpose": Purpose.objects.get_or_create(code="marketing", defaults=MARKETING)[0],
        "segment": _segment(now),
        "channels": [Channel.POST],
        "holdout": 0,
        "goal": Event.Kind.REDEEMED,
        "goal_name": f"campaign {row['campaign_id']}",
        "attribution_window": ends + A_DAY - begins,  # its last day is one of it
        "starts_at": begins,
        "ends_at": ends + A_DAY,
        "created_at": now,
    }


def _segment(now: datetime) -> Segment:
    there = Segment.objects.filter(name=CHOSEN).first()
    if there is not None:
        return there
    made = lists.create(CHOSEN, None, now, "Whom another system had chosen; by which rule is not known.")
    made.archived_at = now  # nobody is to plan with it
    made.save(update_fields=["archived_at"])
    return made


def _template(now: datetime) -> TemplateVersion:
    made, _ = Template.objects.get_or_create(
        name=MAILED, defaults={"created_at": now, "archived_at": now, "description": "What it said is not known."}
    )
    version, _ = TemplateVersion.objects.get_or_create(template=made, number=1, defaults={"forms": {}, "made_at": now})
    return version


def _run(campaign: Campaign, variant: Variant) -> Run:
    facts = {
        "campaign": campaign,
        "key": KEY,
        "shares": {"holdout": 0.0, "variants": {str(variant.pk): 1.0}},
        "status": Run.Status.DONE,
        "starts_at": campaign.starts_at,
        "planned_at": campaign.starts_at,
        "finished_at": campaign.ends_at,
    }
    return Run.objects.get_or_create(pk=run_id(campaign.pk, KEY), defaults=facts)[0]


def _deliveries(run: Run, variant: Variant, people: list[int]) -> list[Delivery]:
    begins, ends = run.campaign.starts_at, run.campaign.ends_at
    assert begins is not None and ends is not None  # noqa: S101, PT018  # _facts says when
    return [
        Delivery(
            id=delivery_id(run.pk, person, Channel.POST),
            occasion=run.pk,
            run=run,
            variant=variant,
            profile_id=person,
            channel=Channel.POST,
            status=Delivery.Status.IMPORTED,
            logged=True,  # the event log has the assignment from the sample already
            planned_at=begins,
            due_at=begins,
            expires_at=ends,
        )
        for person in people
    ]
