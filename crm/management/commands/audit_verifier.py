"""Write the verifier of audit bundles into a file: to be handed to auditors once, apart from any bundle."""

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Write verify.py, which checks audit bundles with nothing but Python, and say our key."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("out", type=Path, nargs="?", default=Path("verify.py"))

    def handle(self, *args: Any, **options: Any) -> None:
        from crm import checkpoints, verify

        shutil.copyfile(verify.__file__, options["out"])
        key = checkpoints.signer().verifier_key
        self.stdout.write(f"{options['out']}\nKey: {key}\nFingerprint: {verify.key_of(key).fingerprint}")
