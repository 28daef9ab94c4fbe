"""The key ring: how it stands, and its rotation."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    help = "Show and rotate the keys that wrap the keys of people. No key is ever printed, but by 'keys new'."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("status", help="the ring's keys, and how many rows need each")
        verbs.add_parser("rotate", help="add a key and use it at once (where all processes share one file)")
        verbs.add_parser("add", help="add a key without using it: distribute the file, then 'use' it")
        verbs.add_parser("use", help="wrap with this key from now on").add_argument("key")
        rewrap = verbs.add_parser("rewrap", help="wrap again what older keys wrapped; can be stopped and run again")
        rewrap.add_argument("--batch", type=int, default=1000, help="rows in a transaction")
        verbs.add_parser("retire", help="take a key that nothing needs out of the ring, for good").add_argument("key")
        verbs.add_parser("new", help="print a fresh ring, for KEY_RING or a KMS: it holds secrets")

    def handle(self, *args: Any, **options: Any) -> None:
        from crm.keyring import BadKeyRing, UnknownKey

        try:
            getattr(self, f"_{options['verb']}")(options)
        except (BadKeyRing, UnknownKey) as error:
            raise CommandError(str(error)) from error

    def _status(self, options: dict[str, Any]) -> None:
        from crm.key_rotation import usage
        from crm.keyring import ring

        found = ring()
        for key_id, rows in sorted(usage().items()):
            state = "current" if key_id == found.current else "" if key_id in found.wrapping else "NOT IN THE RING"
            self.stdout.write(f"{key_id:<16} {rows:>12,} rows  {found.since.get(key_id, ''):<32} {state}".rstrip())

    def _rotate(self, options: dict[str, Any]) -> None:
        from crm.key_rotation import rotate

        self.stdout.write(f"{rotate(timezone.now())} is current. Now run: manage.py keys rewrap")

    def _add(self, options: dict[str, Any]) -> None:
        from crm.key_rotation import add

        self.stdout.write(f"{add(timezone.now())} is in the ring. When every machine has it: manage.py keys use")

    def _use(self, options: dict[str, Any]) -> None:
        from crm.key_rotation import use

        use(options["key"])
        self.stdout.write(f"{options['key']} is current. Now run: manage.py keys rewrap")

    def _rewrap(self, options: dict[str, Any]) -> None:
        from crm.key_rotation import rewrap_all

        done = 0
        for done in rewrap_all(options["batch"]):
            self.stdout.write(f"{done:,} rows")
        self.stdout.write(f"{done:,} rows wrapped again.")

    def _retire(self, options: dict[str, Any]) -> None:
        from crm.key_rotation import retire

        retire(options["key"])
        self.stdout.write(f"{options['key']} is gone.")

    def _new(self, options: dict[str, Any]) -> None:
        from crm.keyring import new_ring

        self.stdout.write(new_ring(timezone.now()).to_json())
