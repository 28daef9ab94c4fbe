"""A step's messages become deliveries like those of any campaign: the same gate, caps, hours, workers and reports.

The occasion is the entry and how many steps were behind it, so a step that is done again writes nothing new, and a
round that comes by a second time does.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from campaigns import bell
from campaigns.journeys import preferences
from campaigns.journeys.graph import Send
from campaigns.journeys.walkers import Walker
from campaigns.keys import NAMESPACE, delivery_id
from campaigns.models import Delivery, Run, Variant
from campaigns.reach.audience import Reason as Unsent
from campaigns.runs import deciding, planning
from campaigns.runs.deciding import Draw
from campaigns.runs.experiments import Shares
from crm.merging import canonical_ids, pairs_of

Decided = tuple[int, str, int | None, str, str, datetime]


class TemplateGone(LookupError):
    """A message of the step was archived, or is not the one that was approved."""


def occasion(entry: UUID, number: int) -> UUID:
    """Return what a delivery of a step is for: one entry, and the steps behind it."""
    return uuid5(NAMESPACE, f"step {entry} {number}")


def name(version: int, step: str, variant: str) -> str:
    """Return what a step's message is called among the variants of its campaign."""
    return f"{version} {step} {variant}"


def write(step: Send, walkers: Sequence[Walker], run: Run, now: datetime) -> set[int]:
    """Write a row for each: what is sent to her when, or why nothing is; return whom nothing may be sent to.

    Raises
    ------
    TemplateGone
        One of the templates was archived; nothing is written.
    """
    decided = _decided(step, walkers, run, now)
    rows = []
    for one in walkers:
        _profile, channel, variant, status, reason, due = decided[one.profile]
        of = occasion(one.id, one.moves)
        rows.append(
            Delivery(
                pk=delivery_id(of, one.profile, channel),
                occasion=of,
                run=run,
                variant_id=variant,
                profile_id=one.profile,
                channel=channel,
                status=status,
                reason=reason,
                logged=status != Delivery.Status.QUEUED,
                planned_at=now,
                due_at=due,
                expires_at=planning.expiry(run.campaign, due),
            )
        )
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    transaction.on_commit(bell.ring, robust=True)
    return {row.profile_id for row in rows if row.status == Delivery.Status.SUPPRESSED}


def call_off(run: Run, people: Iterable[int], now: datetime, reason: str = Unsent.NEEDLESS.value) -> int:
    """Suppress what a journey has not sent yet to people who have left it; return how many messages."""
    _asked, everybody = pairs_of(set(canonical_ids(people).values()))  # by whichever profile she was read as then
    waiting = Delivery.objects.filter(run=run, profile__in=everybody, status=Delivery.Status.QUEUED)
    return waiting.update(status=Delivery.Status.SUPPRESSED, reason=reason, ended_at=now, logged=False)


def _decided(step: Send, walkers: Sequence[Walker], run: Run, now: datetime) -> dict[int, Decided]:
    """Return what becomes of each person, the channels tried in the step's order or in her own."""
    (version,) = {one.version for one in walkers}
    shares = _shares(run, version, step)
    found: dict[int, Decided] = {}
    for channels, people in preferences.by_order(step, [one.profile for one in walkers], now):
        draw = Draw(salt=f"{run.salt} {step.key}", shares=shares, channels=channels)
        found |= {row[0]: row for row in deciding.decide(run, people, now, draw=draw).rows()}
    return found


def _shares(run: Run, version: int, step: Send) -> Shares:
    """Return the probability of each of the step's messages, by the campaign's variant that holds it."""
    names = [name(version, step.key, variant) for variant, _template, _weight in step.variants]
    held = Variant.objects.filter(campaign=run.campaign_id, name__in=names).select_related("template__template")
    found = {variant.name: variant for variant in held}
    told = {of: template for of, (_variant, template, _weight) in zip(names, step.variants, strict=True)}
    if {of: variant.template_id for of, variant in found.items()} != told:  # what was approved stands in the step
        raise TemplateGone(step.key)
    if any(variant.template.template.archived_at for variant in found.values()):
        raise TemplateGone(step.key)
    whole = sum(weight for _variant, _template, weight in step.variants)
    shares = {found[of].pk: one[2] / whole for of, one in zip(names, step.variants, strict=True)}
    return Shares(holdout=0.0, variants=shares)
