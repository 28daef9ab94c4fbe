"""Which of a run's messages go to many people in one call: a variant on a channel, by the form of what it says."""

from datetime import datetime
from typing import NamedTuple

from campaigns import forms
from campaigns.models import Delivery, Run, Variant

CHANNELS = frozenset(channel for form in forms.KINDS for channel in form.BULK)


class Pair(NamedTuple):
    """What a run says to many in one way."""

    run: Run
    variant: Variant
    channel: str


def of(run: Run) -> list[Pair]:
    """Return a run's; of a campaign that goes by e-mail alone nothing is asked."""
    channels = [channel for channel in run.campaign.channels if channel in CHANNELS]
    if not channels:
        return []
    variants = run.campaign.variants.select_related("template").order_by("pk")
    return [
        Pair(run, variant, channel)
        for variant in variants
        for channel in channels
        if forms.bulk(channel, variant.template.forms.get(channel))
    ]


def next_due(pair: Pair, now: datetime) -> datetime | None:
    """Return when the next of a pair's messages is due that is not yet, if there is one."""
    rows = Delivery.objects.filter(run=pair.run, variant=pair.variant, channel=pair.channel, due_at__gt=now)
    return rows.filter(status=Delivery.Status.QUEUED).order_by("due_at").values_list("due_at", flat=True).first()
