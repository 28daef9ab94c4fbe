"""Segments: a rule as one statement, who belongs, what is saved, and which segments name which."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from campaigns import rules
from campaigns.models import Campaign, Segment, SegmentVersion
from campaigns.rules import RuleError, references
from campaigns.rules.nodes import Rule
from campaigns.rules.scope import Scope, everybody, these
from campaigns.rules.sql import Statement
from campaigns.segmenting.statements import limited

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

PIECE = 10_000
SAVING = 7305204  # the lock under which rules are saved: two that name each other would make a ring


@dataclass(frozen=True, kw_only=True)
class Query:
    """One statement, whose one column ``id`` is a canonical profile that may be used, and its values."""

    sql: str
    params: dict[str, Any]
    everybody: bool = True


@dataclass(frozen=True, kw_only=True)
class Use:
    """Who depends on a segment: other segments that name it, and campaigns that are made for it."""

    segments: tuple[Segment, ...]
    campaigns: tuple[Campaign, ...]

    def __bool__(self) -> bool:
        return bool(self.segments or self.campaigns)


def compile(rule: Rule, now: datetime, scope: Scope | None = None) -> Query:
    """Return the statement of everybody whom a rule describes at ``now``; each person once.

    Raises
    ------
    RuleError
        It names a segment that is not there, or one that names itself in the end.
    """
    statement = Statement(scope=scope or everybody(), now=now)
    text = statement.text(references.resolved(rule))
    return Query(sql=text, params=statement.parameters.values, everybody=scope is None)


def counted(rule: Rule, now: datetime) -> Query:
    """Return a statement that is only good for counting (see :meth:`campaigns.rules.sql.Statement.counted`)."""
    statement = Statement(scope=everybody(), now=now)
    text = statement.counted(references.resolved(rule))
    return Query(sql=text, params=statement.parameters.values)


def rule_of(segment: Segment) -> Rule:
    """Return the rule by which somebody belongs; of a list, that she stands in it (``campaigns.segmenting.lists``)."""
    if segment.current is None:
        raise RuleError("", _("the segment “%(name)s” has no rule yet") % {"name": segment.name})
    return rules.parse(segment.current.rule)


def members(version: SegmentVersion, now: datetime) -> Query:
    """Return the statement of everybody who belongs to a version of a segment."""
    return compile(rules.parse(version.rule), now)


def audience(version: SegmentVersion, now: datetime) -> Iterator[list[int]]:
    """Yield who belongs to a version, in the pieces that ``campaigns.runs.planning.plan`` takes."""
    return pieces(members(version, now))


def among(rule: Rule, profiles: Collection[int], now: datetime) -> set[int]:
    """Return those of some canonical profiles whom a rule describes; nobody else's data are read."""
    return set(fetched(compile(rule, now, these(profiles))).tolist()) if profiles else set()


def pieces(query: Query, size: int = PIECE) -> Iterator[list[int]]:
    """Yield the members in order, a piece at a time, all as of one moment; the statement runs once."""
    ids = fetched(query)
    for start in range(0, len(ids), size):
        yield ids[start : start + size].tolist()


def fetched(query: Query, budget: timedelta | None = None) -> NDArray[np.int64]:
    """Return all members, sorted: eight bytes each, a million in 8 MB; ``OutOfTime`` after the budget."""
    with limited(budget, everybody=query.everybody) as cursor:
        cursor.execute(f"SELECT string_agg(int8send(id), '') FROM ({query.sql}) AS members", query.params)
        packed = cursor.fetchone()[0]
    return np.sort(np.frombuffer(bytes(packed or b""), ">i8").astype(np.int64))


def save(segment: Segment, rule: object, by: "AbstractBaseUser | None", now: datetime) -> SegmentVersion:
    """Save a rule as the segment's next version; the present one where nothing has changed.

    Raises
    ------
    RuleError
        The rule is not understood, or would make the segment name itself; a list has none.
    """
    if segment.kind != Segment.Kind.RULE:
        raise RuleError("", _("a list has no rule"))
    parsed = rules.parse(rule)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SAVING])
        references.resolved(parsed, (segment.pk,))
        segment.refresh_from_db()
        if segment.current is not None and segment.current.rule == rule:
            return segment.current
        last = segment.versions.aggregate(last=Max("number"))["last"] or 0
        made = SegmentVersion(segment=segment, number=last + 1, rule=rule, made_at=now)
        made.made_by_id = by.pk if by else None
        made.save()
        segment.current = made
        segment.save(update_fields=["current"])
    return made


def used_by(segment: Segment) -> Use:
    """Return the segments whose present rule names this one, and the campaigns that are made for it."""
    others = Segment.objects.filter(kind=Segment.Kind.RULE, archived_at=None, current__isnull=False).exclude(
        pk=segment.pk
    )
    naming = [one for one in others.select_related("current").order_by("name") if segment.pk in _named(one)]
    return Use(segments=tuple(naming), campaigns=tuple(segment.campaigns.order_by("name")))


def _named(segment: Segment) -> set[int]:
    try:
        return references.named(rule_of(segment))
    except RuleError:  # written by an earlier release
        return set()
