"""``manage.py demo``: see the product on real data."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.management.commands.up import wait_for_port


class Command(BaseCommand):
    help = "Load real shopping events, learn from them, print how good it is, and serve the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="end after the summary")
        parser.add_argument("--bind", default="127.0.0.1:8000", help="address and port of the admin")

    def handle(self, *args: Any, no_serve: bool, bind: str, **options: Any) -> None:
        if not no_serve:
            wait_for_port(bind)  # before minutes of work, not after
        call_command("migrate", verbosity=0)
        from config import demo

        try:
            done = demo.run(timezone.now(), lambda step: self.stdout.write(f"... {step}"), f"http://{bind}")
        except (demo.DemoFailed, FileNotFoundError) as error:
            raise CommandError(str(error)) from error
        self._summary(done)
        if not no_serve:
            call_command("up", bind=bind)

    def _summary(self, done: Any) -> None:
        from config.demo import STAFF
        from mlengine.reporting import lines_of

        self._head("Loaded")
        for table in done.loaded:
            self.stdout.write(f"  {table.table:<18}{table.rows:>10,} rows, {table.new:>10,} new")
        self._head("Learned (mean of the backtest; * decides promotion)")
        for version in done.versions:
            for line in lines_of(version):
                self.stdout.write(f"  {line}")
        self._most_at_risk()
        self._head("Seconds")
        for name, seconds in done.seconds.items():
            self.stdout.write(f"  {name:<28}{seconds:>8.1f}")
        for name, seconds in done.parts.items():
            self.stdout.write(f"    {name:<26}{seconds:>8.1f}  (side by side)")
        self.stdout.write(f"  {'all':<28}{sum(done.seconds.values()):>8.1f}")
        self._head("Log in")
        for name, group in STAFF.items():
            secret = done.passwords.get(name) or f"(as printed by the first run; manage.py changepassword {name})"
            self.stdout.write(f"  {name:<10} of {group + ',':<10} password {secret}")

    def _most_at_risk(self) -> None:
        from config.demo import most_at_risk
        from mlengine.reasons import say

        self._head("Most at risk of leaving")
        for score in most_at_risk():
            household = score.profile.identifiers.first()
            reasons = "; ".join(say(reason["code"], reason["values"], "en") for reason in score.reasons or [])
            self.stdout.write(f"  household {household.value if household else '?':<6}{score.value:>6.0%}  {reasons}")

    def _head(self, text: str) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{text}"))
