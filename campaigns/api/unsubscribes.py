"""Who wants no more messages: listed in the order of the ledger, so that nobody is missed, and taken in."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.shapes import BIGGEST
from crm import consent, merged
from crm.api.consent_shapes import BY_APPLICATIONS, WhoIn
from crm.api.profiles import known_by
from crm.api.repeats import KEY, Repeatable, plain
from crm.idempotency import Answer
from crm.models import Channel, ConsentEvent, Leaf, Purpose, Source

GONE = (ConsentEvent.State.WITHDRAWN, ConsentEvent.State.REVOKED)


class UnsubscribeQuestion(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        required=False, min_value=0, max_value=BIGGEST, help_text="The last sequence that was read."
    )
    since = serializers.DateTimeField(required=False, help_text="Received not before this time.")
    purpose = serializers.CharField(required=False, max_length=64, help_text="A purpose's code.")
    channel = serializers.ChoiceField(Channel.choices, required=False)


class UnsubscribeIn(WhoIn):
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True, default="", help_text="Empty: every channel.")
    method = serializers.ChoiceField(BY_APPLICATIONS, default=ConsentEvent.Method.API.value)
    claimed_at = serializers.DateTimeField(required=False, help_text="When it was said, if not just now.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        told = super().validate(attrs)
        if not told.keys() & {"profile_id", "identifier"}:
            raise serializers.ValidationError({"profile_id": "Give either profile_id or identifier."})
        return told


class UnsubscribeOut(serializers.Serializer[Any]):
    """One withdrawal; ``sequence`` is its number in the consent ledger, ``profile_id`` null if she was erased since."""

    sequence = serializers.IntegerField()
    event = serializers.UUIDField()
    profile_id = serializers.IntegerField(allow_null=True)
    purpose = serializers.CharField()
    channel = serializers.CharField(allow_blank=True, help_text="Empty: every channel.")
    method = serializers.CharField()
    received_at = serializers.DateTimeField()


class TakenBackOut(serializers.Serializer[Any]):
    profile_id = serializers.IntegerField()
    purposes = serializers.ListField(child=serializers.CharField(), help_text="Those that were taken back just now.")


class UnsubscribeViewSet(Repeatable):
    """Withdrawals from marketing, however they reached us."""

    scopes = {"list": "unsubscribes:read", "create": "unsubscribes:write"}
    ordering = ("sequence",)
    queryset = Leaf.objects.filter(kind=ConsentEvent.kind)

    @extend_schema(parameters=[UnsubscribeQuestion], responses=UnsubscribeOut(many=True))
    def list(self, request: Request) -> Response:
        """Withdrawals in the order in which the ledger numbered them; go on with `after` and nobody is missed."""
        asked = self.parameters(UnsubscribeQuestion)
        rows = self.get_queryset().filter(record__in=_events(asked).values("pk"))
        page = self.paginate_queryset(rows.filter(sequence__gt=asked.get("after", -1))) or []
        events = ConsentEvent.objects.select_related("person").in_bulk([leaf.record for leaf in page])
        told = [_told(leaf.sequence, events[leaf.record]) for leaf in page]
        return self.get_paginated_response(UnsubscribeOut(told, many=True).data)

    @extend_schema(request=UnsubscribeIn, responses={201: TakenBackOut}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Take in that somebody wants no marketing any more, on one channel or on every one."""
        asked, now, sent = self.body(UnsubscribeIn), timezone.now(), self.key("unsubscribes")
        profile = _person(asked)
        heard = consent.Heard(source=self._source(), idempotency=sent, claimed_at=asked.get("claimed_at"))

        def work() -> Answer:
            try:
                done = consent.withdraw_marketing(profile, asked["channel"], asked["method"], now, heard)
            except consent.ConsentRefused as refused:
                raise serializers.ValidationError({refused.field: refused.reason}) from None
            return Answer(201, plain({"profile_id": profile, "purposes": [event.purpose_id for event in done]}))

        return self.once(sent, work, now)

    def _source(self) -> Source:
        name = f"API client {self.caller.client_id}"
        return Source.objects.get_or_create(name=name, defaults={"kind": Source.Kind.SERVER})[0]


def _events(asked: dict[str, Any]) -> QuerySet[ConsentEvent]:
    marketing = Purpose.objects.filter(kind=Purpose.Kind.MARKETING)
    rows = ConsentEvent.objects.filter(state__in=GONE, purpose__in=marketing.values("code"))
    if "since" in asked:
        rows = rows.filter(received_at__gte=asked["since"])
    if "purpose" in asked:
        rows = rows.filter(purpose=asked["purpose"])
    if "channel" in asked:
        rows = rows.filter(channel__in=["", asked["channel"]])
    return rows


def _told(sequence: int, event: ConsentEvent) -> dict[str, Any]:
    person = getattr(event, "person", None)
    return {
        "sequence": sequence,
        "event": event.pk,
        "profile_id": person.profile_id if person else None,
        "purpose": event.purpose_id,
        "channel": event.channel,
        "method": event.method,
        "received_at": event.received_at,
    }


def _person(asked: dict[str, Any]) -> int:
    by = "identifier" if "identifier" in asked else "profile_id"
    told = asked[by]
    found = known_by(told["type"], told["value"]) if by == "identifier" else merged.person(told)
    if found is None:
        raise serializers.ValidationError({by: _("Nobody is known by this.")})
    return found.id
