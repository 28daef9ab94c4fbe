"""What each campaign caused: all of them beside one another, and each on a page of its own."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import figures, findings, reports
from campaigns.audience import Reason
from campaigns.models import Campaign, Delivery, Figures, Link
from campaigns.reports import Report
from crm import consent
from crm.admin.lists import ReadOnlyAdmin, column, moment
from crm.charts import Chart, Series, rounded, written
from crm.models import Channel

VIEW = "campaigns.view_figures"
SHOWN_LINKS = 20
LEAST = 0.001  # a p-value below is shown as that
REASONS = (*consent.Reason.choices, *Reason.choices)


@admin.register(Figures)
class ReportAdmin(ReadOnlyAdmin):
    """The reports, each counted anew every few minutes while something can still change."""

    change_form_template = "zhiyin/report/change_form.html"
    list_display = ("name", "assigned", "rate", "held", "caused", "revenue", "cost", "as_of")
    list_select_related = ("campaign",)
    search_fields = ("campaign__name",)
    ordering = ("-campaign__created_at", "-campaign_id")
    fields = ("campaign",)
    list_per_page = 25
    nothing_yet = gettext_lazy("No campaign has reached anybody yet. What each one caused will stand here.")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.file_view)
        return [path("<int:pk>/report.csv", view, name="campaigns_report_file"), *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Figures | None:
        """Return what was counted of a campaign; its address is the campaign's number, counted yet or not."""
        campaign = Campaign.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        return figures.of(campaign, timezone.now()) if campaign else None

    def file_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        report = reports.of(get_object_or_404(Campaign, pk=pk), timezone.now())
        named = {"Content-Disposition": f'attachment; filename="campaign-{pk}.csv"'}
        return StreamingHttpResponse(findings.lines(report), content_type="text/csv; charset=utf-8", headers=named)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        told = self.get_object(request, object_id) if self.has_view_permission(request) else None
        facts = about(reports.of(told.campaign, timezone.now())) if told else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | facts)

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
        found = self._report(told).lift
        return _span(found.rate.low * 1000, found.rate.high * 1000, 1) if found else "–"

    @column(gettext_lazy("revenue caused"))
    def revenue(self, told: Figures) -> str:
        report = self._report(told)
        return f"{_span(*report.lift.revenue[1:], 0)} {report.currency}" if report.lift else "–"

    @column(gettext_lazy("cost"))
    def cost(self, told: Figures) -> str:
        return rounded(self._report(told).cost, 2)

    @column(gettext_lazy("counted"), ordering="made_at")
    def as_of(self, told: Figures) -> str:
        return moment(told.made_at)


def about(report: Report) -> dict[str, Any]:
    """Return what the page of a report shows."""
    return {
        "report": report,
        "subtitle": report.campaign.name,
        "headline": findings.headline(report),
        "caveats": findings.caveats(report),
        "method": findings.method(report),
        "goal": findings.goal_of(report),
        "channels": dict(Channel.choices),
        "groups": [(group, report.variants.get(group.variant or 0)) for group in report.groups],
        "least": LEAST,
        "steps": [(step, Channel(step.channel).label) for step in report.funnel],
        "tiles": _tiles(report),
        "charts": [chart for chart in (_days(report), _rates(report)) if chart],
        "funnel": _funnel(report),
        "reasons": [(_reason(status, reason), people) for status, reason, people in report.reasons],
        "links": _links(report.links),
        "devices": [(name or _("unknown"), people) for name, people in report.devices],
    }


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """Return figures to be seen at once: a title, the number, and what it lies between."""
    found, money = report.lift, report.currency
    tiles = [(_("People assigned"), rounded(report.assigned, 0), _held(report))]
    if found is None:
        return [*tiles, (_("Cost"), f"{rounded(report.cost, 2)} {money}", "")]
    each = f"{rounded(report.cost_each, 2)} {money}" if report.cost_each is not None else "–"
    return [
        *tiles,
        (_("Conversions caused"), rounded(found.conversions[0], 0), _between(*found.conversions[1:], 0)),
        (_("Revenue caused"), f"{rounded(found.revenue[0], 0)} {money}", _between(*found.revenue[1:], 0)),
        (_("Cost of one caused"), each, _("of %(cost)s in all") % {"cost": f"{rounded(report.cost, 2)} {money}"}),
    ]


def _held(report: Report) -> str:
    if report.held is None:
        return _("nobody held out")
    return _("%(people)s of them held out") % {"people": rounded(report.held.people, 0)}


def _between(low: float, high: float, digits: int) -> str:
    return _("between %(low)s and %(high)s") % {"low": rounded(low, digits), "high": rounded(high, digits)}


def _span(low: float, high: float, digits: int) -> str:
    return f"{rounded(low, digits)} … {rounded(high, digits)}"


def _days(report: Report) -> Chart | None:
    if not report.days:
        return None
    names = {False: (_("Assigned a message"), "primary"), True: (_("Held out"), "grey")}
    values = {held: list(shares) for held, shares in report.days.items()}
    return Chart(
        id="days",
        title=_("Who had reached the goal by which day"),
        labels=[str(day + 1) for day in range(max(map(len, values.values())))],
        label_title=_("Day"),
        series=[
            Series(label=names[held][0], values=shares, unit="percent", colour=names[held][1], dashed=held)
            for held, shares in sorted(values.items())
        ],
        x_title=_("Days since the assignment"),
        y_title=_("Share of people"),
        height=240,
    )


def _rates(report: Report) -> Chart | None:
    """Return what each variant caused with its interval's ends."""
    found = [
        (group.name, report.variants[group.variant])
        for group in report.groups
        if group.variant is not None and group.variant in report.variants
    ]
    if not found:
        return None
    ends = (("low", _("At least"), "soft"), ("effect", _("Estimated"), "primary"), ("high", _("At most"), "soft"))
    return Chart(
        id="rates",
        title=_("What each variant caused, per 1,000 people"),
        labels=[name for name, _one in found],
        label_title=_("Variant"),
        series=[
            Series(
                label=label,
                values=[getattr(one.rate, end) * 1000 for _n, one in found],
                kind="bar",
                colour=colour,
                unit="decimal",
            )
            for end, label, colour in ends
        ],
        y_title=_("People per 1,000"),
        height=240,
    )


def _funnel(report: Report) -> Chart | None:
    if not report.funnel:
        return None
    names = {
        "assigned": _("Assigned"),
        "accepted": _("Accepted"),
        "delivered": _("Delivered"),
        "clicked": _("Clicked"),
        "converted": _("Reached the goal"),
    }
    colours = ("primary", "amber", "blue", "red", "grey")
    return Chart(
        id="funnel",
        title=_("Funnel"),
        labels=list(names.values()),
        label_title=_("Step"),
        series=[
            Series(
                label=f"{step.name}, {Channel(step.channel).label}",
                values=[getattr(step, name) for name in names],
                kind="bar",
                colour=colours[place % len(colours)],
            )
            for place, step in enumerate(report.funnel)
        ],
        height=260,
    )


def _reason(status: str, reason: str) -> str:
    words = str(dict(REASONS).get(reason, reason.replace("_", " ")))
    return f"{Delivery.Status(status).label}: {words}"


def _links(links: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    shown = list(links)[:SHOWN_LINKS]
    rows = Link.objects.filter(pk__in=[name for name, _people in shown if name.isdecimal()])
    named = {str(row.pk): row.label or row.url for row in rows}
    return [(named.get(name, name) or _("another link"), people) for name, people in shown]
