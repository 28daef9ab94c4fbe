"""The filters that a template may use. Each is bounded before it works: no chain of them grows a text without end.

These are our own, where python-liquid has filters of the same names: its ``replace``, ``date`` and ``times`` make
gigabytes of a line of text. What comes in is plain (texts, numbers, lists, mappings of ours), and so is what goes out.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from django.utils.formats import date_format
from django.utils.timezone import is_aware, localtime
from liquid.exceptions import FilterArgumentError

LONGEST_TEXT = 100_000  # signs
LONGEST_LIST = 1_000
BIGGEST = Decimal(10) ** 15
# What ``date`` understands: strftime pads to any width that it is told, so only these, one sign each.
DATES: Mapping[str, str] = {
    "%Y": "Y",
    "%m": "m",
    "%d": "d",
    "%H": "H",
    "%M": "i",
    "%S": "s",
    "%y": "y",
    "%j": "z",
    "%e": "j",
    "%b": "M",
    "%B": "F",
    "%a": "D",
    "%A": "l",
    "%p": "A",
    "%I": "h",
    "%-d": "j",
    "%-m": "n",
    "%%": "%",
}
TAGS = re.compile(r"<[^<>]{0,2000}>")


class Missing:
    """A field that we know, of which this person has no value: nothing in a condition, an error where it is shown."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __liquid__(self) -> None:
        return None

    def __str__(self) -> str:
        raise MissingVariable(self.path)

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Missing)

    def __hash__(self) -> int:
        return hash(self.path)


