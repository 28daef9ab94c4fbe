"""The funnel of a journey: step by step, how many came, who stands there, and which way the others went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.journeys import figures, graph
from campaigns.journeys.figures import Counts
from campaigns.journeys.graph import Graph
from campaigns.models import Campaign, JourneyVersion


@dataclass(frozen=True, kw_only=True)
class JourneyStep:
    """A step of a version, in times that somebody came there; ``ways`` are outcomes, how many, and where they lead."""

    version: int
    key: str
    title: str
    kind: str
    arrived: int
    walking: int
    failed: int
    ways: Sequence[tuple[str, int, str]]


def of(campaign: Campaign, now: datetime) -> list[JourneyStep]:
    """Return the steps of all versions that somebody entered, the newest first, in the order in which people walk."""
    if campaign.kind != Campaign.Kind.JOURNEY:
        return []
    found: list[JourneyStep] = []
    for version in JourneyVersion.objects.filter(journey=campaign.pk).order_by("-number"):
        counts = figures.counts(version, now)
        if counts:
            found.extend(_steps(version.number, graph.parse(version.graph), counts))
    return found


def _steps(number: int, read: Graph, counts: dict[str, Counts]) -> Iterator[JourneyStep]:
    for key in in_order(read):
        step, told = read.steps[key], counts.get(key, Counts())
        outcomes = [*step.outcomes, *sorted(told.passed.keys() - set(step.outcomes))]
        yield JourneyStep(
            version=number,
            key=key,
            title=step.title,
            kind=step.kind,
            arrived=told.arrived,
            walking=told.walking,
            failed=told.failed,
            ways=[(way, told.passed[way], step.ways.get(way, "")) for way in outcomes],
        )


def in_order(read: Graph) -> list[str]:
    """Return the steps from the first on, each after one that leads to it; then those to which nothing leads."""
    found = {read.first: None}
    for key in (queue := [read.first]):
        for to in read.steps[key].ways.values():
            if to and to not in found:
                found[to] = None
                queue.append(to)
    return list(found | dict.fromkeys(read.steps))
