"""Made-up worlds of messages: one whose probabilities are known, and one that sends the same few again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.clicks import TIMES_OF_DAY, time_of_day
from mlengine.columns import Log
from tests.mlengine.frames import log_of, purchases

Array = NDArray[Any]

DAY = timedelta(days=1)
BEGAN = datetime(2025, 3, 3)
TIMES = [*TIMES_OF_DAY]
CHANNELS = ("email", "sms")


def offers(user: Array, at: Sequence[datetime], channel: Array, variant: Array, did: Array) -> pl.DataFrame:
    """Return messages as sent, and a click an hour after each that was answered."""
    number = pl.Series(range(len(user)), dtype=pl.String)
    sent = pl.DataFrame(
        {"user": user, "kind": "sent", "occurred_at": at, "channel": channel, "session": number, "variant": variant},
        schema_overrides={"user": pl.Int64, "occurred_at": pl.Datetime("us"), "variant": pl.Int64},
    )
    clicked = sent.filter(pl.Series(did)).with_columns(
        pl.col("occurred_at") + timedelta(hours=1), kind=pl.lit("clicked")
    )
    return pl.concat([sent, clicked]).with_columns(
        received_at="occurred_at", campaign=pl.lit(1), propensity=pl.lit(1.0), machine=pl.lit(None, pl.Int64)
    )


def with_offers(rows: pl.DataFrame, bought: list[tuple[int, datetime, float]], **facts: list[str]) -> Log:
    people = rows["user"].unique().sort()
    log = log_of(purchases(bought), profiles=pl.DataFrame({"user": people, **facts}))
    return Log(events=log.events, items=log.items, profiles=log.profiles, offers=nw.from_native(rows.lazy()))


@dataclass(frozen=True, kw_only=True)
class World:
    """People with a chance of their own, less by e-mail, and more at a time of the day of their own."""

    taste: float = 0.0  # how much it adds to the log-odds
    people: int = 400
    days: int = 168
    seed: int = 0

    def chance(self, user: Array, channel: Array, hour: Array) -> Array:
        at_her_time = [TIMES[one % 4] == time_of_day(when) for one, when in zip(user, hour, strict=True)]
        odds = np.array([-2.5, -1.5, 0.0])[user % 3] - 1.0 * (channel == "email") + self.taste * np.array(at_her_time)
        return np.asarray(1 / (1 + np.exp(-odds)))

    @cache  # noqa: B019 (a handful of worlds)
    def log(self) -> Log:
        """Return the log of messages, one in six days on a channel and at an hour drawn by lot, and of clicks."""
        rng = np.random.default_rng(self.seed)
        user = np.tile(np.arange(1, self.people + 1), self.days // 6)
        day = np.repeat(np.arange(0, self.days, 6), self.people)[: len(user)] + rng.integers(0, 6, len(user))
        channel, hour = rng.choice(CHANNELS, len(user)), rng.choice([8, 9, 10, 12, 14, 16, 18, 20, 22], len(user))
        did = rng.random(len(user)) < self.chance(user, channel, hour)
        at = [BEGAN + timedelta(days=int(days), hours=int(hours)) for days, hours in zip(day, hour, strict=True)]
        return with_offers(offers(user, at, channel, day // 7, did), [(1, BEGAN, 1.0)])


@cache
def shop() -> Log:
    """Return 300 people sent one of three messages every twelve days, by SMS and by e-mail in turn.

    Every second one buys every three weeks or so, whatever is sent; every third orders after half of the SMS.
    """
    rng = np.random.default_rng(0)
    began = BEGAN + timedelta(hours=10)
    rows: list[tuple[int, datetime, str, int, bool]] = []
    bought: list[tuple[int, datetime, float]] = []
    for user in range(1, 301):
        at = began + DAY * float(rng.uniform(0, 20))
        while user % 2 and at < began + 294 * DAY:
            bought.append((user, at, 20.0))
            at += DAY * float(rng.gamma(4, 5))
        for n in range(24):
            sent_at = began + timedelta(days=12 * n + 3, hours=4 * (n % 3))
            did = rng.random() < (0.03 if n % 2 or user % 3 != 1 else 0.5)
            clicked = bool(did or rng.random() < 0.05)
            if did:
                bought.append((user, sent_at + DAY * float(rng.uniform(0, 10)), 30.0))
            rows.append((user, sent_at, CHANNELS[1 - n % 2], 5 + n % 3, clicked))
    who, when, channel, variant, answered = zip(*rows, strict=True)
    bands = ["old" if one % 2 else "young" for one in range(1, 301)]
    told = offers(np.array(who), when, np.array(channel), np.array(variant), np.array(answered))
    return with_offers(told, bought, age_band=bands)
