"""How many a rule describes, as a client may know it: exactly, or with noise from its privacy budget."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from campaigns.api.private_counts import noisy
from campaigns.api.shapes import TookTooLong
from campaigns.rules import references
from campaigns.rules.nodes import Rule
from campaigns.segmenting import counting
from campaigns.segmenting.statements import OutOfTime
from crm.api.access import Caller

ROWS = "profiles:read"
PATIENCE = timedelta(seconds=10)  # noise is added to what is true: an estimate would move by more for one person
KEY = "people"


def told(rule: Rule, caller: Caller, budget: timedelta, now: datetime) -> dict[str, Any]:
    """Return how many there are."""
    try:
        if ROWS in caller.scopes:
            found = counting.count(rule, now, budget)
            exact = {"value": found.value, "low": found.low, "high": found.high, "exact": found.exact}
            return exact | {"private": False}
        return _with_noise(rule, caller, now)
    except OutOfTime as error:
        raise TookTooLong from error


def _with_noise(rule: Rule, caller: Caller, now: datetime) -> dict[str, Any]:
    # A person is in this one cell or not: she moves it by one. Rules that come to the same tree are one question.
    name = f"segment-{sha256(repr(references.resolved(rule)).encode()).hexdigest()[:32]}"
    answer, margin = noisy(name, lambda: {KEY: counting.exact(rule, now, PATIENCE)}, 1, caller, now)
    low, high = max(0, answer[KEY] - margin), max(0, answer[KEY] + margin)
    return {"value": max(0, answer[KEY]), "low": low, "high": high, "exact": False, "private": True}
