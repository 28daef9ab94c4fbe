"""Requests of people about their data, taken in by the application that knows who is logged in."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from crm import carrying_out, clocks, corrections, identity_checks, merged, rights
from crm.api.profiles import IdentifierIn, known_by
from crm.api.resources import Resource
from crm.models import PrivacyRequest

LONGEST_TEXT = 4000


class PrivacyRequestIn(serializers.Serializer[Any]):
    """Whose request it is, by a profile's id or an identifier, and what is asked for."""

    kind = serializers.ChoiceField(PrivacyRequest.Kind.choices)
    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    identifier = IdentifierIn(required=False)
    logged_in = serializers.BooleanField(
        default=False, help_text="The application vouches that the person is logged in to an account of its own."
    )
    named = IdentifierIn(
        many=True, required=False, help_text="Identifiers that the person named; they are compared, and not kept."
    )
    corrections = serializers.DictField(
        child=serializers.CharField(max_length=200, allow_blank=True),
        required=False,
        help_text=f"Of a correction: any of {', '.join(corrections.FIELDS)}.",
    )
    text = serializers.CharField(required=False, max_length=LONGEST_TEXT, help_text="What the person wrote.")
    language = serializers.ChoiceField(["en", "zh-hans"], required=False)

    def validate_named(self, named: list[dict[str, str]]) -> list[dict[str, str]]:
        if len(named) > len(identity_checks.NAMEABLE):
            raise serializers.ValidationError(f"At most {len(identity_checks.NAMEABLE)}.")
        return named

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("profile_id" in attrs) == ("identifier" in attrs):
            raise serializers.ValidationError({"profile_id": "Give either profile_id or identifier."})
        if attrs["kind"] == PrivacyRequest.Kind.CORRECTION:
            try:
                corrections.check(attrs.get("corrections", {}), timezone.now())
            except rights.RightsError as error:
                raise serializers.ValidationError({"corrections": str(error)}) from error
        return attrs


class PrivacyRequestOut(serializers.Serializer[PrivacyRequest]):
    """How a request stands; nothing of what it is about."""

    reference = serializers.UUIDField()
    kind = serializers.ChoiceField(PrivacyRequest.Kind.choices)
    status = serializers.ChoiceField(PrivacyRequest.Status.choices)
    refusal = serializers.ChoiceField(PrivacyRequest.Refusal.choices, allow_blank=True)
    received_at = serializers.DateTimeField()
    due_on = serializers.DateField()
    days_left = serializers.IntegerField(help_text="Working days; negative when it is late.")
    may_be_asked = serializers.ListField(
        child=serializers.CharField(), help_text="Identifiers that the person may still be asked to name."
    )
    ended_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: PrivacyRequest) -> dict[str, Any]:
        clock = clocks.clock(instance, timezone.now())
        waits = instance.status in identity_checks.WAITING
        instance.due_on = clock.due_on
        instance.days_left = clock.left  # type: ignore[attr-defined]  # shown, not stored
        instance.may_be_asked = list(identity_checks.askable(instance)) if waits else []  # type: ignore[attr-defined]
        return super().to_representation(instance)


class PrivacyRequestViewSet(Resource):
    """Access, copy, portability, correction, erasure, restriction, objection, explanation."""

    scopes = {"create": "privacy:write", "retrieve": "privacy:read"}
    queryset = PrivacyRequest.objects.none()
    serializer_class = PrivacyRequestOut
    lookup_field = "reference"
    lookup_value_regex = "[0-9a-f-]{36}"

    @extend_schema(request=PrivacyRequestIn, responses={201: PrivacyRequestOut})
    def create(self, request: Request) -> Response:
        """Take in a request. What was named is compared with what is held; nothing tells which of it was right."""
        asked, now = self.body(PrivacyRequestIn), timezone.now()
        person = self._person(asked)
        if person is None:
            raise serializers.ValidationError({"profile_id": "Nobody is known by this."})
        taken = rights.open_request(
            asked["kind"],
            profile_id=person.id,
            method=PrivacyRequest.Method.API,
            language=asked.get("language", ""),
            details=asked.get("corrections") or ({"text": asked["text"]} if "text" in asked else {}),
            now=now,
        )
        if asked["logged_in"]:
            identity_checks.vouch(taken, "account", now=now)
        named = {one["type"]: one["value"] for one in asked.get("named", ())}
        if named and taken.status in identity_checks.WAITING:
            identity_checks.tell(taken, named, now=now)
        carrying_out.begin_at_once(taken, now=now)
        return Response(PrivacyRequestOut(taken).data, status=201)

    def retrieve(self, request: Request, reference: str) -> Response:
        """How a request stands."""
        try:
            found = PrivacyRequest.objects.filter(reference=UUID(reference)).prefetch_related("pauses").first()
        except ValueError:
            found = None
        if found is None:
            raise NotFound
        return Response(PrivacyRequestOut(found).data)

    def _person(self, asked: dict[str, Any]) -> merged.Person | None:
        if "profile_id" in asked:
            return merged.person(asked["profile_id"])
        return known_by(asked["identifier"]["type"], asked["identifier"]["value"])
