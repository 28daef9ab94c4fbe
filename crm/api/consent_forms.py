"""What a form on somebody's web page, or in a mini program, has to show before it may ask for consent."""

from typing import Any

from django.utils import timezone
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm import consent_forms
from crm.api.browsers import ForBrowsers
from crm.api.consents import OWN
from crm.models import Channel, Purpose
from crm.preferences.shown import LANGUAGES

CODES = r"^[a-z0-9][a-z0-9_.-]*(,[a-z0-9][a-z0-9_.-]*)*$"


class FormQuestion(serializers.Serializer[Any]):
    purposes = serializers.RegexField(CODES, max_length=500, help_text="Codes, comma separated, as they are to stand.")
    channel = serializers.ChoiceField(Channel.choices, required=False, default="")
    language = serializers.ChoiceField([(one, one) for one in LANGUAGES], default=LANGUAGES[0])
    required = serializers.RegexField(  # type: ignore[assignment]  # a field of the question, of that name
        CODES, max_length=500, required=False, default="", help_text="What your form does not go on without: refused."
    )


class FormPurposeOut(serializers.Serializer[Any]):
    purpose = serializers.CharField()
    channel = serializers.ChoiceField(Channel.choices, allow_blank=True)
    consent_kind = serializers.ChoiceField(["general", "separate"])
    notice = serializers.CharField()
    notice_digest = serializers.CharField()
    name = serializers.CharField()
    about = serializers.ListField(child=serializers.CharField(), help_text="Lines to show, each in its own element.")
    where = serializers.CharField(allow_blank=True)
    allow = serializers.CharField(help_text="What the control says that means yes; not ticked.")
    refuse = serializers.CharField(help_text="What the control says that means no; not ticked.")
    rendered_digest = serializers.CharField(help_text="SHA-256 of all lines as they have to be on the screen.")


class FormOut(serializers.Serializer[Any]):
    form_version = serializers.CharField()
    language = serializers.CharField()
    purposes = FormPurposeOut(many=True)


class ConsentFormViewSet(ForBrowsers):
    """Forms that ask for consent: one control for each purpose, nothing ticked, nothing made to depend on it."""

    scopes = {"list": "consent:read"}
    purposes = {"list": OWN}
    queryset = Purpose.objects.none()
    pagination_class = None

    @extend_schema(
        parameters=[FormQuestion],
        responses=forced_singular_serializer(FormOut),  # type: ignore[no-untyped-call]  # drf-spectacular's own
    )
    def list(self, request: Request) -> Response:
        """What the form has to show; refused where the form would be unlawful, with the reason."""
        asked = self.parameters(FormQuestion)
        required = asked["required"].split(",") if asked["required"] else []
        form = consent_forms.controls([*asked["purposes"].split(","), *required], asked["channel"], required)
        try:
            shown = consent_forms.lines(form, asked["language"], timezone.now())
        except consent_forms.Unlawful as unlawful:
            raise serializers.ValidationError({"purposes": str(unlawful)}) from None
        rows = [
            {
                "purpose": purpose.code,
                "channel": one.channel,
                "consent_kind": "separate" if purpose.separate else "general",
                "notice": one.notice,
                "notice_digest": one.notice_digest,
                "name": one.name,
                "about": list(one.about),
                "where": one.where,
                "allow": one.allow,
                "refuse": one.refuse,
                "rendered_digest": one.digest,
            }
            for purpose, one in shown
        ]
        told = {"form_version": consent_forms.VERSION, "language": asked["language"], "purposes": rows}
        return Response(FormOut(told).data)
