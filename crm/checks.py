"""Values as senders write them, checked and made ours; what cannot be is refused with the field and the reason."""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

LONGEST_ID = 255
MOST_MONEY = Decimal(10) ** 9  # of any currency in one line: more is a mistake, and numeric(14, 2) ends soon after
EVERYDAY = 10**6
STEPS = {2: Decimal("0.01"), 3: Decimal("0.001")}
LIVE_PAST, LIVE_FUTURE = timedelta(days=730), timedelta(days=3)
# What programs write where they have no id; one person made of all visitors without one is hard to part again.
NOBODY = frozenset({"null", "undefined", "none", "nan", "nil", "[object object]", "anonymous", "unknown", "-1"})


class Invalid(ValueError):
    """A value that cannot be taken: which field, and why, in a sender's words."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


def without_value(reason: str) -> str:
    """Return the reason of an ``Invalid`` as it may be kept: the sender may read the value again, nobody else.

    >>> without_value("'Zhang' is not a number"), without_value("must be finite")
    ('is not a number', 'must be finite')
    """
    return re.sub(r"^([\"']).*\1 (?=is )", "", reason, flags=re.DOTALL)


def mapping(value: Any, field: str) -> dict[str, Any]:
    """Return an object; nothing is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(field, f"must be an object, not {_named(value)}")
    return value


def text(value: Any, field: str, most: int) -> str:
    """Return a text of at most ``most`` characters; nothing is an empty one, numbers are written out.

    >>> text(12, "sku", 64), text(None, "sku", 64)
    ('12', '')
    """
    if value is None:
        return ""
    if type(value) is int:  # not a truth value, which is an int to Python
        value = str(value)
    if not isinstance(value, str):
        raise Invalid(field, f"must be a text, not {_named(value)}")
    if len(value) > most:
        raise Invalid(field, f"is longer than {most} characters")
    return value.strip()


def identifier(value: Any, field: str) -> str:
    """Return an id of a person; nothing is an empty one.

    >>> identifier("undefined", "userId")
    Traceback (most recent call last):
    ...
    crm.checks.Invalid: userId: 'undefined' is nobody's id
    """
    found = text(value, field, LONGEST_ID)
    if found.lower() in NOBODY:
        raise Invalid(field, f"{found!r} is nobody's id")
    return found


def number(value: Any, field: str, *, places: int, most: Decimal = MOST_MONEY) -> Decimal | None:
    """Return a finite number from nothing to ``most``, rounded to ``places``; nothing is ``None``.

    >>> number("19.995", "price", places=2)
    Decimal('20.00')
    """
    if value is None or value == "":
        return None
    if (type(value) is float or type(value) is int) and 0 <= value <= EVERYDAY and most is MOST_MONEY:
        return _rounded(value, places)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise Invalid(field, f"must be a number, not {_named(value)}")
    if isinstance(value, str) and len(value) > 64:
        raise Invalid(field, "is not a number")
    try:
        exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise Invalid(field, f"{str(value)[:40]!r} is not a number") from None
    if not exact.is_finite():
        raise Invalid(field, "must be finite")
    if not 0 <= exact <= most:
        raise Invalid(field, "must not be negative" if exact < 0 else f"is more than {most}")
    return exact.quantize(STEPS[places])


@lru_cache(maxsize=4096, typed=True)
def _rounded(value: float, places: int) -> Decimal:
    """Return a price or a quantity that is surely fine: there are few different ones, and they come again and again."""
    return Decimal(str(value)).quantize(STEPS[places])


def currency(value: Any, field: str) -> str:
    """Return a currency's three letters."""
    found = text(value, field, LONGEST_ID).upper()
    if found and not (len(found) == 3 and found.isascii() and found.isalpha()):
        raise Invalid(field, f"{found[:40]!r} is not a currency's three letters")
    return found


def moment(value: Any, field: str) -> datetime | None:
    """Return a moment in ISO 8601, UTC where it names no zone; nothing is ``None``.

    >>> moment("2026-03-01T12:00:00+08:00", "timestamp").isoformat()
    '2026-03-01T04:00:00+00:00'
    """
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Invalid(field, f"{str(value)[:40]!r} is not a time in ISO 8601") from None


def live(at: datetime, received_at: datetime, field: str, past: timedelta = LIVE_PAST) -> datetime:
    """Return the moment, if something that happens now can have happened then."""
    if at > received_at + LIVE_FUTURE:
        raise Invalid(field, f"{at:%Y-%m-%d} lies more than {LIVE_FUTURE.days} days in the future")
    if at < received_at - past:
        raise Invalid(field, f"{at.isoformat()[:10]} is too long ago for a live event: import history from a file")
    return at


def flaw(value: Any) -> str:
    """Return what makes a JSON value impossible to store, or nothing."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            stack.extend(found)
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
        elif isinstance(found, float) and not math.isfinite(found):
            return "has a number that is not finite"
        elif isinstance(found, str) and "\x00" in found:
            return "has a NUL character"
    return ""


def _named(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "a truth value",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "nothing")
