"""Statements that every answer asks: a connection has them planned once, and not again for each person.

To read and plan a question takes PostgreSQL longer than to answer it. What cannot be prepared is asked as it stands,
with the same answer: inside a transaction, which a mistaken guess would end, and on connections that do not keep what
was prepared, because a pooler hands them from one to another or a migration changed the columns meanwhile.
"""

import logging
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db import Error, connection
from django.db.backends.utils import CursorWrapper
from psycopg2.extensions import AsIs

logger = logging.getLogger(__name__)

NO_LONGER: Final = {"26000", "0A000"}  # not there; there, but with other columns
THERE_ALREADY: Final = "42P05"
_prepared: Final[WeakKeyDictionary[Any, set[str]]] = WeakKeyDictionary()  # names, by connection of psycopg2
_never: Final[WeakKeyDictionary[Any, bool]] = WeakKeyDictionary()


class Prepared:
    """A statement with its parameters, each with its type; and constants, which are written into it.

    Parameters
    ----------
    sql
        With ``%(name)s`` for parameters and constants alike.
    types
        The type in SQL of each parameter, by its name.
    constants
        What is the same for everybody.
    """

    def __init__(self, sql: str, types: Mapping[str, str], constants: Mapping[str, Any] | None = None) -> None:
        self.sql, self.types, self.constants = sql, types, dict(constants or {})
        said = repr((sql, sorted(self.types.items()), sorted(self.constants.items())))
        self.name = f"zhiyin_{sha256(said.encode()).hexdigest()[:16]}"  # what is told otherwise is another statement
        self._execute = f"EXECUTE {self.name} ({', '.join(f'%({name})s' for name in types)})"

    def ask(self, cursor: CursorWrapper, values: Mapping[str, Any]) -> None:
        """Ask on a cursor of the default connection; its rows are fetched from there.

        One message there and back, also where it has to be prepared first.
        """
        ours = connection.connection
        if connection.in_atomic_block or ours in _never:
            cursor.execute(self.sql, self.constants | dict(values))
            return
        try:
            self._ask(cursor, values)
        except Error as error:
            if _code(error) not in NO_LONGER:
                raise
            logger.info("A connection does not keep what was prepared on it: %s", error.__cause__)
            _never[ours] = True
            cursor.execute(self.sql, self.constants | dict(values))

    def _ask(self, cursor: CursorWrapper, values: Mapping[str, Any]) -> None:
        known = _prepared.setdefault(connection.connection, set())
        if self.name in known:
            cursor.execute(self._execute, values)
            return
        try:
            cursor.execute(f"{self._prepare(cursor)}; {self._execute}", values)
        except Error as error:
            if _code(error) != THERE_ALREADY:
                raise
            # It outlives a mistake, or the end of somebody's patience, in the message that prepared it; behind a
            # pooler another process may have. What bears this name is this text.
            known.add(self.name)
            cursor.execute(self._execute, values)
        else:
            known.add(self.name)

    def _prepare(self, cursor: CursorWrapper) -> str:
        places = {name: AsIs(f"${place}") for place, name in enumerate(self.types, start=1)}
        text: bytes = cursor.mogrify(self.sql, self.constants | places)
        said = text.decode().replace("%", "%%")  # the values of EXECUTE are filled in beside it
        return f"PREPARE {self.name} ({', '.join(self.types.values())}) AS {said}"


def _code(error: Error) -> str | None:
    """Return PostgreSQL's code of what went wrong."""
    return getattr(error.__cause__, "pgcode", None)
