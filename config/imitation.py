"""The imitation of WeChat beside the embedded services: started by the demonstration, and by ``up`` where that was."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

from django.conf import settings

SECONDS = 20.0


def state() -> Path:
    """Return where its accounts and people are kept; the file is there once a demonstration asked for it."""
    return Path(settings.VAR_DIR) / "wechat-stub.json"


def command() -> list[str]:
    """Return the command line that starts it."""
    port = urlsplit(settings.WECHAT_STUB_URL).port or 8901
    return [sys.executable, "manage.py", "wechat_stub", "--port", str(port), "--state", str(state())]


def answers() -> bool:
    """Tell whether somebody listens where it is expected."""
    place = urlsplit(settings.WECHAT_STUB_URL)
    try:
        with create_connection((place.hostname or "127.0.0.1", place.port or 8901), timeout=0.5):
            return True
    except OSError:
        return False


@contextmanager
def running() -> Iterator[bool]:
    """Have it run for a while; one that runs already is used, and left running. False where it does not come up."""
    if answers():
        yield True
        return
    process = subprocess.Popen(command(), cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)
    try:
        yield _came_up(process)
    finally:
        process.terminate()  # it keeps what it holds before it ends
        process.wait()


def _came_up(process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers():
            return True
        time.sleep(0.1)
    return False
