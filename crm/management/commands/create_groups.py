"""``manage.py create_groups``: the groups of a new installation, or exactly those of this version."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from crm.roles import create_groups


class Command(BaseCommand):
    """Create the groups; what a person changed in them stays."""

    help = "Create the groups Marketing, Analyst, Support, Compliance and Admin with their permissions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exactly", action="store_true", help="also take away what the table does not give them")

    def handle(self, *args: Any, exactly: bool, **options: Any) -> None:
        for name, permissions in sorted(create_groups(exactly=exactly).items()):
            self.stdout.write(f"{name}: {permissions} permissions")
