"""What campaigns caused: the numbers of the admin's reports, or counts with noise for who may not count people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import bell
from campaigns.api.private_counts import noisy
from campaigns.api.report_shapes import ReportOut, ReportRow, report_of
from campaigns.api.report_tables import nothing
from campaigns.api.shapes import BeingCounted
from campaigns.models import Campaign
from campaigns.reporting import figures, reports
from campaigns.reporting.reports import Group, Report
from crm.api.resources import Resource

ROWS = "profiles:read"


class ReportViewSet(Resource):
    """Reports, one for each campaign that has run; their numbers are the campaigns'."""

    scopes = {"list": "reports:read", "retrieve": "reports:read"}
    ordering = ("-id",)
    queryset = Campaign.objects.filter(runs__planned_at__isnull=False).distinct().select_related("figures")
    serializer_class = ReportOut

    @extend_schema(responses=ReportRow(many=True))
    def list(self, request: Request) -> Response:
        """Campaigns that have a report, newest first, and when each was counted."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ReportRow(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """A campaign's report: the groups, what was caused with its interval, the funnel, and why people were left out.

        A client without the scope `profiles:read` gets the groups only, counted with noise from its privacy budget.
        A large report that is being counted for the first time is answered with 503 and `Retry-After`.
        """
        now, campaign = timezone.now(), get_object_or_404(self.get_queryset(), pk=pk)
        if not figures.bring_up(campaign, now) or figures.is_waiting(campaign):
            bell.count(campaign.pk)
        if figures.is_waiting(campaign):
            raise BeingCounted
        report = reports.of(campaign, now)
        if ROWS in self.caller.scopes:
            return Response(report_of(report))
        return Response(self._private(report, now))

    def _private(self, report: Report, now: datetime) -> dict[str, Any]:
        campaign = report.campaign
        name = f"campaign-{campaign.pk}-groups"  # each person is in one cell: the group of her first run
        drawn, margin = noisy(name, lambda: figures.cells(campaign, now), 1, self.caller, now)
        groups = [_group(group, drawn) for group in report.groups]
        empty: dict[str, Any] = {"lift": None, "variants": [], "funnel": [], "reasons": [], "links": [], "devices": []}
        whole = report_of(report) | empty | nothing()
        hidden = {"headline": "", "sample_ratio": None, "cost": None}
        return whole | hidden | {"groups": groups, "private": True, "margin": margin, "caveats": []}


def _group(group: Group, drawn: Mapping[str, int]) -> dict[str, Any]:
    yes, no = (max(0, drawn.get(f"{group.variant or 0} {word}", 0)) for word in ("yes", "no"))
    told = {"variant": group.variant, "name": group.name, "people": yes + no, "converted": yes}
    return told | {"rate": yes / (yes + no) if yes + no else 0.0, "revenue": None}
