"""What the platform counts of an account and its articles: totals as it told them, and what each day brought."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from campaigns.admin.wechat_parts import about, official_accounts
from campaigns.models import AccountDay, ChannelAccount, Correction
from campaigns.wechat import asking_statistics, days, statistics
from campaigns.wechat.told_statistics import TOTALS
from crm.admin.lists import ReadOnlyAdmin
from crm.charts import Chart, Series

DAYS, ARTICLE_DAYS, TABLE_DAYS, CORRECTION_DAYS = 30, 60, 14, 30
MOST_CORRECTIONS = 12
ASKED_AT_ONCE = 60  # questions of one press of the button
WAYS = {
    "search": _("search"),
    "card": _("card of a friend"),
    "qr": _("QR code"),
    "article": _("name in an article"),
    "advert": _("advertisement"),
    "other": _("another way"),
}
COLUMNS = {
    "readers": _("Readers"),
    "sharers": _("Shared by"),
    "likers": _("Liked by"),
    "recommenders": _("Recommended by"),
    "keepers": _("Kept by"),
    "comments": _("Comments"),
}
# What the platform calls its figures, in our words; others keep its name.
FIGURES = {
    "new_user": _("Came"),
    "cancel_user": _("Left"),
    "cumulate_user": _("Followers"),
    **{theirs: COLUMNS[ours] for theirs, ours in TOTALS.items()},
    "msg_count": _("Messages"),
    "callback_count": _("Callbacks"),
}
# What the platform's statistics are about.
NAMES = {
    "getusersummary": _("who came and left"),
    "getusercumulate": _("followers"),
    "getarticletotaldetail": _("articles since publication"),
    "getarticleread": _("readers of the day"),
    "getarticleshare": _("shared on the day"),
    "getbizsummary": _("all that is published"),
    "getupstreammsg": _("messages of followers"),
    "getinterfacesummary": _("answers of this server"),
}


@admin.register(AccountDay)
class AccountDayAdmin(ReadOnlyAdmin):
    """One page an account: followers day by day, by which way they came, and its articles."""

    fields = ("account", "day", "followers", "came", "left", "readers", "sharers", "messages", "taken_at")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("article/<int:account>/<str:msgid>/", view(self.article_view), name="campaigns_accountday_article"),
            path("ask/<int:account>/", view(self.ask_view), name="campaigns_accountday_ask"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        head = about(request)
        account = head["account"]
        facts = _facts(account) if account else {}
        context = self.admin_site.each_context(request) | head | facts
        context |= {"title": gettext("Statistics of the platform"), "opts": self.opts}
        context["may_ask"] = request.user.has_perm("campaigns.change_accountday")
        return TemplateResponse(request, "zhiyin/wechat/statistics.html", context)

    def article_view(self, request: HttpRequest, account: int, msgid: str) -> HttpResponse:
        """Show an article's days: totals, and what each day brought."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        one = get_object_or_404(official_accounts(), pk=account)
        told = statistics.changes(one, msgid)
        line = next((row for row in statistics.articles(one, date(2020, 1, 1)) if row.msgid == msgid), None)
        if line is None:
            raise Http404
        context = self.admin_site.each_context(request) | {
            "title": line.title,
            "opts": self.opts,
            "line": line,
            "columns": COLUMNS.values(),
            "rows": [
                (one.day, one.alone, [(one.totals[n], one.brought[n]) for n in COLUMNS]) for one in reversed(told)
            ],
            "chart": _readers(told),
            "back": f"{reverse('admin:campaigns_accountday_changelist')}?account={account}",
        }
        return TemplateResponse(request, "zhiyin/wechat/article_days.html", context)

    @method_decorator(require_POST)
    def ask_view(self, request: HttpRequest, account: int) -> HttpResponse:
        """Ask for what waits, now."""
        if not request.user.has_perm("campaigns.change_accountday"):
            raise PermissionDenied
        one = get_object_or_404(official_accounts(), pk=account)
        now = timezone.now()
        asking_statistics.note_days(one, now)
        done = asking_statistics.take_of(one, now, ASKED_AT_ONCE)
        messages.info(
            request, ngettext("%(count)d answer was taken.", "%(count)d answers were taken.", done) % {"count": done}
        )
        return redirect(f"{reverse('admin:campaigns_accountday_changelist')}?account={account}")


def _facts(account: ChannelAccount) -> dict[str, Any]:
    now = timezone.now()
    yesterday = days.day_of(now) - timedelta(days=1)
    rows = statistics.days(account, yesterday, DAYS)
    waiting = list(statistics.waiting(account, now))
    found = statistics.corrections(account, now - timedelta(days=CORRECTION_DAYS))
    return {
        "charts": [
            _followers(rows, yesterday),
            _moves(rows, yesterday),
            _ways(rows),
            _read(rows, yesterday),
            _heard(rows, yesterday),
        ],
        "articles": statistics.articles(account, yesterday - timedelta(days=ARTICLE_DAYS)),
        "columns": COLUMNS.values(),
        "table": _table(rows),
        "corrections": [_corrected(one) for one in found[:MOST_CORRECTIONS]],
        "corrected": found.count(),
        "waiting": len({one.day for one in waiting}),
        "problems": _problems(account),
        "delayed": any(one.tries and not one.problem for one in waiting),
        "latest": next((row for row in reversed(rows) if row and row.taken_at), None),
    }


