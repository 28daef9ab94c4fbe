"""The data map as an officer reads it: whole, findable, in both languages, and harmless in a spreadsheet."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from crm.classification import columns
from crm.data_map import TABLES
from crm.models import RetentionRule
from crm.records_of_processing import RETENTIONS, Wanted, lines_of_csv, sheets
from crm.retention_classes import CLASSES
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):  # whatever the page before this test spoke
        yield


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text.removeprefix("\ufeff"))))


def test_every_column_of_the_map_is_a_line_once() -> None:
    found = [(sheet.label, line.column.name) for sheet in sheets() for line in sheet.lines]
    assert len(found) == len(set(found))
    assert set(found) == set(columns())


def test_every_time_in_the_map_has_its_words() -> None:
    used = {table.retention for table in TABLES.values()}
    assert used - set(CLASSES) - set(RETENTIONS) == set(), "say in crm/records_of_processing.py what these mean"


def test_a_word_a_kind_and_a_fate_narrow_the_map() -> None:
    birth = [(sheet.label, line.column.name) for sheet in sheets(Wanted(word="BIRTH ")) for line in sheet.lines]
    assert birth == [("crm.profile", "birth_date"), ("crm.profile", "birth_month"), ("crm.profile", "birth_day")]
    shredded = sheets(Wanted(word="profile", kind="identifying", erasure="shred"))
    assert [(s.label, [line.column.name for line in s.lines]) for s in shredded] == [
        ("crm.profile", ["name", "birth_date", "traits"])
    ]
    assert sheets(Wanted(word="=cmd|' /C calc'!A0")) == []


def test_the_days_are_those_now_in_force() -> None:
    RetentionRule.objects.create(
        data_class="jobs", purpose="operation", keep=timedelta(days=41), changed_at=timezone.now()
    )
    (jobs,) = [sheet for sheet in sheets() if sheet.label == "crm.jobrun"]
    assert jobs.kept == "41 days (notes of jobs)"


def test_what_is_kept_says_why_in_the_readers_language() -> None:
    with translation.override("zh-hans"):
        (suppression,) = [sheet for sheet in sheets() if sheet.label == "crm.suppression"]
        assert suppression.reason == "与个人无关联的带密钥哈希，确保不再向该地址发送。"
        assert suppression.erasure == "保留"


def test_the_file_holds_what_the_page_shows_and_runs_nothing() -> None:
    client = logged_in(member("Compliance"))
    answer: Any = client.get(reverse("admin:crm_data_map_file"), {"word": "crm.suppression"})
    found = rows(b"".join(answer.streaming_content).decode())
    assert {row["Table"] for row in found} == {"crm.suppression"}
    assert {row["Column"]: row["Personal"] for row in found}["key"] == "yes"
    whole = "".join(lines_of_csv(sheets()))
    assert len(rows(whole)) == len(columns())
    assert not [cell for row in rows(whole) for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_the_page_opens_for_officers_and_analysts_and_finds_nothing_kindly() -> None:
    address = reverse("admin:crm_data_map")
    for role, status in (("Compliance", 200), ("Analyst", 200), ("Marketing", 403), ("Support", 403), ("Admin", 403)):
        assert logged_in(member(role)).get(address).status_code == status, role
    page = logged_in(member("Analyst", name="other")).get(address, {"word": "<script>"}).content.decode()
    assert "Nothing fits what you look for" in page
    assert 'value="&lt;script&gt;"' in page
