"""Who did something so often, for so much, first or last at such a time, or one thing after another."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from campaigns.rules.conditions import of_json, of_moment, of_number, of_text, opposed, several
from campaigns.rules.fields import EVENT, PROPERTIES
from campaigns.rules.nodes import Did, Test, Then, Where, Window
from campaigns.rules.scope import Parameters, Scope
from crm.copying import text_array

SLOT = 10  # times as long as a second event may take: one in ten of them stands in two slots
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
    type_ = "bigint" if rule.measure == "count" and _whole(rule.test) else "numeric"
    test = of_number(measured, rule.test, parameters, type_)
    return f" HAVING NOT ({test})" if opposite else f" HAVING {test}"


def _whole(test: Test) -> bool:
    """Whether a count is compared with whole numbers: no group of millions is made a decimal for it then."""
    told = test.value if isinstance(test.value, tuple) else (test.value,)
    return all(Decimal(str(one)) % 1 == 0 for one in told)


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
    """Return the events that another one followed in time; nothing is sorted, and few events are compared with others.

    Time is cut into slots, some times as long as the second event may take: an event is compared only with those of
    its person and slot, until one follows. What happens early in a slot may follow an event of the slot before, and
    stands in both. What happened at the same instant did not happen after.
    """
    length = timedelta(days=float(then.within_days))
    if not length:
        return _plain(rule, scope, parameters, now) + " AND FALSE"
    begins, ends = bounds(rule.within, now)
    since = [f"e.occurred_at >= {parameters.add(begins)}"] if begins else []
    until = f"e.occurred_at <= {parameters.add(min(now, ends + length))}"
    second = [*_matches(then.event, then.name, then.where, parameters), *since, until]
    first = [*_matches(rule.event, rule.name, rule.where, parameters), *_in_time(rule.within, parameters, now)]
    # In seconds: an interval of days is added by the calendar, which takes ten times as long.
    within, long = (
        f"{parameters.add(f'{one.total_seconds():.6f} seconds')}::interval" for one in (length, SLOT * length)
    )
    slot = f"date_bin({long}, e.occurred_at, 'epoch')"
    slots = f"CASE WHEN e.occurred_at < {slot} + {within} THEN ARRAY[{slot}, {slot} - {long}] ELSE ARRAY[{slot}] END"
    if begins is not None and ends - begins <= 2 * SLOT * length:  # as short as two slots: one will do
        earlier, later, same = "", "", ""
    else:
        earlier, later, same = f", {slot} AS slot", f", unnest({slots}) AS slot", " AND b.slot = f.slot"
    person, events = scope.person("e.profile_id"), f"FROM crm_event e {scope.join('e.profile_id')}"
    value = ", e.value" if rule.measure == "sum" else ""
    return f"""SELECT f.*
        FROM (SELECT {person} AS id, e.occurred_at{value}{earlier} {events} WHERE {" AND ".join(first)}) AS f
        WHERE EXISTS (
            SELECT FROM (SELECT {person} AS id, e.occurred_at{later} {events} WHERE {" AND ".join(second)}) AS b
            WHERE b.id = f.id{same} AND b.occurred_at > f.occurred_at AND b.occurred_at <= f.occurred_at + {within}
        )"""


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
