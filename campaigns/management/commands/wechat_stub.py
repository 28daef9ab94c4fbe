"""Play WeChat and WeCom on this machine, for a demo and for tests."""

import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Play WeChat (Official Account, mini program) and WeCom on the loopback address."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8901)
        parser.add_argument("--seed", type=int, default=0, help="the same seed and orders give the same answers")
        parser.add_argument("--state", type=Path, metavar="PATH", help="keep accounts and people here across restarts")

        parser.add_argument("--demo", action="store_true", help="furnish it with a shop, its accounts and its people")

    def handle(self, *args: Any, **options: Any) -> None:
        from campaigns.channels.wechat.stub.server import Stub

        try:
            stub = Stub(options["port"], seed=options["seed"], state=options["state"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        ends = threading.Event()
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: ends.set())
        with stub:
            if options["demo"]:
                stub.post("demo")
            self.stdout.write(f"The platforms answer at {stub.url}; orders at {stub.url}/_stub/ (ctrl-c ends).")
            self.stdout.flush()
            ends.wait()
