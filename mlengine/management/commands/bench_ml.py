"""Measure the estimators of a task on any file, by the task's published protocol."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

if TYPE_CHECKING:
    from mlengine.benchmarks import BenchmarkTask, Line

HEADS = ("estimator", "metric", "ours", "95 %", "seeds", "seconds")


class Command(BaseCommand):
    help = "Measure every estimator of a task on a file. `bench_ml TASK --columns` says which columns it needs."

    def add_arguments(self, parser: CommandParser) -> None:
        from mlengine.benchmarks import TASKS

        parser.formatter_class = RawDescriptionHelpFormatter
        parser.add_argument("task", choices=sorted(TASKS))
        parser.add_argument("file", nargs="?", type=Path, help="CSV, TSV (plain, .gz, .xz) or Parquet")
        parser.add_argument("--columns", action="store_true", help="say what the task is and what columns it needs")
        parser.add_argument("--estimator", action="append", default=[], help="only this one; may be repeated")
        parser.add_argument("--seed", action="append", type=int, default=[], help="instead of the protocol's own")
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the task")
        parser.add_argument("--anew", action="store_true", help="forget what an earlier run on this file found")

    def handle(self, *args: Any, **options: Any) -> None:
        from mlengine.benchmarks import BadFile, said, task
        from mlengine.specs import NotEnoughData

        asked = task(options["task"])
        if options["columns"] or options["file"] is None:
            self.stdout.write(getdoc(asked) or "")
            return
        _check(asked, options)
        kept = Path(settings.VAR_DIR) / "bench" / "ml.jsonl"
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            lines = self._measured(options, kept)
        except (BadFile, NotEnoughData) as error:
            raise CommandError(said(error)) from error
        except Exception as error:  # whoever brings her own file reads what is wrong, not our stack
            raise CommandError(
                f"{options['task']} cannot be measured on {options['file']}: {type(error).__name__}: {said(error)}"
                " (--traceback says where)"
            ) from error
        if not lines:
            raise CommandError("No estimator can learn from this file.")
        self.stdout.write(f"\nwritten to {kept}")

    def _measured(self, options: dict[str, Any], kept: Path) -> "list[Line]":
        from shutil import rmtree

        from mlengine.benchmarks import Asked, check_columns, said, task
        from mlengine.benchmarks.checkpoints import Checkpoints
        from mlengine.benchmarks.files import read

        asked, file = task(options["task"]), options["file"]
        frame = read(file)
        check_columns(frame, asked.COLUMNS)
        checkpoints = Checkpoints.of(file, options["task"], Path(settings.VAR_DIR) / "bench" / "parts")
        if options["anew"]:
            rmtree(checkpoints.directory, ignore_errors=True)
        wanted = Asked(
            checkpoints=checkpoints,
            estimators=tuple(options["estimator"]),
            seeds=tuple(options["seed"]),
            options=dict(pair.partition("=")[::2] for pair in options["set"]),
            refused=lambda name, error: self.stderr.write(f"{name} cannot be measured: {said(error)}"),
        )
        lines = []
        self.stdout.write("  ".join(HEADS))
        for line in asked.run(frame, wanted):
            self.stdout.write("  ".join(_cells(line)))
            lines.append(line)
            with kept.open("a", encoding="utf-8") as lasting:
                lasting.write(_as_json(line, str(file), checkpoints.peak_mib()) + "\n")
        for protocol in dict.fromkeys(line.protocol for line in lines):
            self.stdout.write(f"\n{protocol}")
        return lines


def _check(asked: "BenchmarkTask", options: dict[str, Any]) -> None:
    """Refuse estimators and options that the task does not know, and seeds that no generator takes."""
    unknown = [name for name in options["estimator"] if name not in asked.ESTIMATORS]
    if unknown:
        raise CommandError(f"No estimator {', '.join(unknown)}; there are {', '.join(asked.ESTIMATORS)}.")
    for pair in options["set"]:
        name, equals, _value = pair.partition("=")
        if not equals:
            raise CommandError(f"--set {pair} is not NAME=VALUE.")
        if name not in asked.OPTIONS:
            raise CommandError(f"No option {name}; there are {', '.join(asked.OPTIONS) or 'none'}.")
    odd = [seed for seed in options["seed"] if not 0 <= seed < 2**32]
    if odd:
        raise CommandError(f"A seed is a number from 0 to {2**32 - 1}; {odd[0]} is none.")


def _cells(line: "Line") -> Sequence[str]:
    interval = "" if line.low is None or line.high is None else f"[{line.low:.4f}, {line.high:.4f}]"
    name = f"{line.estimator} (baseline)" if line.is_baseline else line.estimator
    seeds = " ".join(map(str, line.seeds))
    return name.ljust(28), line.metric.ljust(16), f"{line.value:.4f}", interval.rjust(18), seeds, f"{line.seconds:.1f}"


def _as_json(line: "Line", file: str, peak_mib: float) -> str:
    from mlengine.benchmarks import as_json

    told = asdict(line)
    told["ours"] = told.pop("value")
    facts = {"must": None, "yardstick": None, "published": None, "file": file}
    at = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    return as_json(at | told | facts | {"peak_mib": peak_mib})
