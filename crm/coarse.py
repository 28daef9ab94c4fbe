"""Which values may lie open: coarse ones, that tell groups of people apart and nobody alone.

Numbers, truth values and short words in which no personal data is found, under a name that does not promise any. All
other values of a trait or of an event's properties are sealed with the person's key, whole.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings

from crm.finder import find, masked_text
from crm.privacy import personal_kind

NAME = re.compile(r"[^\W\d][\w .:$-]{0,63}")
WORDS = re.compile(r"[^\W\d_]+")
CATEGORY = re.compile(r"[\w &+/.,:;%()#'·~<>=≥≤$€£¥*!-]{0,48}")
CODE = re.compile(r"[\w.:/+-]{1,64}")
LONG_NUMBER = re.compile(r"\d[\d\s-]{5,}\d")  # seven digits and more: a phone, a card, somebody's number
MOST_WORDS, MOST_PARTS, LARGEST = 5, 20, 10**9


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What people write themselves, where they were and with which machine, and who they are to other systems.
TOLD_BY_PEOPLE = _words(
    "note notes comment comments message remark remarks text content body query search keyword keywords question answer"
    " feedback review reason subject title description greeting signature memo 备注 留言 评论 内容 问题"
)
ABOUT_THE_VISIT = _words(
    "context url uri href link path referrer referer page screen ip useragent agent browser device advertisingid cookie"
    " fingerprint session location geo gps position latitude longitude lat lng timezone headers"
)
ABOUT_A_PERSON = _words(
    "name names person people user userid customer customerid member memberid contact contacts recipient guardian"
    " parent spouse child friend friends owner account accountid login uid employer company birth birthday born age"
    " passport licence license plate 姓名 联系人 会员号 客户"
)
CLOSED = TOLD_BY_PEOPLE | ABOUT_THE_VISIT | ABOUT_A_PERSON
# A thing's number is as long as a phone's; it belongs to the thing.
THINGS = _words(
    "product item sku upc ean order basket cart checkout coupon promotion store shop branch campaign category brand"
    " variant list collection transaction invoice batch creative placement banner article activity"
)
NUMBERS_OF_THINGS = _words("id ids no code number sku upc ean")


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what may lie open, and what is to be sealed.

    >>> split({"plan": "gold", "seats": 3, "note": "call me", "city2": "13800138000"})
    ({'plan': 'gold', 'seats': 3}, {'note': 'call me', 'city2': '13800138000'})
    """
    coarse: dict[str, Any] = {}
    personal: dict[str, Any] = {}
    for name, value in values.items():
        how, kind = openness(name), type(value)
        # Most of what a shop sends; of the rest, and of these too, is_coarse says the same.
        if how is None:
            fine = False
        elif kind is str:
            fine = _is_category(value) if how == "word" else CODE.fullmatch(value) is not None
        elif kind is float or kind is int:
            fine = -LARGEST < value < LARGEST or (how == "code" and kind is int)
        else:
            fine = _is_coarse(value, code=how == "code", parts=MOST_PARTS)
        (coarse if fine else personal)[name] = value
    return coarse, personal


def is_coarse(name: str, value: Any) -> bool:
    """Return whether a value of this name may lie open.

    >>> is_coarse("income", "50-74K"), is_coarse("coupon_upc", "10000085475"), is_coarse("badge", "10000085475")
    (True, True, False)
    """
    how = openness(name)
    return how is not None and _is_coarse(value, code=how == "code", parts=MOST_PARTS)


@lru_cache(maxsize=4096)
def openness(name: str) -> str | None:
    """Return ``code`` where values are numbers of things, ``word`` where they may be coarse, ``None`` where sealed."""
    if not NAME.fullmatch(name) or find(name):
        return None
    words = words_of(name)
    if name in settings.LEARNED_ATTRIBUTES:
        return "word"
    if words and words[-1] in NUMBERS_OF_THINGS and not THINGS.isdisjoint(words):
        return "code"
    closed = personal_kind(name) or not CLOSED.isdisjoint(words) or "".join(words) in CLOSED
    return None if closed else "word"


def words_of(name: str) -> list[str]:
    """Return the words that a name is made of.

    >>> words_of("deliveryAddress_line2"), words_of("userID")
    (['delivery', 'address', 'line'], ['user', 'id'])
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word.lower() for word in WORDS.findall(spaced)]


def _is_coarse(value: Any, *, code: bool, parts: int) -> bool:
    match value:
        case None | bool() | int() | float():
            return value is None or (code and isinstance(value, int)) or abs(value) < LARGEST  # not for a NaN
        case str():
            return CODE.fullmatch(value) is not None if code else _is_category(value)
        case list():
            return len(value) <= parts and all(_is_coarse(one, code=code, parts=0) for one in value)
        case dict():
            return len(value) <= parts and all(
                (how := openness(name)) is not None and _is_coarse(one, code=how == "code", parts=0)
                for name, one in value.items()
            )
        case _:
            return False


@lru_cache(maxsize=8192)
def _is_category(text: str) -> bool:
    if CATEGORY.fullmatch(text) is None or LONG_NUMBER.search(text) or text.count(" ") >= MOST_WORDS:
        return False
    return not find(text)


@lru_cache(maxsize=4096)
def open_text(text: str) -> str:
    """Return a name of an action, a page or a trait with what is personal in it masked: these lie open.

    >>> open_text("Home"), open_text("Chat with 13800138000")
    ('Home', 'Chat with 138****8000')
    """
    return masked_text(text)
