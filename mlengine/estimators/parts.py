"""People a part at a time: what is worked out of a million needs no more memory than that of two hundred thousand.

Of each part the events are read once and stay in memory while its answers are made, which is also faster than asking
the files for everybody at once: tables of a part fit into the processor's cache.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import narwhals as nw

from mlengine import labels
from mlengine.columns import SENT, USER, Log

SOME: Final = 50_000  # people: a share among so many is off by less than half a percent
AT_ONCE: Final = 200_000  # people: with twenty events each about 400 MB of events, and as much again of features
_PRIME, _FACTOR = 2_147_483_647, 1_291_394_886  # the product fits into 64 bits; neighbours fall far from each other


def active(log: Log, cutoff: datetime, activity_window: timedelta, kind: str) -> nw.DataFrame[Any]:
    """Return ``user`` of everybody active before ``cutoff``, in order; asked once of a log."""

    def found() -> nw.DataFrame[Any]:
        return labels.active(log, cutoff, activity_window, kind).collect("polars").sort(USER)

    return log.once(("active", activity_window, kind), cutoff, found)


def each_part(
    log: Log,
    cutoff: datetime,
    activity_window: timedelta,
    kind: str,
    answer: Callable[[Log], nw.DataFrame[Any]],
) -> nw.DataFrame[Any]:
    """Return what ``answer`` makes of the log; of many people, of a log for each part of them, rows under each other.

    Parameters
    ----------
    log, cutoff, activity_window, kind
        Parts are made of the people active before the cutoff, ``AT_ONCE`` of them each, in the order of users.
    answer : callable (Log) -> DataFrame
        Rows of the people active before the cutoff, in the order of users; those of one person must not depend on
        the events of others, nor on what comes after the cutoff.
    """
    if not log.events.implementation.is_polars():  # a cluster has memory for everybody
        return answer(log)
    everybody = active(log, cutoff, activity_window, kind)
    if len(everybody) <= AT_ONCE:
        return answer(log)
    begins = range(0, len(everybody), AT_ONCE)
    return nw.concat([answer(only(log, cutoff, everybody[begin : begin + AT_ONCE])) for begin in begins])


def among(log: Log, cutoff: datetime, activity_window: timedelta, kind: str, users: Sequence[int]) -> Log:
    """Return the log of these people alone where everybody would be asked part by part, else the log itself."""
    if not users or not log.events.implementation.is_polars():
        return log
    if len(active(log, cutoff, activity_window, kind)) <= AT_ONCE:
        return log
    return only(log, cutoff, nw.new_series(USER, list(users), nw.Int64, backend="polars").to_frame())


def only(log: Log, cutoff: datetime, people: nw.DataFrame[Any]) -> Log:
    """Return the log of these people (``user``, at least one) until the cutoff, their events in memory."""
    among = (nw.col(USER) >= people[USER].min()) & (nw.col(USER) <= people[USER].max())  # before the costlier join
    events = log.until(cutoff).events.filter(among).join(people.lazy(), on=USER, how="semi")
    return replace(log, events=events.collect("polars").lazy(), memo={})


def some(log: Log, cutoff: datetime, activity_window: timedelta, kind: str) -> Log:
    """Return the log of about ``SOME`` of the people asked about, the same ones each time; where no more are, itself.

    For questions about how people are as a whole, where what more of them would add is below what is told. Of whoever
    was not active of late nothing is asked, so those do not count, however many the log has of them.
    """
    return sampled(log, SOME / max(_asked(log, cutoff, activity_window, kind), 1))


def _asked(log: Log, cutoff: datetime, activity_window: timedelta, kind: str) -> int:
    """Return how many people were active before the cutoff; where messages are asked about, how many were sent one."""
    told = replace(log, events=log.offers) if kind == SENT and log.offers is not None else log
    return int(labels.active(told, cutoff, activity_window, kind).select(nw.len()).collect("polars").item())


def sampled(log: Log, share: float) -> Log:
    """Return the log of a share of its people, the same ones each time; the log itself if the share is one or more.

    Who is taken follows from a scrambled number (multiplied by a prime, modulo another), so that any engine picks the
    same people, and features are built of those alone.
    """
    if share >= 1.0:
        return log
    scrambled = (nw.col(USER) % _PRIME) * _FACTOR % _PRIME
    taken = scrambled < int(share * _PRIME)
    events, offers = log.events.filter(taken), None if log.offers is None else log.offers.filter(taken)
    if events.implementation.is_polars():  # one memory: read the files once, not for each cutoff and family
        events = events.collect().lazy()
    return replace(log, events=events, offers=offers, memo={})
