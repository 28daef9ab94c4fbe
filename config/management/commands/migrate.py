"""``manage.py migrate``, as the role that owns the tables."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import ProgrammingError

from crm import database_roles


class Command(Migrate):
    help = "Bring the database to the state of the code, as its owner, and give the application's role its rights."

    def handle(self, *args: Any, **options: Any) -> None:
        with database_roles.as_owner():
            super().handle(*args, **options)
            if options["plan"] or options["check_unapplied"]:
                return
            try:
                database_roles.grant()
            except ProgrammingError as error:
                role = database_roles.application_role()
                raise CommandError(f"The role {role} could not be given its rights: {error}") from error
