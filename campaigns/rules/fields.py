"""What rules may ask: the one list of fields, operators and choices, for the parser, the compiler and the builder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.addresses import ADDRESSES
from crm.coarse import openness
from crm.models import Channel, Event, Profile
from mlengine.specs import SPECS

Words = str | Promise

OPERATORS: Mapping[str, Words] = {
    "is": _("is"),
    "is_not": _("is not"),
    "in": _("is one of"),
    "not_in": _("is none of"),
    "contains": _("contains"),
    "at_least": _("is at least"),
    "at_most": _("is at most"),
    "between": _("is between"),
    "before": _("is before"),
    "after": _("is after"),
    "within_days": _("lies within the last days"),
    "over_days_ago": _("lies more days ago than"),
    "birthday_within": _("comes within days"),
    "known": _("is known"),
    "unknown": _("is not known"),
    "top_share": _("belongs to the highest share"),
}
# Each of these is the exact opposite of the other: it holds also for people of whom nothing is known.
OPPOSITES: Mapping[str, str] = {"is_not": "is", "not_in": "in", "unknown": "known"}
# What an operator compares with; all others with one value.
SHAPES: Mapping[str, str] = {
    "in": "list", "not_in": "list", "between": "pair", "known": "nothing", "unknown": "nothing",
    "within_days": "days", "over_days_ago": "days", "birthday_within": "days",
}  # fmt: skip
EXACT = ("is", "is_not", "in", "not_in")
TYPES: Mapping[str, Sequence[str]] = {
    "text": (*EXACT, "contains", "known", "unknown"),
    "choice": (*EXACT, "known", "unknown"),
    "category": (*EXACT, "known", "unknown"),
    "number": ("is", "is_not", "at_least", "at_most", "between", "known", "unknown"),
    "moment": ("before", "after", "between", "within_days", "over_days_ago"),
    "flag": ("is",),
    "birthday": ("birthday_within",),
    "any": (*EXACT, "contains", "at_least", "at_most", "between", "known", "unknown"),
}
# The ends of a score's interval.
BOUNDS: Mapping[str, Words] = {"low": _("lower bound"), "high": _("upper bound")}
COUNTED = ("is", "at_least", "at_most", "between")
WHEN = ("before", "after", "within_days", "over_days_ago")
MEASURES: Mapping[str, Sequence[str]] = {"count": COUNTED, "sum": COUNTED, "first": WHEN, "last": WHEN}
OF_CAMPAIGNS: Mapping[str, Words] = {
    "assigned": _("was assigned to"),
    "received": _("received a message of"),
    "not_received": _("received no message of"),
    "clicked": _("clicked in a message of"),
    "converted": _("reached the goal after"),
    "held_out": _("was held out of"),
}


@dataclass(frozen=True, kw_only=True)
class Field:
    """Something that can be asked: how it is called, how it is compared, and among which values."""

    name: str
    label: Words
    type: str
    choices: Sequence[tuple[str, Words]] = ()

    @property
    def operators(self) -> Sequence[str]:
        return TYPES[self.type]


def _by_name(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


PROFILE: Mapping[str, Field] = _by_name(
    Field(name="gender", label=_("gender"), type="choice", choices=Profile.Gender.choices),
    Field(name="age_band", label=_("age band"), type="text"),
    Field(name="age_class", label=_("age class"), type="choice", choices=Profile.AgeClass.choices),
    Field(name="birth_month", label=_("birth month"), type="number"),
    Field(name="birth_day", label=_("birth day"), type="number"),
    Field(name="birthday", label=_("birthday"), type="birthday"),
    Field(name="province", label=_("province"), type="text"),
    Field(name="city", label=_("city"), type="text"),
    Field(name="language", label=_("language"), type="text"),
    Field(name="created_at", label=_("first known"), type="moment"),
    Field(name="personalisation", label=_("personalisation"), type="flag"),
)
EVENT: Mapping[str, Field] = _by_name(
    Field(name="category", label=_("category"), type="category"),
    Field(name="item", label=_("item"), type="choice"),
    Field(name="brand", label=_("brand"), type="text"),
    Field(name="value", label=_("value"), type="number"),
    Field(name="quantity", label=_("quantity"), type="number"),
    Field(name="discount", label=_("discount"), type="number"),
    Field(name="currency", label=_("currency"), type="choice"),
    Field(name="channel", label=_("channel"), type="text"),
)
ATTRIBUTES, PROPERTIES = "attributes.", "properties."
ADDRESS_TYPES: Mapping[str, Sequence[str]] = ADDRESSES
ADDRESS_STATES: Mapping[str, Words] = {
    "known": _("is known"),
    "unknown": _("is not known"),
    "verified": _("is verified"),
}
CONSENT_STATES: Mapping[str, Words] = {
    "allowed": _("allows it"),
    "refused": _("refused it or took it back"),
    "never_said": _("never said anything of it"),
}
EVENTS: Mapping[str, Words] = dict(Event.Kind.choices)
CHANNELS: Mapping[str, Words] = dict(Channel.choices)


def field_of_profile(name: str) -> Field | None:
    """Return what may be asked of a person under this name: a coarse column, or an attribute that lies open."""
    return PROFILE.get(name) or _open(name, ATTRIBUTES)


def field_of_event(name: str) -> Field | None:
    return EVENT.get(name) or _open(name, PROPERTIES)


def specs(answers: str) -> list[str]:
    """Return the models that answer with scores, clusters or recommendations."""
    return [spec.name for spec in SPECS.values() if spec.answers == answers]


def facts(spec: str) -> list[str]:
    """Return which numbers beside its score a condition may ask for; the ends of its interval are named as columns."""
    asked = SPECS[spec]
    return [*asked.facts, *(BOUNDS if asked.has_bounds else ())]


def fact_unit(spec: str, name: str) -> str:
    """Return the unit of one of them, or of the score itself where none is named."""
    asked = SPECS[spec]
    return asked.facts[name].unit if name in asked.facts else asked.unit


def fact_title(spec: str, name: str) -> str:
    """Return what one of them is called in the reader's language."""
    return str(BOUNDS[name]) if name in BOUNDS else gettext(SPECS[spec].facts[name].title)


def _open(name: str, prefix: str) -> Field | None:
    key = name.removeprefix(prefix)
    if key == name or openness(key) is None:
        return None
    return Field(name=name, label=key, type="any")
