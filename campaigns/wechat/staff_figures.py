"""What WeCom counts of staff's days with customers: asked for each member alone, kept as told, changes by reading.

A day's numbers are there on the next morning. Totals of groups are snapshots: what a day brought is the difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Avg, Max, Sum

from campaigns.channels.wechat import wecom
from campaigns.models import ChannelAccount, Staff, StaffDay
from campaigns.wechat.paging import Page, Place
from crm.models import JobRun

KIND = "wecom_figures"
SHANGHAI = ZoneInfo("Asia/Shanghai")
BACK = 30  # days: as many as one question may be about
AGAIN = 2  # days that are asked for a second time: late answers change them
OWNERS = 100  # of one question about groups
# The platform's names, and ours.
OF_CUSTOMERS: Mapping[str, str] = {
    "chat_cnt": "chats",
    "message_cnt": "messages",
    "reply_percentage": "replied",
    "avg_reply_time": "answer_minutes",
    "new_apply_cnt": "asked",
    "new_contact_cnt": "added",
    "negative_feedback_cnt": "lost",
}
OF_GROUPS: Mapping[str, str] = {
    "new_chat_cnt": "group_new",
    "chat_total": "group_total",
    "new_member_cnt": "group_members_new",
    "member_total": "group_members_total",
    "msg_total": "group_messages",
}


class Figures:
    """The days of all staff, member by member; then their groups of yesterday."""

    def __init__(self, account: ChannelAccount) -> None:
        self.account = account

    def fetch(self, place: Place, now: datetime) -> Page:
        """Ask about the one whose turn it is, or a hundred owners of groups."""
        yesterday = now.astimezone(SHANGHAI).date() - timedelta(days=1)
        if "staff" not in place:
            names = list(Staff.objects.filter(account=self.account, active=True).order_by("pk").values_list("userid"))
            begun = {"staff": [name for (name,) in names], "turn": 0, "groups": 0}
            return Page(rows=None, then=begun if names else None, size=0)
        if place["turn"] < len(place["staff"]):
            userid = place["staff"][place["turn"]]
            first = _first(self.account, userid, yesterday)
            asked = {"userid": [userid], "start_time": _seconds(first), "end_time": _seconds(yesterday)}
            told = wecom.externalcontact_get_user_behavior_data(self.account, asked)
            rows = [(userid, _day(one), _of(one, OF_CUSTOMERS)) for one in told.get("behavior_data") or ()]
            return Page(rows=rows, then={**place, "turn": place["turn"] + 1}, size=len(rows))
        owners = place["staff"][place["groups"] : place["groups"] + OWNERS]
        rows = _groups(self.account, owners, yesterday)
        after = place["groups"] + OWNERS
        return Page(rows=rows, then={**place, "groups": after} if after < len(place["staff"]) else None, size=len(rows))

    def write(self, page: Page, job: JobRun, now: datetime) -> None:
        """Keep what was told; told again, the later word stands."""
        if page.rows:
            keep(self.account, page.rows, now)


def _first(account: ChannelAccount, userid: str, yesterday: date) -> date:
    """Return from which day on somebody is asked for."""
    rows = StaffDay.objects.filter(staff__account=account, staff__userid=userid).exclude(chats=None, added=None)
    last = rows.aggregate(last=Max("day"))["last"]
    earliest = yesterday - timedelta(days=BACK - 1)
    return min(yesterday, max(earliest, last - timedelta(days=AGAIN - 1))) if last else earliest


def _groups(account: ChannelAccount, owners: Sequence[str], day: date) -> list[tuple[str, date, dict[str, Any]]]:
    asked = {"day_begin_time": _seconds(day), "owner_filter": {"userid_list": list(owners)}, "limit": 1000}
    told = wecom.externalcontact_groupchat_statistic(account, asked)
    return [(str(one.get("owner")), day, _of(one.get("data") or {}, OF_GROUPS)) for one in told.get("items") or ()]


def _of(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what was told by our names; what was not told is not there, so it stays what it was."""
    return {ours: told[theirs] for theirs, ours in names.items() if told.get(theirs) is not None}


def _day(told: Mapping[str, Any]) -> date:
    return datetime.fromtimestamp(int(told["stat_time"]), SHANGHAI).date()


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time(), SHANGHAI).timestamp())


def keep(account: ChannelAccount, rows: Sequence[tuple[str, date, Mapping[str, Any]]], now: datetime) -> int:
    """Keep days of staff; of whom we do not know, nothing."""
    staff = {one.userid: one for one in Staff.objects.filter(account=account, userid__in={row[0] for row in rows})}
    done = 0
    for userid, day, facts in rows:
        if userid in staff and facts:
            StaffDay.objects.update_or_create(staff=staff[userid], day=day, defaults={**facts, "taken_at": now})
            done += 1
    return done


SUMS = ("chats", "messages", "asked", "added", "lost")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One member of staff over some days, beside as many days before; null where the platform told nothing."""

    staff: Staff
    now: Mapping[str, Any]
    before: Mapping[str, Any]
    members: int | None
    members_more: int | None


def lines(account: ChannelAccount, until: date, count: int) -> list[Line]:
    """Return a line for each member of staff with days in the period or the one before."""
    first = until - timedelta(days=count - 1)
    rows = StaffDay.objects.filter(staff__account=account, day__lte=until)
    now, before = (
        _sums(rows.filter(day__gte=first)),
        _sums(rows.filter(day__lt=first, day__gte=first - timedelta(days=count))),
    )
    last, start = _members(rows.filter(day__gte=first)), _members(rows.filter(day__lt=first))
    there = Staff.objects.filter(pk__in=now.keys() | before.keys()).order_by("-active", "userid")
    nothing: Mapping[str, Any] = dict.fromkeys((*SUMS, "replied", "answer_minutes"))
    return [
        Line(
            staff=one,
            now=now.get(one.pk, nothing),
            before=before.get(one.pk, nothing),
            members=last.get(one.pk),
            members_more=last[one.pk] - start[one.pk] if one.pk in last and one.pk in start else None,
        )
        for one in there
    ]


def _sums(rows: Any) -> dict[int, dict[str, Any]]:
    sums = {name: Sum(name) for name in SUMS} | {name: Avg(name) for name in ("replied", "answer_minutes")}
    found = rows.values("staff").order_by().annotate(**{f"of_{name}": what for name, what in sums.items()})
    return {row["staff"]: {name: row[f"of_{name}"] for name in sums} for row in found}


def _members(rows: Any) -> dict[int, int]:
    """Return the last total of members of each one's groups."""
    last = rows.exclude(group_members_total=None).order_by("staff", "-day").distinct("staff")
    return dict(last.values_list("staff", "group_members_total"))


def by_day(account: ChannelAccount, until: date, count: int) -> list[Mapping[str, Any]]:
    """Return the sums of all staff for each day in order; null for a day of which nothing was told."""
    first = until - timedelta(days=count - 1)
    rows = StaffDay.objects.filter(staff__account=account, day__range=(first, until)).order_by("day").values("day")
    summed: Any = rows.annotate(**{f"of_{name}": Sum(name) for name in SUMS})
    found = {row["day"]: row for row in summed}
    return [
        {name: found[day][f"of_{name}"] if day in found else None for name in SUMS} | {"day": day}
        for day in (first + timedelta(days=n) for n in range(count))
    ]
