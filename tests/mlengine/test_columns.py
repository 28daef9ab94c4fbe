from datetime import datetime

import polars as pl

from tests.mlengine.frames import log_of, purchases

JANUARY, FEBRUARY, MARCH = datetime(2026, 1, 1), datetime(2026, 2, 1), datetime(2026, 3, 1)


def test_what_was_known_at_a_date_is_computed_once_for_a_log_and_its_cuts() -> None:
    log = log_of(purchases([(1, JANUARY, 5.0)]))
    asked: list[datetime] = []

    def compute() -> int:
        asked.append(FEBRUARY)
        return len(asked)

    assert log.once("rows", FEBRUARY, compute) == 1
    assert log.until(MARCH).once("rows", FEBRUARY, compute) == 1
    assert log.until(FEBRUARY).once("rows", FEBRUARY, compute) == 1
    assert log.once("other", FEBRUARY, compute) == 2


def test_a_log_that_was_cut_earlier_neither_gives_nor_takes_what_it_cannot_know() -> None:
    log = log_of(purchases([(1, JANUARY, 5.0), (1, FEBRUARY, 5.0)]))
    short = log.until(FEBRUARY)

    def rows_of(which: object) -> int:
        return int(pl.Series(which.events.collect()["user"].to_list()).len())  # type: ignore[attr-defined]

    assert short.once("rows", MARCH, lambda: rows_of(short)) == 1
    assert log.once("rows", MARCH, lambda: rows_of(log)) == 2
    assert short.once("rows", MARCH, lambda: rows_of(short)) == 1
