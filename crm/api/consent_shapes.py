"""How consents look in requests and answers."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework import serializers

from crm.api.profiles import IdentifierIn
from crm.consent import Basis, NewConsent, Reason
from crm.consent_past import Stood
from crm.models import Channel, ConsentEvent

State, Kind, Method = ConsentEvent.State, ConsentEvent.ConsentKind, ConsentEvent.Method
OURS = (Method.IMPORT.value, Method.ADMIN.value, Method.SYSTEM.value)
BY_APPLICATIONS = [choice for choice in Method.choices if choice[0] not in OURS]
# With a person's own token: what a browser in her hands can say, now; applications and staff vouch for the rest.
BY_PERSONS: Mapping[str, tuple[str, ...]] = {
    "method": (Method.FORM.value, Method.MINI_PROGRAM.value, Method.PREFERENCE_CENTRE.value),
    "consent_kind": (Kind.GENERAL.value, Kind.SEPARATE.value),
    "state": (State.GIVEN.value, State.REFUSED.value, State.WITHDRAWN.value, State.RENEWED.value),
}
NOT_BY_PERSONS = (
    "claimed_at",
    "valid_until",
    "guardian",
    "proof",
    "pia",
    "recipient",
    "jurisdiction",
    "channel_account",
)
MOST_EVENTS, MOST_PEOPLE = 500, 10_000
BIGGEST = 2**63 - 1


class WhoIn(serializers.Serializer[Any]):
    """Who is meant: a profile's id or an identifier; with a person's token neither is needed."""

    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)
    identifier = IdentifierIn(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "profile_id" in attrs and "identifier" in attrs:
            raise serializers.ValidationError({"profile_id": "Give either profile_id or identifier."})
        return attrs


class ConsentIn(WhoIn):
    purpose = serializers.CharField(max_length=64, help_text="A purpose's code.")
    state = serializers.ChoiceField(State.choices)
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True, default="", help_text="Empty: every channel.")
    channel_account = serializers.CharField(max_length=128, allow_blank=True, default="")
    consent_kind = serializers.ChoiceField(Kind.choices, default=Kind.GENERAL.value)
    method = serializers.ChoiceField(BY_APPLICATIONS, default=Method.API.value)
    notice = serializers.CharField(
        max_length=80, allow_blank=True, default="", help_text="What the person was told: code and version, privacy/3."
    )
    notice_digest = serializers.CharField(max_length=64, allow_blank=True, default="")
    rendered_digest = serializers.CharField(
        max_length=64, allow_blank=True, default="", help_text="SHA-256 of what the screen really showed."
    )
    language = serializers.CharField(max_length=16, allow_blank=True, default="")
    form_version = serializers.CharField(max_length=64, allow_blank=True, default="")
    jurisdiction = serializers.CharField(max_length=16, allow_blank=True, default="")
    recipient = serializers.CharField(max_length=200, allow_blank=True, default="")
    pia = serializers.CharField(max_length=64, allow_blank=True, default="", help_text="Impact assessment.")
    adm_optout = serializers.BooleanField(default=False)
    claimed_at = serializers.DateTimeField(required=False, help_text="When it was said, if not just now.")
    valid_until = serializers.DateTimeField(required=False)
    proof = serializers.DictField(default=dict, help_text="What proves it: texts and whole numbers; encrypted.")
    guardian = serializers.DictField(default=dict, help_text="relation, evidence, and contact or name; encrypted.")
    ip = serializers.CharField(max_length=64, allow_blank=True, default="")
    user_agent = serializers.CharField(max_length=500, allow_blank=True, default="")


class BatchIn(serializers.Serializer[Any]):
    events = serializers.ListField(child=ConsentIn(), min_length=1, max_length=MOST_EVENTS)
    all_at_once = serializers.BooleanField(default=False, help_text="One act meant them all.")


class WithdrawalIn(WhoIn):
    purpose = serializers.CharField(max_length=64, allow_blank=True, default="", help_text="Empty: all purposes.")
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True, default="", help_text="Empty: every channel.")
    method = serializers.ChoiceField(BY_APPLICATIONS, default=Method.API.value)


class ConsentOut(serializers.ModelSerializer[ConsentEvent]):
    """One event; who said it and the proof are not told here."""

    purpose = serializers.CharField(source="purpose_id")
    notice = serializers.CharField(source="notice_id", allow_null=True)
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True)

    class Meta:
        model = ConsentEvent
        fields = [
            *("id", "state", "purpose", "channel", "consent_kind", "method", "legal_basis", "notice", "notice_digest"),
            *("rendered_digest", "language", "form_version", "jurisdiction", "recipient", "pia", "adm_optout"),
            *("claimed_at", "received_at", "valid_until", "cooldown_until"),
        ]
        read_only_fields = fields


class RecordedOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    profile_id = serializers.IntegerField()
    event = ConsentOut()
    counts = serializers.BooleanField(help_text="False where something said later, or a no at the same time, counts.")


class RefusedOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    code = serializers.CharField()
    field = serializers.CharField(allow_null=True)
    message = serializers.CharField()


class BatchOut(serializers.Serializer[Any]):
    recorded = RecordedOut(many=True)
    refused = RefusedOut(many=True)


class ManyBasesQuestion(serializers.Serializer[Any]):
    profile_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST), min_length=1, max_length=MOST_PEOPLE
    )
    purpose = serializers.CharField(max_length=64)
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True, default="")


class BasisQuestion(serializers.Serializer[Any]):
    purpose = serializers.CharField(max_length=64)
    channel = serializers.ChoiceField(Channel.choices, default="", required=False)


class BasisOut(serializers.Serializer[Any]):
    profile_id = serializers.IntegerField()
    allowed = serializers.BooleanField()
    event_id = serializers.UUIDField(allow_null=True, help_text="The consent event that allows it, or that forbids it.")
    reason = serializers.ChoiceField(Reason.choices, allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    cooldown_until = serializers.DateTimeField(allow_null=True)


class OneBasisOut(BasisOut):
    may_ask = serializers.BooleanField(help_text="Whether the person may be asked for it now.")


class BasesOut(serializers.Serializer[Any]):
    results = BasisOut(many=True)


class StoodOut(serializers.Serializer[Any]):
    purpose = serializers.CharField()
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True)
    state = serializers.ChoiceField(State.choices)
    event_id = serializers.UUIDField()
    since = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)
    allowed = serializers.BooleanField(help_text="As far as consent goes.")
    reason = serializers.ChoiceField(Reason.choices, allow_null=True)


class StateOut(serializers.Serializer[Any]):
    profile_id = serializers.IntegerField()
    at = serializers.DateTimeField()
    results = StoodOut(many=True)


def new_consent(asked: Mapping[str, Any], idempotency: UUID | None) -> NewConsent:
    """Return what a checked request says."""
    told = {name: value for name, value in asked.items() if name not in ("profile_id", "identifier")}
    return NewConsent(**told, idempotency=idempotency)


def basis_out(profile: int, basis: Basis) -> dict[str, Any]:
    return dict(BasisOut({"profile_id": profile, **basis._asdict()}).data)


def state_out(stood: Mapping[tuple[str, str], Stood]) -> list[dict[str, Any]]:
    return [
        {
            "purpose": purpose,
            "channel": channel,
            "state": one.held.state,
            "event_id": one.held.event_id,
            "since": one.held.counts_from,
            "valid_until": one.held.valid_until,
            "allowed": one.basis.allowed,
            "reason": one.basis.reason,
        }
        for (purpose, channel), one in sorted(stood.items())
    ]
