"""Canonical JSON: one way to write a record, and no way to write two records alike."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crm.canonical import NotCanonical, canonical, commit_to, utc

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_is_written_reads_back_and_is_written_the_same_again(record: dict[str, Any]) -> None:
    try:
        written = canonical(record)
    except NotCanonical:  # two keys that are one in NFC
        assume(False)
    assert canonical(json.loads(written)) == written


def test_rare_characters_full_width_digits_and_marks_of_direction_stand_as_they_are() -> None:
    assert canonical({"name": "𠮷野\u202e１３８"}) == '{"name":"𠮷野\u202e１３８"}'.encode()


def test_keys_are_sorted_by_utf16_as_the_rfc_wants() -> None:
    assert canonical({"\ue000": 1, "😀": 2, "a": 3}) == '{"a":3,"😀":2,"\ue000":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        2**53,
        b"bytes",
        datetime(2026, 1, 1, tzinfo=UTC),
        {1: 2},
        {"é": 1, "e\u0301": 2},
        "\ud800",
        {3},
    ],
)
def test_what_has_no_one_way_to_be_written_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical({"value": value})


def test_one_moment_is_one_text_in_every_zone() -> None:
    shanghai = datetime(2026, 1, 2, 11, 4, 5, tzinfo=timezone(timedelta(hours=8)))
    assert utc(shanghai) == utc(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000000Z"
    with pytest.raises(NotCanonical):
        utc(datetime(2026, 1, 2))


def test_the_same_values_are_committed_to_differently_each_time_and_checked_with_the_salt() -> None:
    one, other = commit_to({"profile": 1}), commit_to({"profile": 1})
    assert one.digest != other.digest
    assert commit_to({"profile": 1}, one.salt).digest == one.digest
    assert commit_to({"profile": 2}, one.salt).digest != one.digest
