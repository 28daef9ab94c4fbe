"""How webhook endpoints and their log look in requests and answers."""

from typing import Any

from rest_framework import serializers

from campaigns.models import WebhookAttempt, WebhookEndpoint, WebhookMessage
from campaigns.outgoing import KINDS

CHOICES = [(kind, str(words)) for kind, words in sorted(KINDS.items())]


class EndpointIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    url = serializers.URLField(max_length=500)
    kinds = serializers.ListField(child=serializers.ChoiceField(sorted(KINDS)), min_length=1, max_length=len(KINDS))


class EndpointChange(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    name = serializers.CharField(max_length=120, required=False)
    url = serializers.URLField(max_length=500, required=False)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(sorted(KINDS)), min_length=1, max_length=len(KINDS), required=False
    )


class EndpointOut(serializers.ModelSerializer[WebhookEndpoint]):
    stopped_for = serializers.ChoiceField(WebhookEndpoint.Why.choices, allow_blank=True)
    kinds = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = WebhookEndpoint
        fields = [
            *("id", "name", "url", "kinds", "active", "stopped_for", "failing_since", "next_try_at"),
            *("old_secret_until", "created_at"),
        ]
        read_only_fields = fields


class EndpointMade(EndpointOut):
    """The secret is told this once."""

    secret = serializers.CharField()

    class Meta(EndpointOut.Meta):
        fields = [*EndpointOut.Meta.fields, "secret"]
        read_only_fields = fields


class PingOut(serializers.Serializer[Any]):
    """What the endpoint answered: a status, or the code of why there is none."""

    good = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    took_ms = serializers.IntegerField()


class MessageQuestion(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["waiting", "told", "given_up"], required=False)
    event = serializers.ChoiceField(sorted(KINDS), required=False, help_text="Its kind.")
    since = serializers.DateTimeField(required=False, help_text="Made not before this time.")


class AttemptOut(serializers.ModelSerializer[WebhookAttempt]):
    class Meta:
        model = WebhookAttempt
        fields = ["status", "error", "took_ms", "tried_at"]
        read_only_fields = fields


class MessageOut(serializers.ModelSerializer[WebhookMessage]):
    """A message: its ``id`` is the header ``webhook-id``."""

    event = serializers.CharField(source="kind")
    profile_id = serializers.IntegerField(allow_null=True)
    body = serializers.DictField()
    tries = AttemptOut(many=True)

    class Meta:
        model = WebhookMessage
        fields = [
            *("id", "sequence", "event", "profile_id", "body", "attempts", "happened_at", "created_at", "next_at"),
            *("delivered_at", "tries"),
        ]
        read_only_fields = fields


class ReplayIn(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="Messages made not before this time.")
    all = serializers.BooleanField(default=False, help_text="Also what was told; else only what was given up.")


class ReplayedOut(serializers.Serializer[Any]):
    messages = serializers.IntegerField()
