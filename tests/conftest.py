"""The servers that all tests use: real PostgreSQL, embedded unless the environment names another; embedded Valkey."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from pytest_django import DjangoDbBlocker
from whitenoise.middleware import WhiteNoiseMiddleware

from config import embedded
from crm.database_roles import as_owner
from tests import apart, emptying, templates

# Threads of OpenMP wait by spinning: with every core taken by another test a training cost fifty times its own work.
os.environ.setdefault("OMP_NUM_THREADS", "1")
collect_ignore = ["benchmarks/yardsticks/served.py"]  # an application: to import it is to start it


def pytest_configure(config: pytest.Config) -> None:
    apart.refuse_others()
    apart.databases(len(config.getoption("tx", None) or []))  # refuse before they start, and not each in its own words
    embedded.join(settings.EMBEDDED)
    apart.keep(int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")) + 1)
    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = 1, 8  # a good hash takes a fifth of a second
    Argon2PasswordHasher.parallelism = 1
    TransactionTestCase._fixture_teardown = lambda _self: emptying.empty()  # type: ignore[attr-defined]
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns where nothing was collected yet
    _look_once_at_static_files()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: of two workers none is left alone at the end with a minute's test."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in ("slow", "spark", "browser")))


def _look_once_at_static_files() -> None:
    """Let all clients share what the first one found: each has middleware of its own, and hundreds of files to find."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, object]()

    def share(self: WhiteNoiseMiddleware) -> None:
        if not found:
            look(self)
            found.update(self.files)
        self.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = share


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Forget what the last test left: the language of its last page, what it kept and counted in the cache."""
    translation.deactivate()
    cache.clear()


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """Let the owner make the test database; the tests themselves run as the application's role."""
    kept, name = request.config.getoption("reuse_db"), connection.settings_dict["NAME"]
    reused = kept and not request.config.getoption("create_db")
    with django_db_blocker.unblock(), as_owner():
        templates.use()
        connection.creation.create_test_db(verbosity=0, autoclobber=True, keepdb=reused, serialize=False)
    yield
    with django_db_blocker.unblock(), as_owner():
        connection.creation.destroy_test_db(name, verbosity=0, keepdb=kept)


@pytest.fixture(scope="session")
def migrated(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Path:
    """The migrated database in a file, for ``templates.lay_out``."""
    with django_db_blocker.unblock(), as_owner():
        return templates.dumped()


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give every test its own lake, artifacts, files and journal: those of the house belong to another database."""
    monkeypatch.setattr(settings, "EVENT_LAKE_URL", str(tmp_path / "lake"))
    monkeypatch.setattr(settings, "ARTIFACT_DIR", tmp_path / "artifacts")
    monkeypatch.setattr(settings, "MEDIA_ROOT", tmp_path / "files")
    monkeypatch.setattr(settings, "AUDIT_DIR", tmp_path / "audit")
    monkeypatch.setattr(settings, "SHRED_JOURNAL", str(tmp_path / "shred-journal"))
