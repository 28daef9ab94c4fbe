"""Profiles and what they did."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from crm import access_log, identity, merged
from crm.api.resources import Resource
from crm.encryption import share_keys
from crm.models import Event, Identifier, Profile, ProfileAlias
from crm.privacy import masked, masked_attributes, masked_name

UNMASKED = "profiles:unmasked"


class IdentifierOut(serializers.ModelSerializer[Identifier]):
    value = serializers.CharField(read_only=True)

    class Meta:
        model = Identifier
        fields = ["type", "value", "verified"]
        read_only_fields = fields

    def to_representation(self, instance: Identifier) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return shown if self.context["unmasked"] else shown | {"value": masked(instance.type, instance.value)}


class ProfileOut(serializers.ModelSerializer[Profile]):
    """A person; name, identifiers and personal traits are masked without the scope ``profiles:unmasked``."""

    identifiers = IdentifierOut(many=True, read_only=True)
    name = serializers.CharField(read_only=True)
    attributes = serializers.DictField(source="told", read_only=True)
    gender = serializers.ChoiceField(Profile.Gender.choices, allow_blank=True, read_only=True)

    class Meta:
        model = Profile
        fields = [
            *("id", "name", "age_band", "gender", "birth_month", "birth_day", "province", "city", "language"),
            *("attributes", "personalisation", "identifiers", "created_at", "updated_at"),
        ]
        read_only_fields = fields

    def to_representation(self, instance: Profile) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if self.context["unmasked"]:
            return shown
        return shown | {"name": masked_name(instance.name), "attributes": masked_attributes(instance.told)}


class EventOut(serializers.ModelSerializer[Event]):
    """Something a person did; personal properties are masked without the scope ``profiles:unmasked``."""

    item_id = serializers.IntegerField(read_only=True, allow_null=True)
    properties = serializers.DictField(source="told", read_only=True)

    class Meta:
        model = Event
        fields = [
            *("id", "kind", "name", "item_id", "value", "currency", "quantity", "discount", "session", "channel"),
            *("properties", "occurred_at", "received_at"),
        ]
        read_only_fields = fields

    def to_representation(self, instance: Event) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return shown if self.context["unmasked"] else shown | {"properties": masked_attributes(instance.told)}


class IdentifierIn(serializers.Serializer[Any]):
    type = serializers.ChoiceField(Identifier.Type.choices)
    value = serializers.CharField(max_length=255, trim_whitespace=False)


class EventQuestion(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Event.Kind.choices, required=False)
    since = serializers.DateTimeField(required=False, help_text="Not before this time.")
    until = serializers.DateTimeField(required=False, help_text="Before this time.")


class OfPerson(Resource):
    """Whatever stands under ``/profiles/{id}/``."""

    queryset = Profile.objects.all()
    even_restricted = False  # what a restricted person may still see and change herself, her consents, says True

    def person(self) -> merged.Person:
        """Return who is meant by the address; a person's own browser learns nothing of others, not even of gaps."""
        found = merged.person(int(self.kwargs["pk"]))
        asking = self.caller.profile_id
        if asking is not None and (found is None or asking not in found.profile_ids):
            raise PermissionDenied
        if found is None:
            raise NotFound
        return usable(found) if not self.even_restricted else found


def usable(person: merged.Person) -> merged.Person:
    """Return the person, unless her data may only be stored and secured (PIPL 47)."""
    if person.restricted:
        raise PermissionDenied(_("The use of this person's data is restricted."))
    return person


class ProfileViewSet(OfPerson):
    """People we know. A merged profile answers as the one that was kept."""

    scopes = {
        "list": "profiles:read",
        "retrieve": "profiles:read",
        "lookup": "profiles:read",
        "events": "events:read",
    }
    serializer_class = ProfileOut

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("-occurred_at", "-id") if self.action == "events" else ("id",)

    def get_serializer_context(self) -> dict[str, Any]:
        caller = getattr(self.request, "auth", None)  # none where the schema is made
        return {**super().get_serializer_context(), "unmasked": caller is not None and UNMASKED in caller.scopes}

    def list(self, request: Request) -> Response:
        """All people, oldest first, each once: merged profiles are left out."""
        merges = ProfileAlias.objects.filter(duplicate=OuterRef("pk"), undone_at=None)
        people = Profile.objects.usable().filter(~Exists(merges)).prefetch_related("identifiers")
        page = list(self.paginate_queryset(people) or ())
        self._log("profiles", count=len(page))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One person, with the identifiers of all profiles that were merged."""
        return self._answer(self.person())

    @extend_schema(request=IdentifierIn, responses=ProfileOut)
    @action(detail=False, methods=["post"])
    def lookup(self, request: Request) -> Response:
        """The person with an identifier; it travels in the body, since addresses end up in log files."""
        asked = self.body(IdentifierIn)
        person = known_by(asked["type"], asked["value"])
        if person is None:
            raise NotFound
        return self._answer(usable(person))

    @extend_schema(parameters=[EventQuestion], responses=EventOut(many=True))
    @action(detail=True)
    def events(self, request: Request, pk: str) -> Response:
        """What a person did, latest first, with what was done under profiles merged since."""
        asked = self.parameters(EventQuestion)
        names = {"kind": "kind", "since": "occurred_at__gte", "until": "occurred_at__lt"}
        wanted = {names[name]: value for name, value in asked.items()}
        person = self.person()
        page = self.paginate_queryset(_events(person).filter(**wanted))
        self._log("properties of events", profile=person.id)
        rows = EventOut(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(rows.data)

    def _log(self, what: str, *, profile: int | None = None, count: int = 1) -> None:
        """Write down that a program is about to read people unmasked; masked answers are nobody's business."""
        if UNMASKED in self.caller.scopes and count:
            who = f"API client {self.caller.client_id}"
            access_log.note("api", what, actor=who, profile=profile, count=count, now=timezone.now())

    def _answer(self, person: merged.Person) -> Response:
        self._log("name, identifiers, traits", profile=person.id)
        profile = Profile.objects.get(pk=person.id)
        identifiers = list(Identifier.objects.filter(profile__in=person.profile_ids).order_by("pk"))
        profile._prefetched_objects_cache = {"identifiers": identifiers}  # type: ignore[attr-defined]
        share_keys([profile])
        return Response(self.get_serializer(profile).data)


def known_by(type: str, value: str) -> merged.Person | None:
    """Return who has the identifier; one that only a browser claimed is nobody's, as in ``crm.identity``."""
    found = identity.known([(type, value)])
    return merged.person(found[type, value]) if found else None


def _events(person: merged.Person) -> QuerySet[Event]:
    # One id, not a list of one: only then the index gives the rows in their order.
    if len(person.profile_ids) == 1:
        return Event.objects.filter(profile=person.id)
    return Event.objects.filter(profile__in=person.profile_ids)
