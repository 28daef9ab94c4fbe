"""What an erasure leaves on the disk: in the files of the tables nothing, in the write-ahead log what is said here."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.conf import settings
from django.db import connection, transaction

from crm import carrying_out, key_rotation
from crm.database_roles import as_owner
from crm.encryption.people import _context
from crm.keyring import UnknownKey, ring
from crm.models import PersonKey, Profile
from tests import factories
from tests.crm import canaries as places
from tests.crm.canaries import Canaries
from tests.crm.requests import approved, carried_out
from tests.crm.test_erasure_canary import plant
from tests.factories import NOW

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not settings.EMBEDDED.postgres, reason="the files of another server are not ours to read"),
]
# Texts of staff and of jobs, which named her in the clear until the erasure: the log of writes repeats them until its
# files are recycled. Everything that sources told is sealed there, too.
IN_THE_CLEAR = {"admin.change", "profile.name", "identifier.email", "identifier.phone"}


def as_written(query: str) -> str:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(query)
        return str(cursor.fetchone()[0])


def pages() -> dict[str, bytes]:
    """Return every file of the test's database, as the disk has it."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    database = as_written("SELECT oid FROM pg_database WHERE datname = current_database()")
    folder = Path(settings.EMBEDDED.data) / "base" / database
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def log_of_writes(since: str) -> bytes:
    """Return the write-ahead log from one of its files on; later names are files that wait to be used again."""
    until = as_written("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    folder = Path(settings.EMBEDDED.data) / "pg_wal"
    return b"".join((folder / name).read_bytes() for name in sorted(os.listdir(folder)) if since <= name <= until)


def where(needle: bytes, files: dict[str, bytes]) -> list[str]:
    return [name for name, data in files.items() if needle in data]


def birds(bird: Canaries, files: dict[str, bytes]) -> set[str]:
    return set().union(*(bird.seen_in(data) for data in files.values()))


def keys_of(*profiles: int) -> dict[int, tuple[str, bytes]]:
    rows = PersonKey.objects.filter(profile__in=profiles).values_list("profile_id", "key_id", "wrapped")
    return {profile: (key_id, bytes(wrapped)) for profile, key_id, wrapped in rows}


def test_the_key_and_every_canary_are_gone_from_the_files_of_the_database(send: Any, source: Any) -> None:
    bird = Canaries()
    began = as_written("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    person = plant(bird, send, source)
    other = factories.profile("other", name="Somebody Else")
    held = keys_of(*Profile.objects.values_list("pk", flat=True))
    mine = {pk: held[pk] for pk in (person.pk, person.duplicates.get().duplicate_id)}
    before = pages()
    plain = set().union(*(bird.seen_in(data) for _, data in places.tables()))
    assert all(where(wrapped, before) for _, wrapped in held.values())
    assert birds(bird, before) >= IN_THE_CLEAR  # the search sees what lies there

    carried_out("erasure", person)

    after = pages()
    assert {pk: where(wrapped, after) for pk, (_, wrapped) in mine.items()} == {pk: [] for pk in mine}
    assert len(where(held[other.pk][1], after)) == 1  # it would have been found
    # Dead rows of people and events: their plain columns, coarse facts and behaviour without a person; no name of hers.
    assert birds(bird, after) <= plain - IN_THE_CLEAR
    assert not {place for place in birds(bird, after) if place.startswith(("identifier.", "profile.name", "admin."))}
    written = log_of_writes(began)
    assert bird.seen_in(written) <= plain
    # The log of writes has the wrapped key still, and an archive of it or a backup would: with the ring it opens.
    key_id, wrapped = mine[person.pk]
    assert wrapped in written
    assert ring().unwrap(key_id, wrapped, _context(person.pk))


def test_what_old_logs_and_backups_have_is_worthless_when_the_rings_key_is_retired(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settings, "KEY_RING_FILE", str(tmp_path / "keys" / "ring.json"))
    person, other = factories.profile("u-1", name="A"), factories.profile("u-2", name="B")
    key_id, wrapped = keys_of(person.pk)[person.pk]
    carried_out("erasure", person)
    assert ring().unwrap(key_id, wrapped, _context(person.pk))
    key_rotation.rotate(NOW)
    list(key_rotation.rewrap_all())
    key_rotation.retire(key_id)
    with pytest.raises((UnknownKey, InvalidTag)):
        ring().unwrap(key_id, wrapped, _context(person.pk))
    assert Profile.objects.get(pk=other.pk).name == "B"


def test_a_reader_who_still_sees_the_past_is_waited_for() -> None:
    person = factories.profile("u-1", name="A")
    wrapped = keys_of(person.pk)[person.pk][1]
    begun, ended = threading.Event(), threading.Event()

    def read() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("SELECT count(*) FROM crm_item")
                begun.set()
                assert ended.wait(240)
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    assert begun.wait(240)
    request = approved("erasure", person)
    assert not carrying_out.run(request.pk, lambda: NOW)
    step = request.steps.get(store="pages")
    assert (step.status, step.error) == ("waiting", "somebody still sees the database as it was before")
    ended.set()
    reader.join()
    assert carrying_out.run(request.pk, lambda: NOW)
    assert where(wrapped, pages()) == []


def test_only_tables_that_erasures_empty_are_rewritten() -> None:
    from django.db import DatabaseError

    for name in ("crm_leaf", "crm_profile", "crm_personkey; DROP TABLE crm_leaf", "pg_class"):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT crm_rewrite_table(%s)", [name])
