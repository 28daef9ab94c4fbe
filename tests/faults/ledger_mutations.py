"""Falsify a ledger of 500 rows in every byte, and in its rows: all of it must be found.

A byte at a time is changed in all rows of a table at once, and each changed row must be named. Then single rows are
removed, given another key, or exchanged, and ends are cut off without a trace, each against an older checkpoint held
elsewhere.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

ROWS, SINGLE, PROCESSES = 500, 50, 2

EXCHANGE = (
    "UPDATE crm_leaf SET sequence = {one} + {other} + 1000000 - sequence WHERE sequence IN ({one}, {other})",
    "UPDATE crm_leaf SET sequence = sequence - 1000000 WHERE sequence >= 1000000",
)


def run(rows: int = ROWS, single: int = SINGLE) -> list[dict[str, Any]]:
    """Return how many falsifications there were, and how many were not found.

    Each process falsifies a copy of the database of its own, and takes its share of the falsifications.
    """
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command

    from tests.crm import mutations

    call_command("migrate", verbosity=0)
    mutations.house(rows)
    names = copies()
    tried, found = Counter[str](), Counter[str]()
    with ProcessPoolExecutor(PROCESSES, get_context("fork")) as pool:
        for counts in pool.map(partial(hunt, rows=rows, single=single), names, range(PROCESSES)):
            tried += counts[0]
            found += counts[1]
    wrong = {f"{what} and not found": tried[what] - found[what] for what in tried}
    return [{"name": f"ledger of {rows} rows, falsified", "done": dict(tried), "wrong": wrong}]


def copies() -> list[str]:
    """Return the names of as many equal databases as there are processes; nobody is connected to any of them."""
    from django.db import connection

    from crm.database_roles import as_owner

    original = str(connection.settings_dict["NAME"])
    names = [f"{original}_falsified_{number}" for number in range(PROCESSES)]
    with as_owner(), connection._nodb_cursor() as cursor:
        for name in names:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
    return names


def hunt(name: str, part: int, *, rows: int, single: int) -> tuple[Counter[str], Counter[str]]:
    """Take every falsification whose turn it is in the database of that name; return how many, and how many showed."""
    from django.db import connection

    from crm.database_roles import as_owner
    from tests.crm import mutations

    connection.settings_dict = connection.settings_dict | {"NAME": name}
    mutations.remember()
    tried, found = Counter[str](), Counter[str]()
    with as_owner():
        trusted = mutations.held_elsewhere()
        for number, (what, falsify) in enumerate(falsifications(trusted, rows, single)):
            if number % PROCESSES == part:
                changed, named = falsify()
                tried[what] += changed
                found[what] += named
    return tried, found


Falsify = Callable[[], tuple[int, int]]  # how many rows are changed, and of how many that shows


def falsifications(trusted: list[str], rows: int, single: int) -> Iterator[tuple[str, Falsify]]:
    """Yield what is to be done to the ledger, by kind; all of it is undone each time."""
    from tests.crm import mutations

    for table, column, place in every_byte():
        yield "bytes changed", partial(one_byte, table, column, place, trusted)
    for what, statements in (*single_rows(single), *exchanges(rows)):
        yield what, partial(lambda told: (1, int(mutations.is_found(*told, trusted=trusted))), statements)
    for size in range(0, rows * 2 // 3 // 10 * 10, 10):
        yield "ends cut off", partial(lambda left: (1, int(mutations.cut_is_found(left, trusted))), size)


def every_byte() -> Iterator[tuple[str, str, int]]:
    """Yield every byte of the longest value of each column of each table."""
    from tests.crm.mutations import TABLES, columns_of, longest

    for table, (key, _) in TABLES.items():
        for column in sorted(set(columns_of(table)) - {key, "level"}):
            yield from ((table, column, place) for place in range(longest(table, column)))


def one_byte(table: str, column: str, place: int, trusted: list[str]) -> tuple[int, int]:
    """Change it in all rows at once; return in how many, and how many of these were named."""
    from tests.crm.mutations import named

    rows, found = named(table, column, place, trusted)
    if found < rows:
        sys.stderr.write(f"{table}.{column}, byte {place}: {rows - found} of {rows} are not named\n")
    return rows, found


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
