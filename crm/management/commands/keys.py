"""The key ring: how it stands, and its rotation."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

SECRET_VERBS = {
    "rotate-secret": "add a generation of a secret of the keyed hashes and use it at once",
    "add-secret": "add a generation without using it: distribute the file, then 'use-secret'",
    "use-secret": "make hashes by this generation from now on, and search by all",
    "retire-secret": "take a generation that nothing needs out of the ring, for good",
    "secrets": "how many rows need each generation of a secret; reads every value",
}


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
        for verb, what in SECRET_VERBS.items():
            secret = verbs.add_parser(verb, help=what)
            secret.add_argument("secret", choices=("index", "suppression"))
            if verb in {"use-secret", "retire-secret"}:
                secret.add_argument("number")
        verbs.add_parser("reindex", help="make the hashes anew that older secrets made; can be stopped and run again")
        verbs.add_parser("new", help="print a fresh ring, for KEY_RING or a KMS: it holds secrets")

    def handle(self, *args: Any, **options: Any) -> None:
        from crm.keyring import BadKeyRing, UnknownKey

        try:
            getattr(self, f"_{options['verb'].replace('-', '_')}")(options)
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

    def _rotate_secret(self, options: dict[str, Any]) -> None:
        from crm.index_rotation import rotate

        number = rotate(options["secret"])
        self.stdout.write(f"Generation {number} of {options['secret']} is in use. Now run: manage.py keys reindex")

    def _add_secret(self, options: dict[str, Any]) -> None:
        from crm.index_rotation import add

        number = add(options["secret"])
        self.stdout.write(f"Generation {number} is in the ring. When every machine has it: manage.py keys use-secret")

    def _use_secret(self, options: dict[str, Any]) -> None:
        from crm.index_rotation import use

        use(options["secret"], options["number"])
        self.stdout.write(f"Generation {options['number']} is in use. Now run: manage.py keys reindex")

    def _retire_secret(self, options: dict[str, Any]) -> None:
        from crm.index_rotation import retire

        retire(options["secret"], options["number"])
        self.stdout.write(f"Generation {options['number']} of {options['secret']} is gone.")

    def _secrets(self, options: dict[str, Any]) -> None:
        from crm.index_rotation import usage
        from crm.keyring import ring

        for number, rows in usage(options["secret"]).items():
            state = "in use" if number == ring().version(options["secret"]) else ""
            self.stdout.write(f"{options['secret']} {number:<4} {rows:>12,} rows  {state}".rstrip())

    def _reindex(self, options: dict[str, Any]) -> None:
        from crm.index_rotation import reindex

        done = 0
        for done in reindex(timezone.now()):
            self.stdout.write(f"{done:,} rows")
        self.stdout.write(f"{done:,} rows looked at; none is left behind.")

    def _new(self, options: dict[str, Any]) -> None:
        from crm.keyring import new_ring

        self.stdout.write(new_ring(timezone.now()).to_json())
