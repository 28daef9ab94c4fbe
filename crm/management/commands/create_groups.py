"""Create the groups Marketing, Analyst, Compliance and Admin."""

from typing import Any

from django.core.management.base import BaseCommand

from crm.roles import create_groups


class Command(BaseCommand):
    """Create the groups; what a person changed in them stays."""

    help = "Create the groups Marketing, Analyst, Compliance and Admin with their permissions."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, permissions in sorted(create_groups().items()):
            self.stdout.write(f"{name}: {permissions} permissions")
