"""Equal identifiers have one spelling, and different ones never the same."""

from typing import Any

import pytest

from crm.normal import normal


@pytest.mark.parametrize(
    ("told", "region", "expected"),
    [
        ("13800138000", "CN", "+8613800138000"),
        ("0086 138 0013 8000", "US", "+8613800138000"),
        ("+8613800138000", "US", "+8613800138000"),
        ("1 415 555 2671", "US", "+14155552671"),
        ("14155552671", "US", "+14155552671"),
        ("+1 415 555 2671", "CN", "+14155552671"),
    ],
)
def test_eleven_digits_that_begin_with_one_are_chinese_in_china_only(
    settings: Any, told: str, region: str, expected: str
) -> None:
    settings.PHONE_REGION = region
    assert normal("phone", told) == expected


@pytest.mark.parametrize(
    ("type_", "spellings"),
    [
        ("phone", ["１３８００１３８０００", "\u200f138\u200b00138000", "86-138-0013-8000", "(+86) 138 0013 8000"]),
        ("email", ["Zhang@QQ.com", " zhang@qq.com ", "ＺＨＡＮＧ＠qq.com", "zhang@qq\u200b.com"]),
        ("name", ["欧阳　娜娜", "欧阳 娜娜", "欧阳娜娜\ufe0f"]),
    ],
)
def test_ways_to_write_the_same_are_one_and_stay_so_when_written_again(type_: str, spellings: list[str]) -> None:
    (found,) = {normal(type_, told) for told in spellings}
    assert normal(type_, found) == found


def test_ids_of_systems_differ_by_case_and_mailboxes_do_not() -> None:
    assert normal("external_id", "User-1") != normal("external_id", "user-1")
    assert normal("email", "A@b.c") == normal("email", "a@B.C")