class MissingVariable(FilterArgumentError):
    """A message shows something of which this person has no value, and no fallback is told."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} has no value", token=None)
        self.path = path


def text(value: object) -> str:
    """Return a value as text of bounded length; nothing but texts, numbers and days has one."""
    match value:
        case Missing():
            raise MissingVariable(value.path)
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            plain = str.__str__(value)
        case int() | float() | Decimal():
            plain = _number_text(number(value))
        case _:
            plain = _text_of_things(value)
    return bounded(plain)


def _text_of_things(value: object) -> str:
    match value:
        case date():  # a moment is one, too
            return value.isoformat()
        case Mapping():
            return str(value)
        case list() | tuple():
            return "".join(text(one) for one in listed(value))
    raise FilterArgumentError(f"a text is wanted, not {type(value).__name__}", token=None)


def bounded(told: str) -> str:
    if len(told) > LONGEST_TEXT:
        raise FilterArgumentError(f"a text is longer than {LONGEST_TEXT}", token=None)
    return told


def number(value: object) -> Decimal:
    """Return a value as a number between -10^15 and 10^15; a text that is none counts as 0, as in Liquid."""
    if isinstance(value, Missing):
        raise MissingVariable(value.path)
    told = str(value) if isinstance(value, int | float | Decimal) else text(value).strip()[:40]
    try:
        found = Decimal(told) if told else Decimal(0)
    except InvalidOperation:
        found = Decimal(0)
    if not found.is_finite() or abs(found) > BIGGEST:
        raise FilterArgumentError("a number is too large", token=None)
    return found.quantize(Decimal("1e-9")) if found.as_tuple().exponent < -9 else found  # type: ignore[operator]


def _number_text(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral() else f"{value:f}"


def listed(value: object) -> list[Any]:
    """Return a value as a list of bounded length; one thing is a list of itself."""
    match value:
        case Missing() | None:
            return []
        case str() | Mapping():
            return [value]
        case Sequence():  # a range is one, too
            if len(value) > LONGEST_LIST:
                raise FilterArgumentError(f"a list is longer than {LONGEST_LIST}", token=None)
            return list(value)
    return [value]


def whole(value: object) -> int:
    return int(number(value))


def _exact(value: Decimal) -> int | Decimal:
    """Return a result as Liquid shows it: without a fraction where there is none."""
    return int(number(value)) if value == value.to_integral() else number(value)


def append(value: object, more: object) -> str:
    return bounded(text(value) + text(more))


def prepend(value: object, more: object) -> str:
    return bounded(text(more) + text(value))


def replace(value: object, old: object, new: object = "") -> str:
    told, was, put = text(value), text(old), text(new)
    times_ = told.count(was)
    if len(told) + times_ * len(put) > LONGEST_TEXT:
        raise FilterArgumentError(f"a text would be longer than {LONGEST_TEXT}", token=None)
    return told.replace(was, put)


def replace_first(value: object, old: object, new: object = "") -> str:
    return bounded(text(value).replace(text(old), text(new), 1))


def split(value: object, by: object = " ") -> list[str]:
    told, separator = text(value), text(by)
    parts = told.split(separator, LONGEST_LIST) if separator else list(told[: LONGEST_LIST + 1])
    return listed(parts)


def join(value: object, by: object = " ") -> str:
    parts, separator = [text(one) for one in listed(value)], text(by)
    if sum(map(len, parts)) + len(separator) * len(parts) > LONGEST_TEXT:
        raise FilterArgumentError(f"a text would be longer than {LONGEST_TEXT}", token=None)
    return separator.join(parts)


def truncate(value: object, length: object = 50, end: object = "…") -> str:
    told, most, last = text(value), max(0, whole(length)), text(end)
    return told if len(told) <= most else bounded(told[: max(0, most - len(last))] + last)


def truncatewords(value: object, count: object = 15, end: object = "…") -> str:
    words, most = text(value).split(), max(1, whole(count))
    return " ".join(words) if len(words) <= most else bounded(" ".join(words[:most]) + text(end))


def slice_(value: object, start: object, length: object = 1) -> Any:
    told: Any = listed(value) if isinstance(value, list | tuple | range) else text(value)
    first, many = whole(start), max(0, whole(length))
    first = first if first >= 0 else max(0, len(told) + first)
    return told[first : first + many]


def default(value: object, other: object = "", *, allow_false: object = False) -> object:
    nothing = value is None or isinstance(value, Missing) or (value is False and allow_false is not True)
    return other if nothing or value in ("", []) else value


def day(value: object, form: object = "%Y-%m-%d") -> str:
    """Return a day or moment in the form that is told, in the reader's language."""
    told = _day(value)
    if told is None:
        return text(value)
    pattern = re.compile(r"%-?[A-Za-z%]")
    parts = text(form)[:100]
    said = localtime(told) if isinstance(told, datetime) and is_aware(told) else told
    return pattern.sub(lambda found: _part(said, found.group()), parts)


def _part(said: date, sign: str) -> str:
    if sign not in DATES:
        raise FilterArgumentError(f"the date form {sign} is not known", token=None)
    if sign in {"%H", "%M", "%S", "%p", "%I"} and not isinstance(said, datetime):
        raise FilterArgumentError(f"a day has no {sign}", token=None)
    return "%" if sign == "%%" else date_format(said, DATES[sign])


def _day(value: object) -> date | None:
    if isinstance(value, date):  # a moment is one, too
        return value
    try:
        return datetime.fromisoformat(text(value)[:40])
    except ValueError:
        return None


def map_(value: object, key: object) -> list[object]:
    name = text(key)
    return [one[name] for one in listed(value) if isinstance(one, Mapping)]


def where(value: object, key: object, wanted: object = True) -> list[object]:
    name = text(key)
    rows: list[Mapping[str, object]] = [one for one in listed(value) if isinstance(one, Mapping)]
    return [row for row in rows if row.get(name) == wanted]


def sort(value: object, key: object = None) -> list[object]:
    rows = listed(value)
    if key is None:
        return sorted(rows, key=text)
    name = text(key)
    found: list[Mapping[str, object]] = [row for row in rows if isinstance(row, Mapping)]
    keyed = sorted(((_sortable(row.get(name)), place) for place, row in enumerate(found)))
    return [found[place] for _key, place in keyed]


