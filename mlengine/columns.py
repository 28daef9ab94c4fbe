"""The names of the columns that frames have, and the log they come from.

Rows in the database say *profile* and *item*; frames say ``user`` and ``item``. All times in a frame are naive wall
clock times in the organisation's zone (the lake writes them so), hence ``dt.hour()`` is the hour a person saw.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import narwhals as nw

USER: Final = "user"
ITEM: Final = "item"
KIND: Final = "kind"
OCCURRED_AT: Final = "occurred_at"
RECEIVED_AT: Final = "received_at"
VALUE: Final = "value"
QUANTITY: Final = "quantity"
DISCOUNT: Final = "discount"
SESSION: Final = "session"
CHANNEL: Final = "channel"

CATEGORY: Final = "category"
AVAILABLE_FROM: Final = "available_from"
AVAILABLE_TO: Final = "available_to"

SCORE: Final = "score"
RANK: Final = "rank"
REASON: Final = "reason"
CLUSTER: Final = "cluster"
LABEL: Final = "label"
CUTOFF: Final = "cutoff"

PURCHASE: Final = "purchase"
ASSIGNED: Final = "assigned"
REDEEMED: Final = "redeemed"


@dataclass(frozen=True, kw_only=True)
class Log:
    """What may be learned from, as lazy frames of any engine that Narwhals speaks.

    Attributes
    ----------
    events : LazyFrame
        user (int64), item (int64, null when none), kind (string), occurred_at and received_at (naive datetime[us]),
        value (float64, money, null when none), quantity (float64), discount (float64 >= 0, money saved),
        session (string: basket, order or visit), channel (string).
    items : LazyFrame
        item (int64), kind (string), category (string: the broadest), subcategory (string), brand (string),
        price (float64), available_from and available_to (naive datetime, null when open).
    profiles : LazyFrame
        user (int64) and coarse attributes only (age_band, gender, province, city, and such): strings, null if unknown.
    """

    events: nw.LazyFrame[Any]
    items: nw.LazyFrame[Any]
    profiles: nw.LazyFrame[Any]

    def until(self, cutoff: datetime) -> "Log":
        """Return what had happened, and had arrived, strictly before ``cutoff``."""
        known = (nw.col(OCCURRED_AT) < cutoff) & (nw.col(RECEIVED_AT) < cutoff)
        return Log(events=self.events.filter(known), items=self.items, profiles=self.profiles)
