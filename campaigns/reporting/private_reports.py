"""A report for those who may not see people: the sizes of the groups with noise, told once the window is closed.

Each person is in one cell of one answer, so one answer costs what any other figure costs (``mlengine.figures``), from
the same budget. The noise is part of the interval: small campaigns are rightly told vaguely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from campaigns.models import Campaign
from campaigns.reporting import arms, figures
from campaigns.reporting.intervals import ALPHA, NORMAL
from campaigns.reporting.report_parts import Span
from crm.models import Release
from mlengine import releases
from mlengine.anonymity.noise import Bound, Mechanism
from mlengine.figures import EPSILON
from mlengine.releases import Audience, Question


@dataclass(frozen=True, kw_only=True)
class NoisyGroup:
    """A group as it is told: whole numbers near the truth, never below zero."""

    variant: int | None
    name: str
    people: int
    converted: int

    @property
    def rate(self) -> float | None:
        return min(1.0, self.converted / self.people) if self.people > 0 else None


@dataclass(frozen=True, kw_only=True)
class PrivateReport:
    """What analysts read: the groups, how far each count may be off (95 %), and the difference of the rates."""

    groups: Sequence[NoisyGroup]
    margin: int
    difference: Span | None
    data_at: datetime


def question(campaign: Campaign) -> Question:
    """Return what is asked: of the moment at which the window closed, so that it is drawn once for all."""
    mechanism = Mechanism.laplace(EPSILON, Bound())
    return Question(name=f"campaign-{campaign.pk}", mechanism=mechanism, data_at=figures.closes(campaign))


def is_ripe(campaign: Campaign, now: datetime) -> bool:
    """Return whether the window is closed: an answer in the middle would spend the budget on what changes."""
    return figures.closes(campaign) <= now and campaign.status not in Campaign.LIVE


def known(campaign: Campaign, audience: Audience) -> PrivateReport | None:
    """Return what the audience was told, if it was."""
    told = releases.known(question(campaign), audience)
    return _read(campaign, told) if told else None


def ask(campaign: Campaign, audience: Audience, now: datetime) -> PrivateReport:
    """Tell the audience, and charge its budget unless it was told before.

    Raises
    ------
    mlengine.releases.BudgetSpent
        It has to wait for next month.
    """
    told = releases.ask(question(campaign), audience, count=lambda: figures.cells(campaign, now), now=now)
    return _read(campaign, told)


def _read(campaign: Campaign, told: Release) -> PrivateReport:
    names = arms.of(campaign)
    groups = [_group(0, "", told.answer), *(_group(variant, name, told.answer) for variant, name in names.items())]
    mechanism = releases.mechanism_of(told)
    noise = 2 * mechanism.scale**2  # the variance of Laplace noise; of whole numbers it is a little less
    return PrivateReport(
        groups=groups, margin=mechanism.margin(), difference=_difference(groups, noise), data_at=told.data_at
    )


def _group(variant: int, name: str, answer: dict[str, int]) -> NoisyGroup:
    yes, no = (max(0, answer.get(f"{variant} {word}", 0)) for word in ("yes", "no"))
    return NoisyGroup(variant=variant or None, name=name, people=yes + no, converted=yes)


def _difference(groups: Sequence[NoisyGroup], noise: float) -> Span | None:
    """Return how much higher the rate of all variants was than of those held out, with the noise in the interval."""
    held, treated = groups[0], groups[1:]
    sizes = held.people, sum(group.people for group in treated)
    if min(sizes) < 2 * sqrt(noise):
        return None  # such a group may be nothing but noise
    rates = held.converted / sizes[0], sum(group.converted for group in treated) / sizes[1]
    each = zip(rates, sizes, (1, len(treated)), strict=True)
    variance = sum(p * (1 - p) / n + cells * noise * (p**2 + (1 - p) ** 2) / n**2 for p, n, cells in each)
    half = NORMAL.inv_cdf(1 - ALPHA / 2) * sqrt(variance)
    effect = rates[1] - rates[0]
    return effect, effect - half, effect + half
