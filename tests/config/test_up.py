"""``manage.py up`` as a person uses it: one command, one Ctrl-C, and words when it cannot."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.conf import settings

from tests import templates

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def up(var: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "up", "--bind", f"127.0.0.1:{port}", "--workers", "1"],
        cwd=ROOT,
        env=os.environ | {"VAR_DIR": str(var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answers(port: int, seconds: float = 300) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urlopen(f"http://127.0.0.1:{port}/admin/login/", timeout=5) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            time.sleep(0.2)
    return False


@pytest.fixture
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A house that runs: at night from nothing, by day on a database that was migrated before, a minute sooner."""
    if not request.node.get_closest_marker("nightly"):
        templates.lay_out(tmp_path, request.getfixturevalue("migrated"))
    port = free_port()
    process = up(tmp_path, port)
    yield process, port
    process.terminate()
    process.communicate(timeout=120)


@pytest.mark.slow
def test_up_serves_and_one_interrupt_stops_it(running: tuple[subprocess.Popen[str], int]) -> None:
    process, port = running
    assert answers(port)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert not answers(port, seconds=1)


@pytest.mark.nightly
def test_a_killed_up_can_be_started_again(running: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    process, port = running
    assert answers(port)
    process.kill()
    process.wait()
    again = up(tmp_path, port)
    try:
        assert answers(port)
    finally:
        again.terminate()
        again.communicate(timeout=120)


def test_a_taken_port_is_said_in_words() -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = up(settings.VAR_DIR, taken.getsockname()[1])
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "cannot be used (Address already in use)" in output
    assert "Traceback" not in output
