"""Where a server application gets tokens for the browsers of its people."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm import merged, person_tokens
from crm.api.profiles import IdentifierIn, known_by
from crm.api.resources import Resource
from crm.models import Profile

PURPOSES = ("recommendations", "consents", "mini_program")
LONGEST = int(person_tokens.LONGEST.total_seconds())


class PersonTokenIn(serializers.Serializer[Any]):
    """Whom the token is for: a profile's id, or an identifier."""

    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    identifier = IdentifierIn(required=False)
    purpose = serializers.ChoiceField(PURPOSES, default="recommendations")
    lifetime = serializers.IntegerField(min_value=30, max_value=LONGEST, default=300, help_text="Seconds.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("profile_id" in attrs) == ("identifier" in attrs):
            raise serializers.ValidationError({"profile_id": "Give either profile_id or identifier."})
        return attrs


class PersonTokenOut(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="For the header Authorization: Bearer …")
    profile_id = serializers.IntegerField(help_text="Whom the browser may ask about.")
    purpose = serializers.CharField()
    expires_at = serializers.DateTimeField()


class PersonTokenViewSet(Resource):
    """Short-lived tokens: a browser may read its own person's recommendations, or see and change its consents."""

    scopes = {"create": "person-tokens:create"}
    queryset = Profile.objects.none()

    @extend_schema(request=PersonTokenIn, responses={201: PersonTokenOut})
    def create(self, request: Request) -> Response:
        """A token for one person's browser."""
        asked = self.body(PersonTokenIn)
        person = _person(asked)
        if person is None:
            raise serializers.ValidationError({"profile_id": "Nobody is known by this."})
        now = timezone.now()
        token = person_tokens.PersonToken(
            client_id=self.caller.client_id,
            profile_id=person.id,
            purpose=asked["purpose"],
            expires_at=now + timedelta(seconds=asked["lifetime"]),
            epoch=self.caller.epoch,
        )
        made = {"token": person_tokens.mint(token, now), "profile_id": person.id, "purpose": token.purpose}
        return Response(PersonTokenOut(made | {"expires_at": token.expires_at}).data, status=201)


def _person(asked: dict[str, Any]) -> merged.Person | None:
    if "profile_id" in asked:
        return merged.person(asked["profile_id"])
    return known_by(asked["identifier"]["type"], asked["identifier"]["value"])
