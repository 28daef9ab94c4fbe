"""Ways to fail with a personal value in hand; what each leaves behind is what the search reads."""

import logging
from collections.abc import Callable, Mapping

from django.db import connection

from crm.models import Identifier, Source
from tests.factories import NOW


def _raised(value: str) -> None:
    raise ValueError(f"Nobody is called {value!r}")


def _missing(value: str) -> None:
    known: dict[str, int] = {}
    try:
        known[value]
    except KeyError as missing:
        raise LookupError(f"no such customer: '{value}'") from missing


def _statement(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere WHERE name = %s", [value])


def _conversion(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::uuid", [value])


def _unique(value: str) -> None:
    for _ in range(2):
        Source.objects.create(name=value[:100])


def _check(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_source (name, kind, write_key_hint, is_active) VALUES (%s, 'x', '', NULL)", [value]
        )


def _no_person(value: str) -> None:
    Identifier.objects.create(type="external_id", value=value, profile_id=-1, created_at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _logged(value: str) -> None:
    try:
        _raised(value)
    except ValueError:
        logging.getLogger("somebody.else").exception("It failed")
    raise RuntimeError("and then this")


FAILURES: Mapping[str, Callable[[str], None]] = {
    "raised": _raised,
    "missing": _missing,
    "statement": _statement,
    "conversion": _conversion,
    "unique": _unique,
    "check": _check,
    "no_person": _no_person,
    "logged": _logged,
}
