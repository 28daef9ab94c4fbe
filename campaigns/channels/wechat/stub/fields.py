"""The typed keys of a template: what each may hold, and the answer that names the one that is wrong."""

import re
from collections.abc import Callable
from functools import cache

from campaigns.channels.wechat.stub.errors import Refused

_KEY = re.compile(r"\{\{(\w+)\.DATA\}\}")
_TIME = re.compile(
    r"((\d{4}年\d{1,2}月\d{1,2}日|\d{4}[-/]\d{1,2}[-/]\d{1,2})\s*)?([01]?\d|2[0-3])[:：][0-5]\d([:：][0-5]\d)?"
    r"|\d{4}年\d{1,2}月\d{1,2}日|\d{4}[-/]\d{1,2}[-/]\d{1,2}"
)
_DATE = re.compile(r"\d{4}年\d{1,2}月\d{1,2}日|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
_AMOUNT = re.compile(r"[¥￥$€£]?\d{1,10}(\.\d+)?元?")

TYPES: dict[str, Callable[[str], object]] = {
    "thing": lambda text: len(text) <= 20,
    "number": re.compile(r"\d{1,32}(\.\d+)?").fullmatch,
    "letter": re.compile(r"[A-Za-z]{1,32}").fullmatch,
    "symbol": re.compile(r"[^\w\s]{1,5}").fullmatch,
    "character_string": re.compile(r"[\x21-\x7e]{1,32}").fullmatch,
    "time": _TIME.fullmatch,
    "date": lambda text: _DATE.fullmatch(text) or _TIME.fullmatch(text),
    "amount": _AMOUNT.fullmatch,
    "phone_number": re.compile(r"[\d+\-() ]{1,17}").fullmatch,
    "car_number": lambda text: len(text) <= 8,
    "name": lambda text: len(text) <= (20 if text.isascii() else 10),
    "phrase": re.compile(r"[\u4e00-\u9fff]{1,5}").fullmatch,
    "const": lambda text: len(text) <= 20,
}


@cache
def keys_of(content: str) -> tuple[str, ...]:
    return tuple(_KEY.findall(content))


def check_fields(content: str, data: object) -> None:
    """Refuse data in which a key of the template is missing, or holds what its type may not."""
    if not isinstance(data, dict):
        raise Refused(47003)
    for key in keys_of(content):
        if key in {"first", "remark"}:
            continue
        field = data.get(key)
        value = field.get("value") if isinstance(field, dict) else None
        if value is None or str(value).strip() == "":
            raise Refused(47003, f"data.{key}.value is empty")
        check = TYPES.get(re.sub(r"\d+$", "", key))
        if check is not None and not check(str(value)):
            raise Refused(47003, f"data.{key}.value invalid")
