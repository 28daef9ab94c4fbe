"""What requests and answers of campaigns' resources have in common."""

from typing import Any

import orjson
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import APIException

BIGGEST = 2**63 - 1
LARGEST_RULE = 200_000  # bytes, as in the builder


class TookTooLong(APIException):
    """It was given up: the database has other things to do."""

    status_code = 503
    default_code = "took_too_long"
    default_detail = "It took too long. Ask for less, or later."


class BeingCounted(APIException):
    """There is too much of it to count while a request waits; a worker does."""

    status_code = 503
    default_code = "being_counted"
    default_detail = "It is being counted for the first time. Ask again soon."
    wait = 10  # seconds, as ``Retry-After``


class Document(serializers.JSONField):
    """JSON that the database can keep: no NUL, no half of a sign, no number that is none, and not too much of it."""

    def __init__(self, *, most: int = LARGEST_RULE, **facts: Any) -> None:
        self.most = most
        super().__init__(**facts)

    def to_internal_value(self, data: Any) -> Any:
        told = super().to_internal_value(data)
        try:
            text = orjson.dumps(told)
        except (TypeError, ValueError) as error:
            raise serializers.ValidationError(_("This cannot be kept: %(why)s.") % {"why": error}) from error
        if b"\\u0000" in text:
            raise serializers.ValidationError(_("This cannot be kept: %(why)s.") % {"why": "NUL"})
        if len(text) > self.most:
            raise serializers.ValidationError(_("More than %(most)d bytes.") % {"most": self.most})
        return told


@extend_schema_field({"type": "object", "additionalProperties": {}})
class Table(Document):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        told = super().to_internal_value(data)
        if not isinstance(told, dict):
            raise serializers.ValidationError(_("A JSON object."))
        return told


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class Texts(Table):
    """A JSON object of texts."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        told: dict[str, str] = super().to_internal_value(data)
        if not all(isinstance(value, str) for value in told.values()):
            raise serializers.ValidationError(_("A JSON object of texts."))
        return told


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300, allow_blank=True, default="", help_text="Shown to colleagues.")
