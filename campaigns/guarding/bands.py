"""The band of each signal: a campaign's own, else everybody's, else what stands here."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from campaigns.models import Campaign, Guardrail

Signal = Guardrail.Signal


class Band(NamedTuple):
    """What is usual, and from where on it is not to be borne."""

    usual: float
    worst: float


# Large mailboxes ask senders to keep complaints below 0.1 % and never to let them come to 0.3 % (their rules for bulk
# senders since 2024); bounces of a kept list lie below 2 %, and relays warn at 5 %. The audience is a multiple of the
# one that was approved; drift is the population stability index, read as usual (0.1 moderate, 0.25 shifted).
DEFAULTS: Mapping[str, Band] = {
    Signal.BOUNCES: Band(0.02, 0.05),
    Signal.COMPLAINTS: Band(0.001, 0.003),
    Signal.UNSUBSCRIBES: Band(0.005, 0.02),
    Signal.NEGATIVE_REPLIES: Band(0.002, 0.01),
    Signal.PROVIDER_ERRORS: Band(0.05, 0.2),
    Signal.AUDIENCE: Band(1.0, 1.5),
    Signal.DRIFT: Band(0.1, 0.25),
}


def of(campaign: Campaign) -> Mapping[str, Band]:
    """Return the bands that hold for a campaign; a signal that is switched off is left out."""
    return of_each([campaign])[campaign.pk]


def of_each(campaigns: Iterable[Campaign]) -> Mapping[int, Mapping[str, Band]]:
    """Return the bands that hold for each campaign, by two reads."""
    ids = {one.pk for one in campaigns}
    general: dict[str, Band | None] = dict(DEFAULTS)
    own: dict[int, dict[str, Band | None]] = {pk: {} for pk in ids}
    for row in Guardrail.objects.filter(campaign=None):
        general[row.signal] = _band(row)
    for row in Guardrail.objects.filter(campaign__in=ids):
        own[row.campaign_id or 0][row.signal] = _band(row)
    return {
        pk: {signal: band for signal, band in (general | found).items() if band is not None}
        for pk, found in own.items()
    }


def complete() -> None:
    """See to it that each signal has a row of everybody's, which can be edited."""
    Guardrail.objects.bulk_create(
        [Guardrail(signal=signal, usual=band.usual, worst=band.worst) for signal, band in DEFAULTS.items()],
        ignore_conflicts=True,
    )


def _band(row: Guardrail) -> Band | None:
    return Band(row.usual, row.worst) if row.active else None
