"""What is known of an account's days and articles: totals as the platform told them, changes worked out by reading.

An article's figures are totals since its publication, so what one day brought is the difference to the day before. What
the platform leaves out is null, and so is every difference to it. Where it takes back what it said, its later word
stands, and both are kept (:func:`corrections`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import QuerySet

from campaigns.models import AccountDay, ArticleDay, ChannelAccount, Correction, Statistic
from campaigns.wechat.told_statistics import TOTALS

# By which way people came, as the platform numbers it.
SOURCES: Mapping[str, str] = {"0": "other", "1": "search", "17": "card", "30": "qr", "57": "article", "100": "advert"}
DELTAS = ("followers", "readers", "sharers", "messages")  # of an account's day, to the day before


@dataclass(frozen=True, kw_only=True)
class Change:
    """An article on one day: its totals until then, and what this day brought (null where either is not known)."""

    day: date
    totals: Mapping[str, int | None]
    brought: Mapping[str, int | None]
    alone: int | None = None  # readers of this day alone, who may have read it before


def changes(account: ChannelAccount, msgid: str) -> list[Change]:
    """Return the days of an article with what each brought; of the first, what the total says."""
    rows = ArticleDay.objects.filter(account=account, msgid=msgid).order_by("day")
    return _changes(list(rows))


def _changes(rows: Sequence[ArticleDay]) -> list[Change]:
    found: list[Change] = []
    for place, row in enumerate(rows):
        totals = {name: getattr(row, name) for name in TOTALS.values()}
        before = rows[place - 1] if place else None
        consecutive = before is not None and before.day == row.day - timedelta(days=1)
        if before is None and row.day == row.published_on:
            brought: dict[str, int | None] = dict(totals)
        elif consecutive:
            brought = {name: _minus(value, getattr(before, name)) for name, value in totals.items()}
        else:
            brought = dict.fromkeys(totals)  # a day is missing: nobody knows which of the two brought it
        found.append(Change(day=row.day, totals=totals, brought=brought, alone=row.day_readers))
    return found


def _minus(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before


@dataclass(frozen=True, kw_only=True)
class ArticleLine:
    """An article as a line of a table: its last totals."""

    msgid: str
    title: str
    url: str
    published_on: date
    sent: bool
    last: ArticleDay


def articles(account: ChannelAccount, since: date) -> list[ArticleLine]:
    """Return the articles that were published since a day, the newest first, each with its last totals."""
    rows = ArticleDay.objects.filter(account=account, published_on__gte=since).order_by("msgid", "day")
    # After a month the platform tells of single days only: the last totals are those of a day before.
    last: dict[str, ArticleDay] = {}
    for row in rows:
        if row.msgid not in last or any(getattr(row, name) is not None for name in TOTALS.values()):
            last[row.msgid] = row
    found = [
        ArticleLine(
            msgid=row.msgid, title=row.title, url=row.url, published_on=row.published_on, sent=row.sent, last=row
        )
        for row in last.values()
    ]
    return sorted(found, key=lambda one: (one.published_on, one.msgid), reverse=True)


def days(account: ChannelAccount, until: date, count: int = 30) -> list[AccountDay | None]:
    """Return the last days in order; None for a day of which nothing is known."""
    first = until - timedelta(days=count - 1)
    there = {row.day: row for row in AccountDay.objects.filter(account=account, day__range=(first, until))}
    return [there.get(first + timedelta(days=n)) for n in range(count)]


def moved(rows: Sequence[AccountDay | None]) -> list[dict[str, int | None]]:
    """Return by how much each day's figures differ from the day before; null where either is not known."""
    before: list[AccountDay | None] = [None, *rows[:-1]]
    return [
        {name: _minus(getattr(now, name, None), getattr(then, name, None)) for name in DELTAS}
        for now, then in zip(rows, before, strict=True)
    ]


def corrections(account: ChannelAccount, since: datetime) -> QuerySet[Correction]:
    """Return what the platform took back since a moment, the latest first."""
    rows = Correction.objects.filter(statistic__account=account, noticed_at__gte=since)
    return rows.select_related("statistic").order_by("-noticed_at", "-statistic__day", "pk")


def waiting(account: ChannelAccount, now: datetime) -> QuerySet[Statistic]:
    """Return the questions whose day is over and that the platform has not answered at all, the latest first."""
    return Statistic.objects.filter(account=account, taken_at=None).order_by("-day", "pk")


def by_source(rows: Iterable[AccountDay | None]) -> dict[str, int]:
    """Return how many came by each way."""
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        for source, counts in (row.sources if row else {}).items():
            found[SOURCES.get(source, "other")] += counts.get("came") or 0
    return dict(found)
