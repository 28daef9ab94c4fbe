"""Who did something so often, for so much, first or last at such a time, or one thing after another."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from campaigns.rule_fields import EVENT, PROPERTIES
from campaigns.rule_nodes import Did, Test, Then, Where, Window
from campaigns.rule_scope import Parameters, Scope
from campaigns.rule_tests import of_json, of_moment, of_number, of_text, opposed, several
from crm.copying import text_array

MEASURED = {"count": "count(*)", "sum": "coalesce(sum({value}), 0)", "first": "min({time})", "last": "max({time})"}


def people(rule: Did, scope: Scope, parameters: Parameters, now: datetime, *, opposite: bool) -> str:
    """Return a statement of those of whom the rule holds; of those of whom it does not, where that is asked.

    A count or a sum that holds of somebody without any event is asked the other way round, so that the statement
    always speaks of people who have events, and never of everybody.
    """
    source = _followed(rule, rule.then, scope, parameters, now) if rule.then else _plain(rule, scope, parameters, now)
    having = _having(rule, parameters, now, opposite=opposite)
    return (
        f"SELECT e.id FROM ({source}) AS e GROUP BY e.id{having}"
        if having
        else f"SELECT DISTINCT e.id FROM ({source}) AS e"
    )


def bounds(window: Window | None, now: datetime) -> tuple[datetime | None, datetime]:
    """Return from when events count, and until when; nothing counts that lies in the future."""
    if window is None:
        return None, now
    if window.days is not None:
        return now - timedelta(days=window.days), now
    return window.from_, min(window.until or now, now)


def _having(rule: Did, parameters: Parameters, now: datetime, *, opposite: bool) -> str:
    measured = MEASURED[rule.measure].format(value="e.value", time="e.occurred_at")
    if rule.measure in ("first", "last"):
        return f" HAVING {of_moment(measured, rule.test, parameters, now)}"
    if rule.measure == "count" and _is_any(rule.test, opposite=opposite):
        return ""
    test = of_number(measured, rule.test, parameters)
    return f" HAVING NOT ({test})" if opposite else f" HAVING {test}"


def _is_any(test: Test, *, opposite: bool) -> bool:
    """Whether the count is only asked to be one at least."""
    never = (test.is_, test.value) in (("is", 0), ("at_most", 0))
    return never if opposite else (test.is_, test.value) == ("at_least", 1)


def _plain(rule: Did, scope: Scope, parameters: Parameters, now: datetime) -> str:
    columns = {"count": "", "sum": ", e.value"}.get(rule.measure, ", e.occurred_at")
    conditions = [*_matches(rule.event, rule.name, rule.where, parameters), *_in_time(rule.within, parameters, now)]
    person, join = scope.person("e.profile_id"), scope.join("e.profile_id")
    return f"SELECT {person} AS id{columns} FROM crm_event e {join} WHERE {' AND '.join(conditions)}"


def _followed(rule: Did, then: Then, scope: Scope, parameters: Parameters, now: datetime) -> str:
    """Return the events that another one followed in time, which takes one sort: no event is paired with all others.

    Both kinds are read together, latest first; of each the nearest later one of the second kind is known then. What
    happened at the same instant did not happen after.
    """
    first = " AND ".join(
        [*_matches(rule.event, rule.name, rule.where, parameters), *_in_time(rule.within, parameters, now)]
    )
    second = " AND ".join(_matches(then.event, then.name, then.where, parameters))
    within = parameters.add(timedelta(days=float(then.within_days)))
    begins, ends = bounds(rule.within, now)
    earliest = f" AND e.occurred_at >= {parameters.add(begins)}" if begins else ""
    latest = f"e.occurred_at <= {parameters.add(min(now, _later(ends, then)))}"
    person, join = scope.person("e.profile_id"), scope.join("e.profile_id")
    both = f"""SELECT {person} AS id, e.value, e.occurred_at, coalesce({first}, false) AS is_first,
        coalesce({second}, false) AS is_second
        FROM crm_event e {join} WHERE {latest}{earliest} AND (({first}) OR ({second}))"""
    following = f"""SELECT b.*, min(b.occurred_at) FILTER (WHERE b.is_second) OVER (
        PARTITION BY b.id ORDER BY b.occurred_at DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS follows_at FROM ({both}) AS b"""
    return f"SELECT f.* FROM ({following}) AS f WHERE f.is_first AND f.follows_at <= f.occurred_at + {within}::interval"


def _later(ends: datetime, then: Then) -> datetime:
    return ends + timedelta(days=float(then.within_days))


def _in_time(window: Window | None, parameters: Parameters, now: datetime) -> list[str]:
    begins, ends = bounds(window, now)
    found = [f"e.occurred_at >= {parameters.add(begins)}"] if begins else []
    return [*found, f"e.occurred_at {'<' if ends < now else '<='} {parameters.add(ends)}"]


def _matches(event: str, name: str, where: Sequence[Where], parameters: Parameters) -> list[str]:
    named = [f"e.name = {parameters.add(name)}"] if name else []
    tests = [opposed(one.test, lambda test, field=one.field: _where(field, test, parameters)) for one in where]  # type: ignore[misc]
    return [f"e.kind = {parameters.add(event)}", *named, *tests]


def _where(name: str, test: Test, parameters: Parameters) -> str:
    """Return a test of the event, or that its item is one of those of which the test holds."""
    if name.startswith(PROPERTIES):
        return of_json("e.properties", name.removeprefix(PROPERTIES), test, parameters)
    if EVENT[name].type == "number":
        return of_number(f"e.{EVENT[name].name}", test, parameters)
    if name in ITEM:
        item = _of_category(test, parameters) if name == "category" else of_text(ITEM[name], test, parameters)
        return f"EXISTS (SELECT FROM crm_item i WHERE i.id = e.item_id AND {item})"
    return of_text(f"e.{EVENT[name].name}", test, parameters)


def _of_category(test: Test, parameters: Parameters) -> str:
    match test.is_:
        case "known":
            return "i.categories <> '{}'"
        case "in":
            return f"i.categories && {parameters.add(text_array(map(str, several(test.value))))}::varchar[]"
    return f"i.categories @> {parameters.add(text_array([str(test.value)]))}::varchar[]"


ITEM = {"category": "i.categories", "item": "i.code", "brand": "i.brand"}
