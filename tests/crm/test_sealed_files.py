"""Uploads lie sealed from the first byte on, are imported as a stream, and what was tampered with does not open."""

import os
import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from crm import imports, key_rotation, sealed_files
from crm.encryption import Tampered
from crm.imports import uploads
from crm.imports.job import run
from crm.imports.mapping import Mapping
from crm.imports.uploads import Ticket
from crm.keyring import BadKeyRing, UnknownKey, ring
from crm.models import Identifier, JobRun, Profile
from tests import factories
from tests.factories import NOW
from tests.staff import logged_in, member

BLOCK = sealed_files.BLOCK
SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK)


@pytest.fixture(autouse=True)
def own_ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rotate a ring of the test's own."""
    monkeypatch.setattr(settings, "KEY_RING_FILE", str(tmp_path / "keys" / "ring.json"))


def written(path: Path, plain: bytes) -> Path:
    with sealed_files.written(path) as file:
        for start in range(0, len(plain), 300_007):
            file.write(plain[start : start + 300_007])
    return path


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read_from_any_place(size: int, tmp_path: Path) -> None:
    chance = random.Random(size)
    plain = chance.randbytes(size)
    path = written(tmp_path / "x.csv.sealed", plain)
    assert sealed_files.size(path) == size
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert plain[:64] not in path.read_bytes() or size < 2
    with sealed_files.opened(path) as file:
        assert file.read() == plain
        for _ in range(50):
            start, count = chance.randrange(size + 2), chance.choice((1, 100, BLOCK))
            file.seek(start)
            assert file.read(count) == plain[start : start + count]
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["x.csv.sealed"]


def test_any_changed_byte_and_any_cut_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv.sealed", random.Random(1).randbytes(2 * BLOCK + 100))
    whole, chance = path.read_bytes(), random.Random(2)
    for place in [*range(sealed_files.HEAD_BYTES), *(chance.randrange(len(whole)) for _ in range(60))]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises((Tampered, UnknownKey)), sealed_files.opened(path) as file:
            file.read()
    block = BLOCK + sealed_files.TAG_BYTES
    body = sealed_files.HEAD_BYTES
    cuts = [0, 5, body, body + 5, body + block, body + 2 * block, len(whole) - 1]
    swapped = (
        whole[:body] + whole[body + block : body + 2 * block] + whole[body : body + block] + whole[body + 2 * block :]
    )
    for other in [*(whole[:cut] for cut in cuts), whole + b"x", whole + whole[-block:], swapped]:
        path.write_bytes(other)
        with pytest.raises(Tampered), sealed_files.opened(path) as file:
            file.read()


def test_a_writer_that_dies_leaves_no_file(tmp_path: Path) -> None:
    def died() -> None:
        with sealed_files.written(tmp_path / "x.csv.sealed") as file:
            file.write(b"x" * 3 * BLOCK)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        died()
    assert not (tmp_path / "x.csv.sealed").exists()


