"""Lines of money: what customers of a record shop buy (CDNOW, 1997 and 1998)."""

import gzip

import polars as pl

from tests.benchmarks.ml import DATA, Published, published


def cdnow() -> pl.DataFrame:
    """Return the published sample of 2,357 customers: first purchase in the first quarter of 1997."""
    body = gzip.decompress((DATA / "cdnow" / "CDNOW_sample.txt.gz").read_bytes())
    rows = [line.split() for line in body.decode("ascii").splitlines()]
    return pl.DataFrame(
        {
            "customer": [row[1] for row in rows],
            "at": [f"{row[2][:4]}-{row[2][4:6]}-{row[2][6:]}" for row in rows],
            "amount": [float(row[4]) for row in rows],
        }
    )


LINES = published(
    Published(
        name="CDNOW",
        task="value",
        frame=cdnow,
        estimator="likely",
        must={"mae": 0.7545, "rmse": 1.603, "correlation": 0.630},
        aim={"mae": 0.74, "rmse": 1.59, "correlation": 0.64},
        published={"mae": 0.7545, "rmse": 1.6028, "correlation": 0.630},
        options={"until": "1997-09-30", "days": "273"},
    ),
    Published(
        name="CDNOW, a quarter ahead",
        task="value",
        frame=cdnow,
        estimator="two_stage",
        must={},
        options={"until": "1998-03-31", "days": "91"},
    ),
)
