"""The command that measures any task's estimators on any file."""

import gzip
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from django.core.management import CommandError, call_command

from mlengine import benchmarks
from mlengine.benchmarks import Asked, Line, checkpoints
from mlengine.benchmarks.checkpoints import Checkpoints
from mlengine.specs import NotEnoughData

COLUMNS = ESTIMATORS = ("a", "b")
OPTIONS = ()
worked: list[str] = []


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Stand in for a task: the mean of a column, worked out once."""
    for name in COLUMNS:
        if asked.wants(name):

            def mean(name: str = name) -> float:
                worked.append(name)
                if frame[name].null_count():
                    raise NotEnoughData(f"Column {name} has gaps.")
                return float(frame[name].to_numpy().mean())

            yield from asked.unless_refused(name, lines(name, asked, mean))


def lines(name: str, asked: Asked, mean: Callable[[], float]) -> Iterator[Line]:
    value, seconds = asked.checkpoints.timed(name, mean)
    yield Line(
        task="means",
        estimator=name,
        metric="mean",
        value=value,
        protocol="all rows",
        seconds=seconds,
        seeds=asked.seeds,
    )


@pytest.fixture(autouse=True)
def _stands_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings) -> None:  # type: ignore[no-untyped-def]
    settings.VAR_DIR = tmp_path / "var"
    worked.clear()
    monkeypatch.setitem(benchmarks.TASKS, "means", __name__)


def measured(file: Path, *options: str) -> str:
    out = StringIO()
    call_command("bench_ml", "means", str(file), *options, stdout=out)
    return out.getvalue()


def kept(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "var" / "bench" / "ml.jsonl").read_text().splitlines()]


def test_a_file_of_any_form_is_measured_and_the_figures_are_kept(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2, 3], "b": [2.0, 2.0, 5.0]})
    plain, packed, columnar = tmp_path / "x.csv", tmp_path / "x.tsv.gz", tmp_path / "x.parquet"
    frame.write_csv(plain)
    packed.write_bytes(gzip.compress(frame.write_csv(separator="\t").encode()))
    frame.write_parquet(columnar)
    for file in (plain, packed, columnar):
        said = measured(file, "--estimator", "b", "--seed", "7")
        assert "3.0000" in said
        assert "2.0000" not in said
    found = kept(tmp_path)
    assert [(row["estimator"], row["metric"], row["ours"], row["seeds"]) for row in found] == [
        ("b", "mean", 3.0, [7])
    ] * 3
    needed = {"task", "metric", "ours", "must", "higher_is_better", "yardstick", "published", "seconds"}
    assert needed <= found[0].keys()


def test_what_was_found_before_an_interruption_is_not_worked_out_again(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    measured(file, "--estimator", "a")
    measured(file)
    assert worked == ["a", "b"]
    file.write_text("a,b\n1,3\n")
    measured(file)
    assert worked == ["a", "b", "a", "b"], "another file is another measurement"
    measured(file, "--anew")
    assert len(worked) == 6


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("x.csv", b"a\n1\n", "no column b; it has a"),
        ("x.csv", b"a,b\n", "no rows"),
        ("x.csv", b"", "cannot be read"),
        ("x.parquet", b"PAR1", "cannot be read"),
        ("x.tsv.gz", b"no gzip", "cannot be read"),
        ("x.xlsx", b"", "neither .csv"),
    ],
)
def test_a_file_that_cannot_be_measured_on_is_refused_in_words(
    tmp_path: Path, name: str, body: bytes, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(body)
    with pytest.raises(CommandError, match=said):
        measured(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        measured(tmp_path / "none.csv")


def test_a_part_that_failed_is_worked_out_again(tmp_path: Path) -> None:
    parts = Checkpoints(tmp_path / "parts")
    with pytest.raises(ZeroDivisionError):
        parts.once("x", lambda: 1 / 0)
    assert parts.once("x", lambda: (1, 2)) == [1, 2]
    assert parts.once("x", lambda: 1 / 0) == [1, 2]


def test_other_code_finds_nothing_of_what_this_code_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    measured(file, "--estimator", "a")
    monkeypatch.setattr(checkpoints, "code", lambda: "f" * 64)
    measured(file, "--estimator", "a")
    assert worked == ["a", "a"]


def test_the_peak_of_memory_is_that_of_the_process_that_made_a_part(tmp_path: Path) -> None:
    Checkpoints(tmp_path).once("x", lambda: 1)
    (part,) = tmp_path.glob("x-*.json")
    part.write_text(json.dumps(json.loads(part.read_text()) | {"peak_mib": 1e9}))
    later = Checkpoints(tmp_path)
    assert later.peak_mib() < 1e9
    later.once("x", lambda: 1)
    assert later.peak_mib() == 1e9


def test_a_task_says_which_columns_it_needs() -> None:
    out = StringIO()
    call_command("bench_ml", "means", stdout=out)
    assert out.getvalue().startswith("The command that measures")


def test_an_estimator_that_refuses_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    file, told = tmp_path / "x.csv", StringIO()
    file.write_text("a,b\n,2\n1,2\n")
    call_command("bench_ml", "means", str(file), stdout=StringIO(), stderr=told)
    assert told.getvalue() == "a cannot be measured: Column a has gaps.\n"
    assert [(row["estimator"], row["ours"]) for row in kept(tmp_path)] == [("b", 2.0)]
    with pytest.raises(CommandError, match="No estimator can learn"):
        measured(file, "--estimator", "a")


def test_what_is_no_number_is_kept_as_null(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\nNaN,2\n")
    measured(file)
    assert [row["ours"] for row in kept(tmp_path)] == [None, 2.0]


def test_an_estimator_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="No estimator c; there are a, b"):
        measured(file, "--estimator", "a", "--estimator", "c")
