"""Files for static lists: what is read of CSV and Excel, what is refused, and that nothing of them stays."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from campaigns.models import ListMember, Segment
from campaigns.segmenting import list_files, lists, sheets
from campaigns.segmenting.sheets import NoSheet
from crm.models import JobRun
from tests import factories
from tests.campaigns import factories as campaigns
from tests.campaigns.factories import NOW
from tests.staff import logged_in, member

HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TEXTS = "<sst><si><t>手机号</t></si><si><r><t>138</t></r><r><t>00138001</t></r></si></sst>"


def excel(rows: str, texts: str = TEXTS, name: str = "xl/worksheets/sheet1.xml") -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/sharedStrings.xml", texts)
        parts.writestr(name, rows)
    return held.getvalue()


def read(content: bytes, suffix: str = ".csv", type_: str = "phone", name: str = "") -> list[str]:
    return list(sheets.column(io.BytesIO(content), suffix, type_, name))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("13800138000\n13800138001\n", ["13800138000", "13800138001"]),
        ("\ufeffname,phone\n张,13800138000\n\n李,138\n", ["", "13800138000", "", "138"]),
        ("Name;手机号\n张;13800138000\n", ["", "13800138000"]),
        ('name\tmobile\n"a\nb"\t1\nc\t2\n', ["", "", "1", "2"]),  # the numbers of lines stay those of the file
        ("phone,x\n=1+1,2\n@SUM(A1),2\n", ["", "=1+1", "@SUM(A1)"]),  # only text, never worked out
        ("phone\n\0\n1\0\n", ["", "", "1"]),
    ],
)
def test_a_column_of_csv_is_read_line_by_line(content: str, found: list[str]) -> None:
    assert read(content.encode()) == found


def test_what_chinese_spreadsheets_save_is_read() -> None:
    assert read("姓名,手机号\n张三,13800138000\n".encode("gb18030")) == ["", "13800138000"]


def test_excel_is_read_with_numbers_as_people_wrote_them_and_formulas_as_they_were_saved() -> None:
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" t="s"><v>0</v></c></row>'
        '<row r="2"><c r="B2" t="s"><v>1</v></c></row>'
        '<row r="4"><c r="B4"><v>1.3800138002E10</v></c></row>'
        '<row r="5"><c r="B5" t="str"><f>HYPERLINK("http://evil")</f><v>13800138003</v></c></row></sheetData></worksheet>'
    )
    assert read(excel(HEAD + rows), ".xlsx") == ["", "13800138001", "", "13800138002", "13800138003"]


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + HEAD + "<row><c><v>&b;</v></c></row>"


@pytest.mark.parametrize(
    ("content", "suffix", "name"),
    [
        (b"", ".csv", ""),
        ("phone\n1".encode("utf-16"), ".csv", ""),
        (b"a,b\n1,2\n", ".csv", ""),  # which of the two
        (b"phone,b\n1,2\n", ".csv", "telephone"),
        (b"phone\n" + b'"' + b"x" * 20_000, ".csv", ""),
        (b"no zip", ".xlsx", ""),
        (excel("", name="xl/other.xml"), ".xlsx", ""),
        (excel(BOMB), ".xlsx", ""),
        (excel("<worksheet><sheetData>"), ".xlsx", ""),
    ],
)
def test_what_is_no_table_is_refused_in_words(content: bytes, suffix: str, name: str) -> None:
    with pytest.raises(NoSheet):
        read(content, suffix, name=name)


def test_a_file_that_unpacks_to_too_much_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "LARGEST_PART", 2**20)
    rows = "".join(f"<row><c><v>{n}</v></c></row>" for n in range(100_000))
    with pytest.raises(NoSheet, match="unpacks"):
        read(excel(HEAD + rows + "</sheetData></worksheet>"), ".xlsx")


# -- from the page to the list --


@pytest.fixture
def ann(db: Any) -> Client:
    return logged_in(member("Marketing", "ann"), second_factor=True)


def files() -> list[Path]:
    return [path for path in (Path(settings.MEDIA_ROOT) / "imports").rglob("*") if path.is_file()]


def posted(ann: Client, made: Segment, content: bytes, name: str = "people.csv", **told: str) -> JobRun | None:
    before = set(JobRun.objects.values_list("pk", flat=True))
    file = SimpleUploadedFile(name, content)
    ann.post(reverse("admin:campaigns_segment_upload", args=[made.pk]), {"file": file, "type": "email"} | told)
    return JobRun.objects.filter(kind=list_files.KIND).exclude(pk__in=before).first()


def test_a_file_becomes_members_and_nothing_of_it_stays(ann: Client) -> None:
    people = [campaigns.person(number, consent=False) for number in range(3)]
    made = lists.create("guests", None, NOW)
    lists.add(made, [people[2].pk], NOW)
    before = files()
    content = b"email\np0@example.com\nP1@Example.com\nnobody@example.com\np2@example.com\n=cmd|x\n"
    job = posted(ann, made, content)
    assert job is not None
    held = [path for path in files() if path not in before]
    assert held
    assert not any(b"example.com" in path.read_bytes() for path in held)  # sealed while it waits
    assert list_files.run(job, lambda: job.created_at + timedelta(seconds=1))
    job.refresh_from_db()
    assert {name: job.result[name] for name in ("lines", "added", "before", "unknown", "numbers")} == {
        "lines": 5, "added": 2, "before": 1, "unknown": 2, "numbers": [4, 6],
    }  # fmt: skip
    assert set(ListMember.objects.values_list("profile_id", flat=True)) == {one.pk for one in people}
    assert files() == before
    assert "example.com" not in str(job.parameters) + str(job.result)
    page = ann.get(reverse("admin:campaigns_segment_change", args=[made.pk])).content.decode()
    assert "data-unknown>2<" in page
    told = b"".join(ann.get(reverse("admin:campaigns_segment_unknown", args=[job.pk]))).decode()
    assert told.splitlines()[1:] == ["4,names nobody whom we know", "6,names nobody whom we know"]
    assert not list_files.run(job, lambda: job.created_at)  # ringing twice


def test_our_own_numbers_name_people_too(ann: Client) -> None:
    one, made = factories.profile(), lists.create("numbers", None, NOW)
    job = posted(ann, made, f"{one.pk}\n0\n-1\n{10**30}\nx\n".encode(), type="profile")
    assert job is not None
    assert list_files.run(job, lambda: job.created_at)
    job.refresh_from_db()
    assert (job.result["added"], job.result["numbers"]) == (1, [2, 3, 4, 5])


def test_a_file_that_cannot_be_read_is_gone_all_the_same(ann: Client) -> None:
    made, before = lists.create("broken", None, NOW), files()
    job = posted(ann, made, b"no zip", name="people.xlsx")
    assert job is not None
    assert not list_files.run(job, lambda: job.created_at)
    job.refresh_from_db()
    assert (job.status, files()) == (JobRun.Status.FAILED, before)
    assert "Excel" in job.error


def test_what_is_no_list_or_no_file_of_ours_is_refused(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made, ruled = lists.create("guests", None, NOW), campaigns.segment("ruled")
    assert posted(ann, made, b"x", name="people.exe") is None
    assert posted(ann, made, b"x", type="password") is None
    assert posted(ann, ruled, b"x") is None
    monkeypatch.setattr(list_files, "LARGEST", 10)
    assert posted(ann, made, b"x" * 11) is None
