"""What is asked of people: who leaves, who buys how much, who is alike."""

from itertools import product
from typing import Final

from mlengine.specs.spec import DAY, Fact, Spec

GROWN: Final = tuple(
    {"rounds": rounds, "leaves": leaves, "min_in_leaf": least, "l2": l2}
    for rounds, leaves, least, l2 in product((75, 150, 300), (4, 6, 10), (30, 60, 120), (1.0, 10.0, 50.0))
)

CHURN: Final = Spec(
    name="churn",
    title="Churn risk",
    description="The probability that somebody who purchased in the last 90 days will not in the next 28.",
    answers="score",
    task="mlengine.estimators.churn.Churn",
    horizon=28 * DAY,
    activity_window=90 * DAY,
    decided_by="roc_auc",
    min_profiles=200,
    min_events=5_000,
    min_days=240,
    parameters={
        "kind": "purchase",
        "history": 91 * DAY,
        "step": 14 * DAY,
        "most_cutoffs": 16,
        "rounds": 200,
        "learning_rate": 0.05,
        "leaves": 6,
        "min_in_leaf": 100,
        "columns_share": 0.15,
        "rows_share": 0.7,
        "l2": 10.0,
        "seeds": 3,
        "calibration_folds": 4,
    },
    search={
        "rounds": (100, 200, 400),
        "learning_rate": (0.025, 0.05, 0.1),
        "leaves": (4, 6, 8, 15),
        "min_in_leaf": (50, 100, 200),
        "columns_share": (0.1, 0.15, 0.3, 0.6),
        "l2": (1.0, 10.0, 50.0),
    },
)

STAYING_AWAY: Final = Spec(
    name="staying_away",
    title="Staying away",
    description="How many days somebody who purchased in the last 90 will stay away, and how likely for how long.",
    answers="score",
    task="mlengine.estimators.hazard.StayingAway",
    horizon=84 * DAY,
    activity_window=90 * DAY,
    decided_by="concordance",
    min_profiles=200,
    min_events=5_000,
    min_days=260,
    backtest_cutoffs=2,
    parameters={
        "kind": "purchase",
        "history": 91 * DAY,
        "step": 14 * DAY,
        "most_cutoffs": 12,
        "rounds": 150,
        "learning_rate": 0.06,
        "leaves": 8,
        "min_in_leaf": 100,
        "columns_share": 0.3,
        "rows_share": 0.7,
        "l2": 10.0,
        "seeds": 1,
    },
    search={
        "rounds": (75, 150, 300),
        "learning_rate": (0.03, 0.06, 0.12),
        "leaves": (4, 8, 15),
        "min_in_leaf": (50, 100, 200),
        "columns_share": (0.15, 0.3, 0.6),
    },
    unit="days",
    facts={
        f"away_{days}": Fact(title=f"No purchase in the next {days} days", unit="probability")
        for days in range(7, 85, 7)
    },
)

RFM: Final = Spec(
    name="rfm",
    title="RFM segments",
    description="Eleven segments by how recently, how often and for how much people purchased in half a year.",
    answers="cluster",
    task="mlengine.estimators.rfm.Rfm",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="value_explained",
    min_profiles=50,
    min_events=500,
    min_days=182,
)

CLUSTERS: Final = Spec(
    name="clusters",
    title="Behaviour clusters",
    description="People who purchase alike, grouped without names given beforehand, and what sets them apart.",
    answers="cluster",
    task="mlengine.estimators.clusters.Clusters",
    horizon=28 * DAY,
    activity_window=182 * DAY,
    decided_by="behaviour_explained",
    min_profiles=200,
    min_events=5_000,
    min_days=182,
    parameters={"fewest": 4, "most": 8, "top_categories": 4, "least_stability": 0.7, "least_share": 0.03},
    search={"top_categories": (2, 4, 6, 8, 12)},  # more groups explain more and are of less use: how many, people say
)

VALUE: Final = Spec(
    name="value",
    title="Customer value",
    description="What somebody who purchased in the last half year will spend in the next twelve weeks.",
    answers="score",
    task="mlengine.estimators.value.Value",
    horizon=84 * DAY,
    activity_window=182 * DAY,
    decided_by="value_explained",
    min_profiles=200,
    min_events=5_000,
    min_days=350,
    backtest_cutoffs=2,
    parameters={"growing": {"rounds": 150, "leaves": 6, "min_in_leaf": 60, "l2": 10.0}, "most_cutoffs": 5},
    search={"growing": GROWN, "most_cutoffs": (3, 5, 8)},
    unit="money",
    facts={
        "purchases": Fact(title="Expected purchases", unit="count"),
        "alive": Fact(title="Still a customer", unit="probability"),
        "next_order_days": Fact(title="Days until the next order", unit="days"),
        "year": Fact(title="Expected spend in a year", unit="money"),
    },
)
