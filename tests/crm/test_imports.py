"""What a file import promises."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.db import connection
from django.utils import timezone

from crm import imports, ingest
from crm.imports import job as jobs
from crm.imports import uploads
from crm.imports.files import UnreadableFile
from crm.imports.mapping import Mapping, guess
from crm.imports.writing import Writer
from crm.models import Event, Item, JobRun, Profile, RejectedEvent, Source
from crm.tasks import resume_imports
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW

HEAD = "event_id,user_id,kind,time,sku,amount,order,color"
ROWS = [
    "e1,u1,purchase,2017-03-01 10:00:00,tea,3.50,o1,green",
    "e2,u2,purchase,2017-03-31 23:59:59,cup,12,o2,",
    "e3,u1,view,2018-01-01,tea,,,",
]


@pytest.fixture
def till() -> Source:
    return factories.source("till", kind=Source.Kind.IMPORT)


def written(path: Path, rows: list[str], *, head: str = HEAD, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join([head, *rows, ""]).encode(encoding))
    return path


def imported(path: Path, source: Source, what: str = "events", **facts: str) -> JobRun:
    seen = imports.preview(path, what, now=NOW)
    mapping = Mapping(what=what, columns=seen.mapping.columns, constants=facts)
    job = imports.order(path, mapping, source=source, now=NOW)
    assert jobs.run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.status == "succeeded", job.error
    return job


def refused(job: JobRun) -> list[tuple[int, str, str]]:
    rows = RejectedEvent.objects.filter(job=job).order_by("index")
    return list(rows.values_list("index", "field", "reason"))


def test_a_files_rows_become_events(tmp_path: Path, till: Source) -> None:
    job = imported(written(tmp_path / "e.csv", ROWS), till)
    assert (job.status, job.done, job.rejected, job.result["new"]) == ("succeeded", 3, 0, 3)
    first = Event.objects.get(session="o1")
    assert (first.kind, first.value, first.item and first.item.code) == ("purchase", Decimal("3.50"), "tea")
    assert first.occurred_at == first.received_at == datetime(2017, 3, 1, 10, tzinfo=UTC)
    assert first.properties == {"color": "green"}
    assert factories.identifiers() == {("external_id", "u1"), ("external_id", "u2")}
    assert set(Item.objects.values_list("code", flat=True)) == {"tea", "cup"}


def test_a_file_imported_twice_changes_nothing(tmp_path: Path, till: Source) -> None:
    path = written(tmp_path / "e.csv", ROWS)
    imported(path, till)
    again = imported(path, till)
    assert (again.result["new"], again.result["same"]) == (0, 3)
    assert (Event.objects.count(), Profile.objects.count(), Item.objects.count()) == (3, 2, 2)


def test_equal_rows_without_ids_are_all_kept_and_known_again(tmp_path: Path, till: Source) -> None:
    head, row = "user_id,kind,time,amount", "u1,purchase,2017-03-01,5"
    path = written(tmp_path / "e.csv", [row, row, "u2,purchase,2017-03-01,5", row], head=head)
    assert imported(path, till).result["new"] == 4
    longer = written(tmp_path / "longer.csv", [row] * 4, head=head)
    assert imported(longer, till).result["new"] == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings_are_told_apart(tmp_path: Path, till: Source, encoding: str) -> None:
    rows = ["会员1,purchase,2017-03-01 10:00,绿茶,3.5", "会员2,purchase,2017-03-02 10:00,红茶,4"]
    path = written(tmp_path / "e.csv", rows, head="会员号,类型,时间,商品,金额", encoding=encoding)
    job = imported(path, till)
    assert (job.status, job.rejected) == ("succeeded", 0), job.error
    assert set(Item.objects.values_list("code", flat=True)) == {"绿茶", "红茶"}


def test_jsonl_and_parquet_hold_the_same_as_csv(tmp_path: Path, till: Source) -> None:
    frame = pl.read_csv(written(tmp_path / "e.csv", ROWS), try_parse_dates=True)
    frame.write_ndjson(tmp_path / "e.jsonl")
    frame.write_parquet(tmp_path / "e.parquet")
    results = [imported(tmp_path / name, till).result for name in ("e.csv", "e.jsonl", "e.parquet")]
    assert [(result["new"], result["same"], result["rejected"]) for result in results] == [
        (3, 0, 0),
        (0, 3, 0),
        (0, 3, 0),
    ]


def test_every_refused_row_is_told_with_line_column_and_reason(tmp_path: Path, till: Source) -> None:
    rows = [
        ROWS[0],
        "e2,,purchase,2017-03-01,tea,1,,",
        "e3,u1,dance,2017-03-01,tea,1,,",
        "e4,u1,purchase,soon,tea,1,,",
        "e5,u1,purchase,9999-01-01,tea,1,,",
        "e6,u1,purchase,1815-06-18,tea,1,,",
        "e7,u1,purchase,2017-03-01,tea,ten,,",
        "e8,u1,purchase,2017-03-01,tea,-1,,",
        "e9,u1,purchase,2017-03-01,tea,1e12,,",
        "e10,u1,purchase,2017-03-01,tea,NaN,,",
        "e11,undefined,purchase,2017-03-01,tea,1,,",
        f"e12,u1,purchase,2017-03-01,{'t' * 129},1,,",
        "e13,u1,purchase",
        "e14,u1,purchase,2017-03-01,tea,1,,,,more",
        "e15,u1,purchase,2017-03-01,te\x00a,1,,",
        ",u1,purchase,2017-03-01,tea,1,,",
        ROWS[1],
    ]
    job = imported(written(tmp_path / "e.csv", rows), till)
    assert (job.status, job.done, job.rejected) == ("succeeded", 17, 15), job.error
    assert [(line, column) for line, column, _ in refused(job)] == [
        *((3, "user_id"), (4, "kind"), (5, "time"), (6, "time"), (7, "time"), (8, "amount"), (9, "amount")),
        *((10, "amount"), (11, "amount"), (12, "user_id"), (13, "sku"), (14, ""), (15, ""), (16, "sku")),
        (17, "event_id"),
    ]
    assert Event.objects.count() == 2
    lines = "".join(imports.error_file(job)).splitlines()
    assert len(lines) == 16
    assert lines[0] == "\ufeffline,column,reason,row"


def test_bad_bytes_and_bad_quotes_cost_only_their_lines(tmp_path: Path, till: Source) -> None:
    good = [f"e{n},u{n},purchase,2017-03-01,tea,1,," for n in range(2000)]
    path = tmp_path / "e.csv"
    lines = [HEAD, *good[:500], 'x1,u1,purchase,2017-03-01,"tea,1,,', *good[500:1500], "BAD", *good[1500:], ""]
    path.write_bytes("\n".join(lines).encode().replace(b"BAD", b"x2,u\xff\xfe,purchase,2017-03-01,tea,1,,"))
    job = imports.order(path, Mapping(what="events", columns=guess("events", HEAD.split(","))), source=till, now=NOW)
    JobRun.objects.update(parameters=job.parameters | {"encoding": "utf-8"})
    assert jobs.run(job, clock=lambda: NOW)
    assert [line for line, _, _ in refused(job)] == [502, 1503]
    assert Event.objects.count() == 2000


def test_texts_in_quotes_may_hold_commas_and_newlines(tmp_path: Path, till: Source) -> None:
    rows = ['e1,u1,purchase,2017-03-01,"tea, green",1,,"a\nb"', 'e2,u1,purchase,2017-03-01,"5"" cup",1,,', "e3,u1,view"]
    job = imported(written(tmp_path / "e.csv", rows), till)
    assert set(Item.objects.values_list("code", flat=True)) == {"tea, green", '5" cup'}
    assert [line for line, _, _ in refused(job)] == [5]


def test_a_refused_row_is_replayed_when_its_cause_is_gone(tmp_path: Path, till: Source) -> None:
    job = imported(written(tmp_path / "e.csv", ["e1,u1,dance,2017-03-01,tea,1,,red", "e2"]), till)
    kept, no_row = RejectedEvent.objects.filter(job=job).order_by("index")
    assert ingest.replay(kept, now=NOW) is False
    kept.payload = kept.payload.replace("dance", "view")
    kept.save()
    assert [ingest.replay(kept, now=NOW) for _ in range(2)] == [True, False]
    assert ingest.replay(no_row, now=NOW) is False
    assert Event.objects.get().properties == {"color": "red"}


def test_the_error_file_runs_no_formulas(tmp_path: Path, till: Source) -> None:
    job = imported(written(tmp_path / "e.csv", ["=HYPERLINK(1),u1"]), till)
    (told,) = list(csv.reader(imports.error_file(job)))[1:]
    assert told == ["2", "", "has 2 fields, the first line has 8", "'=HYPERLINK(1),u1"]


def event_of(external_id: str) -> Event:
    return Event.objects.get(profile__in=Profile.objects.identified("external_id", external_id))


def test_wall_clock_times_are_of_the_zone_that_is_named(tmp_path: Path, till: Source) -> None:
    rows = ["u1,view,2026-01-01 08:00:00", "u2,view,2026-01-01T08:00:00+01:00", "u3,view,2026-01-01T08:00:00Z"]
    path = written(tmp_path / "e.csv", rows, head="user_id,kind,time")
    columns = guess("events", ["user_id", "kind", "time"])
    job = imports.order(path, Mapping(what="events", columns=columns, time_zone="Asia/Shanghai"), source=till, now=NOW)
    jobs.run(job, clock=lambda: NOW)
    assert [event_of(user).occurred_at.hour for user in ("u1", "u2", "u3")] == [0, 7, 8]


def test_profiles_are_made_and_changed(tmp_path: Path, till: Source) -> None:
    head = "user_id,email,name,gender,birthday,city,tier"
    imported(
        written(tmp_path / "a.csv", ["u1,Ada@X.com,Ada,f,1990-05-17,杭州,gold", "u2,,Bob,m,,,"], head=head),
        till,
        "profiles",
    )
    job = imported(
        written(tmp_path / "b.csv", ["u1,,,,,上海,", "u3,bad id,,,1066-01-01,,"], head=head), till, "profiles"
    )
    ada = Profile.objects.identified("email", "ada@x.com").get()
    assert (ada.name, ada.gender, ada.birth_month, ada.age_band, ada.city) == ("Ada", "female", 5, "35-44", "上海")
    assert ada.attributes == {"tier": "gold"}
    assert [(line, column) for line, column, _ in refused(job)] == [(3, "birthday")]


def test_items_are_made_and_changed(tmp_path: Path, till: Source) -> None:
    head = "sku,title,category,price,brand,roast"
    imported(written(tmp_path / "a.csv", ["tea,Green tea,Drinks|Tea,3.5,Leaf,", "cup,,,,,"], head=head), till, "items")
    job = imported(written(tmp_path / "b.csv", ["tea,,,4,,dark", "pot,,,-1,,"], head=head), till, "items")
    tea = Item.objects.get(code="tea")
    assert (tea.title, tea.categories, tea.price, tea.brand) == ("Green tea", ["Drinks", "Tea"], Decimal(4), "Leaf")
    assert tea.attributes == {"roast": "dark"}
    assert Item.objects.get(code="cup").title == "cup"
    assert [(line, column) for line, column, _ in refused(job)] == [(3, "price")]


def test_a_preview_guesses_and_warns(tmp_path: Path) -> None:
    path = written(tmp_path / "e.csv", [*ROWS, "e4,u1,dance,2017-03-01,tea,1,,"])
    seen = imports.preview(path, "events", now=NOW)
    assert seen.mapping.columns["external_id"] == "user_id"
    assert seen.rows[0]["color"] == "green"
    assert [problem[:13] for problem in seen.problems] == ["Line 5: kind "]


def test_a_mapping_that_lacks_something_says_what() -> None:
    mapping = Mapping(what="events", columns={"occurred_at": "when", "shoe": "size"})
    assert mapping.problems(["when"]) == [
        "'shoe' is nothing that events have.",
        "The file has no column 'size'.",
        "Say which column is 'kind'.",
        (
            "Say which column tells who is meant: one of external_id, unionid, openid, external_userid, phone, email,"
            " anonymous_id."
        ),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [("e.csv", b""), ("e.csv", b"a,a\n"), ("e.xlsx", b"PK"), ("e.parquet", b"PAR0"), ("e.jsonl", b"[1]\n")],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile):
        imports.preview(tmp_path / name, "events", now=NOW)


def test_a_person_may_stop_it_between_two_pieces(tmp_path: Path, till: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.imports.files.BLOCK", 2000)
    path = written(tmp_path / "e.csv", [f"e{n},u{n},view,2017-03-01,tea,,," for n in range(300)])
    job = imports.order(path, Mapping(what="events", columns=guess("events", HEAD.split(","))), source=till, now=NOW)
    pieces = iter(range(100))
    prepare = Writer.prepare_events

    def paused_at_the_third(writer: Writer, rows: pl.DataFrame) -> pl.DataFrame:
        if next(pieces) == 2:
            JobRun.objects.get(pk=job.pk).pause()
        return prepare(writer, rows)

    monkeypatch.setattr(Writer, "prepare_events", paused_at_the_third)
    jobs.run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.status == "paused"
    assert 0 < job.done == Event.objects.count() < 300
    job.resume()
    jobs.run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert (job.status, job.done, Event.objects.count()) == ("succeeded", 300, 300)


@pytest.mark.django_db(transaction=True)
def test_a_killed_import_is_gone_on_with_exactly(tmp_path: Path, till: Source) -> None:
    bad = {7, 40_000, 59_999}
    rows = [f"e{n},u{n % 999},view,{'soon' if n in bad else '2017-03-01'},i{n % 99},1,," for n in range(60_000)]
    path = written(tmp_path / "e.csv", rows)
    job = imports.order(
        path, Mapping(what="events", columns=guess("events", HEAD.split(","))), source=till, now=timezone.now()
    )
    script = (
        "import django\nfrom django.conf import settings\n"
        f"settings.DATABASES['default']['NAME'] = {connection.settings_dict['NAME']!r}\n"
        "django.setup()\n"
        "from crm.imports import files, job\nfrom crm.models import JobRun\nfrom django.utils import timezone\n"
        f"files.BLOCK = 200_000\nassert job.run(JobRun.objects.get(pk={job.pk}), clock=timezone.now)\n"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    for _ in range(3):
        before = JobRun.objects.get(pk=job.pk).done
        worker = subprocess.Popen([sys.executable, "-c", script], env=environment)
        while worker.poll() is None and JobRun.objects.get(pk=job.pk).done == before:
            time.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL, "it was killed in the middle"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    job.refresh_from_db()
    assert (job.status, job.done, job.rejected) == ("succeeded", 60_000, 3), job.error
    assert Event.objects.count() == 59_997
    assert [line for line, _, _ in refused(job)] == [9, 40_002, 60_001]
    assert json.loads(RejectedEvent.objects.filter(job=job).order_by("index")[0].payload)["event_id"] == "e7"


def test_an_import_whose_bell_was_lost_is_begun_by_beat(tmp_path: Path, till: Source) -> None:
    path = written(tmp_path / "e.csv", ["e1,u1,view,2017-03-01,i1,1,,"])
    mapping = Mapping(what="events", columns=guess("events", HEAD.split(",")))
    job = imports.order(path, mapping, source=till, now=timezone.now())
    assert resume_imports() == 0  # its bell may still be heard
    JobRun.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=6))
    assert resume_imports() == 1
    job.refresh_from_db()
    assert (job.status, job.done) == ("succeeded", 1), job.error


def test_an_upload_is_deleted_when_it_is_imported_and_a_servers_file_is_not(
    tmp_path: Path, till: Source, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path / "files"
    (tmp_path / "files" / "imports" / "ab12").mkdir(parents=True)
    upload = written(tmp_path / "files" / "imports" / "ab12" / "people.csv", ROWS)
    server = written(tmp_path / "people.csv", ROWS)
    assert [imported(path, till).status for path in (upload, server)] == ["succeeded", "succeeded"]
    assert (upload.exists(), upload.parent.exists(), server.exists()) == (False, False, True)


def test_uploads_that_nobody_needs_are_deleted_after_a_day(tmp_path: Path, till: Source, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    folder = tmp_path / "imports"
    folder.mkdir()
    paused, dropped, fresh = (written(folder / f"{name}.csv", ROWS) for name in ("paused", "dropped", "fresh"))
    job = imports.order(paused, Mapping(what="events", columns={}), source=till, now=NOW)
    job.pause()
    old = (NOW - timedelta(days=2)).timestamp()
    for path in (paused, dropped):
        os.utime(path, (old, old))
    os.utime(fresh, (NOW.timestamp(), NOW.timestamp()))
    assert uploads.forget_uploads(NOW) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["fresh.csv", "paused.csv"]
