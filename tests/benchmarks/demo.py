"""How long ``manage.py demo`` takes on an empty machine, once everything is installed."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 240.0


def run() -> list[dict[str, Any]]:
    """Return the seconds of a first demo against the four minutes that it may take, and of a second one."""
    with TemporaryDirectory() as var:
        first, second = seconds(var), seconds(var)
    return [
        {
            "name": "demo, first run",
            "value": first,
            "unit": "s",
            "yardstick": MOST_SECONDS,
            "ratio": first / MOST_SECONDS,
        },
        {"name": "demo, second run", "value": second, "unit": "s", "yardstick": first, "ratio": second / first},
    ]


def seconds(var: str) -> float:
    """Return how long one demo takes with its data below ``var``."""
    start = time.monotonic()
    command = [sys.executable, "manage.py", "demo", "--no-serve"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"VAR_DIR": var}, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


if __name__ == "__main__":
    print(run())
