"""What leads back from a score: the data it was made from, the code that made it, the model in between."""

import tomllib
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from crm import lake
from mlengine.models import ModelVersion, PredictionRun

LEARNING = Path(__file__).parent
NOT_LEARNING = frozenset({"admin", "api", "management", "migrations", "benchmarks"})
SHORT = 12  # digits of a digest that people read


def of_run() -> dict[str, Any]:
    """Return which events there were and which code there was, for whatever is made of them now."""
    return {"lake": _lake(), "code": code()}


def chain(run: PredictionRun) -> dict[str, Any]:
    """Return the whole way to the scores of a run: data, features, training, decision, prediction; no count of people.

    What older versions did not keep is missing.
    """
    version = run.version
    return {
        **of_version(version),
        "run": run.pk,
        "cutoff": run.cutoff.isoformat(),
        "answered_at": run.finished_at.isoformat() if run.finished_at else None,
        "in_shadow": run.shadow,
        "answered_from": run.lineage,
    }


def of_version(version: ModelVersion) -> dict[str, Any]:
    """Return what a version was made of, as the interface and the pages tell it."""
    card = version.card
    return {
        "spec": version.spec,
        "version": version.number,
        "sha256": version.sha256,
        "data_from": card.get("data", {}).get("from"),
        "data_until": card.get("data", {}).get("until"),
        "learned_from": card.get("lineage", {}),
        "features": features(card),
        "recipe": card.get("recipe", {}),
        "libraries": card.get("libraries", {}),
        "trained_because": card.get("cause", {}),
        "tuned": card.get("tuned", {}),
        "stage": version.stage,
        "decision": version.decision,
    }


def features(card: dict[str, Any]) -> list[str]:
    """Return the names of the columns that a model sees."""
    return [str(name) for name in card.get("features") or card.get("importances") or []]


@lru_cache(maxsize=1)
def code() -> dict[str, str]:
    """Return the release, the commit where there is one, and the digest of all source that learns.

    The digest holds also where somebody changed a file without telling anybody.
    """
    digest = sha256()
    for path in sorted(LEARNING.rglob("*.py")):
        inside = path.relative_to(LEARNING)
        if inside.parts[0] not in NOT_LEARNING:
            digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return {"release": _release(), "commit": commit(Path(settings.BASE_DIR)), "sources": digest.hexdigest()}


def _release() -> str:
    told = Path(settings.BASE_DIR) / "pyproject.toml"
    return str(tomllib.loads(told.read_text())["project"]["version"]) if told.exists() else ""


def commit(root: Path) -> str:
    """Return the commit that a working copy is at, and nothing where it is none; no process is started for it."""
    head = root / ".git" / "HEAD"
    if not head.is_file():
        return ""
    said = head.read_text().strip()
    if not said.startswith("ref: "):
        return said
    ref = said.removeprefix("ref: ")
    loose, packed = root / ".git" / ref, root / ".git" / "packed-refs"
    if loose.is_file():
        return loose.read_text().strip()
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")


def _lake() -> dict[str, Any]:
    """Return which files the events lay in: their digest changes with any event that came, or was erased."""
    known = lake.manifest()
    if known is None:
        return {}
    files = sorted(file.sha256 for file in known.files)
    return {
        "digest": sha256("".join(files).encode()).hexdigest(),
        "files": len(files),
        "exported_at": known.exported_at,
    }
