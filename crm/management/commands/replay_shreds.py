"""Erase again whom a restored backup brought back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    """Run it after every restore, before web, worker and beat are started; twice changes nothing."""

    help = "After a restore from a backup: erase again everybody whom the shred journal names."

    def handle(self, *args: Any, **options: Any) -> None:
        from crm import shred_journal, shred_replay

        try:
            done = shred_replay.replay(timezone.now)
        except shred_journal.BadJournal as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{done.lines} lines in the journal, {done.people} profiles erased again,"
            f" {done.suppressions} addresses suppressed."
        )
        if done.unfinished:
            raise CommandError(
                f"{done.unfinished} requests are not finished: see them in the admin, and run this again."
            )
