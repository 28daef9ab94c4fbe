"""``flush``, which empties insert-only tables too: tests that commit end with it."""

from typing import Any

from django.core.management.commands.flush import Command as DjangoFlush
from django.db import connections


class Command(DjangoFlush):
    """Empty the database as the owner of its tables (``crm/insert_only.py`` lets nobody else)."""

    def handle(self, **options: Any) -> None:
        with connections[options["database"]].cursor() as cursor:
            cursor.execute("SET zhiyin.flush = 'on'")
            try:
                super().handle(**options)
            finally:
                cursor.execute("RESET zhiyin.flush")
