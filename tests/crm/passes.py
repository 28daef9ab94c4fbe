"""Passes of retention for tests: classes are released first, as an officer does who looked at a rehearsal."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from crm import retention, retention_keeps, retention_releases
from tests.crm.requests import officer
from tests.factories import NOW


def release(names: Iterable[str] | None = None, *, now: datetime = NOW) -> None:
    """Let passes delete these classes, or every one, after a rehearsal."""
    keeps = {name: keep.shortest for name, keep in retention_keeps.all_keeps().items()}
    looked = retention.run(lambda: now, dry_run=True)
    for name in retention_releases.waiting(keeps):
        if names is None or name in names:
            retention_releases.release(looked, name, keep=keeps[name], user=officer(), now=now)


def passed(*, now: datetime = NOW, dry_run: bool = False) -> dict[str, dict[str, Any]]:
    """Run a pass, or a rehearsal, and return what it found in each class."""
    run = retention.run(lambda: now, dry_run=dry_run)
    assert run.finished_at == now
    return {one["data_class"]: one for one in run.report}
