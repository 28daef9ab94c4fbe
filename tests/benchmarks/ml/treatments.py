"""Whom an e-mail helps: Hillstrom's trial of 64,000 customers, women's and men's e-mail each against none."""

import polars as pl

from tests.benchmarks.ml import DATA, Published, published


def women_visit() -> pl.DataFrame:
    """Return who visited, of those sent women's e-mail and those sent none."""
    return _arm("Womens E-Mail", "visit")


def men_conversion() -> pl.DataFrame:
    """Return who bought, of those sent men's e-mail and those sent none: here nothing is to be found."""
    return _arm("Mens E-Mail", "conversion")


def _arm(sent: str, label: str) -> pl.DataFrame:
    read = pl.read_csv(DATA / "hillstrom" / "hillstrom.csv.gz", infer_schema_length=None)
    people = read.filter(pl.col("segment").is_in([sent, "No E-Mail"]))
    told = people.with_columns(treatment=(pl.col("segment") == sent).cast(pl.Int64), label=pl.col(label))
    return told.drop("segment", "visit", "conversion", "spend")


LINES = published(
    Published(
        name="Hillstrom women/visit",
        task="uplift",
        frame=women_visit,
        estimator="chosen",
        must={"qini": 0.06, "refused": 0.0},
        aim={"qini": 0.065},
    ),
    Published(
        name="Hillstrom men/conversion",
        task="uplift",
        frame=men_conversion,
        estimator="chosen",
        must={"refused": 1.0},
    ),
)
