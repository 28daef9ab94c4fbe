"""What campaigns reached somebody and what came back, beside purchases."""

from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import ASSIGNED, DONE_TO_THEM, KIND, OCCURRED_AT, PURCHASE, REDEEMED, USER, Log
from mlengine.features.days import count_where, days_ago, within


def engagement(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return campaigns assigned, coupons redeemed and other visits.

    Columns: ``assigned_28``, ``assigned_91``, ``assigned_all``; ``redeemed_91``, ``redeemed_all``;
    ``days_since_assigned``, ``days_since_redeemed`` (null if never); ``visits_28``: events of any kind that somebody
    made (all but purchases, and what was done to them: assigned, sent and what became of it) in 28 days.
    """
    events = log.until(cutoff).events.with_columns(days_ago=days_ago(nw.col(OCCURRED_AT), cutoff))
    assigned, redeemed = nw.col(KIND) == ASSIGNED, nw.col(KIND) == REDEEMED
    other = ~nw.col(KIND).is_in([*DONE_TO_THEM, PURCHASE])
    return events.group_by(USER).agg(
        *[count_where(assigned & within(n)).alias(f"assigned_{n}") for n in (28, 91)],
        count_where(assigned).alias("assigned_all"),
        count_where(redeemed & within(91)).alias("redeemed_91"),
        count_where(redeemed).alias("redeemed_all"),
        nw.when(assigned).then(nw.col("days_ago")).min().alias("days_since_assigned"),
        nw.when(redeemed).then(nw.col("days_ago")).min().alias("days_since_redeemed"),
        count_where(other & within(28)).alias("visits_28"),
    )
