"""How templates look in requests and answers."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from campaigns.api.shapes import BIGGEST, Table, Texts
from campaigns.models import Template, TemplateVersion
from campaigns.templating.template_saving import MOST_BYTES
from crm.models import Channel

FORMS = 'By channel, then language: {"email": {"en": {"subject": "Hello", "html": "<p>Hello</p>"}}}.'
FALLBACKS = 'By variable: {"profile.city": "your city"}.'


class VersionIn(serializers.Serializer[Any]):
    forms = Table(most=MOST_BYTES, help_text=FORMS)
    fallbacks = Texts(most=20_000, default=dict, help_text=FALLBACKS)


class TemplateIn(VersionIn):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=500, allow_blank=True, default="")


class TemplateChange(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)


class TemplateOut(serializers.ModelSerializer[Template]):
    version = serializers.IntegerField(source="current.number", allow_null=True, default=None)

    class Meta:
        model = Template
        fields = ["id", "name", "description", "version", "created_at", "archived_at"]
        read_only_fields = fields


class TemplateWhole(TemplateOut):
    forms = serializers.DictField(source="current.forms", allow_null=True, default=None)
    fallbacks = serializers.DictField(source="current.fallbacks", allow_null=True, default=None)

    class Meta(TemplateOut.Meta):
        fields = [*TemplateOut.Meta.fields, "forms", "fallbacks"]
        read_only_fields = fields


class TemplateVersionOut(serializers.ModelSerializer[TemplateVersion]):
    forms = serializers.DictField()
    fallbacks = serializers.DictField()

    class Meta:
        model = TemplateVersion
        fields = ["number", "forms", "fallbacks", "made_at"]
        read_only_fields = fields


class ProblemOut(serializers.Serializer[Any]):
    where = serializers.CharField(help_text="Like email.en.subject.")
    code = serializers.CharField()
    message = serializers.CharField()
    grave = serializers.BooleanField(help_text="Whether it cannot be sent so.")


class CheckedOut(serializers.Serializer[Any]):
    problems = ProblemOut(many=True)
    variables = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), help_text="Each variable, and where it stands."
    )


class PreviewIn(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(Channel.choices)
    language = serializers.ChoiceField([code for code, _name in settings.LANGUAGES])
    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)


class PreviewOut(serializers.Serializer[Any]):
    parts = serializers.DictField(help_text="By the channel: subject, html and text of an e-mail; text of an SMS.")
