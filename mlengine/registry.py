"""Trained models as files: kept at once or not at all, loaded only if their SHA-256 matches, promoted and retired.

An artifact is a directory ``<spec>/<number>`` of formats that cannot carry code: LightGBM text, JSON, npz without
pickles, safetensors. A pickle runs whatever its author wrote, so none is ever written or read.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, Max, Value, When

from crm import assessments
from mlengine import fairness, recipes
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import Model, Spec

# What a challenger was: a candidate, or, if it has served, somewhere to go back to.
BEFORE = Case(
    When(promoted_at__isnull=False, then=Value(ModelVersion.Stage.RETIRED)), default=Value(ModelVersion.Stage.CANDIDATE)
)
SAFE_SUFFIXES = frozenset({".json", ".npz", ".safetensors", ".txt"})


class ArtifactError(RuntimeError):
    """An artifact cannot be kept or trusted; the message names the file."""


def save(model: Model, spec: Spec, **facts: Any) -> ModelVersion:
    """Keep a model's bytes and its row (a candidate); call it inside the transaction that writes its metrics.

    Two savers of one spec are kept apart by the caller's lock. ``facts`` are fields of the row, ``card`` among them.
    """
    number = (ModelVersion.objects.filter(spec=spec.name).aggregate(last=Max("number"))["last"] or 0) + 1
    artifact = f"{spec.name}/{number}"
    target, aside = _directory(artifact), _directory(f"{spec.name}/.{uuid4().hex}")
    aside.mkdir(parents=True)
    try:
        model.save(aside)
        files = digests(aside)
        _refuse_unsafe(files)
        # No row refers to this number, so what lies there was left by a training that was killed.
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    card = {**facts.pop("card"), "files": files}
    return ModelVersion.objects.create(
        spec=spec.name, number=number, artifact=artifact, sha256=_digest_of(files), card=card, **facts
    )


def load(version: ModelVersion, spec: Spec | None = None) -> Model:
    """Return the estimator of a version.

    Raises
    ------
    ArtifactError
        A file is missing, added or changed since it was saved.
    """
    check(version)
    return recipes.made_by(version, spec).verbs.load(_directory(version.artifact))


def check(version: ModelVersion) -> None:
    """Refuse an artifact whose bytes are not those that were saved."""
    found, saved = digests(_directory(version.artifact)), version.card.get("files", {})
    if _digest_of(found) == version.sha256:
        return
    different = sorted(name for name in found.keys() | saved.keys() if found.get(name) != saved.get(name))
    where = _directory(version.artifact)
    raise ArtifactError(
        f"The artifact of {version} in {where} is not what was saved: {', '.join(different) or 'its card'} differ. "
        "It is not loaded; train again, or promote an earlier version."
    )


def checked(version: ModelVersion, files: Sequence[str]) -> Path:
    """Return where the files of a version lie, after a look at these: who needs a few of many need not read all.

    Raises
    ------
    ArtifactError
        One of them is missing, or is not what was saved.
    """
    saved, directory = version.card.get("files", {}), _directory(version.artifact)
    for name in files:
        there = (directory / name).is_file()
        if _digest_of(saved) != version.sha256 or not there or _digest(directory / name) != saved.get(name):
            raise ArtifactError(f"{name} of {version} in {directory} is not what was saved. It is not loaded.")
    return directory


def promote(version: ModelVersion, *, by: User | None, reason: str, now: datetime) -> None:
    """Make a version the champion of its spec, and retire the one before; earlier versions may come back this way.

    Raises
    ------
    ArtifactError
        Its bytes are not those that were saved.
    crm.assessments.NoAssessment
        Nobody has assessed what the spec does to people.
    mlengine.fairness.Unfair
        Its backtest found groups of people treated unequally, and ``by`` may not decide that it serves nevertheless.
    """
    assessments.require(f"spec:{version.spec}", now)
    fairness.require(version, by)
    check(version)
    with transaction.atomic():
        champion_for_update(version.spec)  # locked, so that of two promotions at once the later one wins whole
        champions = ModelVersion.objects.filter(spec=version.spec, stage=ModelVersion.Stage.CHAMPION)
        champions.exclude(pk=version.pk).update(stage=ModelVersion.Stage.RETIRED, held=False)
        ModelVersion.objects.filter(pk=version.pk).update(
            stage=ModelVersion.Stage.CHAMPION, decision=reason[:500], promoted_by=by, promoted_at=now, held=False
        )
        _reveal(version)
    version.refresh_from_db()


def _reveal(version: ModelVersion) -> None:
    """Let readers have at once what a new champion said last in the shadow, unless they read something newer.

    What it said before stays there: nobody read it, and no page may say that somebody did.
    """
    read = PredictionRun.objects.latest_finished(version.spec)
    hidden = PredictionRun.objects.whole().filter(version=version, shadow=True).order_by("-cutoff").first()
    if hidden and (read is None or hidden.cutoff >= read.cutoff):
        PredictionRun.objects.filter(pk=hidden.pk).update(shadow=False)


def champion_for_update(spec: str) -> ModelVersion | None:
    """Return the champion of a spec, its versions locked: until the transaction ends nobody else decides who serves."""
    locked = ModelVersion.objects.select_for_update().filter(spec=spec).order_by("pk")
    return next((version for version in locked if version.stage == ModelVersion.Stage.CHAMPION), None)


def roll_back(version: ModelVersion, *, by: User, reason: str, now: datetime) -> None:
    """Go back to an earlier version, and hold it: the next training must not undo what a person decided.

    What is trained later answers in its shadow, until a person promotes a version.

    Raises
    ------
    ArtifactError, crm.assessments.NoAssessment
        As ``promote``; the present champion stays.
    """
    with transaction.atomic():
        promote(version, by=by, reason=reason, now=now)
        ModelVersion.objects.filter(pk=version.pk).update(held=True)
    version.refresh_from_db()


def challenge(version: ModelVersion, *, reason: str) -> None:
    """Let a version answer in the champion's shadow; the challenger before it is again what it was.

    The champion needs no shadow, and stays what it is.

    Raises
    ------
    ArtifactError
        Its bytes are not those that were saved.
    """
    check(version)
    with transaction.atomic():
        champion_for_update(version.spec)
        version.refresh_from_db()
        if version.stage == ModelVersion.Stage.CHAMPION:
            return
        others = ModelVersion.objects.filter(spec=version.spec, stage=ModelVersion.Stage.CHALLENGER)
        others.exclude(pk=version.pk).update(stage=BEFORE)
        stage = {"stage": ModelVersion.Stage.CHALLENGER, "decision": reason[:500]}
        ModelVersion.objects.filter(pk=version.pk).update(**stage)
    version.refresh_from_db()


def stand_down(version: ModelVersion, *, reason: str) -> bool:
    """Take a challenger out of the champion's shadow; False if it is none."""
    challengers = ModelVersion.objects.filter(pk=version.pk, stage=ModelVersion.Stage.CHALLENGER)
    done = challengers.update(stage=BEFORE, decision=reason[:500])
    version.refresh_from_db()
    return done == 1


def retire(version: ModelVersion, *, reason: str) -> None:
    """Take a version out of service without a successor: its spec has no champion then, and predicts nothing new."""
    ModelVersion.objects.filter(pk=version.pk).update(stage=ModelVersion.Stage.RETIRED, decision=reason[:500])
    version.refresh_from_db()


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below a directory, by its path there, sorted."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): _digest(path) for path in files}


def _digest(file: Path) -> str:
    with file.open("rb") as read:
        return file_digest(read, "sha256").hexdigest()


def _digest_of(files: Mapping[str, str]) -> str:
    return sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def _refuse_unsafe(files: Mapping[str, str]) -> None:
    if not files:
        raise ArtifactError("The model saved no files.")
    unsafe = [name for name in files if Path(name).suffix not in SAFE_SUFFIXES]
    if unsafe:
        raise ArtifactError(f"{', '.join(unsafe)}: not a safe format; known are {', '.join(sorted(SAFE_SUFFIXES))}.")


def _directory(artifact: str) -> Path:
    return Path(settings.ARTIFACT_DIR) / artifact
