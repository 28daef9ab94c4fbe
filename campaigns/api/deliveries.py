"""Each message to each person, by pseudonyms: what became of it, or why it did not leave."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.shapes import BIGGEST
from campaigns.models import Delivery
from crm.api.resources import Resource
from crm.models import Channel

named = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)


class DeliveryQuestion(serializers.Serializer[Any]):
    campaign = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)
    run = serializers.UUIDField(required=False)
    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)
    status = serializers.ChoiceField(Delivery.Status.choices, required=False)
    channel = serializers.ChoiceField(Channel.choices, required=False)


class DeliveryOut(serializers.ModelSerializer[Delivery]):
    """No address, and nothing of what the message said."""

    campaign = serializers.IntegerField(source="run.campaign_id", allow_null=True, default=None)
    run = serializers.UUIDField(source="run_id", allow_null=True)
    variant = serializers.IntegerField(source="variant_id", allow_null=True)
    profile_id = serializers.IntegerField()

    class Meta:
        model = Delivery
        fields = [
            *("id", "campaign", "run", "variant", "profile_id", "channel", "status", "reason", "attempt", "cost"),
            *("planned_at", "due_at", "expires_at", "called_at", "ended_at"),
        ]
        read_only_fields = fields


class DeliveryViewSet(Resource):
    """Messages. People whose data may only be stored are left out."""

    scopes = {"list": "deliveries:read", "retrieve": "deliveries:read"}
    lookup_value_regex = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    queryset = Delivery.objects.filter(profile__restricted_at=None).select_related("run")
    serializer_class = DeliveryOut

    @extend_schema(parameters=[DeliveryQuestion])
    def list(self, request: Request) -> Response:
        """All messages that match, in the order of their numbers."""
        asked = self.parameters(DeliveryQuestion)
        names = {"campaign": "run__campaign"}
        rows = self.get_queryset().filter(**{names.get(name, name): value for name, value in asked.items()})
        return self.get_paginated_response(DeliveryOut(self.paginate_queryset(rows), many=True).data)

    @extend_schema(parameters=[named])
    def retrieve(self, request: Request, pk: str) -> Response:
        """One message."""
        return Response(DeliveryOut(get_object_or_404(self.get_queryset(), pk=pk)).data)
