"""``manage.py flush``, as the role that owns the tables: nobody else can empty those that are insert-only."""

from typing import Any

from django.core.management.commands.flush import Command as Flush
from django.db import connection

from crm import database_roles


class Command(Flush):
    def handle(self, **options: Any) -> None:
        with database_roles.as_owner():
            with connection.cursor() as cursor:
                cursor.execute("SET zhiyin.flush = 'on'")
            super().handle(**options)  # the setting ends with the session, which ends with the block
