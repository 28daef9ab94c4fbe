"""A rule's JSON tree is read into values that never change; what is not understood is refused by its place.

The tree nests ``all``, ``any`` and ``none``; each leaf is one condition, known by the key that names its kind. Nothing
of it reaches SQL but as a parameter: fields and operators are looked up in ``campaigns.rules.fields``.
"""

from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _

from campaigns.rules import fields
from campaigns.rules.nodes import (
    Bucket,
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
    Then,
    Where,
    Window,
)
from campaigns.rules.reading import LONGEST_AGO, MOST_CONDITIONS, MOST_VALUES, Place, RuleError

__all__ = ["Rule", "RuleError", "parse"]

LARGEST_ID = 2**31 - 1


def parse(tree: object) -> Rule:
    """Return the rule that a tree of JSON describes.

    Raises
    ------
    RuleError
        Something in it is not understood, too large or too deep; the error names the place.
    """
    return _rule(Place(value=tree))


def _rule(at: Place) -> Rule:
    if not isinstance(at.value, dict):
        raise at.wrong(_("an object was expected"))
    kinds = [key for key in KINDS if key in at.value]
    if len(kinds) != 1:
        raise at.wrong(_("exactly one of these was expected: %(options)s") % {"options": ", ".join(KINDS)})
    return KINDS[kinds[0]](at)


def _group(at: Place) -> Group:
    (mode,) = at.keys(GROUPS) if isinstance(at.value, dict) and len(at.value) == 1 else ("",)
    if not mode:
        raise at.wrong(_("a group has one key: all, any or none"))
    parts = at.inside().keys(GROUPS)[mode].items(MOST_CONDITIONS)
    return Group(mode=mode, parts=tuple(_rule(part) for part in parts))


def _of_profile(at: Place) -> OfProfile:
    at.count()
    told = at.keys({"field", "is", "value"})
    field = fields.field_of_profile(told["field"].text())
    if field is None:
        raise told["field"].wrong(_("there is no such field"))
    return OfProfile(field=field.name, test=_test(at, told, field))


def _has_address(at: Place) -> HasAddress:
    at.count()
    told = at.keys({"address", "is"})
    type_ = told["address"].one_of(fields.ADDRESS_TYPES)
    return HasAddress(type=type_, is_=_need(at, told, "is").one_of(fields.ADDRESS_STATES))


def _consented(at: Place) -> Consented:
    at.count()
    told = at.keys({"consent", "channel", "is"})
    channel = told["channel"].one_of(fields.CHANNELS) if "channel" in told else ""
    is_ = _need(at, told, "is").one_of(fields.CONSENT_STATES)
    return Consented(purpose=told["consent"].text(64), channel=channel, is_=is_)


def _did(at: Place) -> Did:
    at.count()
    told = at.keys({"event", "name", "where", "within", "measure", "then"})
    measure, test = _measure(told["measure"]) if "measure" in told else ("count", AT_LEAST_ONCE)
    return Did(
        event=told["event"].one_of(fields.EVENTS),
        name=told["name"].text() if "name" in told else "",
        where=_where(told),
        within=_window(told["within"]) if "within" in told else None,
        measure=measure,
        test=test,
        then=_then(told["then"]) if "then" in told else None,
    )


def _then(at: Place) -> Then:
    told = at.keys({"event", "name", "where", "within_days"})
    return Then(
        event=_need(at, told, "event").one_of(fields.EVENTS),
        name=told["name"].text() if "name" in told else "",
        where=_where(told),
        within_days=_need(at, told, "within_days").number(0, LONGEST_AGO),
    )


def _where(told: Mapping[str, Place]) -> tuple[Where, ...]:
    return tuple(_one_where(one) for one in told["where"].items(20)) if "where" in told else ()


def _one_where(at: Place) -> Where:
    told = at.keys({"field", "is", "value"})
    name = _need(at, told, "field")
    field = fields.field_of_event(name.text())
    if field is None:
        raise name.wrong(_("there is no such field"))
    return Where(field=field.name, test=_test(at, told, field))


def _measure(at: Place) -> tuple[str, Test]:
    told = at.keys({*fields.MEASURES, "never"})
    if len(told) != 1:
        raise at.wrong(
            _("exactly one of these was expected: %(options)s") % {"options": "count, sum, first, last, never"}
        )
    ((measure, inner),) = told.items()
    if measure == "never":
        if not inner.flag():
            raise inner.wrong(_("only true means something here"))
        return "count", Test(is_="is", value=0)
    parts = inner.keys({"is", "value"})
    operator = _need(inner, parts, "is").one_of(fields.MEASURES[measure])
    type_ = "moment" if measure in ("first", "last") else "number"
    return measure, Test(is_=operator, value=_value(_need(inner, parts, "value"), operator, type_))


def _window(at: Place) -> Window:
    told = at.keys({"days", "from", "until"})
    if not told or ("days" in told and len(told) > 1):
        raise at.wrong(_("either days, or from and until, were expected"))
    window = Window(
        days=told["days"].whole(1, LONGEST_AGO) if "days" in told else None,
        from_=told["from"].moment() if "from" in told else None,
        until=told["until"].moment(day_ends=True) if "until" in told else None,
    )
    if window.from_ and window.until and window.from_ >= window.until:
        raise at.wrong(_("it ends before it begins"))
    return window


def _related(at: Place) -> Related:
    at.count()
    told = at.keys({"related", "to", "is"})
    is_ = told["is"].one_of(("any", "none")) if "is" in told else "any"
    return Related(kind=told["related"].text(32), to=_rule(told["to"].inside()) if "to" in told else None, is_=is_)


