"""What the platform tells of a day, read: into lines that can be compared, and into the rows that pages show.

Two answers to the same question are compared line by line: a line that says something else, or is gone, is a correction
and is kept with both words; one that is new came late.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from campaigns.models import AccountDay, ArticleDay, ChannelAccount, Correction, Statistic

Json = dict[str, Any]
Lines = dict[str, Json]
# Whose word a line is, where a statistic has several a day: by these fields of the platform's.
KEYS: Mapping[str, str] = {
    "getusersummary": "user_source",
    "getarticleread": "msgid",
    "getarticleshare": "msgid",
    "getupstreammsg": "msg_type",
}
TOTALS: Mapping[str, str] = {
    "read_user": "readers",
    "share_user": "sharers",
    "like_user": "likers",
    "zaikan_user": "recommenders",
    "collection_user": "keepers",
    "comment_count": "comments",
}
OF_ACCOUNT: Mapping[str, str] = {
    "read_user": "readers",
    "share_user": "sharers",
    "like_user": "likers",
    "comment_count": "comments",
    "send_page_count": "published",
}
OF_CALLBACKS: Mapping[str, str] = {
    "callback_count": "callbacks",
    "fail_count": "callbacks_failed",
    "total_time_cost": "callbacks_ms",
    "max_time_cost": "slowest_ms",
}
MOST_CORRECTIONS = 200  # of one answer: an article's whole curve told anew is six lines a day
ABOUT = frozenset({"ref_date", "stat_date", "msgid", "title", "content_url", "publish_type"})  # no figures


def lines(name: str, told: Sequence[Json], day: date) -> Lines:
    """Return what was told of a day by line: its figures alone, as numbers or lists.

    >>> lines("getusersummary", [{"ref_date": "2026-03-01", "user_source": 30, "new_user": 4}], date(2026, 3, 1))
    {'30': {'user_source': 30, 'new_user': 4}}
    """
    found: Lines = {}
    for one in told:
        if one.get("ref_date") != day.isoformat():
            continue
        if name == "getarticletotaldetail":
            found |= {f"{one['msgid']} {part['stat_date']}": _figures(part) for part in one.get("detail_list", ())}
        else:
            found[str(one.get(KEYS.get(name, ""), ""))] = _figures(detail_of(one))
    return found


def detail_of(one: Json) -> Json:
    """Return a line's figures: they stand in it, or in its ``detail``."""
    return {**one, **one.get("detail", {})} if isinstance(one.get("detail"), dict) else one


def _figures(one: Json) -> Json:
    return {name: value for name, value in one.items() if name not in ABOUT and name != "detail"}


def corrected(row: Statistic, before: Lines, since: Lines, now: datetime) -> list[Correction]:
    """Return what an answer takes back of the one before it; what it leaves out now, it does not know any more."""
    found = []
    for line, figures in before.items():
        told = since.get(line, {})
        differs = {name: [value, told.get(name)] for name, value in figures.items() if told.get(name) != value}
        if differs:
            found.append(Correction(statistic=row, line=line[:100], figures=differs, noticed_at=now))
    return found[:MOST_CORRECTIONS]


def keep(row: Statistic, told: Sequence[Json], now: datetime) -> None:
    """Write what was told into the rows that pages show; told again, the later word stands."""
    WRITERS[row.name](row.account, row.day, told, now)


def _people(account: ChannelAccount, day: date, told: Sequence[Json], now: datetime) -> None:
    rows = [one for one in told if one.get("ref_date") == day.isoformat()]
    sources = {str(one.get("user_source")): _counts(one) for one in rows}
    came, left = total_of(one.get("new_user") for one in rows), total_of(one.get("cancel_user") for one in rows)
    _write(account, day, {"came": came, "left": left, "sources": sources}, now)


def _counts(told: Json) -> Json:
    return {"came": told.get("new_user"), "left": told.get("cancel_user")}


def total_of(values: Iterable[int | None]) -> int | None:
    """Return the sum of what was told; nothing told is no nought.

    >>> total_of([None, None]), total_of([None, 0])
    (None, 0)
    """
    said = [value for value in values if value is not None]
    return sum(said) if said else None


def _followers(account: ChannelAccount, day: date, told: Sequence[Json], now: datetime) -> None:
    total = next((one.get("cumulate_user") for one in told if one.get("ref_date") == day.isoformat()), None)
    _write(account, day, {"followers": total}, now)


