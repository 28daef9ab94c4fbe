"""Whether a journey can go round for ever: it may go round, but only slowly, and only where there is a way out."""

from collections.abc import Collection
from datetime import timedelta

from campaigns.journeys.graph import Graph, Wait

SLOWLY = timedelta(hours=1)  # what each round waits at least


def without_end(graph: Graph) -> list[tuple[str, ...]]:
    """Return the rounds that nobody can leave, each as the names of its steps."""
    return [part for part in _rounds(graph) if not any(_leads_out(graph, step, part) for step in part)]


def without_wait(graph: Graph) -> list[tuple[str, ...]]:
    """Return the rounds that can be run at any speed: some way round passes no wait of an hour."""
    slow = {key for key, step in graph.steps.items() if isinstance(step, Wait) and step.length >= SLOWLY}
    return _rounds(graph, without=slow)


def reached(graph: Graph, first: str, without: Collection[str] = ()) -> set[str]:
    """Return the steps to which some way leads from a step; itself only where one leads back."""
    found: set[str] = set()
    left = [first]
    while left:
        for target in graph.steps[left.pop()].ways.values():
            if target and target not in found and target not in without:
                found.add(target)
                left.append(target)
    return found


def _rounds(graph: Graph, without: Collection[str] = ()) -> list[tuple[str, ...]]:
    """Return the groups of steps of which each leads to each, in order; some hundred steps are no matter."""
    after = {step: reached(graph, step, without) for step in graph.steps if step not in without}
    parts = {tuple(sorted(other for other in found if step in after[other])) for step, found in after.items()}
    return sorted(part for part in parts if part)


def _leads_out(graph: Graph, step: str, part: Collection[str]) -> bool:
    one = graph.steps[step]
    return any(one.ways.get(outcome, "") not in part for outcome in one.outcomes)
