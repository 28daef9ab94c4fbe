"""Guardrails: what goes wrong while a campaign sends makes it pause itself and call a person.

The five rates are asked by a test that may be asked at any moment (:mod:`campaigns.guarding.sequential`), over
messages that left since fixed moments: the start of the run, of the month, the week and the day, and never before the
last alarm was closed. So a triggered campaign that has stood open for a year hears of a provider that breaks today.
Each of these windows gets its share of ``ALPHA``.

The audience is compared when a run has been planned and before anything of it leaves; of a triggered campaign, what
happened since the last look, so that an imported file floods nobody (:mod:`campaigns.runs.triggers`). A model's drift
is what its own monitoring measured (``mlengine.monitoring``), of each model that the segment or the messages ask.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from math import exp, log

from django.db.models import QuerySet
from django.utils import timezone

from campaigns.guarding import alarms, bands, sequential, signals
from campaigns.guarding.alarms import Finding
from campaigns.guarding.bands import Band
from campaigns.guarding.signals import Tally
from campaigns.models import Alarm, Campaign, ChannelAccount, Delivery, Guardrail, Run
from campaigns.rules import RuleError, references
from campaigns.rules.nodes import InCluster, NeedsAgain, Recommended, Scored
from campaigns.segmenting import segments
from mlengine import monitoring, online

Signal, Status = Guardrail.Signal, Campaign.Status
ALPHA = 0.001  # the chance of a false alarm, of one signal of a campaign, within the windows that begin together
LONGEST = timedelta(days=60)  # of a window that begins with a run
AFTER = timedelta(days=3)  # that a finished campaign is still looked at: people complain when they read
SLACK = 50  # people more than were approved are never far more


def watch(now: datetime) -> list[Alarm]:
    """Look at every campaign of which messages leave or have just left; pause what left its band. Beat rings this."""
    watched = list(_watched(now))
    held = bands.of_each(watched)
    return [alarm for campaign in watched for alarm in look(campaign, held[campaign.pk], now)]


def look(campaign: Campaign, held: Mapping[str, Band], now: datetime) -> list[Alarm]:
    """Look at one campaign, and pause it where something is out of its band; return the alarms that are new."""
    last = alarms.begins(campaign)
    found = [*_rates(campaign, held, last, now), *_accounts(campaign, held, last, now)]
    if campaign.status != Status.FINISHED:
        found += _drifts(campaign, held, last)
    return alarms.raise_each(campaign, list({one.signal: one for one in found}.values()), now) if found else []


def check_audience(run: Run, people: int, now: datetime) -> list[Alarm]:
    """Pause the campaign if a run that was just planned is for far more people than were approved.

    Call it before the run is opened, in the same transaction. Whoever lets the campaign go on has accepted as many.
    """
    found = too_many(run, people)
    return alarms.raise_each(run.campaign, [found], now) if found else []


def too_many(run: Run, people: int) -> Finding | None:
    """Return what is to be said of so many people, if they are far more than were approved."""
    campaign = run.campaign
    band, expected = bands.of(campaign).get(Signal.AUDIENCE), _expected(campaign)
    if band is None or expected is None or people <= max(expected * band.worst, expected + SLACK):
        return None
    seen = {"people": people, "expected": expected, "usual": band.usual, "worst": band.worst}
    since = alarms.begins(campaign).get(Signal.AUDIENCE)
    return Finding(signal=Signal.AUDIENCE, seen=seen, since=since, run=run, once=True)


def windows(of: Sequence[Run], since: datetime | None, now: datetime) -> Mapping[datetime, str]:
    """Return the moments from which on messages are counted, and what each is called."""
    if not of:
        return {}
    today, first = timezone.localtime(now), max(since or of[0].starts_at, of[0].starts_at)
    begins = {
        _midnight(today): "day",
        _midnight(today - timedelta(days=today.weekday())): "week",
        _midnight(today.replace(day=1)): "month",
    }
    begins |= {run.starts_at: "run" for run in of[-1:] if run.starts_at > now - LONGEST}
    return {max(begin, first): name for begin, name in begins.items()}


def _watched(now: datetime) -> QuerySet[Campaign]:
    going = Campaign.objects.filter(status__in=alarms.GOES)
    just = Campaign.objects.filter(status=Status.FINISHED, runs__finished_at__gt=now - AFTER)
    return (going | just).distinct().order_by("pk")


def _rates(
    campaign: Campaign, held: Mapping[str, Band], last: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    of = signals.runs(campaign, now)
    watched = [signal for signal in Guardrail.RATES if signal in held]
    asked = {signal: windows(of, last.get(signal), now) for signal in watched}
    counted = signals.tally(of, [begin for begins in asked.values() for begin in begins])
    for signal in watched:
        told = {begin: counted[signal, begin] for begin in asked[signal] if (signal, begin) in counted}
        if worst := _worst(told, held[signal]):
            begin, tally, proof = worst
            yield Finding(
                signal=signal,
                since=last.get(signal),
                run=of[-1],
                seen={
                    "count": tally.count, "of": tally.of, "usual": held[signal].usual, "worst": held[signal].worst,
                    "from": begin.isoformat(), "window": asked[signal][begin], "odds": _odds(proof),
                },
            )  # fmt: skip


def _worst(told: Mapping[datetime, Tally], band: Band) -> tuple[datetime, Tally, float] | None:
    """Return the window that speaks most clearly, if any is proven by its share of the whole chance."""
    proofs = [
        (begin, tally, sequential.evidence(tally.count, tally.of, band.usual, band.worst))
        for begin, tally in told.items()
    ]
    most = max(proofs, key=lambda one: one[2], default=None)
    return most if most and sequential.is_proven(most[2], ALPHA / len(proofs)) else None


def _odds(proof: float) -> int:
    """Return against how many to one a harmless cause stands; capped, for nobody reads more digits."""
    return round(exp(min(proof, log(1e6))))


def _accounts(
    campaign: Campaign, held: Mapping[str, Band], last: Mapping[str, datetime], now: datetime
) -> Iterator[Finding]:
    """An account that its provider refuses has stopped by itself (``delivering.sending``): people have to know."""
    if Signal.PROVIDER_ERRORS not in held:
        return
    since = last.get(Signal.PROVIDER_ERRORS)
    sent = Delivery.objects.filter(run__in=signals.runs(campaign, now), called_at__gte=since or now - AFTER)
    for account in ChannelAccount.objects.filter(status=ChannelAccount.Status.REFUSED, channel__in=campaign.channels):
        if sent.filter(account=account).exists():
            seen = {"account": account.pk, "name": account.name, "why": account.status_reason}
            yield Finding(signal=Signal.PROVIDER_ERRORS, seen=seen, since=since)
            return


def _drifts(campaign: Campaign, held: Mapping[str, Band], last: Mapping[str, datetime]) -> Iterator[Finding]:
    band = held.get(Signal.DRIFT)
    if band is None:
        return
    known = _known_drifts(campaign)
    for spec in sorted(models_behind(campaign)):
        moved = monitoring.most_moved(spec)
        if moved and moved.value > band.worst and moved.cutoff.isoformat() > known.get(spec, ""):
            yield Finding(
                signal=Signal.DRIFT,
                since=last.get(Signal.DRIFT),
                seen={
                    "model": spec, "feature": moved.subject, "drift": round(moved.value, 4), "usual": band.usual,
                    "worst": band.worst, "version": moved.version_id, "cutoff": moved.cutoff.isoformat(),
                },
            )  # fmt: skip
            return


def _known_drifts(campaign: Campaign) -> dict[str, str]:
    """Return of each model the measurement after which somebody let the campaign go on: it is no news any more."""
    seen = campaign.alarms.filter(signal=Signal.DRIFT).order_by("raised_at").values_list("seen", flat=True)
    return {one["model"]: one["cutoff"] for one in seen}


def models_behind(campaign: Campaign) -> set[str]:
    """Return the models that decide whom the campaign reaches, or what it says."""
    found: set[str] = set()
    variants = campaign.variants.select_related("template")
    recommends = any("recommendations" in str(one.template.forms) for one in variants)
    try:
        rule = references.resolved(segments.rule_of(campaign.segment))
    except RuleError:  # it cannot run either
        rule = None
    for condition in references.conditions(rule) if rule else ():
        if isinstance(condition, Scored | InCluster):
            found.add(condition.spec)
        recommends |= isinstance(condition, Recommended)
        if isinstance(condition, NeedsAgain):
            found.add("repurchase")
    run = online.recommending_run() if recommends else None
    return found | ({run.spec} if run else set())


def _expected(campaign: Campaign) -> int | None:
    """Return for how many people it was approved, or how many somebody has let it go on for since."""
    if campaign.expected_people is None:
        return None
    accepted: Iterable[int] = (
        one["people"]
        for one in campaign.alarms.filter(signal=Signal.AUDIENCE, closed_by__isnull=False)
        .filter(raised_at__gte=campaign.approved_at or campaign.created_at)  # what was approved since counts anew
        .values_list("seen", flat=True)
    )
    return max(campaign.expected_people, *accepted, 0)


def _midnight(day: datetime) -> datetime:
    return timezone.make_aware(datetime.combine(day.date(), time.min))
