"""The steps of a journey on the page of its report: how many came, stand there, and went which way."""

from itertools import groupby
from operator import attrgetter
from typing import Any

from campaigns.admin.journey_words import KINDS, outcome_word
from campaigns.reporting.journey_steps import JourneyStep
from campaigns.reporting.reports import Report

Row = dict[str, Any]


def by_version(report: Report) -> list[tuple[int, list[Row]]]:
    """Return the steps as rows of a table, by the number of the version, the newest first."""
    return [(number, _rows(list(steps))) for number, steps in groupby(report.steps, key=attrgetter("version"))]


def _rows(steps: list[JourneyStep]) -> list[Row]:
    names = {step.key: step.title or _kind(step) for step in steps}
    return [
        {
            "name": names[step.key],
            "kind": _kind(step) if step.title else "",
            "ways": [(outcome_word(outcome), people, names.get(to, "")) for outcome, people, to in step.ways],
            **{name: getattr(step, name) for name in ("arrived", "walking", "failed")},
        }
        for step in steps
    ]


def _kind(step: JourneyStep) -> str:
    return str(KINDS[step.kind][0]) if step.kind in KINDS else step.key
