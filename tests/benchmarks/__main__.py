"""``make bench``: run the measurements, print them as a table, and keep them as JSON lines.

Each module here offers ``run() -> list[dict]`` with the keys name, value, unit, yardstick and ratio, and is run in a
process of its own, so that memory and imports of one do not colour the next. Ratios compare within one run: machines
are noisy, and only the ratio carries over to another one.
"""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

BENCHMARKS = (
    *("churn", "recommendations", "scoring", "bulk_import", "http_ingestion", "api_reads", "encrypted_list"),
    "recommending",
    *("ledger_appends", "ledger_proof", "ledger_delay", "consent_basis", "verifier", "audit_export", "report", "demo"),
    *("segment_count", "planning", "sending", "wechat_sending", "pause", "guardrails", "tracking", "wechat_welcome"),
    *("wechat_callback", "journey_walking", "journey_events", "journey_rehearsal", "journey_canvas"),
)


def measured(name: str) -> list[dict[str, Any]]:
    """Return the rows of one benchmark, run in a fresh process; what it prints besides goes to standard error."""
    code = (
        "import json, os, sys; from importlib import import_module\n"
        "out = os.dup(1); os.dup2(2, 1)\n"
        "rows = import_module(sys.argv[1]).run()\n"
        "os.write(out, json.dumps(rows).encode())"
    )
    done = subprocess.run([sys.executable, "-c", code, f"tests.benchmarks.{name}"], stdout=subprocess.PIPE, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as an aligned table."""
    heads = ("name", "value", "unit", "yardstick", "ratio")
    cells = [heads, *(tuple(shown(row.get(head)) for head in heads) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)


def shown(value: object) -> str:
    """Return a cell's text: numbers with four significant digits."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return "" if value is None else str(value)


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    names = parser.parse_args().names or BENCHMARKS
    kept = Path(settings.VAR_DIR) / "bench" / "bench.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in names:
        sys.stderr.write(f"... {name}\n")
        found = measured(name)
        rows += found
        with kept.open("a") as lines:
            for row in found:
                lines.write(json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds")} | row) + "\n")
    sys.stdout.write(table(rows) + f"\n\nwritten to {kept}\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
