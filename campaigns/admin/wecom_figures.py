"""What WeCom counts of each member of staff's days with customers, beside the days before."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from campaigns.admin.wecom_parts import accounts, need
from campaigns.models import ChannelAccount, StaffDay
from campaigns.wechat import staff_figures, wecom_jobs
from crm.admin.lists import ReadOnlyAdmin, person_of
from crm.charts import Chart, Series

PROVIDER, SPANS = "wecom", (7, 30)


@admin.register(StaffDay)
class StaffDayAdmin(ReadOnlyAdmin):
    """One page an account: all staff day by day, and each of them over some days. Nothing of single customers."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.ask_view)
        return [path("<int:pk>/ask/", view, name="campaigns_staffday_ask"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        houses, asked = list(accounts(PROVIDER)), request.GET.get("account", "")
        account = next((one for one in houses if str(one.pk) == asked), houses[0] if houses else None)
        span = 30 if request.GET.get("days") == "30" else 7
        context = self.admin_site.each_context(request) | {"accounts": houses, "account": account, "span": span}
        context |= {"title": gettext("Figures of staff"), "opts": self.opts, "spans": SPANS}
        context["may_ask"] = request.user.has_perm("campaigns.change_staffday")
        context |= _facts(account, span) if account else {}
        return TemplateResponse(request, "zhiyin/wechat/staff_figures.html", context)

    @method_decorator(require_POST)
    def ask_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Order that WeCom is asked now."""
        need(request, "campaigns.change_staffday")
        account = get_object_or_404(ChannelAccount, pk=pk, provider=PROVIDER)
        wecom_jobs.order(staff_figures.KIND, account, person_of(request), timezone.now())
        messages.success(request, gettext("WeCom is being asked."))
        return redirect(f"{reverse('admin:campaigns_staffday_changelist')}?account={pk}")


def _facts(account: ChannelAccount, span: int) -> dict[str, Any]:
    yesterday = timezone.now().astimezone(staff_figures.SHANGHAI).date() - timedelta(days=1)
    days = staff_figures.by_day(account, yesterday, 30)
    return {
        "lines": staff_figures.lines(account, yesterday, span),
        "charts": [_moves(days), _talks(days)],
        "until": yesterday,
    }


def _labels(days: Any) -> list[str]:
    return [date_format(one["day"], "MONTH_DAY_FORMAT") for one in days]


def _moves(days: Any) -> Chart:
    left = [-one["lost"] if one["lost"] is not None else None for one in days]
    return Chart(
        id="moves",
        title=gettext("Customers who came and who left"),
        labels=_labels(days),
        label_title=gettext("Day"),
        series=[
            Series(label=gettext("Came"), values=[one["added"] for one in days], kind="bar"),
            Series(label=gettext("Left"), values=left, kind="bar", colour="red"),
        ],
        stacked=True,
    )


def _talks(days: Any) -> Chart:
    return Chart(
        id="talks",
        title=gettext("Conversations with customers"),
        labels=_labels(days),
        label_title=gettext("Day"),
        series=[
            Series(label=gettext("Conversations with customers"), values=[one["chats"] for one in days], kind="bar")
        ],
        legend=False,
        note=gettext("WeCom counts a day until the next morning. What it leaves out is a gap, never a nought."),
    )