def _scored(at: Place) -> Scored:
    at.count()
    told = at.keys({"score", "fact", "is", "value"})
    spec = told["score"].one_of(fields.specs("score"))
    fact = told["fact"].one_of(fields.facts(spec)) if "fact" in told else ""
    operator = _need(at, told, "is").one_of(("at_least", "at_most", "between", "top_share"))
    value = _need(at, told, "value")
    if operator == "top_share":
        return Scored(spec=spec, fact=fact, test=Test(is_=operator, value=value.number(0, 1)))
    return Scored(spec=spec, fact=fact, test=Test(is_=operator, value=_value(value, operator, "number")))


def _in_cluster(at: Place) -> InCluster:
    at.count()
    told = at.keys({"cluster", "is", "value"})
    spec = told["cluster"].one_of(fields.specs("cluster"))
    codes = tuple(one.whole(0, LARGEST_ID) for one in _need(at, told, "value").items(MOST_VALUES))
    return InCluster(spec=spec, codes=codes, is_=told["is"].one_of(("in", "not_in")) if "is" in told else "in")


def _recommended(at: Place) -> Recommended:
    at.count()
    told = at.keys({"recommended", "within_rank"})
    what = told["recommended"].keys({"item", "category"})
    if len(what) != 1:
        raise told["recommended"].wrong(
            _("exactly one of these was expected: %(options)s") % {"options": "item, category"}
        )
    return Recommended(
        item=what["item"].text(128) if "item" in what else "",
        category=what["category"].text(100) if "category" in what else "",
        within_rank=told["within_rank"].whole(1, 1000) if "within_rank" in told else 5,
    )


def _needs_again(at: Place) -> NeedsAgain:
    at.count()
    told = at.keys({"repurchase", "due_within_days"})
    what = told["repurchase"].keys({"item", "category"})
    if len(what) > 1:
        raise told["repurchase"].wrong(
            _("at most one of these was expected: %(options)s") % {"options": "item, category"}
        )
    return NeedsAgain(
        item=what["item"].text(128) if "item" in what else "",
        category=what["category"].text(100) if "category" in what else "",
        within_days=_need(at, told, "due_within_days").whole(0, 366),
    )


def _of_campaign(at: Place) -> OfCampaign:
    at.count()
    told = at.keys({"campaign", "is", "within"})
    return OfCampaign(
        campaign=told["campaign"].whole(1, LARGEST_ID),
        is_=_need(at, told, "is").one_of(fields.OF_CAMPAIGNS),
        within=_window(told["within"]) if "within" in told else None,
    )


def _bucket(at: Place) -> Bucket:
    at.count()
    told = at.keys({"bucket", "from", "until"})
    from_, until = (_need(at, told, key).number(0, 1) for key in ("from", "until"))
    return Bucket(salt=told["bucket"].text(64), from_=from_, until=until)


def _in_segment(at: Place) -> InSegment:
    at.count()
    return InSegment(segment=at.keys({"segment"})["segment"].whole(1, LARGEST_ID))


def _test(at: Place, told: Mapping[str, Place], field: fields.Field) -> Test:
    operator = _need(at, told, "is").one_of(field.operators)
    if fields.SHAPES.get(operator) == "nothing":
        if "value" in told:
            raise told["value"].wrong(_("this operator has no value"))
        return Test(is_=operator)
    return Test(is_=operator, value=_value(_need(at, told, "value"), operator, field.type, field))


def _value(at: Place, operator: str, type_: str, field: fields.Field | None = None) -> Literal | tuple[Literal, ...]:
    match fields.SHAPES.get(operator):
        case "days":
            return at.whole(0, 366 if operator == "birthday_within" else LONGEST_AGO)
        case "list":
            return tuple(_literal(one, operator, type_, field) for one in at.items(MOST_VALUES))
        case "pair":
            first, second = at.items(2, 2)
            low, high = _literal(first, operator, type_, field), _literal(second, "after", type_, field)
            if type(low) is not type(high) or low > high:  # type: ignore[operator]
                raise at.wrong(_("the first must not be greater than the second"))
            return low, high
    return _literal(at, operator, type_, field)


def _literal(at: Place, operator: str, type_: str, field: fields.Field | None) -> Literal:
    if type_ == "any":
        return _any(at, operator)
    if type_ == "flag":
        return at.flag()
    if type_ == "number":
        return at.number()
    if type_ == "moment":
        return at.moment(day_ends=operator == "after")
    if field is not None and field.choices:
        return at.one_of([code for code, _label in field.choices])
    return at.text()


def _any(at: Place, operator: str) -> Literal:
    """Return a value of an attribute, whose type the value itself tells."""
    if operator in ("at_least", "at_most", "between", "after"):
        return at.number()
    if operator == "contains":
        return at.text()
    match at.value:
        case bool():
            return at.value
        case int() | float():
            return at.number()
    return at.text()


def _need(at: Place, told: Mapping[str, Place], key: str) -> Place:
    if key not in told:
        raise at.wrong(_("“%(key)s” is missing") % {"key": key})
    return told[key]


AT_LEAST_ONCE = Test(is_="at_least", value=1)
GROUPS = ("all", "any", "none")
KINDS: Mapping[str, Callable[[Place], Rule]] = {
    "all": _group,
    "any": _group,
    "none": _group,
    "field": _of_profile,
    "address": _has_address,
    "consent": _consented,
    "event": _did,
    "related": _related,
    "score": _scored,
    "cluster": _in_cluster,
    "recommended": _recommended,
    "repurchase": _needs_again,
    "campaign": _of_campaign,
    "bucket": _bucket,
    "segment": _in_segment,
}
