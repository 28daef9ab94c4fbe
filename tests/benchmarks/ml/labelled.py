"""A yes or no from a table: Telco churn and Bank marketing, as published."""

import gzip

import polars as pl

from tests.benchmarks.ml import DATA, Published, published


def telco() -> pl.DataFrame:
    """Return IBM's 7,043 customers without their ids; eleven have no total yet."""
    read = pl.read_csv(DATA / "telco_churn" / "Telco-Customer-Churn.csv.gz")
    return read.drop("customerID").rename({"Churn": "label"})


def bank() -> pl.DataFrame:
    """Return 45,211 calls of a bank; how long each took is known only after it, so it is left out."""
    packed = (DATA / "bank_marketing" / "bank-full.csv.gz").read_bytes()
    return pl.read_csv(gzip.decompress(packed), separator=";").drop("duration").rename({"y": "label"})


LINES = published(
    Published(
        name="Telco churn",
        task="churn",
        frame=telco,
        estimator="ensemble",
        must={"roc_auc": 0.852},
        aim={"roc_auc": 0.854},
        published={"roc_auc": 0.852},  # explainable boosting machine
    ),
    Published(
        name="Bank without duration",
        task="response_rate",
        frame=bank,
        estimator="ensemble",
        must={"roc_auc": 0.8023},
        aim={"roc_auc": 0.806},
    ),
)
