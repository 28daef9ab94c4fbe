"""What each campaign caused: all of them beside one another, and each on a page of its own.

Whoever may see people reads exact counts; analysts read groups with noise, from the budget that all of them share.
"""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from campaigns import bell
from campaigns.admin import report_compare, report_page
from campaigns.models import Campaign, Figures
from campaigns.reporting import figures, private_reports, report_files, reports
from campaigns.reporting.reports import Report
from crm.admin.lists import ReadOnlyAdmin, column, moment, person_of
from crm.charts import rounded, written
from mlengine.admin import private
from mlengine.releases import Audience, BudgetSpent

VIEW = "campaigns.view_figures"
MOST_COMPARED = 60


@admin.register(Figures)
class ReportAdmin(ReadOnlyAdmin):
    """The reports, each brought up to date when somebody looks, and every minute while something can still change."""

    change_form_template = "zhiyin/report/change_form.html"
    change_list_template = "zhiyin/report/change_list.html"
    list_display = ("name", "assigned", "rate", "held", "caused", "revenue", "cost", "as_of")
    list_filter = (("campaign__kind", ChoicesDropdownFilter),)
    list_select_related = ("campaign",)
    search_fields = ("campaign__name",)
    ordering = ("-campaign__starts_at", "-campaign_id")
    fields = ("campaign",)
    list_per_page = 30
    nothing_yet = gettext_lazy("No campaign has reached anybody yet. What each one caused will stand here.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("compare/", view(self.compare_view), name="campaigns_report_compare"),
            path("<int:pk>/report.csv", view(self.file_view), name="campaigns_report_file"),
            path("<int:pk>/ask/", view(self.ask_view), name="campaigns_report_ask"),
            *super().get_urls(),
        ]

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_display if private.sees_people(request.user) else ("name", "window_closes", "as_of")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Figures | None:
        """Return what was counted of a campaign; its address is the campaign's number, counted yet or not."""
        campaign = Campaign.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if campaign is None or figures.is_waiting(campaign):
            return None
        return figures.of(campaign, timezone.now())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Figures]:
        """Return what was counted in the present form; an older one is counted anew within a minute."""
        return super().get_queryset(request).filter(counted__form=figures.FORM).defer("state")

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Answer with a report as a file; the page of one that is being counted for the first time waits for it."""
        _exact(request)
        campaign, now = get_object_or_404(Campaign, pk=pk), timezone.now()
        if figures.is_waiting(campaign):
            return redirect("admin:campaigns_figures_change", pk)
        _bring_up(campaign, now)
        report = reports.of(campaign, now)
        named = {"Content-Disposition": f'attachment; filename="campaign-{pk}.csv"'}
        lines = report_files.lines(report)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=named)

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Show campaigns beside one another: those that were counted, the latest first."""
        _exact(request)
        now = timezone.now()
        rows = self.get_queryset(request).select_related("campaign").order_by(*self.ordering)[:MOST_COMPARED]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Campaigns compared"),
            "opts": self.opts,
            **report_compare.about([reports.of(told.campaign, now) for told in rows]),
        }
        return TemplateResponse(request, "zhiyin/report/compare.html", context)

    @method_decorator(require_POST)
    def ask_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Draw a report with noise: by POST only, because it spends of a budget that all analysts share."""
        if not (request.user.has_perm("crm.add_release") and request.user.has_perm(VIEW)):
            raise PermissionDenied
        campaign, now = get_object_or_404(Campaign, pk=pk), timezone.now()
        if not private_reports.is_ripe(campaign, now):
            messages.error(request, _("It is told once its attribution window is closed."))
        else:
            try:
                private_reports.ask(campaign, Audience.staff(person_of(request)), now)
            except BudgetSpent as spent:
                messages.error(request, str(spent))
        return redirect("admin:campaigns_figures_change", pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_view_permission(request) and (late := _waiting(object_id)):
            return self._wait(request, late)
        told = self.get_object(request, object_id) if self.has_view_permission(request) else None
        facts: dict[str, Any] = {}
        if told:
            now = timezone.now()
            exact = private.sees_people(request.user)
            _bring_up(told.campaign, now)
            facts = report_page.about(reports.of(told.campaign, now)) if exact else _noisy(request, told.campaign, now)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

    def _wait(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        """Have a large report counted by a worker, and show a page that looks again by itself."""
        bell.count(campaign.pk)
        context = {**self.admin_site.each_context(request), "title": campaign.name, "opts": self.opts}
        return TemplateResponse(request, "zhiyin/report/waiting.html", context, headers={"Refresh": "5"})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        exact = {"exact": private.sees_people(request.user)}
        return super().changelist_view(request, exact | (extra_context or {}))

    def _report(self, told: Figures) -> Report:
        """Return the report of a row of the list; kept with it, as each column asks."""
        kept: Report | None = getattr(told, "_report", None)
        if kept is None:
            kept = reports.of(told.campaign, timezone.now())
            told._report = kept  # type: ignore[attr-defined]
        return kept

    @column(gettext_lazy("campaign"), ordering="campaign__name")
    def name(self, told: Figures) -> str:
        return told.campaign.name

    @column(gettext_lazy("people"))
    def assigned(self, told: Figures) -> str:
        return rounded(self._report(told).assigned, 0)

    @column(gettext_lazy("reached the goal"))
    def rate(self, told: Figures) -> str:
        treated = [group for group in self._report(told).groups if group.variant is not None]
        people = sum(group.people for group in treated)
        return written(sum(group.converted for group in treated) / people if people else None, "percent")

    @column(gettext_lazy("of those held out"))
    def held(self, told: Figures) -> str:
        held = self._report(told).held
        return written(held.rate if held else None, "percent")

    @column(gettext_lazy("caused, per 1,000 people"))
    def caused(self, told: Figures) -> str:
        report = self._report(told)
        if report.observed is not None:
            return _("not drawn by lot")
        return _span(report.lift.rate.low * 1000, report.lift.rate.high * 1000, 1) if report.lift else "–"

    @column(gettext_lazy("revenue caused"))
    def revenue(self, told: Figures) -> str:
        report = self._report(told)
        found = report.lift.revenue if report.lift else None
        return f"{_span(*found[1:], 0)} {report.currency}" if found else "–"

    @column(gettext_lazy("cost"))
    def cost(self, told: Figures) -> str:
        report = self._report(told)
        return rounded(report.cost, 2) if report.observed is None else "–"

    @column(gettext_lazy("window closes"))
    def window_closes(self, told: Figures) -> str:
        return moment(datetime.fromisoformat(told.counted["closes_at"]))

    @column(gettext_lazy("counted"), ordering="made_at")
    def as_of(self, told: Figures) -> str:
        return moment(told.made_at)


def _waiting(object_id: str) -> Campaign | None:
    """Return the campaign whose first count would take too long for a page."""
    campaign = Campaign.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
    return campaign if campaign and figures.is_waiting(campaign) else None


def _bring_up(campaign: Campaign, now: datetime) -> None:
    """Show nothing older than a minute; where that takes too long for a page, a worker does it for the next look."""
    if not figures.bring_up(campaign, now):
        bell.count(campaign.pk)


def _exact(request: HttpRequest) -> None:
    """Refuse whoever may not count people exactly."""
    if not (request.user.has_perm(VIEW) and private.sees_people(request.user)):
        raise PermissionDenied


def _noisy(request: HttpRequest, campaign: Campaign, now: datetime) -> dict[str, Any]:
    """Return what analysts see: what was told already, or that it may be asked."""
    user = person_of(request)
    return {
        "private": True,
        "campaign": campaign,
        "subtitle": campaign.name,
        "told": private_reports.known(campaign, Audience.staff(user)),
        "ripe": private_reports.is_ripe(campaign, now),
        "closes_at": figures.closes(campaign),
        "may_ask": user.has_perm("crm.add_release"),
        "budget": private.budget(user, now),
    }


def _span(low: float, high: float, digits: int) -> str:
    return f"{rounded(low, digits)} … {rounded(high, digits)}"
