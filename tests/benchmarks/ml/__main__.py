"""Run the named lines of the table, or all, each in a process of its own; print it, and keep it as JSON lines."""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from django.conf import settings

from tests.benchmarks import ml
from tests.benchmarks.__main__ import shown

HEADS = (
    *("task", "estimator", "metric", "ours", "low", "high", "must", "aim", "yardstick", "published"),
    *("seeds", "seconds", "peak_mib"),
)
NEEDED = {"task": "", "metric": "", "ours": None, "must": None, "higher_is_better": True}
MAY_BE_ABSENT = {"yardstick": None, "published": None, "seconds": None}


def one(name: str) -> None:
    """Measure one line here, and write its rows to standard output."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no row
    rows = [NEEDED | MAY_BE_ABSENT | row for row in ml.lines()[name]()]
    peak = round(getrusage(RUSAGE_SELF).ru_maxrss / 1024, 1)
    os.write(out, json.dumps([row | {"peak_mib": row.get("peak_mib", peak)} for row in rows]).encode())


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--one", help="measure this line in this very process")
    parser.add_argument("--list", action="store_true", help="say which lines there are")
    parser.add_argument("--anew", action="store_true", help="forget what was found before")
    asked = parser.parse_args()
    if asked.one:
        one(asked.one)
        return
    if asked.list:
        sys.stdout.write("\n".join(ml.lines()) + "\n")
        return
    kept = Path(settings.VAR_DIR) / "bench" / "ml.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in asked.names or ml.lines():
        ml.say(f"... {name}")
        measurement = ml.lines()[name]
        if asked.anew and isinstance(measurement, ml.Published):
            measurement.forget()
        command = [sys.executable, "-m", "tests.benchmarks.ml", "--one", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            ml.say(f"!!! {name} failed; what it found so far is kept, and it goes on from there")
            continue
        found = json.loads(done.stdout)
        with kept.open("a", encoding="utf-8") as file:
            for row in found:
                file.write(json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds")} | row) + "\n")
        rows += found
    cells = [HEADS, *(tuple(cell(row.get(head)) for head in HEADS) for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(HEADS))]
    for line in cells:
        sys.stdout.write("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n")
    sys.stdout.write(f"\nwritten to {kept}\n")


def cell(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else shown(value)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
