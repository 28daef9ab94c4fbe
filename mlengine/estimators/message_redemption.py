"""Who uses a coupon of a message: the probability for a person and a channel, whenever of the day it is sent.

A coupon counts for the message that it came with where the log tells, and else for all in whose window it was used.
Who redeemed before redeems again, so her own past, and how she shops anyway, must be beaten as baselines. What a
message changes is told by campaign uplift alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import narwhals as nw
import polars as pl

from mlengine.clicks import TIMES_OF_DAY
from mlengine.columns import Log
from mlengine.estimators.message_conversion import BOUGHT, ORDERED, MessageConversion
from mlengine.estimators.message_line import MessageLine
from mlengine.estimators.message_response import OF_TIME, RATES
from mlengine.messages import redeemed
from mlengine.spent import coupons_before, spent_before

COUPONS: Final = ("coupons_all", "coupons_91", "coupon_days_all")
SPENT: Final = ("value_28", "value_91", "discount_share_182")
# A coupon is used weeks later: the hour at which it was sent has nothing to do with it.
REDEEMING: Final = (*(name for name in ORDERED if name not in OF_TIME), *COUPONS, *SPENT)
SAID: Final = {"answers": "redemptions", "by_channel": "redemptions_by_channel", "message": "redemptions_of_message"}


@dataclass(frozen=True, kw_only=True)
class MessageRedemption(MessageConversion):
    """Learns which messages' coupons are used.

    Parameters
    ----------
    window : timedelta
        A coupon that is used within it counts.
    """

    window: timedelta = timedelta(days=42)
    names: tuple[str, ...] = REDEEMING

    title: ClassVar[str] = "Coupon use"
    answers: ClassVar[str] = "redemptions"
    said_by: ClassVar[str] = "coupons used after them"
    said: ClassVar[Mapping[str, str]] = SAID
    hours: ClassVar[tuple[int, ...]] = (12,)
    columns: ClassVar[tuple[str, ...]] = REDEEMING
    watched: ClassVar[tuple[str, ...]] = (*RATES, *BOUGHT, *COUPONS, *SPENT)

    alone: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "past_redemptions": ("person_rate",), "past_coupons": COUPONS, "past_orders": BOUGHT,
        "channel_redemptions": ("everybody_rate",),
    }  # fmt: skip

    def predict(self, model: MessageLine, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (the best channel), its interval, and ``by_<channel>`` with theirs; no hours."""
        return super().predict(model, log, cutoff).drop("best_hour", *(f"in_{name}" for name in TIMES_OF_DAY))

    def _known(self, log: Log, until: datetime) -> pl.DataFrame:
        return redeemed(log, until, self.window)

    def _described(self, rows: pl.DataFrame, known: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
        found = coupons_before(super()._described(rows, known, log, until), log, until)
        return spent_before(found, log, until)
