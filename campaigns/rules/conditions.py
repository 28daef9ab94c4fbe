"""An operator and its value as a condition of SQL on one column; the value is always a parameter."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import orjson
from django.utils.timezone import localdate

from campaigns.rules.fields import OPPOSITES
from campaigns.rules.nodes import Literal, Test, Value
from campaigns.rules.scope import Parameters
from crm.copying import text_array

A_DAY = timedelta(days=1)


def opposed(test: Test, positive: Callable[[Test], str]) -> str:
    """Return the condition, or the exact opposite of its opposite: "is not" holds also where nothing is known."""
    opposite = OPPOSITES.get(test.is_)
    if opposite is None:
        return positive(test)
    return f"NOT coalesce({positive(Test(is_=opposite, value=test.value))}, false)"


def of_text(column: str, test: Test, parameters: Parameters) -> str:
    """Return a test of a column of text, which is empty where nothing is known."""
    match test.is_:
        case "is":
            return f"{column} = {parameters.add(test.value, 'text')}"
        case "in":
            return f"{column} = ANY ({parameters.add(text_array(map(str, several(test.value))), 'text[]')})"
        case "contains":
            return f"strpos(lower({column}), lower({parameters.add(test.value, 'text')})) > 0"
        case "known":
            return f"{column} <> ''"
    raise AssertionError(test.is_)


def of_number(column: str, test: Test, parameters: Parameters, type_: str = "numeric") -> str:
    match test.is_:
        case "known":
            return f"{column} IS NOT NULL"
        case "between":
            low, high = (parameters.add(one, type_) for one in several(test.value))
            return f"{column} BETWEEN {low} AND {high}"
    return f"{column} {SIGNS[test.is_]} {parameters.add(test.value, type_)}"


def of_moment(column: str, test: Test, parameters: Parameters, now: datetime) -> str:
    """Return a test of a time; what lies after ``now`` has not happened."""
    match test.is_, test.value:
        case "between", (low, high):
            return f"({column} >= {parameters.add(low)} AND {column} < {parameters.add(high)})"
        case "within_days", int(days):
            return f"({column} >= {parameters.add(now - days * A_DAY)} AND {column} <= {parameters.add(now)})"
        case "over_days_ago", int(days):
            return f"{column} < {parameters.add(now - days * A_DAY)}"
    return f"{column} {SIGNS[test.is_]} {parameters.add(test.value)}"


def of_json(column: str, name: str, test: Test, parameters: Parameters) -> str:
    """Return a test of one value in a JSON object, whose type is what the sender made of it."""
    key = parameters.add(name, "text")
    match test.is_:
        case "is":  # containment, which the index on attributes answers
            return f"{column} @> {parameters.add(_json({name: plain(test.value)}), 'jsonb')}"
        case "in":
            values = parameters.add(text_array(_json(plain(one)) for one in several(test.value)))
            return f"coalesce(({column} -> {key}) = ANY ({values}::text[]::jsonb[]), false)"
        case "contains":
            return (
                f"coalesce(strpos(lower({column} ->> {key}), lower({parameters.add(test.value, 'text')})) > 0, false)"
            )
        case "known":
            return f"coalesce({column} -> {key} <> 'null', false)"
    number = of_number(f"({column} ->> {key})::numeric", test, parameters)
    return f"(CASE WHEN jsonb_typeof({column} -> {key}) = 'number' THEN {number} ELSE false END)"


def birthdays(days: int, now: datetime) -> list[int]:
    """Return today and the days that follow as month * 100 + day; who was born on 29 February counts on the 28th too.

    >>> from datetime import UTC
    >>> birthdays(2, datetime(2026, 2, 27, 12, tzinfo=UTC))
    [227, 228, 229, 301]
    """
    first = localdate(now)
    found = [(day.month * 100 + day.day) for day in (first + number * A_DAY for number in range(days + 1))]
    missing = 228 in found and 229 not in found
    return sorted({*found, 229}) if missing else sorted(set(found))


def several(value: Value) -> tuple[Literal, ...]:
    if not isinstance(value, tuple):
        raise TypeError(f"{value!r} is not a list.")
    return value


def holds_of_nothing(test: Test) -> bool:
    """Return whether the test of a count or a sum holds of somebody with nothing to count: it is 0 then."""
    match test.is_, [Decimal(str(one)) for one in (test.value if isinstance(test.value, tuple) else (test.value,))]:
        case "between", [low, high]:
            return low <= 0 <= high
        case "at_least", [least]:
            return least <= 0
        case "at_most", [most]:
            return most >= 0
    return test.value == 0


def plain(value: Value) -> object:
    """Return a number as JSON has it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


SIGNS: Mapping[str, str] = {"is": "=", "at_least": ">=", "at_most": "<=", "before": "<", "after": ">="}
