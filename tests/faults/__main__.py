"""``make faults``: kill, race and corrupt, print what was counted, and keep it as JSON lines.

Each module in ``FAULTS`` offers ``run() -> list[dict]``: rows with a ``name``, what was ``done`` (counts by name), and
what came ``wrong`` (counts that must all be 0). A module runs in a process of its own with servers of its own under a
temporary ``VAR_DIR``, so it may kill them.
"""

import json
import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
FAULTS = (
    *("ledger_kills", "ledger_mutations", "bundle_corruptions", "consent_races", "withdrawal_stop", "erasure_kills"),
    *("link_enumeration", "sending_kills", "send_races", "wechat_kills", "welcome_kills", "journey_kills"),
    "token_storm",
)

RUN = """
import json, os, sys
from importlib import import_module
out = os.dup(1); os.dup2(2, 1)
rows = import_module(sys.argv[1]).run()
os.write(out, json.dumps(rows).encode())
"""


def found(name: str) -> list[dict[str, Any]]:
    """Return the rows of one module, run in a fresh process; what it prints besides goes to standard error."""
    with TemporaryDirectory(prefix="zhiyin-faults-") as var:
        environment = os.environ | {"VAR_DIR": var, "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, "-c", RUN, f"tests.faults.{name}"]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def line(row: Mapping[str, Any]) -> str:
    """Return a row as one line of text."""
    counts = [f"{number:,} {what}" for part in ("done", "wrong") for what, number in row[part].items()]
    return f"{'FAILED' if any(row['wrong'].values()) else 'ok':7}{row['name']}: {', '.join(counts)}"


def main() -> int:
    """Run the named modules, or all; return 1 if anything came out wrong."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*FAULTS, []], default=[])
    names = parser.parse_args().names or FAULTS
    kept = Path(os.environ.get("VAR_DIR", ROOT / "var")) / "bench" / "faults.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in names:
        started = time.monotonic()
        for row in found(name):
            failed |= any(row["wrong"].values())
            at = datetime.now(UTC).isoformat(timespec="seconds")
            with kept.open("a") as lines:
                lines.write(json.dumps({"at": at} | row) + "\n")
            sys.stdout.write(line(row) + "\n")
        sys.stdout.write(f"       {name} took {time.monotonic() - started:.0f} s\n")
        sys.stdout.flush()
    sys.stdout.write(f"written to {kept}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
