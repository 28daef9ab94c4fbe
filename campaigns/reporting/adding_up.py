"""The tables of a report, added up from rows of what people did (``reporting.outcomes``) and from their messages."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from campaigns.reporting import curves, outcomes
from campaigns.reporting import figure_statements as sql

SCORES = ("churn", "uplift")  # besides what people bought before: by which scores the most promising come first


def added_up(cursor: Any, asked: Mapping[str, Any], converted: str = sql.CONVERTED) -> dict[str, Any]:
    cursor.execute(sql.DROP)
    cursor.execute(sql.CELLS, asked)
    parts = _parts((row[:3], _group(row[3:])) for row in _rows(cursor, sql.PARTS, asked))
    (others,) = _rows(cursor, sql.OTHERS, asked)
    tally = list(_rows(cursor, sql.TALLY, asked))
    return {
        "currency": asked["currency"],
        "other_currencies": others[0],
        "groups": [_group(row) for row in _rows(cursor, sql.GROUPS, asked)],
        "parts": parts,
        "cohorts": [[str(week), *rest] for week, *rest in _rows(cursor, sql.COHORTS, asked)],
        "funnel": _funnel(tally, {row[:2]: row[2] for row in _rows(cursor, sql.CLICKED, asked)}),
        "converted": [list(row) for row in _rows(cursor, converted, asked)],
        "reasons": _reasons(tally),
        "days": [list(row) for row in _rows(cursor, sql.DAYS, asked)],
        "clicks": [list(row) for row in _rows(cursor, sql.CLICKS, asked)],
        "machines": [list(row) for row in _rows(cursor, sql.MACHINES, asked)],
    }


# What became of messages: the steps of the funnel after "assigned", in order, by the statuses that are of each.
STEPS = (("accepted", "delivered", "bounced"), ("delivered",), ("bounced",), ("failed",), ("unknown", "calling"))


def _funnel(tally: Iterable[Sequence[Any]], clicked: Mapping[Any, int]) -> list[list[Any]]:
    """Return, by variant and channel, how many messages came how far, how many were clicked, and what they cost."""
    found: dict[tuple[int, str], list[Any]] = defaultdict(lambda: [0, *(0 for _ in STEPS), 0.0])
    for variant, channel, status, _reason, never_sent, messages, cost in tally:
        if variant is None or never_sent:
            continue
        row = found[variant, channel]
        row[0] += messages
        for place, statuses in enumerate(STEPS, 1):
            row[place] += messages if status in statuses else 0
        row[-1] += cost
    return [[*key, *row[:-1], clicked.get(key, 0), row[-1]] for key, row in sorted(found.items())]


def _reasons(tally: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return how many messages were not sent for which reason, the most frequent first."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for _variant, _channel, status, reason, _never_sent, messages, _cost in tally:
        if reason:
            found[status, reason] += messages
    return [[*key, messages] for key, messages in sorted(found.items(), key=lambda one: (-one[1], one[0]))]


def _parts(rows: Iterable[tuple[Sequence[Any], dict[str, Any]]]) -> list[list[Any]]:
    """Return the sums by each fact that was known before; a fact that is not known of somebody is no part."""
    by_part: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for (bought, age, cluster), row in rows:
        for kind, name in (("before", "yes" if bought else "no"), ("age", age), ("cluster", cluster)):
            if name:
                by_part[kind, name].append(row)
    return [[kind, name, row] for (kind, name), found in sorted(by_part.items()) for row in curves.added(found)]


def profit(cursor: Any, asked: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the most promising share of people brought, by each order that was known before the campaign."""
    if not any(row["variant"] is None for row in groups):
        return []
    orders: dict[str, tuple[str, str, int | None]] = {"value_before": ("one.value_before", "", None)}
    for spec in SCORES:
        if run := outcomes.run_before(spec, asked["since"]):
            orders[spec] = ("score.value", sql.SCORES, run)
    found = []
    for name, (order, scores, run) in orders.items():
        statement = sql.TWENTIETHS.format(order=order, scores=scores)
        rows = [(row[1], _group(row[2:])) for row in _rows(cursor, statement, {**asked, "scores": run})]
        found.append({"by": name, "points": curves.points(rows)})
    return found


def _rows(cursor: Any, statement: str, asked: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    cursor.execute(statement, asked)
    yield from cursor.fetchall()


def _group(row: Sequence[Any]) -> dict[str, Any]:
    run, variant, people, *sums, paid = row
    names = ("y", "yy", "x", "xx", "xy")
    return {
        "run": str(run),
        "variant": variant,
        "people": people,
        "paid": paid,
        "goal": dict(zip(names, map(float, sums[:5]), strict=True)),
        "value": dict(zip(names, map(float, sums[5:]), strict=True)),
    }
