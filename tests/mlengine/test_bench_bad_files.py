"""Bad files, options and seeds at ``bench_ml``: every task says in one line what is wrong."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from django.core.management import CommandError, call_command

from mlengine.benchmarks import TASKS, Asked, Line, top_k, uplift, yes_or_no
from mlengine.estimators import uplift_choice
from mlengine.estimators.item_knn import ItemKNN

Columns = dict[str, list[Any]]


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    settings.VAR_DIR = tmp_path / "var"
    monkeypatch.setattr(yes_or_no, "RESAMPLES", 2)


def labelled(n: int = 60) -> Columns:
    draw = np.random.default_rng(1)
    return {
        "x": draw.normal(size=n).tolist(),
        "town": draw.choice(["a", "b"], n).tolist(),
        "label": draw.integers(0, 2, n).tolist(),
    }


def treated() -> Columns:
    return labelled(120) | {"treatment": np.random.default_rng(2).integers(0, 2, 120).tolist()}


def taken(n: int = 120) -> Columns:
    draw = np.random.default_rng(3)
    return {"user": draw.integers(0, 12, n).tolist(), "item": draw.integers(0, 20, n).tolist(), "order": [*range(n)]}


def befriended() -> Columns:
    found = taken()
    nothing: list[Any] = [None] * 4
    return {
        "user": [*found["user"], 0, 1, 2, 3],
        "item": found["item"] + nothing,
        "part": ["train", "train", "test"] * 40 + nothing,
        "friend": nothing * 30 + [1, 2, 3, 4],
    }


def bought(n: int = 120) -> Columns:
    draw = np.random.default_rng(4)
    days = [str(date(2025, 1, 1) + timedelta(days=int(n))) for n in draw.integers(0, 300, n)]
    return {"customer": draw.integers(0, 30, n).tolist(), "at": days, "amount": draw.gamma(2, 10, n).tolist()}


GOOD: Final[dict[str, Callable[[], Columns]]] = {
    "churn": labelled,
    "response_rate": labelled,
    "uplift": treated,
    "next_item": taken,
    "top_k": taken,
    "social": befriended,
    "value": bought,
}
# What learns in a moment; the others see the same rows.
QUICK: Final = {
    "churn": ["logistic"],
    "response_rate": ["logistic"],
    "uplift": ["t_logistic"],
    "next_item": ["popular"],
    "top_k": ["popular"],
    "social": ["popular"],
    "value": ["rate_so_far"],
}
LEARNED: Final = sorted(GOOD.keys() - {"response_rate"})  # which reads as churn does, and learns ten times


def told(task: str, file: Path, *options: str) -> str:
    """Return what the command says: its figures, or the one line in which it refuses."""
    out, names = StringIO(), [word for name in QUICK[task] for word in ("--estimator", name)]
    with suppress(CommandError):
        call_command("bench_ml", task, str(file), *names, *options, stdout=out, stderr=StringIO())
        return out.getvalue()
    with pytest.raises(CommandError) as refused:
        call_command("bench_ml", task, str(file), *names, *options, stdout=StringIO(), stderr=StringIO())
    line = str(refused.value)
    assert refused.value.returncode == 1
    assert "\n" not in line
    assert len(line) < 600
    assert "--traceback" not in line, "nobody thought of this: say it in the reader's words"
    return line


def written(tmp_path: Path, rows: Columns, name: str = "x.csv") -> Path:
    file = tmp_path / name
    lines = [
        ",".join(rows),
        *(",".join("" if one is None else str(one) for one in row) for row in zip(*rows.values(), strict=True)),
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


def test_every_task_is_attacked() -> None:
    assert set(GOOD) == set(QUICK) == set(TASKS)


@pytest.mark.parametrize("task", LEARNED)
def test_a_good_file_is_measured(task: str, tmp_path: Path) -> None:
    assert "written to" in told(task, written(tmp_path, GOOD[task]()))


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("x.csv", b"", "cannot be read"),
        ("x.csv", b"\n\n", "cannot be read"),
        ("x.csv", b"{head}\n", "The file has no rows."),
        ("x.csv", b"a,b\n1,2\n", "The file has no column"),
        ("x.csv", b"{head}\n1\n1,2,3,4,5,6,7,8,9\n", "cannot be read: found more fields"),
        ("x.csv", b"\x89PNG\r\n\x1a\n\xff\xd8\xff", "cannot be read"),
        ("x.csv", b"\0" * 5000, "The file has no column"),
        ("x.parquet", b"PAR1" + b"\xff" * 500 + b"PAR1", "cannot be read"),
        ("x.csv.gz", b"\x1f\x8b\x08" + b"\0" * 200, "cannot be read"),
        ("x.xlsx", b"PK", "is neither .csv"),
    ],
)
@pytest.mark.parametrize("task", GOOD)
def test_what_is_no_table_is_refused_in_a_line(task: str, name: str, body: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(body.replace(b"{head}", ",".join(GOOD[task]()).encode()))
    assert said in told(task, file)


@pytest.mark.parametrize("task", GOOD)
def test_a_directory_and_a_file_that_is_not_there_are_refused_in_a_line(task: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    assert "cannot be read" in told(task, tmp_path / "x.csv")
    assert "cannot be read" in told(task, tmp_path / "none.csv")


@pytest.mark.parametrize("value", ["abc", "NaN", "inf", "-5", "", "1e300", "99999999999999999999999", "2999-01-01"])
@pytest.mark.parametrize("task", LEARNED)
def test_an_odd_value_or_a_column_of_them_is_told_or_learned_from(task: str, value: str, tmp_path: Path) -> None:
    for column, values in GOOD[task]().items():
        for rows in ([value] * len(values), [value, *values[1:]]):
            assert told(task, written(tmp_path, GOOD[task]() | {column: rows}))


@pytest.mark.parametrize("task", LEARNED)
def test_columns_of_a_kind_nobody_expects_are_told_or_learned_from(task: str, tmp_path: Path) -> None:
    odd = [[1], {"a": 1}, b"1", None, date(2025, 1, 1), True, timedelta(1)]
    for value in odd:
        for column in GOOD[task]():
            file = tmp_path / "x.parquet"
            frame = pl.DataFrame(GOOD[task](), strict=False)
            frame.with_columns(pl.Series(column, [value] * len(frame))).write_parquet(file)
            assert told(task, file)


@pytest.mark.parametrize("task", LEARNED)
def test_ten_rows_one_row_and_one_of_everything_are_told_or_learned_from(task: str, tmp_path: Path) -> None:
    good = GOOD[task]()
    few = [{name: values[:n] for name, values in good.items()} for n in (10, 1)]
    alike = [good | {name: [values[0]] * len(values)} for name, values in good.items()]
    twice = {name: [*values, *values] for name, values in good.items()}
    same = {name: [values[0]] * 9 for name, values in good.items()}
    for rows in (*few, *alike, twice, same):
        assert told(task, written(tmp_path, rows))


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("churn", ["--set", "folds=abc"], "folds=abc is not a whole number from 2 to 100."),
        ("churn", ["--set", "folds=1"], "folds=1 is not a whole number"),
        ("churn", ["--set", "nonsense=1"], "No option nonsense; there are folds."),
        ("uplift", ["--set", "nonsense=1"], "No option nonsense; there are none."),
        ("churn", ["--set", "folds"], "--set folds is not NAME=VALUE."),
        ("top_k", ["--set", "people=-1"], "people=-1 is not a whole number from 1"),
        ("value", ["--set", "days=nan"], "days=nan is not a whole number from 1 to 36500."),
        ("value", ["--set", "until=9999-12-31"], "around 9999-12-31."),
        ("next_item", ["--estimator", "sasrec", "--set", "width=abc"], "width=abc is not a whole number"),
        ("next_item", ["--estimator", "sasrec", "--set", "dropout=1"], "dropout=1 is not a number from 0 to 1."),
        ("next_item", ["--estimator", "sasrec", "--set", "heads=7"], "width=128 cannot be shared out to 7 heads."),
        ("next_item", ["--seed", "-1"], "A seed is a number from 0 to 4294967295; -1 is none."),
        ("top_k", ["--seed", "4294967296"], "A seed is a number from 0 to 4294967295"),
    ],
)
def test_an_option_that_cannot_be_is_told(task: str, options: list[str], said: str, tmp_path: Path) -> None:
    assert said in told(task, written(tmp_path, GOOD[task]()), *options)


@pytest.mark.parametrize(
    ("task", "learns", "other"),
    [("top_k", "ItemKNN", "popular"), ("social", "ItemKNN", "popular"), ("uplift", "t_logistic", "s_logistic")],
)
def test_an_estimator_that_cannot_learn_is_named_and_the_others_go_on(
    task: str, learns: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any, **_named: Any) -> Any:
        raise ValueError("Too few.\nOr too many.")

    if task == "uplift":
        whole = uplift_choice.learned
        monkeypatch.setattr(uplift, "learned", lambda name, trial: (refuse if name == learns else whole)(name, trial))
    else:
        monkeypatch.setattr(ItemKNN, "fit", refuse)
    name = learns if task == "uplift" else "item_knn"
    out, err = StringIO(), StringIO()
    asked = ("--estimator", name, "--estimator", other)
    call_command("bench_ml", task, str(written(tmp_path, GOOD[task]())), *asked, stdout=out, stderr=err)
    assert err.getvalue() == f"{name} cannot be measured: Too few.\n"
    assert other in out.getvalue()


def test_what_nobody_thought_of_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(frame: pl.DataFrame, asked: Asked) -> Line:
        raise KeyError("two\nlines")

    monkeypatch.setattr(top_k, "run", broken)
    with pytest.raises(
        CommandError, match=r"^top_k cannot be measured on .*: KeyError: .* \(--traceback says where\)$"
    ):
        call_command("bench_ml", "top_k", str(written(tmp_path, taken())), stdout=StringIO())
