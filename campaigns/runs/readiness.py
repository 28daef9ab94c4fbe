"""What keeps a campaign from being sent, in words: asked before it is submitted, approved and scheduled."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.journeys import checking as steps
from campaigns.journeys import graph
from campaigns.models import Campaign, Journey
from campaigns.rules import RuleError
from campaigns.runs import requirements
from campaigns.runs.recurrence import Recurrence, TimingError
from campaigns.wechat import suitability
from crm.models import Channel, Event

LONGEST_WAIT = timedelta(days=30) // timedelta(minutes=1)
# What we write ourselves about messages starts no message: a campaign could answer its own.
NO_TRIGGERS = frozenset({Event.Kind.ASSIGNED, Event.Kind.SENT})


def problems(campaign: Campaign, now: datetime) -> list[str]:
    """Return why the campaign cannot be sent as it is; nothing where it can."""
    if campaign.kind == Campaign.Kind.JOURNEY:
        return [*_steps(campaign), *_time(campaign, now)]
    return [
        *requirements.of_segment(campaign.segment),
        *_messages(campaign),
        *requirements.of_accounts(campaign.channels),
        *suitability.problems(campaign),
        *_time(campaign, now),
    ]


def _steps(campaign: Campaign) -> Iterator[str]:
    """Say what keeps a journey from being walked: its messages stand in its steps, which were approved before."""
    journey = Journey.objects.select_related("campaign__segment__current", "live").filter(pk=campaign.pk).first()
    if journey is None or journey.live is None:
        yield from requirements.of_segment(campaign.segment)
        yield gettext("No version of its steps is approved yet.")
        return
    try:
        read = graph.parse(journey.live.graph)
    except RuleError as error:
        yield str(error)
        return
    yield from (str(one) for one in steps.findings(journey, read) if one.blocking)


def _messages(campaign: Campaign) -> Iterator[str]:
    variants = list(campaign.variants.select_related("template").order_by("pk"))
    if not variants:
        yield gettext("There is no message yet: add a variant.")
    for variant in variants:
        for channel in campaign.channels:
            if not variant.template.forms.get(channel):
                yield gettext("The message of variant %(variant)s says nothing for %(channel)s.") % {
                    "variant": variant.name,
                    "channel": Channel(channel).label,
                }
        for problem in requirements.grave(variant.template, campaign.channels):
            yield gettext("Variant %(variant)s, %(where)s: %(message)s") % {
                "variant": variant.name,
                "where": problem.where,
                "message": problem.message,
            }
    yield from requirements.of_unsubscribing(variant.template for variant in variants)


def _time(campaign: Campaign, now: datetime) -> Iterator[str]:
    if campaign.ends_at and campaign.ends_at <= max(now, campaign.starts_at or now):
        yield gettext("It ends before it starts, or in the past.")
    if campaign.kind == Campaign.Kind.RECURRING and campaign.starts_at is None:
        yield gettext("A recurring campaign says when it starts: its days are counted from there.")
    if campaign.message_expires_after <= timedelta():
        yield gettext("Its messages expire before they could be sent.")
    try:
        check_timing(campaign.kind, campaign.timing)
    except TimingError as error:
        yield str(error)


def check_timing(kind: str, timing: Mapping[str, object]) -> None:
    """Raise :class:`~campaigns.runs.recurrence.TimingError` where a timing does not say when to send."""
    if kind == Campaign.Kind.RECURRING:
        Recurrence.parse(timing)
    elif kind == Campaign.Kind.TRIGGERED:
        _check_trigger(timing)


def _check_trigger(timing: Mapping[str, object]) -> None:
    event, wait, unless = timing.get("event"), timing.get("after_minutes", 0), timing.get("unless") or None
    if not isinstance(event, str) or event not in set(Event.Kind) - NO_TRIGGERS:
        raise TimingError(str(_("“event” is the kind of an event that starts the message.")))
    if isinstance(wait, bool) or not isinstance(wait, int) or not 0 <= wait <= LONGEST_WAIT:
        raise TimingError(gettext("“after_minutes” is a whole number from 0 to %(most)d.") % {"most": LONGEST_WAIT})
    if unless is not None and (not isinstance(unless, str) or unless not in set(Event.Kind)):
        raise TimingError(gettext("“unless” is the kind of an event that makes the message needless."))
