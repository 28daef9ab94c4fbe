"""Campaigns: drafted, submitted, approved by somebody else, scheduled, paused and ended, by the admin's own verbs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.campaign_shapes import CampaignChange, CampaignIn, CampaignOut, CampaignWhole, facts_of
from campaigns.api.shapes import BIGGEST, ReasonIn
from campaigns.models import Campaign
from campaigns.runs import approving, drafting, readiness, running
from campaigns.runs.transitions import NotPossible
from crm.api.acting import Acting
from crm.api.repeats import KEY, Repeatable, plain
from crm.api.resources import Conflict
from crm.idempotency import Answer

ROWS = "profiles:read"  # whoever may read people may count them exactly
CHANGES, RUNS, APPROVES = "campaigns.change_campaign", approving.RUNS, approving.APPROVES
Made = TypeVar("Made")


class CampaignQuestion(serializers.Serializer[Any]):
    status = serializers.ChoiceField(Campaign.Status.choices, required=False)
    kind = serializers.ChoiceField(Campaign.Kind.choices, required=False)
    segment = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)


class ApprovalIn(serializers.Serializer[Any]):
    """``seen`` is the ``digest`` of the campaign as it was read: what was changed since is not approved."""

    seen = serializers.RegexField("^[0-9a-f]{64}$", max_length=64)


class RefusalIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300)


class ProblemsOut(serializers.Serializer[Any]):
    problems = serializers.ListField(child=serializers.CharField(), help_text="In words; empty where it can be sent.")


class CampaignViewSet(Acting, Repeatable):
    """Campaigns. Whoever submitted one does not approve it, whichever way the approval comes."""

    scopes = {
        "list": "campaigns:read",
        "retrieve": "campaigns:read",
        "problems": "campaigns:read",
        "create": "campaigns:write",
        "partial_update": "campaigns:write",
        "submit": "campaigns:write",
        "approve": "campaigns:approve",
        "refuse": "campaigns:approve",
        "schedule": "campaigns:run",
        "pause": "campaigns:run",
        "resume": "campaigns:run",
        "cancel": "campaigns:run",
    }
    permissions = {
        "create": "campaigns.add_campaign",
        "partial_update": CHANGES,
        "submit": CHANGES,
        "approve": APPROVES,
        "refuse": APPROVES,
        "schedule": RUNS,
        "pause": RUNS,
        "resume": RUNS,
        "cancel": RUNS,
    }
    http_method_names = ["get", "head", "post", "patch"]
    ordering = ("-id",)
    queryset = Campaign.objects.select_related("purpose").prefetch_related("variants__template")
    serializer_class = CampaignOut

    @extend_schema(parameters=[CampaignQuestion])
    def list(self, request: Request) -> Response:
        """All campaigns that match, newest first."""
        page = self.paginate_queryset(self.get_queryset().filter(**self.parameters(CampaignQuestion)))
        return self.get_paginated_response(CampaignOut(page, many=True).data)

    @extend_schema(responses=CampaignWhole)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One campaign, with its runs."""
        return Response(self._told(self._campaign(pk)))

    @extend_schema(responses=ProblemsOut)
    @action(detail=True)
    def problems(self, request: Request, pk: str) -> Response:
        """What keeps the campaign from being sent as it is."""
        return Response({"problems": readiness.problems(self._campaign(pk), timezone.now())})

    @extend_schema(request=CampaignIn, responses={201: CampaignWhole}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Draft a campaign."""
        asked, now = self.body(CampaignIn), timezone.now()
        facts, messages = facts_of(asked)

        def work() -> Answer:
            made = _valid(lambda: drafting.create(facts, messages or [], self.staff, now))
            self.log(made, "create")
            return Answer(201, plain(self._told(self._campaign(str(made.pk)))))

        return self.once(self.key("campaigns"), work, now)

    @extend_schema(request=CampaignChange, responses=CampaignWhole)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a campaign that does not run; it is a draft then, and needs an approval again."""
        asked = CampaignChange(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        facts, messages = facts_of(dict(asked.validated_data))
        return self._do(pk, "change", lambda one, now: _valid(lambda: drafting.change(one, facts, messages, now)))

    @extend_schema(request=None, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:
        """Ask a colleague to approve."""
        return self._do(pk, "submit", lambda one, now: approving.submit(one, self.staff, now))

    @extend_schema(request=ApprovalIn, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve a colleague's campaign exactly as it was read; never one's own."""
        seen = self.body(ApprovalIn)["seen"]
        return self._do(pk, "approve", lambda one, now: approving.approve(one, self.staff, now, seen=seen))

    @extend_schema(request=RefusalIn, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: str) -> Response:
        """Send a colleague's campaign back, and say why."""
        reason = self.body(RefusalIn)["reason"]
        return self._do(pk, "refuse", lambda one, now: approving.refuse(one, self.staff, now, reason=reason))

    @extend_schema(request=ReasonIn, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def schedule(self, request: Request, pk: str) -> Response:
        """Let an approved campaign run at the time that was approved, which may be now."""
        return self._run(pk, "schedule", running.schedule)

    @extend_schema(request=ReasonIn, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Let no further message leave."""
        return self._run(pk, "pause", running.pause)

    @extend_schema(request=ReasonIn, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on where it was paused; where it paused itself, a reason has to be given."""
        return self._run(pk, "resume", running.resume)

    @extend_schema(request=ReasonIn, responses=CampaignWhole)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it for good: what is queued is suppressed, what has left has left."""
        return self._run(pk, "cancel", running.cancel)

    def _run(self, pk: str, what: str, verb: Callable[..., None]) -> Response:
        reason = self.body(ReasonIn)["reason"]
        return self._do(pk, what, lambda one, now: verb(one, self.staff, reason, now))

    def _do(self, pk: str, what: str, verb: Callable[[Campaign, datetime], object]) -> Response:
        one = self._campaign(pk)
        try:
            with transaction.atomic():
                verb(one, timezone.now())
                self.log(one, what)
        except approving.NotReady as error:
            raise Conflict(" ".join(error.problems)) from error
        except NotPossible as error:
            raise Conflict(str(error)) from error
        except approving.MayNot as error:
            raise PermissionDenied(str(error)) from error
        return Response(self._told(self._campaign(pk)))

    def _told(self, one: Campaign) -> dict[str, Any]:
        return dict(CampaignWhole(one, context={"exact": ROWS in self.caller.scopes}).data)

    def _campaign(self, pk: str) -> Campaign:
        found: Campaign = get_object_or_404(self.get_queryset(), pk=pk)
        return found


def _valid(work: Callable[[], Made]) -> Made:
    try:
        return work()
    except ValidationError as error:
        told = error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
        raise serializers.ValidationError(told) from error
