"""The emergency stop: any program that watches may pull it; only a person lets messages leave again."""

from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.shapes import ReasonIn
from campaigns.models import SendingPolicy
from campaigns.reach import policies
from crm.api.acting import Acting
from crm.api.resources import Conflict
from crm.finder import masked_text


class SendingOut(serializers.ModelSerializer[SendingPolicy]):
    stopped = serializers.SerializerMethodField()
    quiet_from = serializers.CharField(help_text="In each person's zone, as 21:00:00.")
    quiet_until = serializers.CharField(help_text="In each person's zone, as 09:00:00.")

    class Meta:
        model = SendingPolicy
        fields = ["stopped", "stopped_at", "stop_reason", "quiet_from", "quiet_until"]
        read_only_fields = fields

    def get_stopped(self, one: SendingPolicy) -> bool:
        return one.stopped_at is not None


class SendingViewSet(Acting):
    """What holds for everything that is sent."""

    scopes = {"list": "campaigns:read", "stop": "sending:stop", "go_on": "sending:stop"}
    permissions = {"go_on": "campaigns.restart_sending"}
    queryset = SendingPolicy.objects.none()
    pagination_class = None
    serializer_class = SendingOut

    @extend_schema(responses=forced_singular_serializer(SendingOut))  # type: ignore[no-untyped-call]  # their own
    def list(self, request: Request) -> Response:
        """Whether messages may leave."""
        return Response(SendingOut(policies.policy()).data)

    @extend_schema(request=ReasonIn, responses=SendingOut)
    @action(detail=False, methods=["post"])
    def stop(self, request: Request) -> Response:
        """Let nothing leave any more, on any channel, from the next hand-off on; again is harmless."""
        reason = masked_text(self.body(ReasonIn)["reason"].strip()) or gettext("no reason given")
        policies.stop_everything(None, f"API client {self.caller.client_id}: {reason}", timezone.now())
        return Response(SendingOut(policies.policy()).data)

    @extend_schema(request=ReasonIn, responses=SendingOut)
    @action(detail=False, methods=["post"], url_path="go-on")
    def go_on(self, request: Request) -> Response:
        """Lift the stop, with a reason; campaigns that were paused stay paused. Fewer may do this than may stop."""
        try:
            policies.go_on(self.staff, self.body(ReasonIn)["reason"], timezone.now())
        except ValueError as error:
            raise Conflict(str(error)) from error
        self.log(policies.policy(), "go on")
        return Response(SendingOut(policies.policy()).data)
