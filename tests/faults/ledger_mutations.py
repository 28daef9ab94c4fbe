"""Falsify a ledger of 500 rows in every byte, and in its rows: all of it must be found.

A byte at a time is changed in all rows of a table at once, and each changed row must be named. Then single rows are
removed, given another key, or exchanged, and ends are cut off without a trace, each against an older checkpoint held
elsewhere.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

ROWS, SINGLE = 500, 50

EXCHANGE = (
    "UPDATE crm_leaf SET sequence = {one} + {other} + 1000000 - sequence WHERE sequence IN ({one}, {other})",
    "UPDATE crm_leaf SET sequence = sequence - 1000000 WHERE sequence >= 1000000",
)


def run(rows: int = ROWS, single: int = SINGLE) -> list[dict[str, Any]]:
    """Return how many falsifications there were, and how many were not found."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command

    from crm.database_roles import as_owner
    from tests.crm import mutations

    call_command("migrate", verbosity=0)
    mutations.house(rows)
    tried, found = Counter[str](), Counter[str]()
    with as_owner():
        trusted = mutations.held_elsewhere()
        for changed, named in every_byte(trusted):
            tried["bytes changed"] += changed
            found["bytes changed"] += named
        for what, statements in (*single_rows(single), *exchanges(rows)):
            tried[what] += 1
            found[what] += mutations.is_found(*statements, trusted=trusted)
        for size in range(0, rows * 2 // 3 // 10 * 10, 10):
            tried["ends cut off"] += 1
            found["ends cut off"] += mutations.cut_is_found(size, trusted)
    wrong = {f"{what} and not found": tried[what] - found[what] for what in tried}
    return [{"name": f"ledger of {rows} rows, falsified", "done": dict(tried), "wrong": wrong}]


def every_byte(trusted: list[str]) -> Iterator[tuple[int, int]]:
    """Yield how many rows one byte was changed in, and how many of these were named."""
    from tests.crm.mutations import TABLES, columns_of, longest, named

    for table, (key, _) in TABLES.items():
        for column in sorted(set(columns_of(table)) - {key, "level"}):
            for place in range(longest(table, column)):
                rows, found = named(table, column, place, trusted)
                if found < rows:
                    sys.stderr.write(f"{table}.{column}, byte {place}: {rows - found} of {rows} are not named\n")
                yield rows, found


def single_rows(single: int) -> Iterator[tuple[str, list[str]]]:
    from tests.crm.mutations import TABLES, changed, rows_of

    for table, (key, _) in TABLES.items():
        values = [value for (value,) in rows_of(table, key)]
        for value in values[:: max(1, len(values) // single)]:
            where = f"WHERE \"{key}\" = '{value}'"
            if not table.endswith("person"):  # those are there to be deleted
                yield "rows removed", [f"DELETE FROM {table} {where}"]
            for other in (changed(value, 2), changed(value, 3)):  # large numbers, that are nobody's key
                yield "keys changed", [f"UPDATE {table} SET \"{key}\" = '{other}' {where}"]


def exchanges(rows: int) -> Iterator[tuple[str, list[str]]]:
    for one in range(1, rows):
        other = one * 7 % 11 % one
        yield "leaves exchanged", [statement.format(one=one, other=other) for statement in EXCHANGE]