def test_opening_costs_little(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv.sealed", b"a,b,c\n" * (64 * 2**20 // 6))
    began = time.process_time()
    with sealed_files.opened(path) as file:
        while file.read(12 * 2**20):
            pass
    assert time.process_time() - began < 1.0  # of 64 MiB; about 0.1 on a quiet machine


ROWS = "external_id,name,phone\nu-1,金丝雀,13912345678\nu-2,Canary Bird,13912345679\n"
COLUMNS = {"external_id": "external_id", "name": "name", "phone": "phone"}


def uploaded(name: str = "kunden-金丝雀.csv", content: bytes = ROWS.encode()) -> str:
    source = factories.source()
    return uploads.keep([content], Ticket(name=name, what="profiles", source=source.pk, user=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_sealed_upload_is_imported_and_gone(kind: str, tmp_path: Path) -> None:
    import polars as pl

    frame = pl.read_csv(ROWS.encode(), schema_overrides={"phone": pl.String})
    plain = tmp_path / f"rows.{kind}"
    write: Any = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[kind]
    write(plain)
    path, ticket = uploads.find(uploaded(f"people.{kind}", plain.read_bytes()), timezone.now())
    assert imports.preview(path, "profiles", now=NOW).rows[0]["name"] == "金丝雀"
    job = imports.order(
        path, Mapping(what="profiles", columns=COLUMNS), source=factories.source(), now=NOW, name=ticket.name
    )
    assert job.title == f"profiles: people.{kind}"
    assert run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert (job.status, job.rejected) == ("succeeded", 0), job.error
    assert {one.name for one in Profile.objects.all()} == {"金丝雀", "Canary Bird"}
    assert Identifier.objects.count() == 4
    assert not list(uploads.directory().iterdir())


@pytest.mark.django_db(transaction=True)
def test_a_tampered_upload_fails_the_job_and_says_so() -> None:
    path, _ = uploads.find(uploaded(), timezone.now())
    job = imports.order(path, Mapping(what="profiles", columns=COLUMNS), source=factories.source(), now=NOW)
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))  # another byte than it was, whatever it was
    assert run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.status == "failed"
    assert "does not open" in job.error
    assert not Profile.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("lines", [1, 150_000], ids=["in memory", "in a temporary file"])
def test_the_page_keeps_nothing_in_the_open_and_shows_no_name_in_its_address(
    lines: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    from crm.upload_handling import SealedUploadHandler

    complete = SealedUploadHandler.file_complete

    def spied(handler: SealedUploadHandler, size: int) -> Any:
        found = complete(handler, size)
        handler.file.seek(0)
        seen.append(handler.file.read())
        return found

    monkeypatch.setattr(SealedUploadHandler, "file_complete", spied)
    rows = ROWS + "".join(f"u-{n},Name {n},\n" for n in range(3, 3 + lines))
    file = SimpleUploadedFile("kunden-13912345678.csv", rows.encode())
    client = logged_in(member("Admin"))
    told = {"file": file, "what": "profiles", "source": factories.source().pk}
    answer = client.post(reverse("admin:crm_import"), told)
    assert answer.status_code == 302
    place = answer["Location"].rstrip("/").rpartition("/")[2]
    assert uploads.PLACE.fullmatch(place)
    lying = seen + [path.read_bytes() for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]
    assert len(seen) == (lines > 1)
    assert len(lying) == len(seen) + 2
    for canary in ("13912345678", "金丝雀", "Canary", "kunden", "external_id"):
        assert not any(canary.encode() in content for content in lying), canary
    page = client.get(answer["Location"])
    assert "kunden-13912345678.csv" in page.content.decode()
    other = logged_in(member("Marketing", "another"))
    assert other.get(answer["Location"]).status_code == 403
    assert client.get(reverse("admin:crm_import_mapping", args=["0" * 32])).status_code == 400
    started = client.post(answer["Location"], {"start": "1", "column-external_id": "external_id"})
    assert started.status_code == 302
    assert JobRun.objects.get().title == "profiles: kunden-13912345678.csv"


@pytest.mark.django_db
def test_the_ticket_of_an_upload_is_good_for_a_day_and_for_its_own_place_only() -> None:
    place, other = uploaded(), uploaded()
    now = timezone.now()
    assert uploads.find(place, now)[1].name == "kunden-金丝雀.csv"
    for wrong in ("", "..", "../imports", place[:-1], place.upper() + "x"):
        with pytest.raises(uploads.NoUpload):
            uploads.find(wrong, now)
    with pytest.raises(uploads.NoUpload):
        uploads.find(place, now + timedelta(hours=25))
    swapped = uploads.directory() / other / uploads.TICKET
    swapped.write_bytes((uploads.directory() / place / uploads.TICKET).read_bytes())
    with pytest.raises(uploads.NoUpload):
        uploads.find(other, now)


@pytest.mark.django_db
def test_an_upload_outlives_the_rotation_of_the_ring() -> None:
    path, _ = uploads.find(uploaded(), timezone.now())
    then = (NOW - timedelta(days=3)).timestamp()
    os.utime(path, (then, then))
    old = ring().current
    new = key_rotation.rotate(NOW)
    assert key_rotation.usage()[old] == 2  # the rows and their ticket
    with pytest.raises(BadKeyRing, match="2 rows or files still need"):
        key_rotation.retire(old)
    with sealed_files.opened(path) as reading:
        assert sum(1 for _ in key_rotation.rewrap_all()) == 2
        assert reading.read().decode() == ROWS  # who has begun to read goes on
    assert key_rotation.usage() == {old: 0, new: 2}
    key_rotation.retire(old)
    with sealed_files.opened(path) as file:
        assert file.read().decode() == ROWS
    assert path.stat().st_mtime == then
    assert uploads.find(path.parent.name, timezone.now())[1].name == "kunden-金丝雀.csv"
