"""What one person allows, and ever said; what may be asked for, and what people are told."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm import consent
from crm.api.browsers import ForBrowsers
from crm.api.consent_shapes import BasisQuestion, ConsentOut, OneBasisOut, StateOut, basis_out, state_out
from crm.api.consents import OWN
from crm.api.profiles import OfPerson
from crm.api.resources import Resource
from crm.consent_checks import EARLIEST
from crm.models import Channel, Notice, Purpose


class StateQuestion(serializers.Serializer[Any]):
    at = serializers.DateTimeField(required=False, help_text="As it was known at this moment; now where it is missing.")

    def validate_at(self, at: datetime) -> datetime:
        if at < EARLIEST:
            raise serializers.ValidationError(_("Is before %(year)s.") % {"year": EARLIEST.year})
        return at


class PersonConsentViewSet(OfPerson, ForBrowsers):
    """What one person allows, and ever said."""

    even_restricted = True

    scopes = {"consents": "consent:read", "consent_history": "consent:read", "basis": "consent:read"}
    purposes = {"consents": OWN, "basis": OWN}
    ordering = ("-received_at", "-id")
    serializer_class = ConsentOut

    @extend_schema(parameters=[StateQuestion], responses=StateOut)
    @action(detail=True)
    def consents(self, request: Request, pk: str) -> Response:
        """How each purpose and channel on which the person has said something stands, or stood."""
        person = self.person()
        at = self.parameters(StateQuestion).get("at") or timezone.now()
        found = {"profile_id": person.id, "at": at, "results": state_out(consent.state_at(person.id, at))}
        return Response(StateOut(found).data)

    @extend_schema(responses=ConsentOut(many=True))
    @action(detail=True, url_path="consent-history")
    def consent_history(self, request: Request, pk: str) -> Response:
        """Everything that the person said, under all profiles merged since, latest first."""
        page = self.paginate_queryset(consent.history(self.person().id))
        return self.get_paginated_response(ConsentOut(page, many=True).data)

    @extend_schema(parameters=[BasisQuestion], responses=OneBasisOut)
    @action(detail=True)
    def basis(self, request: Request, pk: str) -> Response:
        """Whether the person's data may be used for a purpose now, and whether the person may be asked."""
        person, asked, now = self.person(), self.parameters(BasisQuestion), timezone.now()
        try:
            found = consent.basis_for(person.id, asked["purpose"], asked["channel"], now)
            asking = consent.may_ask(person.id, asked["purpose"], asked["channel"], now)
        except consent.UnknownPurpose as unknown:
            raise serializers.ValidationError({"purpose": str(unknown)}) from None
        return Response(basis_out(person.id, found) | {"may_ask": asking.allowed})


class PurposeOut(serializers.ModelSerializer[Purpose]):
    name = serializers.DictField(child=serializers.CharField(), help_text="By language.")
    description = serializers.DictField(child=serializers.CharField(allow_blank=True))
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True)

    class Meta:
        model = Purpose
        fields = [
            *("id", "code", "kind", "name", "description", "channel", "recipient", "basis", "separate"),
            *("valid_for", "ask_again_after", "retention", "is_active"),
        ]
        read_only_fields = fields


class PurposeViewSet(Resource):
    """What personal data may be used for."""

    scopes = {"list": "consent:read", "retrieve": "consent:read"}
    queryset = Purpose.objects.all()
    serializer_class = PurposeOut

    def list(self, request: Request) -> Response:
        """All purposes, oldest first; inactive ones too."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One purpose."""
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=pk)).data)


class NoticeItemOut(serializers.Serializer[Any]):
    purpose = serializers.CharField()
    data_types = serializers.ListField(child=serializers.CharField())
    recipients = serializers.ListField(child=serializers.CharField(), required=False)
    retention_days = serializers.IntegerField()
    methods = serializers.ListField(child=serializers.CharField(), required=False)


class NoticeTextOut(serializers.Serializer[Any]):
    title = serializers.CharField()
    body = serializers.CharField()
    withdraw = serializers.CharField(help_text="How to take consent back.")


class NoticeOut(serializers.ModelSerializer[Notice]):
    items = NoticeItemOut(many=True)
    texts = serializers.DictField(child=NoticeTextOut(), help_text="By language.")

    class Meta:
        model = Notice
        fields = ["id", "reference", "code", "version", "is_material", "items", "texts", "digest", "published_at"]
        read_only_fields = fields


class NoticeQuestion(serializers.Serializer[Any]):
    code = serializers.CharField(required=False, max_length=64)
    purpose = serializers.CharField(required=False, max_length=64, help_text="Only notices that tell of this purpose.")


class NoticeViewSet(Resource):
    """What people are told before they decide; published versions never change."""

    scopes = {"list": "consent:read", "retrieve": "consent:read"}
    queryset = Notice.objects.all()
    serializer_class = NoticeOut

    @extend_schema(parameters=[NoticeQuestion])
    def list(self, request: Request) -> Response:
        """All published versions that match, oldest first."""
        asked = self.parameters(NoticeQuestion)
        found = Notice.objects.published(timezone.now())
        if "purpose" in asked:
            found = found.covering(asked["purpose"])
        if "code" in asked:
            found = found.filter(code=asked["code"])
        page = self.paginate_queryset(found)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One published version."""
        found = Notice.objects.published(timezone.now())
        return Response(self.get_serializer(get_object_or_404(found, pk=pk)).data)
