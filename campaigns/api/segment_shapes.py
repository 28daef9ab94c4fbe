"""How segments look in requests and answers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns import rules
from campaigns.api.shapes import BIGGEST, Table
from campaigns.models import Segment, SegmentVersion
from campaigns.rules import RuleError, sentences
from campaigns.segmenting import segments
from crm.models import Profile
from crm.privacy import masked_name

MOST_PEOPLE = 10_000
RULE = 'A tree of "all", "any" and "none"; see the guide to rules in the documentation.'
PEOPLE = "Nobody twice; who is not known is passed over."


class SegmentQuestion(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Segment.Kind.choices, required=False)
    archived = serializers.BooleanField(required=False)


class RuleIn(serializers.Serializer[Any]):
    rule = Table(help_text=RULE)


class CountQuestion(serializers.Serializer[Any]):
    budget_ms = serializers.IntegerField(min_value=50, max_value=5000, default=800, help_text="Milliseconds.")


class CountIn(CountQuestion):
    rule = Table(help_text=RULE)


class SegmentIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=500, allow_blank=True, default="")
    kind = serializers.ChoiceField(Segment.Kind.choices, default=Segment.Kind.RULE.value)
    rule = Table(required=False, help_text=RULE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("kind") == Segment.Kind.LIST and "rule" in attrs:
            raise serializers.ValidationError({"rule": "A list has no rule."})
        return attrs


class SegmentChange(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    rule = Table(required=False, help_text=RULE)


class PeopleIn(serializers.Serializer[Any]):
    profile_ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST), max_length=MOST_PEOPLE, help_text=PEOPLE
    )


class TakenOut(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="How many came or went.")


class SegmentOut(serializers.ModelSerializer[Segment]):
    version = serializers.IntegerField(source="current.number", allow_null=True, default=None)

    class Meta:
        model = Segment
        fields = ["id", "name", "description", "kind", "version", "created_at", "archived_at"]
        read_only_fields = fields


class UseOut(serializers.Serializer[Any]):
    segments = serializers.ListField(child=serializers.IntegerField())
    campaigns = serializers.ListField(child=serializers.IntegerField())


class SegmentWhole(SegmentOut):
    rule = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()
    used_by = serializers.SerializerMethodField()

    class Meta(SegmentOut.Meta):
        fields = [*SegmentOut.Meta.fields, "rule", "sentence", "used_by"]
        read_only_fields = fields

    def get_rule(self, one: Segment) -> dict[str, Any] | None:
        return one.current.rule if one.current and one.kind == Segment.Kind.RULE else None

    def get_sentence(self, one: Segment) -> str:
        return sentence_of(one.current.rule) if one.current and one.kind == Segment.Kind.RULE else ""

    @extend_schema_field(UseOut)
    def get_used_by(self, one: Segment) -> Any:
        use = segments.used_by(one)
        told = {"segments": [row.pk for row in use.segments], "campaigns": [row.pk for row in use.campaigns]}
        return UseOut(told).data


class SegmentVersionOut(serializers.ModelSerializer[SegmentVersion]):
    rule = serializers.DictField()
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = SegmentVersion
        fields = ["number", "rule", "sentence", "made_at"]
        read_only_fields = fields

    def get_sentence(self, one: SegmentVersion) -> str:
        return sentence_of(one.rule)


class CountOut(serializers.Serializer[Any]):
    """How many: between ``low`` and ``high`` in 19 of 20 answers; ``private`` says that noise was added."""

    value = serializers.IntegerField()
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    exact = serializers.BooleanField()
    private = serializers.BooleanField()


class MembersQuestion(serializers.Serializer[Any]):
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    at = serializers.DateTimeField(required=False, help_text="As of this moment; now if not given.")


class SegmentMemberOut(serializers.Serializer[Any]):
    profile_id = serializers.IntegerField(source="id")


class PersonOut(serializers.ModelSerializer[Profile]):
    """A person, masked."""

    name = serializers.SerializerMethodField()
    gender = serializers.ChoiceField(Profile.Gender.choices, allow_blank=True)

    class Meta:
        model = Profile
        fields = ["id", "name", "age_band", "gender", "province", "city", "language"]
        read_only_fields = fields

    def get_name(self, one: Profile) -> str:
        return masked_name(one.name)


class SampleOut(serializers.Serializer[Any]):
    sentence = serializers.CharField()
    people = PersonOut(many=True)


def sentence_of(rule: object) -> str:
    """Return what a rule says in words; one that an earlier release wrote may not be understood any more."""
    try:
        return sentences.sentence(rules.parse(rule))
    except RuleError as error:
        return str(error)
