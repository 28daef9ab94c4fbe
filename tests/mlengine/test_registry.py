from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from mlengine import registry
from mlengine.models import ModelVersion
from tests.mlengine.house import END, NOW, Rate, spec

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Files:
    """A model that writes whatever it is told to."""

    contents: Mapping[str, bytes]

    def save(self, directory: Path) -> None:
        for name, content in self.contents.items():
            (directory / name).write_bytes(content)

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls({path.name: path.read_bytes() for path in directory.iterdir()})


def saved(days: float = 7) -> ModelVersion:
    model = Rate(days=days, upside_down=False)
    return registry.save(model, spec(), card={}, cutoff=END, trained_at=NOW)


def directory(version: ModelVersion) -> Path:
    return Path(settings.ARTIFACT_DIR) / version.artifact


def test_what_is_loaded_is_what_was_saved() -> None:
    assert registry.load(saved(days=3), spec()) == Rate(days=3, upside_down=False)


def test_numbers_go_up_and_each_version_has_its_directory() -> None:
    first, second = saved(), saved()
    assert (first.number, second.number) == (1, 2)
    assert directory(first) != directory(second)


@pytest.mark.parametrize("change", ["changed", "added", "missing"])
def test_an_artifact_that_is_not_what_was_saved_is_not_loaded(change: str) -> None:
    version = saved()
    file = directory(version) / ("extra.json" if change == "added" else "rate.json")
    if change == "missing":
        file.unlink()
    else:
        file.write_text('{"days": 1, "upside_down": true}')
    with pytest.raises(registry.ArtifactError, match=rf"silence v1 in .* is not what was saved: {file.name} differ"):
        registry.load(version, spec())
    with pytest.raises(registry.ArtifactError):
        registry.promote(version, by=None, reason="", now=NOW)


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "model"])
def test_formats_that_can_carry_code_are_refused(name: str) -> None:
    with pytest.raises(registry.ArtifactError, match=f"{name}: not a safe format"):
        registry.save(Files({name: b"x"}), spec(), card={}, cutoff=END, trained_at=NOW)
    assert not ModelVersion.objects.exists()
    assert [path.name for path in (Path(settings.ARTIFACT_DIR) / "silence").iterdir()] == []


def test_a_model_that_saves_nothing_is_refused() -> None:
    with pytest.raises(registry.ArtifactError, match="saved no files"):
        registry.save(Files({}), spec(), card={}, cutoff=END, trained_at=NOW)


def test_a_directory_left_by_a_killed_training_is_replaced() -> None:
    left = Path(settings.ARTIFACT_DIR) / "silence" / "1"
    left.mkdir(parents=True)
    (left / "half.json").write_text("{")
    assert registry.load(saved(days=5), spec()) == Rate(days=5, upside_down=False)


def test_there_is_one_champion_and_earlier_versions_can_come_back() -> None:
    first, second = saved(), saved()
    registry.promote(first, by=None, reason="first", now=NOW)
    registry.promote(second, by=None, reason="better", now=NOW)
    first.refresh_from_db()
    assert (first.stage, second.stage) == ("retired", "champion")
    registry.promote(first, by=None, reason="the new one was wrong", now=NOW)
    second.refresh_from_db()
    assert (first.stage, second.stage) == ("champion", "retired")
    assert first.decision == "the new one was wrong"


def test_the_database_refuses_a_second_champion() -> None:
    first, second = saved(), saved()
    registry.promote(first, by=None, reason="", now=NOW)
    with pytest.raises(IntegrityError, match="mlengine_one_champion"), transaction.atomic():
        ModelVersion.objects.filter(pk=second.pk).update(stage="champion")


def test_a_retired_champion_leaves_none() -> None:
    version = saved()
    registry.promote(version, by=None, reason="", now=NOW)
    registry.retire(version, reason="wrong for minors")
    assert ModelVersion.objects.champion("silence") is None
