"""What the rule builder knows: the allowlist of rules' fields with its words, and what there is to name."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Segment
from campaigns.rules import fields
from campaigns.rules.fields import Words
from campaigns.segmenting import common_values
from crm.models import Purpose
from mlengine.models import Cluster, PredictionRun
from mlengine.specs import SPECS

MOST_NAMED = 500
# The builder's own words.
WORDS: Mapping[str, Words] = {
    "all": _("all of these"),
    "any": _("at least one of these"),
    "none": _("none of these"),
    "between_all": _("and"),
    "between_any": _("or"),
    "between_none": _("nor"),
    "empty_all": _("Nothing is asked yet: everybody belongs."),
    "empty_any": _("Nothing is asked yet: nobody belongs."),
    "empty_none": _("Nothing is asked yet: everybody belongs."),
    "condition": _("condition"),
    "group": _("group"),
    "remove": _("Remove"),
    "copy": _("Copy"),
    "kind": _("kind"),
    "operator": _("comparison"),
    "value": _("value"),
    "several": _("value, then Enter"),
    "from": _("from"),
    "until": _("until"),
    "and": _("and"),
    "between": _("between"),
    "is": _("is"),
    "yes": _("yes"),
    "no": _("no"),
    "field": _("field"),
    "name": _("name"),
    "any_name": _("any name"),
    "attribute": _("an attribute…"),
    "property": _("a property…"),
    "event": _("event"),
    "measure": _("measure"),
    "measure_count": _("how often"),
    "measure_sum": _("sum of values"),
    "measure_first": _("the first time"),
    "measure_last": _("the last time"),
    "measure_never": _("never"),
    "times": _("times"),
    "within": _("within"),
    "last_days": _("in the last"),
    "dates": _("between dates"),
    "days": _("days"),
    "ever": _("ever"),
    "where": _("where"),
    "then": _("then"),
    "more_where": _("only where…"),
    "more_then": _("followed by…"),
    "more_to": _("only to those who…"),
    "purpose": _("purpose"),
    "channel": _("channel"),
    "every_channel": _("any channel"),
    "state": _("state"),
    "address": _("address"),
    "relation": _("relation"),
    "has_relation": _("has a relation"),
    "no_relation": _("has no relation"),
    "to_anybody": _("to anybody"),
    "to_those": _("to somebody who fulfils:"),
    "score": _("score"),
    "score_itself": _("score"),
    "score_fact": _("value"),
    "of_all": _("(0.1: one in ten)"),
    "cluster": _("segment found"),
    "by_category": _("something of the category"),
    "by_item": _("the item"),
    "item_code": _("code of the item"),
    "category": _("category"),
    "among_first": _("among the first"),
    "rank": _("place"),
    "recommendations": _("recommendations"),
    "by_anything": _("anything"),
    "due_within": _("likely within"),
    "campaign": _("campaign"),
    "segment": _("segment"),
    "belongs": _("belongs to"),
    "draw": _("by the draw"),
    "salt": _("name of the draw"),
    "counting": _("counting exactly…"),
    "unreachable": _("The server could not be asked. It is asked again with the next change."),
    "kind_field": _("About the person"),
    "kind_event": _("What was done"),
    "kind_consent": _("Consent"),
    "kind_address": _("Address"),
    "kind_related": _("Relation"),
    "kind_score": _("Score"),
    "kind_cluster": _("Segment found"),
    "kind_recommended": _("Recommendation"),
    "kind_repurchase": _("Needs again"),
    "kind_campaign": _("Campaign"),
    "kind_segment": _("Segment"),
    "kind_bucket": _("Random share"),
}
# What a score is where numbers stand beside it, and how a number of each unit is written.
ITSELF: Mapping[str, Words] = {
    "days": _("expected days"),
    "money": _("expected amount"),
    "probability": _("on the best channel, at the best hour"),
}
ON_BEST_CHANNEL = _("on the best channel")
UNITS: Mapping[str, Words] = {
    "probability": _("(0.6: six in ten)"),
    "days": _("days"),
    "hour": _("o'clock (0 to 23)"),
    "effect": _("(0.02: two more in a hundred)"),
}


def catalogue(without: int | None = None) -> dict[str, Any]:
    """Return it for ``builder.js``; ``without`` is the segment itself, which its rule cannot name."""
    segments = Segment.objects.offered().exclude(pk=without or 0).order_by("name").values_list("pk", "name")
    return {
        "profile": [_field(one) for one in fields.PROFILE.values()],
        "event_fields": [_field(one) for one in fields.EVENT.values()],
        "any": fields.TYPES["any"],
        "counted": fields.COUNTED,
        "when": fields.WHEN,
        "common": common_values.common(),
        "groups": _groups(),
        "operators": {code: str(words) for code, words in fields.OPERATORS.items()},
        "shapes": dict(fields.SHAPES),
        "events": _pairs(fields.EVENTS),
        "channels": _pairs(fields.CHANNELS),
        "consents": _pairs(fields.CONSENT_STATES),
        "address_states": _pairs(fields.ADDRESS_STATES),
        "addresses": [(code, str(fields.CHANNELS.get(code, code))) for code in fields.ADDRESS_TYPES],
        "of_campaigns": _pairs(fields.OF_CAMPAIGNS),
        "purposes": [(one.code, _named(one)) for one in Purpose.objects.order_by("code")],
        "scores": [(name, gettext(SPECS[name].title)) for name in fields.specs("score")],
        "facts": {spec: _facts(spec) for spec in fields.specs("score")},
        "units": {spec: _units(spec) for spec in fields.specs("score")},
        "clusters": [(name, gettext(SPECS[name].title)) for name in fields.specs("cluster")],
        "campaigns": list(Campaign.objects.order_by("-pk").values_list("pk", "name")[:MOST_NAMED]),
        "segments": list(segments[:MOST_NAMED]),
        "words": {name: str(text) for name, text in WORDS.items()},
    }


def _facts(spec: str) -> list[tuple[str, str]]:
    """Return what a condition may ask of a score: the score itself, and the numbers beside it."""
    itself = ITSELF.get(SPECS[spec].unit, WORDS["score_itself"])
    if "by_post" in SPECS[spec].facts and "best_hour" not in SPECS[spec].facts:
        itself = ON_BEST_CHANNEL
    return [("", str(itself)), *((name, fields.fact_title(spec, name)) for name in fields.facts(spec))]


def _units(spec: str) -> dict[str, str]:
    """Return what stands behind the number that is asked of each, by its name."""
    asked = {name: fields.fact_unit(spec, name) for name in ("", *fields.facts(spec))}
    units = {**UNITS, "money": _currency(spec)} if "money" in asked.values() else UNITS
    return {name: str(units[unit]) for name, unit in asked.items() if unit in units}


def _currency(spec: str) -> str:
    """Return the currency of a model's amounts, as its latest answers have it."""
    run = PredictionRun.objects.latest_finished(spec)
    return run.currency if run else str(settings.CURRENCY)


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


def _groups() -> dict[str, list[tuple[int, str]]]:
    """Return the groups that models found, by model."""
    found: dict[str, list[tuple[int, str]]] = {}
    for one in Cluster.objects.order_by("spec", "code")[:MOST_NAMED]:
        found.setdefault(one.spec, []).append((one.code, str(one.name.get(get_language() or "en") or one)))
    return found


def _named(purpose: Purpose) -> str:
    return str(purpose.name.get(get_language() or "en") or purpose.name.get("en") or purpose.code)
