"""Bring the event lake up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone


class Command(BaseCommand):
    """Write new events to the lake; compact it or check its files where asked."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--compact", action="store_true", help="merge each month's files, drop erased people")
        parser.add_argument("--verify", action="store_true", help="check every file against its SHA-256")

    def handle(self, **options: Any) -> None:
        from crm import lake
        from crm.locks import Busy

        try:
            exported = lake.export(timezone.now())
            left = lake.compact(timezone.now()) if options["compact"] else 0
        except (Busy, lake.LakeError) as error:
            raise CommandError(str(error)) from error
        damaged = lake.verify() if options["verify"] else []
        if damaged:
            raise CommandError(f"Not what was exported: {', '.join(damaged)}.")
        how = "anew" if exported.anew else "added"
        self.stdout.write(f"{exported.rows:,} rows in {exported.files} files ({how}); {left:,} rows left the lake.")
