"""``manage.py up``: everything on one machine, under one Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from ctypes import CDLL
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config import imitation

QUEUES = "default,ingest,ml,online"
STOP_SECONDS = 20


class Command(BaseCommand):
    help = "Migrate, then run web server, worker and beat, with embedded PostgreSQL and Valkey where none are set."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8000", help="address and port of the web server")
        parser.add_argument("--workers", type=int, default=2, help="web processes")

    def handle(self, *args: Any, bind: str, workers: int, **options: Any) -> None:
        wait_for_port(bind)
        call_command("migrate", verbosity=0)
        if not settings.DEBUG:
            call_command("collectstatic", verbosity=0, interactive=False)
        self.stdout.write(self.style.SUCCESS(f"Zhiyin is on http://{bind}/  (Ctrl-C stops it)"))
        if settings.DEBUG and not settings.PUBLIC_URL:
            os.environ["PUBLIC_URL"] = f"http://{bind}"  # links in messages open on this machine
        raise SystemExit(run_together([*commands(bind, workers), *imitated()]))


def commands(bind: str, workers: int) -> list[list[str]]:
    """Return the command lines of the processes, each of which production runs on its own."""
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    gunicorn = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", bind, "--workers", str(workers)]
    quiet = ["-l", "WARNING", "--without-gossip", "--without-mingle"]
    return [
        [*gunicorn, "--threads", "4", "--log-level", "warning"],
        [*celery, "worker", "-Q", QUEUES, "-c", "2", *quiet],
        [*celery, "worker", "-Q", "send", "-c", "2", "-n", "send@%h", *quiet],
        [*celery, "worker", "-Q", "journeys", "-c", "1", "-n", "journeys@%h", *quiet],
        [*celery, "worker", "-Q", "welcome", "-c", "1", "-n", "welcome@%h", *quiet],
        [*celery, "worker", "-Q", "ledger", "-P", "solo", "-n", "ledger@%h", *quiet],
        [*celery, "beat", "-l", "WARNING", "-s", str(settings.VAR_DIR / "beat-schedule"), "--pidfile="],
    ]


def imitated() -> list[list[str]]:
    """Return the command line of the imitation of WeChat, where a demonstration asked for it and none runs yet."""
    return [imitation.command()] if imitation.state().exists() and not imitation.answers() else []


def wait_for_port(bind: str, seconds: float = 5) -> None:
    """Return when the port is free; a predecessor that was just killed gets a moment to let it go.

    Raises
    ------
    CommandError
        ``bind`` is not an address, or another program keeps the port.
    """
    host, _, port = bind.rpartition(":")
    if not port.isdigit():
        raise CommandError(f"{bind} is not an address and a port, like 127.0.0.1:8000.")
    deadline = time.monotonic() + seconds
    while complaint := _refusal(host or "127.0.0.1", int(port)):
        if time.monotonic() > deadline:
            raise CommandError(f"{bind} cannot be used ({complaint}). Stop what runs there, or choose another: --bind.")
        time.sleep(0.2)


def _refusal(host: str, port: int) -> str:
    with socket() as trial:
        trial.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except (OSError, OverflowError) as error:
            return getattr(error, "strerror", None) or str(error)
    return ""


def run_together(lines: Sequence[list[str]]) -> int:
    """Run the processes until a signal comes or one of them ends; return 0 after a signal, else its status or 1."""
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    children = [_start(line) for line in lines]
    try:
        while not stopped and all(child.poll() is None for child in children):
            time.sleep(0.2)
        return 0 if stopped else max(abs(child.poll() or 0) for child in children) or 1
    finally:
        _end(children)


def _start(line: list[str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches us alone, and we stop the children in order.
    return subprocess.Popen(line, cwd=settings.BASE_DIR, start_new_session=True, preexec_fn=_die_with_parent)  # noqa: PLW1509 (no threads here)


def _die_with_parent() -> None:
    """Ask the kernel to stop this child when we are killed, so that the next ``up`` finds its port free (Linux)."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
