"""Triggered campaigns: what happened since the last look becomes occasions, each answered once.

An occasion's id is the uuid5 of event and campaign, so an event that is read twice is answered once. New events are
found by their transaction (``crm_event.xid``), never by their time: those that were written earlier and committed later
are not missed. An event so old that its message would have expired starts nothing: a file of last year's purchases
reaches nobody.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.utils.timezone import get_default_timezone

from campaigns.guarding import alarms, guardrails
from campaigns.guarding.alarms import Finding
from campaigns.keys import NAMESPACE, delivery_id
from campaigns.models import Campaign, Delivery, Run
from campaigns.reach import policies, quiet
from campaigns.reach.audience import Reason
from campaigns.runs import approving, ending, planning
from campaigns.segmenting import segments
from crm.copying import text_array
from crm.merging import canonical_ids

PIECE = 10_000
SKEW = timedelta(minutes=5)  # clocks of senders

NEW = """
SELECT id, profile_id, kind, name, occurred_at FROM crm_event
WHERE xid >= %(begin)s::text::xid8 AND xid < %(end)s::text::xid8
  AND kind = ANY (%(kinds)s::text[]) AND occurred_at > %(since)s AND occurred_at <= %(until)s
ORDER BY occurred_at, id
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An event that somebody's campaign waits for."""

    id: UUID
    profile: int
    kind: str
    name: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What starts a message, how long after, and what makes it needless."""

    event: str
    name: str
    after: timedelta
    unless: str

    @classmethod
    def of(cls, campaign: Campaign) -> "Trigger":
        told = campaign.timing
        return cls(
            event=str(told["event"]),
            name=str(told.get("name") or ""),
            after=timedelta(minutes=int(told.get("after_minutes") or 0)),
            unless=str(told.get("unless") or ""),
        )

    def starts(self, seen: Seen) -> bool:
        return seen.kind == self.event and (not self.name or seen.name == self.name)


class Flood(RuntimeError):
    """More happened at once than there are people for whom the campaign was approved: somebody imported a file."""

    def __init__(self, found: Finding) -> None:
        super().__init__(f"{found.seen['people']} events at once")
        self.found = found


def follow(now: datetime) -> int:
    """Answer what happened since the last look, of each running triggered campaign; return how many rows were made."""
    runs = Run.objects.sending().filter(campaign__kind=Campaign.Kind.TRIGGERED)
    made = 0
    for run in runs.select_related("campaign"):
        try:
            made += answer(run.pk, now)
        except Flood as flood:  # nothing was written, and the same events are answered if a person lets it go on
            alarms.raise_each(run.campaign, [flood.found], now)
    return made


def answer(run_id: UUID, now: datetime) -> int:
    """Answer what happened since the last look of one run; nothing where another beat is at it."""
    with transaction.atomic():
        rows = Run.objects.sending().select_for_update(of=("self",), skip_locked=True)
        run = rows.select_related("campaign__purpose", "campaign__segment").filter(pk=run_id).first()
        if run is None or ending.is_over(run.campaign, now) or policies.policy().stopped_at:
            return 0
        if not approving.holds(run.campaign):
            return 0
        begin, end = run.read_until, horizon()
        Run.objects.filter(pk=run.pk).update(read_until=end)
        if begin is None or begin >= end:
            return 0  # the first look only says from where on
        return _answer(run, happened(run.campaign, begin, end, now), now)


def horizon() -> int:
    """Return the first transaction that may still be under way; all before it are to be seen."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def written(begin: int, end: int, kinds: Collection[str], since: datetime, now: datetime) -> list[tuple[Any, ...]]:
    """Return id, profile, kind, name and moment of the events of these transactions that happened after ``since``."""
    values: dict[str, Any] = {
        "begin": begin,
        "end": end,
        "kinds": text_array(sorted(kinds)),
        "since": since,
        "until": now + SKEW,
    }
    with connection.cursor() as cursor:
        cursor.execute(NEW, values)
        return list(cursor.fetchall())


def happened(campaign: Campaign, begin: int, end: int, now: datetime) -> list[Seen]:
    """Return the events of these transactions that start the campaign's message, or make it needless, in order."""
    trigger = Trigger.of(campaign)
    since = now - trigger.after - campaign.message_expires_after
    found = written(begin, end, {trigger.event, trigger.unless} - {""}, since, now)
    kept = canonical_ids({row[1] for row in found})
    return [Seen(id=pk, profile=kept[profile], kind=kind, name=name, at=at) for pk, profile, kind, name, at in found]


def _answer(run: Run, seen: Sequence[Seen], now: datetime) -> int:
    trigger = Trigger.of(run.campaign)
    ended = {
        one.profile: one.at for one in seen if one.kind == trigger.unless
    }  # the last of each, as they are in order
    _call_off(run, set(ended), now)
    starting = [one for one in seen if trigger.starts(one) and not ended.get(one.profile, one.at) > one.at]
    meant = list(_meant(run, starting, now))
    if found := guardrails.too_many(run, len(meant)):
        raise Flood(found)
    for start in range(0, len(meant), PIECE):
        planning.write(run, _rows(run, meant[start : start + PIECE], trigger, now), now)
    return len(meant)


def _meant(run: Run, starting: Sequence[Seen], now: datetime) -> Iterator[Seen]:
    """Yield what happened to people of the campaign's segment."""
    rule = segments.rule_of(run.campaign.segment)
    for start in range(0, len(starting), PIECE):
        piece = starting[start : start + PIECE]
        belonging = segments.among(rule, {one.profile for one in piece}, now)
        yield from (one for one in piece if one.profile in belonging)


def _rows(run: Run, seen: Sequence[Seen], trigger: Trigger, now: datetime) -> list[Delivery]:
    """Return a row for each occasion: who gets what is decided as in any run, when by the event's own time."""
    decided = {row.profile_id: row for row in planning.decide(run, sorted({one.profile for one in seen}), now)}
    policy, zone = policies.policy(), get_default_timezone()
    rows = []
    for one in seen:
        like = decided[one.profile]
        occasion = uuid5(NAMESPACE, f"occasion {one.id} {run.campaign_id}")
        due = quiet.allowed_from(max(one.at + trigger.after, now), zone, policy)
        facts = {field.attname: getattr(like, field.attname) for field in Delivery._meta.concrete_fields}
        facts |= {
            "id": delivery_id(occasion, one.profile, like.channel),
            "occasion": occasion,
            "due_at": max(due, like.due_at),
            "expires_at": planning.expiry(run.campaign, max(due, like.due_at)),
        }
        rows.append(Delivery(**facts))
    return rows


def _call_off(run: Run, profiles: set[int], now: datetime) -> None:
    """Suppress what waits for people who have meanwhile done what makes it needless."""
    if not profiles:
        return
    Delivery.objects.filter(run=run, profile__in=profiles, status=Delivery.Status.QUEUED).update(
        status=Delivery.Status.SUPPRESSED, reason=Reason.NEEDLESS.value, ended_at=now, logged=False
    )
