"""The hand-off: the commit after which a message leaves, and in whose transaction everything is asked again.

Locks are taken in one order, here and wherever else deliveries change together with people: the person (an advisory
lock, so that two campaigns cannot both take the last place under a cap), all of the person's profiles FOR SHARE (a
withdrawal or an erasure excludes them), then the deliveries, each by ascending numbers. So whichever commits first
came first, and nobody waits in a circle.

As many are handed over in one transaction as there are threads that call the provider next: what a crash leaves
unknown is never more than the calls that were under way.

A provider that knows a repeated key may be given an unknown one again with the same key: all is asked as the first
time, and what may not leave any more stays unknown. Its leaf stands already.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.db import connection, transaction

from campaigns.channels import Channel, Message
from campaigns.models import ChannelAccount, Delivery
from campaigns.reach import addressing, caps, policies, quiet
from campaigns.reach.audience import Reason
from campaigns.reach.zones import zone_of
from campaigns.wechat import permissions, ways
from crm import consent_gate, handoffs
from crm.consent_rules import Basis
from crm.copying import int_array, text_array
from crm.merging import members_of
from crm.models import Purpose

LEASE = timedelta(minutes=2)
Status = Delivery.Status

# By the least of a person's profiles: the same for all of them.
ALONE = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended('hand-off to ' || id, 0) AS key FROM unnest(%s::bigint[]) AS id ORDER BY key
) AS ordered
"""
LOCK = """
SELECT d.id, d.profile_id, d.attempt, d.call, d.expires_at, c.priority,
       r.id IS NULL OR r.status IN ('sending', 'done') AND c.status IN ('running', 'finished'),
       p.attributes ->> 'time_zone', p.province, p.city
FROM campaigns_delivery d
JOIN crm_profile p ON p.id = d.profile_id
LEFT JOIN campaigns_run r ON r.id = d.run_id
LEFT JOIN campaigns_campaign c ON c.id = r.campaign_id
WHERE d.id = ANY (%(ids)s::uuid[]) AND d.status = %(status)s AND d.reserved_by IS NOT DISTINCT FROM %(worker)s
ORDER BY d.id FOR UPDATE OF d
"""
CALLING = """
UPDATE campaigns_delivery d SET status = 'calling', call = told.call, attempt = d.attempt + 1,
    account_id = told.account, address_id = told.address, called_at = %(now)s, lease_until = %(until)s
FROM unnest(%(ids)s::uuid[], %(calls)s::uuid[], %(accounts)s::bigint[], %(addresses)s::bigint[])
    AS told (id, call, account, address)
WHERE d.id = told.id
"""
CALLING_AGAIN = """
UPDATE campaigns_delivery SET status = 'calling', reason = '', ended_at = NULL, lease_until = %(until)s
WHERE id = ANY (%(ids)s::uuid[])
"""
ENDED = """
UPDATE campaigns_delivery d SET status = 'suppressed', reason = told.reason, ended_at = %(now)s, logged = false,
    reserved_by = NULL, lease_until = NULL
FROM unnest(%(ids)s::uuid[], %(reasons)s::text[]) AS told (id, reason) WHERE d.id = told.id
"""
WAITING = """
UPDATE campaigns_delivery d SET status = 'queued', due_at = greatest(d.due_at, told.due), reserved_by = NULL,
    lease_until = NULL
FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[]) AS told (id, due) WHERE d.id = told.id
"""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A message that is written, to whom, and through which account.

    ``identifier`` is the row that holds the address: at the hand-off it must still be the person's, and not suppressed.
    """

    delivery: Delivery
    account: ChannelAccount
    channel: Channel
    message: Message
    identifier: int | None = None


class Held(NamedTuple):
    """A delivery under lock, and what decides about it."""

    id: UUID
    profile: int
    attempt: int
    call: UUID | None
    expires_at: datetime
    priority: int | None
    live: bool
    time_zone: str | None
    province: str
    city: str


def hand_off_each(messages: Sequence[Ready], worker: UUID, now: datetime) -> dict[UUID, UUID]:
    """Move reserved deliveries to calling, where everything still allows it; return their hand-offs' numbers.

    Those that may not leave are suppressed with the reason, or put back where they only have to wait. Two messages to
    one person are not asked for at once: the second stays reserved.
    """
    calls: dict[UUID, UUID] = {}
    for alike in _alike(messages):
        with _asked(alike, Status.RESERVED, worker, now) as asked:
            left = asked.decide(asked.by_address, asked.by_platform, asked.by_cap)
            asked.write_others()
            _record(left, asked, now)
        calls |= {one.id: _call(one) for one in left}
    return calls


def ask_again_each(messages: Sequence[Ready], now: datetime) -> dict[UUID, UUID]:
    """Move unknown deliveries back to calling by the same key, where everything still allows it; return the keys.

    Under the caps they have their place already.
    """
    calls: dict[UUID, UUID] = {}
    for alike in _alike(messages):
        with _asked(alike, Status.UNKNOWN, None, now) as asked, connection.cursor() as cursor:
            left = asked.decide(asked.by_address)  # what the platform demands was taken the first time
            cursor.execute(CALLING_AGAIN, {"ids": _texts(one.id for one in left), "until": now + LEASE})
        calls |= {one.id: one.call for one in left if one.call}
    return calls


def _alike(messages: Sequence[Ready]) -> Iterator[list[Ready]]:
    """Yield messages of one purpose on one channel together."""
    for kind in sorted({_kind(message) for message in messages}):
        yield [message for message in messages if _kind(message) == kind]


@contextmanager
def _asked(messages: Sequence[Ready], status: str, worker: UUID | None, now: datetime) -> Iterator["Asked"]:
    """Hold deliveries of one purpose and channel under lock, one a person, with what is to be asked of them."""
    code, channel = _kind(messages[0])
    people = members_of(message.delivery.profile_id for message in messages)
    firsts: dict[int, Ready] = {}
    for message in messages:
        firsts.setdefault(min(people[message.delivery.profile_id]), message)
    ready = {message.delivery.pk: message for message in firsts.values()}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(ALONE, [int_array(firsts)])
        purpose = Purpose.objects.get(code=code)
        bases = consent_gate.may_hand_off_each(people, purpose, channel, now)
        with connection.cursor() as cursor:
            cursor.execute(LOCK, {"ids": _texts(ready), "status": status, "worker": worker})
            held = [Held(*row) for row in cursor.fetchall()]
        yield Asked(held, ready, people, bases, purpose, channel, now)


def _kind(message: Ready) -> tuple[str, str]:
    run = message.delivery.run
    if run is None:
        raise ValueError(f"The delivery {message.delivery.pk} belongs to no run.")
    return run.campaign.purpose.code, message.delivery.channel


def _call(one: Held) -> UUID:
    return uuid5(one.id, str(one.attempt))


class Asked:
    """Everything that a hand-off asks of deliveries under lock, of one purpose and channel."""

    def __init__(
        self,
        held: Sequence[Held],
        ready: Mapping[UUID, Ready],
        people: Mapping[int, set[int]],
        bases: Mapping[int, Basis],
        purpose: Purpose,
        channel: str,
        now: datetime,
    ) -> None:
        self.held, self.ready, self.people, self.bases = held, ready, people, bases
        self.purpose, self.channel, self.now = purpose, channel, now
        self.policy = policies.policy()
        accounts = {message.account.pk for message in ready.values()}
        self.working = {one.pk: one for one in ChannelAccount.objects.working(channel).filter(pk__in=accounts)}
        self.ended: dict[UUID, str] = {}
        self.waiting: dict[UUID, datetime] = {}

    def decide(self, *refusals: Callable[[Sequence[Held]], dict[UUID, str]]) -> list[Held]:
        """Return what leaves now; of the others it is known from now on why they do not, or until when they wait."""
        left = [one for one in self.held if self._may(one)]
        for refused in refusals:
            self.ended |= refused(left)
            left = [one for one in left if one.id not in self.ended]
        return left

    def _may(self, one: Held) -> bool:
        basis = self.bases[one.profile]
        zone = zone_of(one.time_zone, one.province, one.city)
        if one.expires_at <= self.now:
            self.ended[one.id] = Reason.EXPIRED.value
        elif not basis.allowed:
            self.ended[one.id] = str(basis.reason)
        elif self.policy.stopped_at or not one.live:
            self.waiting[one.id] = self.now
        elif self.ready[one.id].account.pk not in self.working:
            self.waiting[one.id] = self.now + timedelta(minutes=1)
        elif quiet.is_quiet(self.now, zone, self.policy):
            until = quiet.allowed_from(self.now, zone, self.policy)
            if until < one.expires_at:
                self.waiting[one.id] = until
            else:
                self.ended[one.id] = Reason.QUIET.value
        return one.id not in self.ended and one.id not in self.waiting

    def by_address(self, left: Sequence[Held]) -> dict[UUID, str]:
        """Return whose address is not theirs any more, or is suppressed."""
        told = {one.id: self.ready[one.id].identifier for one in left}
        alive = addressing.usable({pk for pk in told.values() if pk}, self.channel)
        gone = [
            one for one in left if (pk := told[one.id]) is not None and alive.get(pk) not in self.people[one.profile]
        ]
        return {one.id: Reason.NO_ADDRESS.value for one in gone}

    def by_platform(self, left: Sequence[Held]) -> dict[UUID, str]:
        """Return to whom the platform lets nothing through: gone, nothing accepted, no open window, enough already."""
        found: dict[UUID, str] = {}
        for account, demanded in self.demanded(left).items():
            found |= permissions.refused(account, demanded, self.people, self.purpose, self.now)
        return found

    def demanded(self, left: Sequence[Held]) -> dict[ChannelAccount, list[permissions.Asked]]:
        """Return, by account, of which messages a platform demands something; of e-mail none does."""
        found: dict[ChannelAccount, list[permissions.Asked]] = {}
        for one in left if self.channel in ways.CHANNELS else ():
            ready = self.ready[one.id]
            way = ways.of_parts(self.channel, ready.message.parts)
            if way is not None and ready.identifier is not None and ways.bound(ready.account):
                asked = permissions.Asked(one.id, one.profile, ready.identifier, way)
                found.setdefault(ready.account, []).append(asked)
        return found

    def by_cap(self, left: Sequence[Held]) -> dict[UUID, str]:
        """Return who has had, or will have had from greater campaigns, as many messages as the caps allow."""
        found: dict[UUID, str] = {}
        by_account = attrgetter("account.pk")
        rows = sorted(left, key=lambda one: (by_account(self.ready[one.id]), one.priority or 0))
        for (account, priority), some in groupby(
            rows, key=lambda one: (by_account(self.ready[one.id]), one.priority or 0)
        ):
            alike = list(some)
            limits = list(caps.limits(self.channel, self.working[account]))
            pairs = [(one.profile, member) for one in alike for member in self.people[one.profile]]
            people = [person for person, _ in pairs], [member for _, member in pairs]
            over = caps.reached(people, limits, priority, self.now, self.now)
            found |= {one.id: over[one.profile] for one in alike if one.profile in over}
        return found

    def write_others(self) -> None:
        """Write down of those that do not leave now why, or until when they wait."""
        with connection.cursor() as cursor:
            if self.ended:
                values: dict[str, Any] = {
                    "ids": _texts(self.ended),
                    "reasons": text_array(self.ended.values()),
                    "now": self.now,
                }
                cursor.execute(ENDED, values)
            if self.waiting:
                due = text_array(at.isoformat() for at in self.waiting.values())
                cursor.execute(WAITING, {"ids": _texts(self.waiting), "due": due})


def _record(left: Sequence[Held], asked: Asked, now: datetime) -> None:
    if not left:
        return
    facts = (asked.purpose, asked.channel, now)
    leaves = [consent_gate.leaf(_call(one), one.profile, asked.bases[one.profile], *facts) for one in left]
    handoffs.record(leaves, now)
    values: dict[str, Any] = {
        "ids": _texts(one.id for one in left),
        "calls": _texts(_call(one) for one in left),
        "accounts": int_array(asked.ready[one.id].account.pk for one in left),
        "addresses": int_array(asked.ready[one.id].identifier for one in left),
        "now": now,
        "until": now + LEASE,
    }
    with connection.cursor() as cursor:
        cursor.execute(CALLING, values)
    calls = {one.id: _call(one) for one in left}
    for account, demanded in asked.demanded(left).items():
        permissions.take(account, [(one, calls[one.delivery]) for one in demanded], now)


def _texts(ids: Iterable[UUID]) -> str:
    return text_array(map(str, ids))
