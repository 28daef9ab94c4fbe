"""What a long measurement has found so far, on disk: an interrupted one goes on from there.

Each part is a file of JSON under the name of what it is the answer to, written aside and renamed, so that a part is
whole or not there. Another file, or other code of the benchmarks, the estimators or the metrics, finds nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from hashlib import file_digest, sha256
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import monotonic
from typing import Any, Final
from uuid import uuid4

_CODE: Final = ("benchmarks", "estimators", "metrics")


@cache
def code() -> str:
    """Return the digest of the sources that figures come from: what another code found is no figure of this one."""
    found = sha256()
    for file in sorted(one for part in _CODE for one in (Path(__file__).parents[1] / part).rglob("*.py")):
        found.update(str(file.relative_to(Path(__file__).parents[1])).encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()


@dataclass(frozen=True)
class Checkpoints:
    """A directory for the parts of one measurement, and the peaks of memory of those looked at so far, in MiB."""

    directory: Path
    peaks: list[float] = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, file: Path, task: str, below: Path) -> "Checkpoints":
        """Return those of a task on a file: named by its bytes and by the code, so that a change begins anew."""
        with file.open("rb") as opened:
            return cls(below / f"{task}-{file_digest(opened, 'sha256').hexdigest()[:16]}-{code()[:12]}")

    def peak_mib(self) -> float:
        """Return the most memory that a process had while it made one of the parts looked at, or has had by now."""
        return max(*self.peaks, _peak_mib(), 0.0)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what was kept under the key (anything JSON has), or make and keep it."""
        return self.timed(key, make)[0]

    def timed(self, key: str, make: Callable[[], Any]) -> tuple[Any, float]:
        """Return the same, with the seconds it took when it was made."""
        path = self.path(key, ".json")
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.peaks.append(kept["peak_mib"])
            return kept["value"], kept["seconds"]
        began = monotonic()
        value = make()
        kept = {"key": key, "seconds": monotonic() - began, "peak_mib": _peak_mib(), "value": value}
        aside = path.with_name(f".{uuid4().hex}")
        aside.write_text(json.dumps(kept), encoding="utf-8")
        aside.rename(path)
        return json.loads(json.dumps(value)), kept["seconds"]

    def path(self, key: str, suffix: str) -> Path:
        """Return where a part lies, for an estimator that keeps its own."""
        self.directory.mkdir(parents=True, exist_ok=True)
        readable = "".join(char if char.isalnum() else "-" for char in key)[:60]
        return self.directory / f"{readable}-{sha256(key.encode()).hexdigest()[:12]}{suffix}"


def _peak_mib() -> float:
    return round(getrusage(RUSAGE_SELF).ru_maxrss / 1024, 1)
