"""Let go what is past its time, or say what would go."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    help = "Delete what is past its retention; with --dry-run, count it only. A legal hold wins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        from crm import retention
        from crm.locks import Busy

        try:
            done = retention.run(timezone.now, dry_run=options["dry_run"])
        except Busy as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{'class':<18} {'kept':>7} {'due':>10} {'held':>10} {'deleted':>10} {'months':>7}")
        for one in done.report:
            self.stdout.write(
                f"{one['data_class']:<18} {one['keep_days']:>5} d {one['due']:>10,} {one['held']:>10,}"
                f" {one['deleted']:>10,} {one['dropped']:>7}"
            )
