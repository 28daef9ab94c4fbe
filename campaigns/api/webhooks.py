"""Webhook endpoints: which other systems are told what, the log of it, and telling again."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.webhook_shapes import (
    EndpointChange,
    EndpointIn,
    EndpointMade,
    EndpointOut,
    MessageOut,
    MessageQuestion,
    PingOut,
    ReplayedOut,
    ReplayIn,
)
from campaigns.models import WebhookEndpoint
from campaigns.outgoing import endpoints
from campaigns.outgoing.endpoints import BadAddress
from crm.api.acting import Acting

ADDS, CHANGES = "campaigns.add_webhookendpoint", "campaigns.change_webhookendpoint"
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
message_id = OpenApiParameter("message", OpenApiTypes.UUID, OpenApiParameter.PATH, description="Its webhook-id.")


class WebhookViewSet(Acting):
    """Other systems that are told what happens, by Standard Webhooks: signed, at least once each, in any order."""

    scopes = {
        "list": "webhooks:read",
        "retrieve": "webhooks:read",
        "messages": "webhooks:read",
        "create": "webhooks:write",
        "partial_update": "webhooks:write",
        "rotate": "webhooks:write",
        "test": "webhooks:write",
        "switch_on": "webhooks:write",
        "switch_off": "webhooks:write",
        "replay": "webhooks:write",
        "replay_one": "webhooks:write",
    }
    permissions = {
        "create": ADDS,
        "partial_update": CHANGES,
        "rotate": CHANGES,
        "test": CHANGES,
        "switch_on": CHANGES,
        "switch_off": CHANGES,
        "replay": CHANGES,
        "replay_one": CHANGES,
    }
    http_method_names = ["get", "head", "post", "patch"]
    queryset = WebhookEndpoint.objects.all()
    serializer_class = EndpointOut

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("-sequence",) if self.action == "messages" else ("id",)

    def list(self, request: Request) -> Response:
        """All endpoints, oldest first."""
        return self.get_paginated_response(EndpointOut(self.paginate_queryset(self.get_queryset()), many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One endpoint."""
        return Response(EndpointOut(self._endpoint(pk)).data)

    @extend_schema(request=EndpointIn, responses={201: EndpointMade})
    def create(self, request: Request) -> Response:
        """Add an endpoint; the answer tells its secret, this once."""
        asked = self.body(EndpointIn)
        with transaction.atomic():
            made, secret = _valid(lambda: endpoints.create(**asked, now=timezone.now()))
            self.log(made, "create")
        return Response({**EndpointOut(made).data, "secret": secret}, status=201)

    @extend_schema(request=EndpointChange)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name, address or kinds."""
        asked = EndpointChange(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        one, told = self._endpoint(pk), dict(asked.validated_data)
        with transaction.atomic():
            _valid(lambda: endpoints.change(one, told))
            self.log(one, "change")
        return Response(EndpointOut(self._endpoint(pk)).data)

    @extend_schema(request=None, responses=EndpointMade)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Give it a new secret, told this once; for a day the old one signs beside it."""
        one = self._endpoint(pk)
        with transaction.atomic():
            secret = endpoints.rotate(one, timezone.now())
            self.log(one, "rotate")
        return Response({**EndpointOut(self._endpoint(pk)).data, "secret": secret})

    @extend_schema(request=None, responses=PingOut)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send it a message that means nothing, at once, and tell what it answered."""
        one = self._endpoint(pk)
        self.log(one, "test")
        answer = endpoints.ping(one, timezone.now())
        told = {"good": answer.good, "status": answer.status, "error": answer.error}
        return Response(told | {"took_ms": round(1000 * answer.took)})

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="on")
    def switch_on(self, request: Request, pk: str) -> Response:
        """Tell it again, beginning with what was kept for it."""
        return self._do(pk, "on", lambda one: endpoints.switch_on(one, timezone.now()))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"], url_path="off")
    def switch_off(self, request: Request, pk: str) -> Response:
        """Tell it nothing any more; what happens meanwhile is not kept for it."""
        return self._do(pk, "off", endpoints.switch_off)

    @extend_schema(parameters=[MessageQuestion], responses=MessageOut(many=True))
    @action(detail=True)
    def messages(self, request: Request, pk: str) -> Response:
        """What it was told, newest first, with every try; kept for a month."""
        asked = self.parameters(MessageQuestion)
        rows = self._endpoint(pk).messages.in_state(asked.get("state", "")).prefetch_related("tries")
        names = {"event": "kind", "since": "created_at__gte"}
        rows = rows.filter(**{names[name]: value for name, value in asked.items() if name in names})
        return self.get_paginated_response(MessageOut(self.paginate_queryset(rows), many=True).data)

    @extend_schema(request=ReplayIn, responses=ReplayedOut)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Tell again what was given up since a time, or everything; each message under its old number."""
        asked, one = self.body(ReplayIn), self._endpoint(pk)
        with transaction.atomic():
            count = endpoints.replay_since(one, asked["since"], timezone.now(), all_of_it=asked["all"])
            self.log(one, f"replay {count}")
        return Response({"messages": count})

    @extend_schema(request=None, responses=ReplayedOut, parameters=[message_id])
    @action(detail=True, methods=["post"], url_path=f"messages/(?P<message>{UUID})/replay")
    def replay_one(self, request: Request, pk: str, message: str) -> Response:
        """Tell one thing again, under its old number."""
        one = self._endpoint(pk)
        found = get_object_or_404(one.messages, pk=message)
        with transaction.atomic():
            endpoints.replay(found, timezone.now())
            self.log(one, "replay 1")
        return Response({"messages": 1})

    def _do(self, pk: str, what: str, verb: Callable[[WebhookEndpoint], None]) -> Response:
        one = self._endpoint(pk)
        with transaction.atomic():
            verb(one)
            self.log(one, what)
        return Response(EndpointOut(self._endpoint(pk)).data)

    def _endpoint(self, pk: str) -> WebhookEndpoint:
        found: WebhookEndpoint = get_object_or_404(self.get_queryset(), pk=pk)
        return found


def _valid(work: Callable[[], Any]) -> Any:
    try:
        with transaction.atomic():
            return work()
    except BadAddress as error:
        raise serializers.ValidationError(
            {"url": _("This server may not call it (%(why)s).") % {"why": error}}
        ) from error
    except IntegrityError as error:
        raise serializers.ValidationError({"name": _("There is an endpoint of this name already.")}) from error
