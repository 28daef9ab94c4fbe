"""What a campaign would reach and could prove, before anything is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from campaigns import rules
from campaigns.models import Campaign, ChannelAccount, Delivery
from campaigns.reach import quotas, reachable
from campaigns.reach.audience import Reason
from campaigns.reach.reachable import Reachable
from campaigns.rules import Rule, RuleError
from campaigns.rules.nodes import Did, Group
from campaigns.runs.experiments import detectable_lift
from campaigns.runs.rehearsing import DryRun
from campaigns.segmenting import counting, segments
from campaigns.segmenting.counting import Count
from campaigns.segmenting.statements import OutOfTime
from campaigns.wechat import allowances, reaching
from crm.consent import Reason as ConsentReason
from crm.models import Channel

SHOWN = 10
USUAL_RATE = 0.02  # taken where nobody of the audience has ever reached the goal


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The audience, whom each channel reaches, how long that takes, and the smallest rise that would be seen."""

    people: Count | None
    channels: Sequence[tuple[str, Count, Sequence[tuple[str, Count]]]]
    reached: Count | None
    held_out: int
    base_rate: float
    base_is_known: bool
    lift: float | None
    out_by: Sequence[tuple[str, datetime | None]] = ()  # accounts with limits, and when the last one would have left
    platforms: Sequence[allowances.Told] = ()  # of accounts whose platforms count
    problem: str = ""

    @property
    def relative(self) -> float | None:
        return self.lift / self.base_rate if self.lift is not None and self.base_rate else None


def of(campaign: Campaign, now: datetime) -> Plan:
    """Return the plan of a campaign as it is; a rule that cannot be asked is told as a problem."""
    try:
        rule = segments.rule_of(campaign.segment)
        found = reachable.reachable(rule, campaign.channels, campaign.purpose, now, reaching.demands(campaign))
        whole = counting.count(rule, now)
        rate = _rate(campaign, rule, whole, now)
    except (RuleError, OutOfTime) as error:
        return Plan(
            people=None, channels=(), reached=None, held_out=0, base_rate=0, base_is_known=False, lift=None,
            problem=str(error) or gettext("It took too long to count. Try again later."),
        )  # fmt: skip
    best = next(one.people for one in found if not one.channel)
    number = max(1, campaign.variants.count())
    return Plan(
        people=whole,
        channels=[(str(Channel(one.channel).label), one.people, words_of(one.reasons)) for one in found if one.channel],
        reached=best,
        held_out=round(best.value * float(campaign.holdout)),
        base_rate=rate or USUAL_RATE,
        base_is_known=bool(rate),
        lift=detectable_lift(best.value, rate or USUAL_RATE, float(campaign.holdout), variants=number),
        platforms=allowances.told(campaign, _messages(campaign, found), now),
        out_by=[told for one in found if one.channel for told in _out_by(campaign, one, now)],
    )


def _messages(campaign: Campaign, found: Sequence[Reachable]) -> dict[str, int]:
    """Return how many messages would go on each channel: whom an earlier one reaches, a later one need not."""
    left, best = dict[str, int](), next(one.people.value for one in found if not one.channel)
    for channel in campaign.channels:
        way = next(one for one in found if one.channel == channel)
        left[channel] = min(way.people.value, best)
        best -= left[channel]
    return {channel: round(number * (1 - float(campaign.holdout))) for channel, number in left.items()}


def _out_by(campaign: Campaign, way: Reachable, now: datetime) -> Iterator[tuple[str, datetime | None]]:
    """Yield when the account of a channel would be done, where its provider's limits count; nothing where never."""
    account = ChannelAccount.objects.working(way.channel).first()
    if account is not None and (account.per_second, account.per_day) != (None, None):
        messages = round(way.people.value * (1 - float(campaign.holdout)))
        yield account.name, quotas.forecast(account, messages, max(campaign.starts_at or now, now))


def _rate(campaign: Campaign, rule: Rule, whole: Count, now: datetime) -> float:
    """Return which share of the audience reached the goal in as long a time until now."""
    if not whole.value:
        return 0.0
    goal = rules.parse({"event": campaign.goal, "within": {"days": max(1, campaign.attribution_window.days)}})
    assert isinstance(goal, Did)  # noqa: S101  # an event was asked for
    return min(0.99, counting.count(Group(mode="all", parts=(rule, goal)), now).value / whole.value)


def words_of(reasons: Mapping[str, Count]) -> list[tuple[str, Count]]:
    """Return the reasons in words, the commonest first."""
    return [(word(code), count) for code, count in sorted(reasons.items(), key=lambda one: -one[1].value)]


def word(code: str) -> str:
    """Return what a reason's code says; a code that is none of ours as it is."""
    for choices in (Reason, ConsentReason):
        if code in choices.values:
            return str(choices(code).label)
    return code


def shown(dry: DryRun, campaign: Campaign) -> dict[str, Any]:
    """Return a dry run as its page shows it."""
    names = dict(campaign.variants.values_list("pk", "name"))
    queued = [one for one in dry.sample if one.status == Delivery.Status.QUEUED]
    others = dry.audience - dry.sent - dry.held_out
    return {
        "dry": dry,
        "others": others,
        "rows": [(word(code), number) for code, number in dry.reasons.items()],
        "ways": [(str(Channel(way).label), number) for way, number in dry.by_channel.items()],
        "variants": [(names.get(variant, "–"), number) for variant, number in dry.by_variant.items()],
        "times": list(dry.by_due.items())[:SHOWN],
        "people": [
            (f"#{one.profile}", one.profile, str(Channel(one.channel).label), names.get(one.variant or 0), one.due_at)
            for one in queued
        ],
    }