def _problems(account: ChannelAccount) -> list[tuple[Any, str]]:
    """Return which statistics are refused, each with the platform's last word."""
    rows = account.statistics.exclude(problem="").order_by("name", "-day").distinct("name")
    return [(NAMES.get(one.name, one.name), one.problem) for one in rows]


def _table(rows: Sequence[AccountDay | None]) -> list[tuple[AccountDay, dict[str, int | None], int | None]]:
    """Return the last days, each with what it brought and how long an answer of this server took."""
    both = list(zip(rows, statistics.moved(rows), strict=True))[-TABLE_DAYS:]
    return [(row, brought, _mean_ms(row)) for row, brought in reversed(both) if row and row.taken_at]


def _mean_ms(row: AccountDay) -> int | None:
    return round(row.callbacks_ms / row.callbacks) if row.callbacks and row.callbacks_ms is not None else None


def _corrected(one: Correction) -> dict[str, Any]:
    told = {name: both for name, both in one.figures.items() if not isinstance(both[0], list)}
    figures = [(FIGURES.get(name, name), before, since) for name, (before, since) in told.items()]
    name, line = one.statistic.name, one.line
    if name == "getusersummary":
        line = str(WAYS[statistics.SOURCES.get(line, "other")])
    return {
        "day": one.statistic.day,
        "about": NAMES.get(name, name),
        "line": line,
        "figures": figures,
        "at": one.noticed_at,
    }


def _labels(until: date) -> list[str]:
    return [date_format(until - timedelta(days=DAYS - 1 - n), "MONTH_DAY_FORMAT") for n in range(DAYS)]


def _followers(rows: list[AccountDay | None], until: date) -> Chart:
    return Chart(
        id="followers",
        title=gettext("Followers at the end of each day"),
        labels=_labels(until),
        label_title=gettext("Day"),
        series=[Series(label=gettext("Followers"), values=[row.followers if row else None for row in rows])],
        from_zero=False,
        legend=False,
    )


def _moves(rows: list[AccountDay | None], until: date) -> Chart:
    left = [-row.left if row and row.left is not None else None for row in rows]
    came = [row.came if row else None for row in rows]
    return Chart(
        id="moves",
        title=gettext("Who came and who left"),
        labels=_labels(until),
        label_title=gettext("Day"),
        series=[
            Series(label=gettext("Came"), values=came, kind="bar"),
            Series(label=gettext("Left"), values=left, kind="bar", colour="red"),
        ],
        stacked=True,
    )


def _ways(rows: list[AccountDay | None]) -> Chart:
    found = sorted(
        ((way, count) for way, count in statistics.by_source(rows).items() if count), key=lambda one: -one[1]
    )
    return Chart(
        id="ways",
        title=gettext("By which way they came"),
        labels=[str(WAYS[way]) for way, _count in found],
        label_title=gettext("Way"),
        series=[Series(label=gettext("New followers"), values=[count for _way, count in found], kind="bar")],
        horizontal=True,
        legend=False,
    )


def _read(rows: list[AccountDay | None], until: date) -> Chart:
    return Chart(
        id="read",
        title=gettext("Readers of all that is published"),
        labels=_labels(until),
        label_title=gettext("Day"),
        series=[
            Series(label=gettext("Readers"), values=[row.readers if row else None for row in rows], kind="bar"),
            Series(label=gettext("Shared by"), values=[row.sharers if row else None for row in rows], colour="blue"),
        ],
    )


def _heard(rows: list[AccountDay | None], until: date) -> Chart:
    return Chart(
        id="heard",
        title=gettext("Messages that followers wrote"),
        labels=_labels(until),
        label_title=gettext("Day"),
        series=[Series(label=gettext("Messages"), values=[row.messages if row else None for row in rows], kind="bar")],
        legend=False,
    )


def _readers(told: list[statistics.Change]) -> Chart:
    return Chart(
        id="readers",
        title=gettext("Readers"),
        labels=[date_format(one.day, "MONTH_DAY_FORMAT") for one in told],
        label_title=gettext("Day"),
        series=[
            Series(label=gettext("New that day"), values=[one.brought["readers"] for one in told], kind="bar"),
            Series(label=gettext("In total"), values=[one.totals["readers"] for one in told], colour="blue"),
        ],
        note=gettext("The platform counts people, and tells nobody's name. A gap means that it left the number out."),
    )
