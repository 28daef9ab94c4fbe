"""Which statistics the platform is asked for, day by day, and when each is asked again.

The numbers of a day are ready on the next morning in Shanghai, and sometimes later (``is_delay``, or an empty list in
the first hours). Some days after that they are asked for again, since the platform corrects what it has said; an
article's own are asked for on each day of the month in which the platform follows it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import Action, WeChatError
from campaigns.models import ChannelAccount, Correction, Statistic
from campaigns.wechat import days, foreign_sends, told_statistics
from campaigns.wechat.words import said

READY = time(8, 30)  # the platform says eight
BACK = 30  # days that a newly connected account is asked for
AGAIN = (timedelta(hours=1), timedelta(hours=2), timedelta(hours=6), timedelta(hours=24))
MOST_TRIES = 12
AT_ONCE = 120  # calls of one tick
A_DAY = timedelta(days=1)
TOTAL, ARTICLES = "getusercumulate", "getarticletotaldetail"
# By name: how many days after the first a day is asked for again.
ASKED: Mapping[str, Sequence[int]] = {
    "getusersummary": (1, 3),
    "getusercumulate": (1, 3),
    "getarticletotaldetail": tuple(range(1, 30)),
    "getarticleread": (1, 3),
    "getarticleshare": (1, 3),
    "getbizsummary": (1, 3, 7, 30),
    "getupstreammsg": (1, 3),
    "getinterfacesummary": (1,),
}
# An account that is not let in, and a right that it has not, are not tried again with the next day.
OF_THE_ACCOUNT = frozenset({Action.AUTH, Action.BANNED, Action.TOKEN})
OF_THE_CALL = frozenset({Action.CAPABILITY, Action.QUOTA})


class Delayed(Exception):
    """The platform has not counted the day yet."""


def note_days(account: ChannelAccount, now: datetime) -> int:
    """Write down which days of an account are to be asked for; return how many questions are new."""
    yesterday = days.day_of(now) - A_DAY
    first = max(yesterday - timedelta(days=BACK - 1), days.day_of(account.created_at) - timedelta(days=7))
    wanted = [first + timedelta(days=n) for n in range((yesterday - first).days + 1)]
    there = set(Statistic.objects.filter(account=account, day__in=wanted).values_list("name", "day"))
    rows = [
        Statistic(account=account, name=name, day=day, due_at=ready(day))
        for day in wanted
        for name in ASKED
        if (name, day) not in there
    ]
    Statistic.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def ready(day: date) -> datetime:
    """Return when a day's numbers are promised."""
    return datetime.combine(day + A_DAY, READY, days.SHANGHAI)


def take_due(now: datetime) -> int:
    """Ask for what is due, of every working official account; return how many questions were answered."""
    accounts = list(ChannelAccount.objects.filter(provider="wechat_official", status=ChannelAccount.Status.ACTIVE))
    for account in accounts:
        note_days(account, now)
    return sum(take_of(account, now, AT_ONCE // len(accounts) or 1) for account in accounts)


def take_of(account: ChannelAccount, now: datetime, most: int) -> int:
    """Ask for what is due of one account, the latest days first; return how many questions were answered."""
    due = Statistic.objects.filter(account=account, due_at__lte=now).order_by("-day", "pk").select_related("account")
    done, left_out = 0, set[str]()
    for row in list(due[:most]):
        if row.name in left_out:
            continue
        try:
            done += take(row, now)
        except WeChatError as error:
            if error.action in OF_THE_ACCOUNT:
                return done
            left_out.add(row.name)
            _wait(row, now, error)
    return done


def take(row: Statistic, now: datetime) -> bool:
    """Ask for one statistic of one day, and keep what is told; False where the platform wants to be asked again.

    Raises
    ------
    WeChatError
        It is no use to ask for other days now: the account, or this call of it, is refused.
    """
    try:
        told = _told(row)
    except Delayed:
        _later(row, now, "")
        return False
    except WeChatError as error:
        _later(row, now, said(error)[:300])
        if error.action in OF_THE_ACCOUNT | OF_THE_CALL:
            raise
        return False
    before, since = (told_statistics.lines(row.name, one or [], row.day) for one in (row.told, told))
    with transaction.atomic():
        if row.taken_at is not None:
            Correction.objects.bulk_create(told_statistics.corrected(row, before, since, now))
        row.told, row.problem, row.tries, row.taken_at = told, "", 0, now
        row.due_at = next_time(row.name, row.day, now)
        row.save()
        told_statistics.keep(row, told, now)
        if row.name == ARTICLES:
            foreign_sends.of_articles(row.account, told)
    return True


def next_time(name: str, day: date, now: datetime) -> datetime | None:
    """Return when a day that was told is asked for again; nothing where its last word has been heard.

    >>> from datetime import UTC
    >>> str(next_time("getusersummary", date(2026, 3, 1), datetime(2026, 3, 2, 2, tzinfo=UTC)))
    '2026-03-03 08:30:00+08:00'
    """
    asked = (ready(day) + timedelta(days=after) for after in ASKED[name])
    return next((moment for moment in asked if moment > now), None)


def _told(row: Statistic) -> list[dict[str, Any]]:
    """Return a statistic of one day.

    Raises
    ------
    Delayed
        The platform says that it has not counted it yet.
    """
    told = official.datacube(row.account, row.name, row.day, row.day)
    if told.get("is_delay"):
        raise Delayed
    found = told.get("list")
    rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if not rows and row.name == TOTAL:
        raise Delayed  # every account has a total, if it be nought
    return rows


def _later(row: Statistic, now: datetime, problem: str) -> None:
    row.tries += 1
    row.problem = problem
    row.due_at = None if row.tries >= MOST_TRIES else now + AGAIN[min(row.tries, len(AGAIN)) - 1]
    row.save(update_fields=["tries", "problem", "due_at"])


def _wait(row: Statistic, now: datetime, error: WeChatError) -> None:
    """Let all days of a call wait that the account may not make today: the platform would say the same of each."""
    until = days.midnight_after(now) if error.action is Action.QUOTA else now + A_DAY
    waiting = Statistic.objects.filter(account=row.account, name=row.name, due_at__isnull=False, due_at__lt=until)
    waiting.update(due_at=until, problem=said(error)[:300])
