"""Rules that name other segments: whom they name, and the rule with everything named put in its place."""

from collections.abc import Iterator
from dataclasses import replace

from django.utils.translation import gettext as _

from campaigns import rules
from campaigns.models import Segment, SegmentVersion
from campaigns.rules import RuleError
from campaigns.rules.nodes import Group, InSegment, Related, Rule
from campaigns.rules.reading import MOST_CONDITIONS, MOST_DEEP

MOST_IN_ALL = 5 * MOST_CONDITIONS  # with those of the segments that it names


def conditions(rule: Rule) -> Iterator[Rule]:
    """Yield every condition of a rule, those inside relations too."""
    if isinstance(rule, Group):
        for part in rule.parts:
            yield from conditions(part)
        return
    yield rule
    if isinstance(rule, Related) and rule.to is not None:
        yield from conditions(rule.to)


def named(rule: Rule) -> set[int]:
    """Return the segments that a rule names itself."""
    return {one.segment for one in conditions(rule) if isinstance(one, InSegment)}


def versions(rule: Rule, above: tuple[int, ...] = ()) -> list[SegmentVersion]:
    """Return the present versions of all segments that a rule comes to by name, however far; for approvals."""
    found: dict[int, SegmentVersion] = {}
    for pk in sorted(named(rule)):
        segment = _segment(pk, above)
        if segment.kind == Segment.Kind.RULE and segment.current is not None:
            found[segment.current.pk] = segment.current
            below = versions(rules.parse(segment.current.rule), (*above, pk))
            found |= {version.pk: version for version in below}
    return list(found.values())


def resolved(rule: Rule, above: tuple[int, ...] = ()) -> Rule:
    """Return the rule with the rules of all named segments in their places; what is left names lists only.

    Raises
    ------
    RuleError
        It names a segment that is not there, or comes back to itself, or is too large with all that it names.
    """
    whole = _resolved(rule, above)
    if sum(1 for _one in conditions(whole)) > MOST_IN_ALL:
        raise RuleError("", _("with the segments that it names, the rule has more than %s conditions") % MOST_IN_ALL)
    return whole


def _resolved(rule: Rule, above: tuple[int, ...]) -> Rule:
    match rule:
        case Group():
            return replace(rule, parts=tuple(_resolved(part, above) for part in rule.parts))
        case Related() if rule.to is not None:
            return replace(rule, to=_resolved(rule.to, above))
        case InSegment():
            segment = _segment(rule.segment, above)
            if segment.kind == Segment.Kind.LIST:
                return rule
            if segment.current is None:
                raise RuleError("", _("the segment “%(name)s” has no rule yet") % {"name": segment.name})
            return resolved(rules.parse(segment.current.rule), (*above, segment.pk))
    return rule


def _segment(pk: int, above: tuple[int, ...]) -> Segment:
    if pk in above:
        raise RuleError("", _("the segment #%s would name itself") % pk)
    if len(above) >= MOST_DEEP:
        raise RuleError("", _("segments may name each other %s deep") % MOST_DEEP)
    found = Segment.objects.select_related("current").filter(pk=pk).first()
    if found is None:
        raise RuleError("", _("there is no segment #%s") % pk)
    return found
