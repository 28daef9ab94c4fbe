"""The names of the columns that frames have, and the log they come from.

Rows in the database say *profile* and *item*; frames say ``user`` and ``item``. All times in a frame are naive wall
clock times in the organisation's zone (the lake writes them so), hence ``dt.hour()`` is the hour a person saw.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import narwhals as nw

T = TypeVar("T")

USER: Final = "user"
ITEM: Final = "item"
KIND: Final = "kind"
OCCURRED_AT: Final = "occurred_at"
RECEIVED_AT: Final = "received_at"
VALUE: Final = "value"
CURRENCY: Final = "currency"
QUANTITY: Final = "quantity"
DISCOUNT: Final = "discount"
SESSION: Final = "session"
CHANNEL: Final = "channel"
CAMPAIGN: Final = "campaign"
VARIANT: Final = "variant"
PROPENSITY: Final = "propensity"
MACHINE: Final = "machine"

CATEGORY: Final = "category"
BRAND: Final = "brand"
TEXT: Final = "text"
OTHER: Final = "other"
WEIGHT: Final = "weight"
ADDED_AT: Final = "added_at"
AVAILABLE_FROM: Final = "available_from"
AVAILABLE_TO: Final = "available_to"

SCORE: Final = "score"
SAID: Final = "said"
LOW: Final = "low"
HIGH: Final = "high"
RANK: Final = "rank"
REASON: Final = "reason"
CLUSTER: Final = "cluster"
LABEL: Final = "label"
AWAY: Final = "away_"  # ``away_28``: the probability of no purchase in the next 28 days
CUTOFF: Final = "cutoff"

PURCHASE: Final = "purchase"
ASSIGNED: Final = "assigned"
REDEEMED: Final = "redeemed"
SENT: Final = "sent"
CLICKED: Final = "clicked"
OPENED: Final = "opened"
DONE_TO_THEM: Final = (ASSIGNED, SENT, "delivered", "bounced", "failed", "journey_step")  # the person did nothing


@dataclass(frozen=True, kw_only=True)
class Log:
    """What may be learned from, as lazy frames of any engine that Narwhals speaks.

    Attributes
    ----------
    events : LazyFrame
        user (int64), item (int64, null when none), kind (string), occurred_at and received_at (naive datetime[us]),
        value (float64, money of one currency, null when none), quantity (float64), discount (float64 >= 0, saved),
        session (string: basket, order or visit), channel (string).
    items : LazyFrame
        item (int64), kind (string), category (string: the broadest), subcategory (string), brand (string),
        price (float64), available_from and available_to (naive datetime, null when open), text (string: what anybody
        may read about it), added_at (naive datetime: since when it is in the catalogue).
    profiles : LazyFrame
        user (int64) and coarse attributes only (age_band, gender, province, city, and such): strings, null if unknown.
    offers : LazyFrame or None
        What became of the house's own messages: user, kind (assigned, sent, opened, clicked), occurred_at, received_at,
        session (the run of a campaign; what another system called the campaign whose letters these were), channel,
        campaign (int64), variant (int64: 0 held out, -1 a journey), propensity (float64: how likely it was that the
        person got this variant), machine (1 where a program clicked).
        None where nothing was ever written of them.
    relations : LazyFrame or None
        user (int64), other (int64), kind (string), weight (float64), occurred_at (naive datetime, since when it is
        known); both are people who may be learned from. None where nothing is known of who knows whom.
    ends : datetime or None
        What the log was cut at; None where it was not.
    currency : str
        What amounts are in, as far as it is known; nothing is converted.
    foreign : int
        How many events were in another one: they are there, without their money.
    memo : dict
        What was worked out from this log and from cuts of it, for those who ask again: a backtest needs the same
        examples at many of its cutoffs. A key must name everything that the answer depends on.
    """

    events: nw.LazyFrame[Any]
    items: nw.LazyFrame[Any]
    profiles: nw.LazyFrame[Any]
    offers: nw.LazyFrame[Any] | None = None
    relations: nw.LazyFrame[Any] | None = None
    ends: datetime | None = None
    currency: str = ""
    foreign: int = 0
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def until(self, cutoff: datetime) -> "Log":
        """Return what had happened, and had arrived, strictly before ``cutoff``."""
        known = (nw.col(OCCURRED_AT) < cutoff) & (nw.col(RECEIVED_AT) < cutoff)
        offers = None if self.offers is None else self.offers.filter(known)
        relations = None if self.relations is None else self.relations.filter(nw.col(OCCURRED_AT) < cutoff)
        ends = min(cutoff, self.ends or cutoff)
        return replace(self, events=self.events.filter(known), offers=offers, relations=relations, ends=ends)

    def once(
        self, key: Hashable, cutoff: datetime, make: Callable[[], T], keep: Callable[[T], bool] = lambda _: True
    ) -> T:
        """Return what was worked out before under this key at this cutoff, or work it out, and keep it if it may be.

        A log that was cut before the cutoff knows less than one that reaches it, so the two keep apart.
        """
        place = (key, cutoff, min(cutoff, self.ends or cutoff))
        if place in self.memo:
            found: T = self.memo[place]
            return found
        made = make()
        if keep(made):
            self.memo[place] = made
        return made
