"""Who orders after a message: the probability for a person, a message, a channel and an hour.

An order counts for a message as it does in the reports of campaigns: whatever the person buys within the attribution
window after it. Most would have bought anyway, so how often and how lately somebody purchased is read beside the
messages, and must be beaten as a baseline; what a message changes is told by campaign uplift alone.

Of which campaign the next message will be nobody knows, so all messages count by one thing, a purchase, within one
window; a campaign's own goal and attribution window are those of its report. Learned each by its own, a score would be
of a mixture that no message has, and no two people's could be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

import polars as pl

from mlengine.clicks import LETTERS
from mlengine.columns import USER, Log
from mlengine.estimators.message_line import MessageLine
from mlengine.estimators.message_response import CHANNELS, COLUMNS, IS_LETTER, RATES, MessageResponse
from mlengine.messages import ordered, rates, sent
from mlengine.reasons import Reason
from mlengine.spent import bought_before

BOUGHT: Final = ("shopping_days_28", "shopping_days_91", "days_since_last_purchase")
ORDERED: Final = (*COLUMNS, f"on_{LETTERS}", *BOUGHT, "clicks_rate")
SAID: Final = {"answers": "orders", "by_channel": "orders_by_channel", "message": "orders_of_message"}


@dataclass(frozen=True, kw_only=True)
class MessageConversion(MessageResponse):
    """Learns orders after messages.

    Parameters
    ----------
    window : timedelta
        An order within it counts; two weeks, as a campaign attributes unless told otherwise.
    clicked_within : timedelta
        A click within it counts, among what is known of a person.
    least, least_answers : int
        So many messages, and orders after them, at least, to learn from.
    """

    window: timedelta = timedelta(days=14)
    clicked_within: timedelta = timedelta(days=7)
    names: tuple[str, ...] = ORDERED

    title: ClassVar[str] = "Message conversion"
    answers: ClassVar[str] = "orders"
    said_by: ClassVar[str] = "orders after them"
    said: ClassVar[Mapping[str, str]] = SAID
    channels: ClassVar[tuple[str, ...]] = (*CHANNELS, LETTERS)
    columns: ClassVar[tuple[str, ...]] = ORDERED
    watched: ClassVar[tuple[str, ...]] = (*RATES, *BOUGHT, "clicks_rate")

    alone: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "past_orders": BOUGHT, "past_conversions": ("person_rate",), "channel_orders": ("everybody_rate",),
    }  # fmt: skip

    def explain(self, model: MessageLine, log: Log, cutoff: datetime, users: Sequence[int]) -> dict[int, list[Reason]]:
        """Return up to three reasons for these people's scores, in the words of what is foreseen."""
        found = super().explain(model, log, cutoff, users)
        return {
            user: [replace(reason, code=self.said.get(reason.code, reason.code)) for reason in reasons]
            for user, reasons in found.items()
        }

    def _known(self, log: Log, until: datetime) -> pl.DataFrame:
        return ordered(log, until, self.window)

    def _described(self, rows: pl.DataFrame, known: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
        found = bought_before(super()._described(rows, known, log, until), log, until)
        clicked = sent(log, until, self.clicked_within).filter(~IS_LETTER)
        return rates(found, clicked, (USER,), "clicks", self.clicked_within).drop("clicks_messages")
