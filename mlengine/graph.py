"""The steps of a night as a graph: what waits for what, how each went, how long it took; kept while it happens."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, Final

from crm.models import JobRun
from mlengine.specs import SPECS
from mlengine.work import Progress

WAITING: Final = "waiting"
RUNNING: Final = "running"
DONE: Final = "done"
SKIPPED: Final = "skipped"
FAILED: Final = "failed"
SETTLED: Final = frozenset({DONE, SKIPPED})  # what failed is tried again by a night that goes on


# What waits for what, for each model; a champion serves on where its training failed.
AFTER: Final = {
    "train": ("export",),
    "predict": ("train",),
    "shadow": ("train",),
    "judge": ("predict", "shadow"),
    "drift": ("predict",),
}


@dataclass(kw_only=True)
class Step:
    """One node: a kind of work for one model, or for all."""

    kind: str  # export, train, predict, shadow, judge, drift, compact
    spec: str = ""
    after: Sequence[str] = ()
    state: str = WAITING
    began_at: str = ""
    seconds: float | None = None
    job: int | None = None
    why: dict[str, Any] = field(default_factory=dict)  # why it was done, or was not: a code and its values
    error: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.spec}" if self.spec else self.kind


def plan() -> list[Step]:
    """Return a night's steps, none of them done yet."""
    of_specs = [
        Step(kind=kind, spec=name, after=[one if one == "export" else f"{one}:{name}" for one in after])
        for name in SPECS
        for kind, after in AFTER.items()
    ]
    last = [f"{kind}:{name}" for name in SPECS for kind in ("judge", "drift")]
    return [Step(kind="export"), *of_specs, Step(kind="compact", after=last)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a step says of itself: skipped for a reason, or done by a job that may have failed."""

    skipped: bool = False
    why: dict[str, Any] = field(default_factory=dict)
    job: JobRun | None = None


class Graph:
    """Steps in an order that respects what waits for what; written to the job's checkpoint as each begins and ends."""

    def __init__(self, steps: Sequence[Step], progress: Progress) -> None:
        self.steps = {step.key: step for step in steps}
        self.progress = progress
        for kept in progress.remembered.get("steps", []):
            # Of a worker that was killed: what it had settled is not done again.
            if kept["state"] in SETTLED and f"{kept['kind']}:{kept['spec']}".rstrip(":") in self.steps:
                step = Step(**kept)
                self.steps[step.key] = step
        progress.expect(len(self.steps))

    def do(self, key: str, work: Callable[[], Outcome]) -> None:
        """Do one step, unless a worker before this one has settled it."""
        step = self.steps[key]
        if step.state in SETTLED:
            return
        step.state, step.began_at, began = RUNNING, self.progress.clock().isoformat(), monotonic()
        self._tell()
        try:
            with self.progress.step(key.replace(":", ": ")):
                outcome = work()
        except Exception as error:
            step.state, step.error = FAILED, f"{type(error).__name__}: {error}"[:300]
            self._tell()
            raise
        step.seconds = round(monotonic() - began, 3)
        step.why, step.job = dict(outcome.why), outcome.job.pk if outcome.job else None
        step.state = SKIPPED if outcome.skipped else DONE
        if not outcome.skipped and outcome.job and outcome.job.status != JobRun.Status.SUCCEEDED:
            step.state, step.error = FAILED, outcome.job.error[:300]
        self._tell()

    def told(self) -> list[dict[str, Any]]:
        return [asdict(step) | {"after": list(step.after)} for step in self.steps.values()]

    def _tell(self) -> None:
        self.progress.remember({"steps": self.told()})