def _sortable(value: object) -> tuple[int, Decimal, str]:
    if isinstance(value, int | float | Decimal):
        return 0, number(value), ""
    return 1, Decimal(0), "" if isinstance(value, Missing) else text(value)


def uniq(value: object) -> list[object]:
    return list({text(one): one for one in listed(value)}.values())


def first(value: object) -> object:
    rows = listed(value)
    return rows[0] if rows else None


def last(value: object) -> object:
    rows = listed(value)
    return rows[-1] if rows else None


def size(value: object) -> int:
    return len(listed(value)) if isinstance(value, list | tuple | range) else len(text(value))


def divided_by(value: object, by: object) -> int | Decimal:
    if number(by) == 0:
        raise FilterArgumentError("nothing is divided by 0", token=None)
    if isinstance(value, int) and isinstance(by, int):
        return value // by
    return _exact(number(value) / number(by))


def modulo(value: object, by: object) -> int | Decimal:
    if number(by) == 0:
        raise FilterArgumentError("nothing is divided by 0", token=None)
    return _exact(number(value) % number(by))


def round_(value: object, places: object = 0) -> int | Decimal:
    many = min(max(whole(places), 0), 9)
    rounded = number(value).quantize(Decimal(1).scaleb(-many), ROUND_HALF_UP)
    return int(rounded) if many == 0 else rounded


def money(value: object, currency: object = "") -> str:
    """Return an amount with two places and its currency: ¥ before yuan, the code after all others."""
    amount, code = f"{number(value):,.2f}", text(currency)
    if code == "CNY":
        return f"¥{amount}"
    return f"{amount} {code}".strip()


def strip_html(value: object) -> str:
    return html.unescape(TAGS.sub("", text(value)))


def url_encode(value: object) -> str:
    told = text(value)
    if len(told) > LONGEST_TEXT // 12:  # one sign becomes twelve at most
        raise FilterArgumentError("a text is too long to stand in an address", token=None)
    return quote(told, safe="")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "append": append,
    "prepend": prepend,
    "replace": replace,
    "replace_first": replace_first,
    "remove": lambda value, old: replace(value, old, ""),
    "upcase": lambda value: bounded(text(value).upper()),
    "downcase": lambda value: bounded(text(value).lower()),
    "capitalize": lambda value: text(value)[:1].upper() + text(value)[1:],
    "strip": lambda value: text(value).strip(),
    "lstrip": lambda value: text(value).lstrip(),
    "rstrip": lambda value: text(value).rstrip(),
    "squish": lambda value: " ".join(text(value).split()),
    "strip_newlines": lambda value: text(value).replace("\r", "").replace("\n", ""),
    "strip_html": strip_html,
    "truncate": truncate,
    "truncatewords": truncatewords,
    "slice": slice_,
    "split": split,
    "join": join,
    "size": size,
    "first": first,
    "last": last,
    "map": map_,
    "where": where,
    "sort": sort,
    "reverse": lambda value: listed(value)[::-1],
    "uniq": uniq,
    "concat": lambda value, more: listed(listed(value) + listed(more)),
    "compact": lambda value: [one for one in listed(value) if one is not None and not isinstance(one, Missing)],
    "default": default,
    "date": day,
    "money": money,
    "url_encode": url_encode,
    "plus": lambda value, more: _exact(number(value) + number(more)),
    "minus": lambda value, less: _exact(number(value) - number(less)),
    "times": lambda value, by: _exact(number(value) * number(by)),
    "divided_by": divided_by,
    "modulo": modulo,
    "abs": lambda value: _exact(abs(number(value))),
    "ceil": lambda value: int(number(value).to_integral(rounding="ROUND_CEILING")),
    "floor": lambda value: int(number(value).to_integral(rounding="ROUND_FLOOR")),
    "round": round_,
    "at_least": lambda value, least: _exact(max(number(value), number(least))),
    "at_most": lambda value, most: _exact(min(number(value), number(most))),
}