def _of_one_line(fields: Mapping[str, str]) -> Callable[[ChannelAccount, date, Sequence[Json], datetime], None]:
    """Make a verb that keeps a statistic of one line a day."""

    def write(account: ChannelAccount, day: date, told: Sequence[Json], now: datetime) -> None:
        one = next((detail_of(one) for one in told if one.get("ref_date") == day.isoformat()), {})
        _write(account, day, {ours: one.get(theirs) for theirs, ours in fields.items()}, now)

    return write


def _written(account: ChannelAccount, day: date, told: Sequence[Json], now: datetime) -> None:
    """Keep who wrote: people who sent two sorts of messages count twice, as the platform counts by sort."""
    rows = [one for one in told if one.get("ref_date") == day.isoformat()]
    people, messages = total_of(one.get("msg_user") for one in rows), total_of(one.get("msg_count") for one in rows)
    _write(account, day, {"writers": people, "messages": messages}, now)


def _write(account: ChannelAccount, day: date, figures: Mapping[str, Any], now: datetime) -> None:
    AccountDay.objects.update_or_create(account=account, day=day, defaults={**figures, "taken_at": now})


def _articles(account: ChannelAccount, _day: date, told: Sequence[Json], now: datetime) -> None:
    keep_articles(account, told, now)


def keep_articles(account: ChannelAccount, told: Iterable[Json], now: datetime) -> int:
    """Keep what the platform told of articles since they were published, each day once; return how many days."""
    rows = [_article_day(account, one, detail, now) for one in told for detail in one.get("detail_list", ())]
    ArticleDay.objects.bulk_create(
        {(one.msgid, one.day): one for one in rows}.values(),
        update_conflicts=True,
        unique_fields=["account", "msgid", "day"],
        update_fields=[*TOTALS.values(), "delivery_rate", "finished", "sources", "title", "url", "taken_at"],
    )
    return len(rows)


def _article_day(account: ChannelAccount, told: Json, detail: Json, now: datetime) -> ArticleDay:
    return ArticleDay(
        account=account,
        msgid=str(told["msgid"])[:64],
        day=date.fromisoformat(detail["stat_date"]),
        title=str(told.get("title", ""))[:200],
        url=str(told.get("content_url", ""))[:500],
        published_on=date.fromisoformat(told["ref_date"]),
        sent=told.get("publish_type") == 0,
        delivery_rate=detail.get("read_delivery_rate"),
        finished=detail.get("read_finish_rate"),
        sources={_source(one): one.get("value", one.get("user_count")) for one in detail.get("read_user_source", ())},
        taken_at=now,
        **{ours: detail.get(theirs) for theirs, ours in TOTALS.items()},
    )


def _source(told: Json) -> str:
    """Return by which way readers came: the platform numbers it, names it, or does both."""
    return str(told.get("type") or told.get("scene_desc") or told.get("scene") or "")


def _of_a_day(theirs: str, ours: str) -> Callable[[ChannelAccount, date, Sequence[Json], datetime], None]:
    """Make a verb that keeps what one day alone brought articles, those older than a month as well.

    Of an article that was published before we knew the account neither title nor day is told: it is left out here.
    """

    def write(account: ChannelAccount, day: date, told: Sequence[Json], now: datetime) -> None:
        values = {str(one.get("msgid"))[:64]: detail_of(one).get(theirs) for one in told}
        known = ArticleDay.objects.filter(account=account, msgid__in=values).order_by("msgid", "-day")
        rows = [
            ArticleDay(
                account=account, msgid=one.msgid, day=day, title=one.title, url=one.url, published_on=one.published_on,
                sent=one.sent, taken_at=now, **{ours: values[one.msgid]},
            )
            for one in known.distinct("msgid")
        ]  # fmt: skip
        ArticleDay.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["account", "msgid", "day"], update_fields=[ours, "taken_at"]
        )

    return write


Writer = Callable[[ChannelAccount, date, Sequence[Json], datetime], None]
WRITERS: Mapping[str, Writer] = {
    "getusersummary": _people,
    "getusercumulate": _followers,
    "getarticletotaldetail": _articles,
    "getarticleread": _of_a_day("read_user", "day_readers"),
    "getarticleshare": _of_a_day("share_user", "day_sharers"),
    "getbizsummary": _of_one_line(OF_ACCOUNT),
    "getupstreammsg": _written,
    "getinterfacesummary": _of_one_line(OF_CALLBACKS),
}
