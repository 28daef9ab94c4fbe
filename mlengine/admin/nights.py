"""A night's work as a drawing: every step a box, what it waits for a line, how it went a colour, how long it took."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.urls import reverse

from crm.models import JobRun
from mlengine import graph, jobs
from mlengine.admin.care_words import KINDS, STATES, cause_text, duration
from mlengine.admin.refusals import refusal_text
from mlengine.admin.words import spec_title

WIDE, HIGH, GAP, ROW, TOP = 148, 40, 44, 104, 30
COLUMNS: Final[Mapping[str, tuple[int, float]]] = {  # place from the left, and from the top of the model's row
    "export": (0, 0.5),
    "train": (1, 0.5),
    "predict": (2, 0.0),
    "shadow": (2, 1.0),
    "drift": (3, 0.0),
    "judge": (3, 1.0),
    "compact": (4, 0.5),
}
NIGHTS_SHOWN: Final = 14


@dataclass(frozen=True, kw_only=True)
class Box:
    """One step where it is drawn."""

    key: str
    title: str
    spec: str
    state: str
    state_title: str
    took: str
    why: str
    error: str
    address: str
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.y + HIGH / 2

    @property
    def text_y(self) -> float:
        return self.y + 17

    @property
    def took_y(self) -> float:
        return self.y + 32


def about(job: JobRun | None) -> dict[str, Any]:
    """Return what the page shows of one night: the boxes, the lines between them, and the same as rows."""
    steps = steps_of(job)
    specs = list(dict.fromkeys(step["spec"] for step in steps if step["spec"]))
    boxes = {_key(step): _box(step, specs) for step in steps}
    return {
        "night": job,
        "boxes": list(boxes.values()),
        "lines": [_line(boxes[before], boxes[_key(step)]) for step in steps for before in step["after"]],
        "rows": [{"title": spec_title(name), "y": TOP + ROW * place + 2} for place, name in enumerate(specs)],
        "width": 5 * (WIDE + GAP) - GAP + 4,
        "height": TOP + max(1, len(specs)) * ROW,
        "box": {"width": WIDE, "height": HIGH},
        "failed": [box for box in boxes.values() if box.state == "failed"],
        "told": list(boxes.values()),
    }


def steps_of(job: JobRun | None) -> list[dict[str, Any]]:
    """Return a night's steps as they stand; those of a night that has not begun, or was kept before there were any."""
    kept: Sequence[dict[str, Any]] = (job.result.get("steps") or job.checkpoint.get("steps") or []) if job else []
    return list(kept) or [asdict(step) for step in graph.plan()]


def latest() -> list[JobRun]:
    return list(JobRun.objects.filter(kind=jobs.NIGHTLY).order_by("-created_at", "-pk")[:NIGHTS_SHOWN])


def of_spec(spec: str) -> list[Box]:
    """Return the last night's steps for one model."""
    job = next(iter(latest()), None)
    return [_box(step, [spec]) for step in steps_of(job) if step["spec"] == spec] if job else []


def seconds_of(job: JobRun) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return duration((job.finished_at - job.started_at).total_seconds())


def _key(step: Mapping[str, Any]) -> str:
    return f"{step['kind']}:{step['spec']}" if step["spec"] else str(step["kind"])


def _box(step: Mapping[str, Any], specs: Sequence[str]) -> Box:
    column, within = COLUMNS[step["kind"]]
    whole = max(1, len(specs)) * ROW
    above = ROW * specs.index(step["spec"]) if step["spec"] else (whole - ROW) / 2
    return Box(
        key=_key(step),
        title=str(KINDS[step["kind"]]),
        spec=spec_title(step["spec"]) if step["spec"] else "",
        state=step["state"],
        state_title=str(STATES[step["state"]]),
        took=duration(step["seconds"]) if step["state"] not in {"skipped", "waiting"} else "",
        why=cause_text(step["why"]),
        error=refusal_text(step["error"]),
        address=reverse("admin:crm_jobrun_change", args=[step["job"]]) if step["job"] else "",
        x=column * (WIDE + GAP) + 2,
        y=TOP + above + within * (HIGH + 6),
    )


def _line(before: Box, after: Box) -> str:
    """Return the path from the right of a box to the left of the next."""
    x, y, to_x, to_y = before.x + WIDE, before.middle, after.x, after.middle
    half = (x + to_x) / 2
    return f"M{x:.0f},{y:.0f} C{half:.0f},{y:.0f} {half:.0f},{to_y:.0f} {to_x - 1:.0f},{to_y:.0f}"
