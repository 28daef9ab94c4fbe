"""What people take next: MovieLens-1M in SASRec's order of it, and Beauty as S3-Rec cut it."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import polars as pl

from tests.benchmarks.ml import DATA, Published, Row, published


def million() -> pl.DataFrame:
    """Return SASRec's file: one line a person, in the order of people, their items by time."""
    return _of_lines(DATA / "ml1m" / "ml1m_sas_sequences.txt.gz", named=False)


def beauty() -> pl.DataFrame:
    """Return S3-Rec's file: a person and their items by time, on one line."""
    return _of_lines(DATA / "s3rec" / "Beauty.txt.gz", named=True)


def _of_lines(file: Path, *, named: bool) -> pl.DataFrame:
    lines = [[int(word) for word in line.split()] for line in gzip.decompress(file.read_bytes()).decode().splitlines()]
    people = [(line[0], line[1:]) if named else (place, line) for place, line in enumerate(lines)]
    rows = [(user, item, order) for user, items in people for order, item in enumerate(items)]
    return pl.DataFrame(rows, schema=["user", "item", "order"], orient="row")


def epoch() -> Iterator[Row]:
    """Yield the seconds of one epoch of SASRec on MovieLens-1M, the better of two, as the published line trains it."""
    from mlengine.benchmarks.next_item import sequences
    from mlengine.benchmarks.next_item_models import Split, recipe_for
    from mlengine.estimators.sasrec_training import Recipe, Training

    train = Split.of(sequences(million())).train
    recipe = recipe_for(train)
    for unwanted in ("epochs", "patience"):
        del recipe[unwanted]
    training, seconds = Training.new(Recipe(**recipe), train), []
    for _ in range(2):
        began = monotonic()
        training.run_epoch(train)
        seconds.append(monotonic() - began)
    yield {
        "task": "ML-1M leave one out",
        "estimator": "sasrec",
        "metric": "seconds_of_an_epoch",
        "ours": min(seconds),
        "must": 120.0,
        "higher_is_better": False,
        "protocol": f"{len(train.item):,} places, width {recipe['width']}, {os.cpu_count()} processors",
        "seconds": sum(seconds),
    }


LINES = published(
    Published(
        name="ML-1M leave one out",
        task="next_item",
        frame=million,
        estimator="sasrec",
        must={"ndcg_at_10": 0.1726, "recall_at_10": 0.300},
        aim={"ndcg_at_10": 0.180, "recall_at_10": 0.310},
        published={"recall_at_1": 0.0754, "recall_at_10": 0.3003, "ndcg_at_10": 0.1726},
    ),
    Published(
        name="Beauty leave one out",
        task="next_item",
        frame=beauty,
        estimator="transitions",  # people have five items or so: there is little more than the last one to learn from
        must={"recall_at_10": 0.0849, "ndcg_at_10": 0.0511},
        aim={"recall_at_10": 0.090, "ndcg_at_10": 0.054},
        published={"recall_at_10": 0.0647, "ndcg_at_10": 0.0327},
    ),
) | {"SASRec epoch on ML-1M": epoch}
