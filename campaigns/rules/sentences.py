"""A rule read back as a sentence, in the reader's language."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import singledispatch

from django.utils import formats
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.models import Campaign, Segment
from campaigns.rules import fields
from campaigns.rules.nodes import (
    Bucket,
    Condition,
    Consented,
    Did,
    Group,
    HasAddress,
    InCluster,
    InSegment,
    Literal,
    NeedsAgain,
    OfCampaign,
    OfProfile,
    Recommended,
    Related,
    Rule,
    Scored,
    Test,
    Value,
    Where,
    Window,
)
from crm.models import Purpose
from mlengine.specs import SPECS

OF_DAYS = {
    "within_days": gettext_lazy("within the last %(days)s days"),
    "over_days_ago": gettext_lazy("more than %(days)s days ago"),
    "birthday_within": gettext_lazy("comes within %(days)s days"),
}
MOST_SHOWN = 8  # values of a list


def sentence(rule: Rule) -> str:
    """Return the rule in words, in the active language."""
    if isinstance(rule, Group) and not rule.parts and rule.mode != "any":
        return _("Everybody.")
    if rule == Group(mode="any", parts=()):
        return _("Nobody.")
    return _("People who fulfil this: %(rule)s.") % {"rule": phrase(rule, outermost=True)}


def phrase(rule: Rule, *, outermost: bool = False) -> str:
    """Return a rule as a part of a sentence; groups inside others stand in brackets."""
    if not isinstance(rule, Group):
        return _said(rule)
    if not rule.parts:
        return _("nobody") if rule.mode == "any" else _("everybody")
    told = [phrase(part) for part in rule.parts]
    if rule.mode == "none":
        return _("none of these: %(rules)s") % {"rules": _bracketed(told, _("; or "))}
    if len(told) == 1:
        return told[0] if not outermost else phrase(rule.parts[0], outermost=True)
    joined = (_(" and ") if rule.mode == "all" else _(" or ")).join(told)
    return joined if outermost else _("(%(rules)s)") % {"rules": joined}


def _bracketed(told: Sequence[str], between: str) -> str:
    return _("(%(rules)s)") % {"rules": between.join(told)}


@singledispatch
def _said(rule: Condition) -> str:
    raise TypeError(f"{rule!r} has no words.")


@_said.register
def _profile(rule: OfProfile) -> str:
    field = fields.field_of_profile(rule.field)
    return _compared(str(field.label) if field else rule.field, rule.test, field)


@_said.register
def _address(rule: HasAddress) -> str:
    told = {"address": _label(fields.CHANNELS, rule.type), "is": _label(fields.ADDRESS_STATES, rule.is_)}
    return _("an address for %(address)s %(is)s") % told


@_said.register
def _consent(rule: Consented) -> str:
    purpose = Purpose.objects.filter(code=rule.purpose).first()
    told = {
        "purpose": str(purpose) if purpose else rule.purpose,
        "channel": _label(fields.CHANNELS, rule.channel) if rule.channel else _("every channel"),
        "is": _label(fields.CONSENT_STATES, rule.is_),
    }
    return _("for “%(purpose)s” on %(channel)s, the person %(is)s") % told


@_said.register
def _did(rule: Did) -> str:
    told = {
        "event": _event(rule.event, rule.name, rule.where),
        "when": _when(rule.within),
        "measure": _measured(rule),
    }
    found = _("%(event)s%(when)s %(measure)s") % told
    if rule.then is None:
        return found
    then = _event(rule.then.event, rule.then.name, rule.then.where)
    return _("%(first)s, each followed by %(second)s within %(days)s days") % {
        "first": found,
        "second": then,
        "days": _number(rule.then.within_days),
    }


def _measured(rule: Did) -> str:
    test = rule.test
    if rule.measure == "count" and (test.is_, test.value) in (("is", 0), ("at_most", 0)):
        return _("never")
    if rule.measure == "count":
        if (test.is_, test.value) == ("at_least", 1):
            return _("at least once")
        return _("times: %(test)s") % {"test": _operator(test)}
    if rule.measure == "sum":
        return _("with a sum of values that %(test)s") % {"test": _operator(test)}
    told = {"when": _operator(test)}
    return (
        _("for the first time: %(when)s") % told if rule.measure == "first" else _("for the last time: %(when)s") % told
    )


def _event(kind: str, name: str, where: Sequence[Where]) -> str:
    told = _("“%(event)s”") % {"event": _label(fields.EVENTS, kind)}
    if name:
        told = _("%(event)s named “%(name)s”") % {"event": told, "name": name}
    if not where:
        return told
    tests = _(" and ").join(_of_event(one) for one in where)
    return _("%(event)s (where %(tests)s)") % {"event": told, "tests": tests}


def _of_event(where: Where) -> str:
    field = fields.field_of_event(where.field)
    return _compared(str(field.label) if field else where.field, where.test, field)


def _when(window: Window | None) -> str:
    if window is None:
        return ""
    if window.days is not None:
        return ngettext(" in the last %(days)s day", " in the last %(days)s days", window.days) % {"days": window.days}
    told = {"from": _moment(window.from_), "until": _moment(window.until, ends=True)}
    if window.from_ is None:
        return _(" until %(until)s") % told
    return (_(" from %(from)s until %(until)s") if window.until else _(" since %(from)s")) % told


@_said.register
def _related(rule: Related) -> str:
    told = {"kind": rule.kind, "to": phrase(rule.to) if rule.to is not None else _("anybody")}
    if rule.is_ == "none":
        return _("without a relation “%(kind)s” to: %(to)s") % told
    return _("with a relation “%(kind)s” to: %(to)s") % told


@_said.register
def _scored(rule: Scored) -> str:
    if rule.test.is_ == "top_share":
        share = _number(Decimal(str(rule.test.value)) * 100)
        return _("among the highest %(share)s%% by the score “%(score)s”") % {"share": share, "score": _score(rule)}
    unit = fields.fact_unit(rule.spec, rule.fact) if rule.spec in SPECS else ""
    return _("the score “%(score)s” %(test)s") % {"score": _score(rule), "test": _in_unit(rule.test, unit)}


def _score(rule: Scored) -> str:
    return f"{_spec(rule.spec)}: {fields.fact_title(rule.spec, rule.fact)}" if rule.fact else _spec(rule.spec)


@_said.register
def _cluster(rule: InCluster) -> str:
    told = {"cluster": _spec(rule.spec), "codes": _listed([str(code) for code in rule.codes])}
    if rule.is_ == "not_in":
        return _("in none of the groups %(codes)s of “%(cluster)s”") % told
    return _("in one of the groups %(codes)s of “%(cluster)s”") % told


@_said.register
def _recommended(rule: Recommended) -> str:
    told = {"what": rule.item or rule.category, "rank": rule.within_rank}
    if rule.item:
        return _("the item “%(what)s” is among the first %(rank)s recommendations") % told
    return _("an item of the category “%(what)s” is among the first %(rank)s recommendations") % told


@_said.register
def _needs_again(rule: NeedsAgain) -> str:
    told = {"what": rule.item or rule.category, "days": rule.within_days}
    if rule.item:
        return _("will likely want the item “%(what)s” again within %(days)s days") % told
    if rule.category:
        return _("will likely want something of the category “%(what)s” again within %(days)s days") % told
    return _("will likely want something again within %(days)s days") % told


@_said.register
def _campaign(rule: OfCampaign) -> str:
    name = Campaign.objects.filter(pk=rule.campaign).values_list("name", flat=True).first()
    told = {"is": _label(fields.OF_CAMPAIGNS, rule.is_), "campaign": name or f"#{rule.campaign}"}
    return _("%(is)s the campaign “%(campaign)s”") % told + _when(rule.within)


@_said.register
def _bucket(rule: Bucket) -> str:
    told = {"low": _number(rule.from_ * 100), "high": _number(rule.until * 100), "salt": rule.salt}
    return _("by chance between %(low)s%% and %(high)s%% (“%(salt)s”)") % told


@_said.register
def _segment(rule: InSegment) -> str:
    name = Segment.objects.filter(pk=rule.segment).values_list("name", flat=True).first()
    return _("in the segment “%(segment)s”") % {"segment": name or f"#{rule.segment}"}


def _compared(label: str, test: Test, field: fields.Field | None) -> str:
    choices = dict(field.choices) if field else {}
    if test.is_ in fields.OPPOSITES and test.is_ != "unknown":
        told = _("%(field)s %(test)s, or is not known")
    else:
        told = _("%(field)s %(test)s")
    return told % {"field": label, "test": _operator(test, choices)}


def _operator(test: Test, choices: Mapping[str, fields.Words] | None = None) -> str:
    name = str(fields.OPERATORS[test.is_])
    if test.value is None:
        return name
    if isinstance(test.value, int) and test.is_ in OF_DAYS:
        return str(OF_DAYS[test.is_]) % {"days": test.value}
    return _("%(operator)s %(value)s") % {"operator": name, "value": _value(test, choices or {})}


def _in_unit(test: Test, unit: str) -> str:
    """Return a test of an amount in its unit: a probability as a percentage, days as days."""
    if unit not in {"probability", "days"} or test.value is None:
        return _operator(test)
    ends = test.value if isinstance(test.value, tuple) else (test.value,)
    told = [_number(Decimal(str(one)) * (100 if unit == "probability" else 1)) for one in ends]
    shown = _("%(low)s and %(high)s") % {"low": told[0], "high": told[1]} if len(told) == 2 else told[0]
    value = f"{shown}%" if unit == "probability" else _("%(days)s days") % {"days": shown}
    return _("%(operator)s %(value)s") % {"operator": str(fields.OPERATORS[test.is_]), "value": value}


def _value(test: Test, choices: Mapping[str, fields.Words]) -> str:
    value: Value = test.value
    if isinstance(value, tuple) and test.is_ == "between":
        return _("%(low)s and %(high)s") % {"low": _one(value[0], choices), "high": _one(value[1], choices, ends=True)}
    if isinstance(value, tuple):
        return _listed([_one(one, choices) for one in value])
    if value is None:
        return ""
    return _one(value, choices, ends=test.is_ == "after")


def _one(value: Literal, choices: Mapping[str, fields.Words], *, ends: bool = False) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case datetime():
            return _moment(value, ends=ends)
        case int() | Decimal():
            return _number(value)
    return _("“%(text)s”") % {"text": choices.get(value, value)}


def _listed(told: Sequence[str]) -> str:
    shown = _(", ").join(told[:MOST_SHOWN])
    if len(told) <= MOST_SHOWN:
        return shown or _("(nothing)")
    return _("%(shown)s and %(more)s more") % {"shown": shown, "more": len(told) - MOST_SHOWN}


def _moment(at: datetime | None, *, ends: bool = False) -> str:
    """Return a day, or a moment; the end of a day is called by the day that ends."""
    if at is None:
        return ""
    here = localtime(at)
    if (here.hour, here.minute, here.second, here.microsecond) == (0, 0, 0, 0):
        day = (here - timedelta(days=1)) if ends else here
        return formats.date_format(day, "DATE_FORMAT")
    return formats.date_format(here, "DATETIME_FORMAT")


def _number(value: int | Decimal) -> str:
    plain = Decimal(value)
    whole = plain == plain.to_integral_value()
    return formats.number_format(int(plain) if whole else plain.normalize(), use_l10n=True)


def _label(labels: Mapping[str, fields.Words], code: str) -> str:
    return str(labels.get(code, code))


def _spec(name: str) -> str:
    return _(SPECS[name].title) if name in SPECS else name
