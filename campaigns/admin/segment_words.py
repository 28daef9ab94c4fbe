"""What the rule builder knows: the allowlist of ``campaigns.rule_fields`` with its words, and what there is to name."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from campaigns import rule_fields as fields
from campaigns.models import Campaign, Segment
from crm.models import Purpose
from mlengine.specs import SPECS

MOST_NAMED = 500


def catalogue(without: int | None = None) -> dict[str, Any]:
    """Return it for ``builder.js``; ``without`` is the segment itself, which its rule cannot name."""
    segments = Segment.objects.offered().exclude(pk=without or 0).order_by("name").values_list("pk", "name")
    return {
        "profile": [_field(one) for one in fields.PROFILE.values()],
        "event_fields": [_field(one) for one in fields.EVENT.values()],
        "any": fields.TYPES["any"],
        "counted": fields.COUNTED,
        "operators": {code: str(words) for code, words in fields.OPERATORS.items()},
        "shapes": dict(fields.SHAPES),
        "events": _pairs(fields.EVENTS),
        "channels": _pairs(fields.CHANNELS),
        "consents": _pairs(fields.CONSENT_STATES),
        "address_states": _pairs(fields.ADDRESS_STATES),
        "addresses": [(code, str(fields.CHANNELS.get(code, code))) for code in fields.ADDRESS_TYPES],
        "of_campaigns": _pairs(fields.OF_CAMPAIGNS),
        "purposes": [(one.code, _named(one)) for one in Purpose.objects.order_by("code")],
        "scores": [(name, str(SPECS[name].title)) for name in fields.specs("score")],
        "clusters": [(name, str(SPECS[name].title)) for name in fields.specs("cluster")],
        "campaigns": list(Campaign.objects.order_by("-pk").values_list("pk", "name")[:MOST_NAMED]),
        "segments": list(segments[:MOST_NAMED]),
        "words": words(),
    }


def words() -> dict[str, str]:
    """Return the builder's own words."""
    return {
        "all": _("all of these"),
        "any": _("at least one of these"),
        "none": _("none of these"),
        "empty_all": _("Nothing is asked yet: everybody belongs."),
        "empty_any": _("Nothing is asked yet: nobody belongs."),
        "empty_none": _("Nothing is asked yet: everybody belongs."),
        "condition": _("condition"),
        "group": _("group"),
        "remove": _("Remove"),
        "kind": _("kind"),
        "operator": _("comparison"),
        "value": _("value"),
        "several": _("values, with commas between"),
        "from": _("from"),
        "until": _("until"),
        "is": _("is"),
        "yes": _("yes"),
        "no": _("no"),
        "field": _("field"),
        "name": _("name"),
        "any_name": _("any name"),
        "attribute": _("an attribute…"),
        "event": _("event"),
        "measure": _("measure"),
        "times": _("times"),
        "sum": _("with a sum that"),
        "never": _("never"),
        "within": _("within"),
        "days": _("days"),
        "ever": _("ever"),
        "where": _("where"),
        "anything": _("(of anything)"),
        "purpose": _("purpose"),
        "channel": _("channel"),
        "every_channel": _("any channel"),
        "state": _("state"),
        "address": _("address"),
        "score": _("score"),
        "cluster": _("segment found"),
        "campaign": _("campaign"),
        "segment": _("segment"),
        "belongs": _("belongs to"),
        "salt": _("name of the draw"),
        "unreachable": _("The server could not be asked. It is asked again with the next change."),
        "kind_field": _("About the person"),
        "kind_event": _("What was done"),
        "kind_consent": _("Consent"),
        "kind_address": _("Address"),
        "kind_score": _("Score"),
        "kind_cluster": _("Segment found"),
        "kind_campaign": _("Campaign"),
        "kind_segment": _("Segment"),
        "kind_bucket": _("Random share"),
        "kind_other": _("Other (JSON)"),
    }


def _field(field: fields.Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": str(field.label),
        "type": field.type,
        "operators": list(field.operators),
        "choices": [(code, str(text)) for code, text in field.choices],
    }


def _pairs(told: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(code, str(text)) for code, text in told.items()]


def _named(purpose: Purpose) -> str:
    return str(purpose.name.get(get_language() or "en") or purpose.name.get("en") or purpose.code)
