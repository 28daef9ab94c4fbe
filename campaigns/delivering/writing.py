"""A batch of deliveries becomes messages: through which account, to which address, in which words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol
from uuid import UUID

from campaigns.channels import Channel, ChannelError, Message, adapter
from campaigns.channels.headers import headers
from campaigns.delivering.handing_off import Ready
from campaigns.models import ChannelAccount, Delivery, Variant
from campaigns.reach import addressing, quotas
from campaigns.reach.audience import Reason
from campaigns.templating import rendering
from campaigns.templating.sandbox import TemplateFailed
from campaigns.wechat import pauses, ways
from crm.addresses import ADDRESSES

RATE_PAUSE = quotas.BURST  # until the account may be given the next ones
QUOTA_PAUSE = timedelta(minutes=1)  # what a day has used up is asked for again, since it may be raised
NO_ACCOUNT_PAUSE = timedelta(minutes=1)
EVERY = 0.05  # seconds between two hand-offs at an account's rate

# A message, or why there is none, or until when it has to wait.
Written = Ready | str | datetime
Write = Callable[[Sequence[Delivery], datetime], Mapping[UUID, Written]]


class Renderer(Protocol):
    """Writes messages of one variant on one channel: first everything is read for a batch, then each is written."""

    def prepare(self, profiles: Sequence[int], now: datetime, /) -> None: ...

    def message(self, profile: int, delivery: UUID | None, /) -> Message: ...


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where messages are written: who speaks to the provider, how much it may be given, and who renders."""

    adapter: Callable[[ChannelAccount], Channel]
    take: Callable[[ChannelAccount, int, datetime], int]
    give_back: Callable[[ChannelAccount, int, datetime], None]
    renderer: Callable[[Variant, str], Renderer]
    pace: Callable[[ChannelAccount, int, datetime], quotas.Pace] = quotas.pace

    def write(
        self, deliveries: Sequence[Delivery], now: datetime, held: Mapping[ChannelAccount, int] | None = None
    ) -> dict[UUID, Written]:
        """Write the messages of reserved deliveries; what fails for one person fails for that one.

        So many as are ``held`` of an account are written already and wait for their time.
        """
        written: dict[UUID, Written] = {}
        by_channel = sorted(deliveries, key=lambda one: one.channel)
        for channel, some in groupby(by_channel, key=lambda one: one.channel):
            rows = list(some)
            accounts = list(ChannelAccount.objects.working(channel))
            for account, share in self._shared_out(rows, accounts, held or {}, now):
                through = self.through(account, share, now)
                if unused := sum(not isinstance(one, Ready) for one in through.values()):
                    self.give_back(account, unused, now)
                written |= through
            if left := [one.pk for one in rows if one.pk not in written]:
                written |= dict.fromkeys(left, now + _pause(accounts, now))
        return written

    def _shared_out(
        self,
        rows: Sequence[Delivery],
        accounts: Sequence[ChannelAccount],
        held: Mapping[ChannelAccount, int],
        now: datetime,
    ) -> Iterator[tuple[ChannelAccount, Sequence[Delivery]]]:
        """Share deliveries out among the accounts that work, as far as quotas and rates go, the preferred one first."""
        for account, own in nearest(rows, accounts).items():
            left = [one for one in rows if own is None or one.profile_id in own]
            most = quotas.ahead(account)
            wanted = len(left) if most is None else min(len(left), most - held.get(account, 0))
            if wanted > 0 and (granted := self.take(account, wanted, now)):
                yield account, left[:granted]
                taken = set(left[:granted])
                rows = [one for one in rows if one not in taken]

    def through(self, account: ChannelAccount, rows: Sequence[Delivery], now: datetime) -> dict[UUID, Written]:
        """Write the messages of deliveries through one account, whatever of its quotas is left."""
        written = dict[UUID, Written]()
        try:
            adapter = self.adapter(account)
        except ChannelError:  # nobody speaks to its provider any more: as if there were no account
            return {one.pk: now + NO_ACCOUNT_PAUSE for one in rows}
        types = [adapter.identifier] if getattr(adapter, "identifier", "") else ADDRESSES.get(account.channel, ())
        people = [one.profile_id for one in rows]
        known = addressing.addresses(people, account.channel, types, account) if types else {}
        if types:
            written |= {one.pk: Reason.NO_ADDRESS.value for one in rows if one.profile_id not in known}
            lost = {person for person, one in known.items() if not one.open}
            written |= {one.pk: Reason.NOT_FOLLOWING.value for one in rows if one.profile_id in lost}
        left = sorted((one for one in rows if one.pk not in written), key=lambda one: one.variant_id or 0)
        for _, some in groupby(left, key=lambda one: one.variant_id):
            alike = list(some)
            try:
                renderer = self.renderer(_variant(alike[0]), account.channel)
            except TemplateFailed:
                written |= {one.pk: Reason.TEMPLATE.value for one in alike}
                continue
            renderer.prepare([one.profile_id for one in alike], now)
            added = headers(alike, account.channel, now)
            for one in alike:
                found = self._one(one, renderer, account, adapter, known.get(one.profile_id))
                written[one.pk] = _with_headers(found, added.get(one.pk, {}))
        return written

    def _one(
        self,
        delivery: Delivery,
        renderer: Renderer,
        account: ChannelAccount,
        adapter: Channel,
        address: addressing.Address | None,
    ) -> Written:
        try:
            message = renderer.message(delivery.profile_id, delivery.pk)
        except TemplateFailed:
            return Reason.TEMPLATE.value
        return Ready(
            delivery=delivery,
            account=account,
            channel=adapter,
            message=replace(message, to=address.value) if address else message,
            identifier=address.identifier if address else None,
        )


def nearest(rows: Sequence[Delivery], accounts: Sequence[ChannelAccount]) -> dict[ChannelAccount, set[int] | None]:
    """Return whom each account may write to: everybody (nothing), or those of its own people whom no other takes.

    Whom several know goes to the first that has not lost her; whom nobody knows to the first, which says so.
    """
    if not any(ways.bound(account) for account in accounts):
        return dict.fromkeys(accounts)
    people = [one.profile_id for one in rows]
    best: dict[int, tuple[bool, ChannelAccount]] = {}
    for account in accounts:
        places = addressing.places(people, account) if ways.bound(account) else {}
        for person, one in places.items():
            if person not in best or (one.open and not best[person][0]):
                best[person] = one.open, account
    found: dict[ChannelAccount, set[int] | None] = {account: set() for account in accounts}
    for person in people:
        own = found[best[person][1] if person in best else accounts[0]]
        assert own is not None  # noqa: S101
        own.add(person)
    return found


def _pause(accounts: Sequence[ChannelAccount], now: datetime) -> timedelta:
    if not accounts:
        return NO_ACCOUNT_PAUSE
    paused = [pauses.until(account, now) for account in accounts]
    if all(paused):
        return min(until for until in paused if until) - now
    open_today = any(quotas.use(account, now).left != 0 for account in accounts)
    return RATE_PAUSE if open_today else QUOTA_PAUSE


def _with_headers(written: Written, added: Mapping[str, str]) -> Written:
    if not added or not isinstance(written, Ready):
        return written
    message = replace(written.message, headers=dict(added) | dict(written.message.headers))
    return replace(written, message=message)


def _variant(delivery: Delivery) -> Variant:
    if delivery.variant is None:
        raise ValueError(f"The delivery {delivery.pk} has no variant to send.")
    return delivery.variant


def renderer(variant: Variant, channel: str) -> Renderer:
    """Return who writes a variant's messages on a channel."""
    return rendering.Renderer(variant.template, variant, channel)


def desk() -> Desk:
    """Return the desk of the house."""
    return Desk(adapter=adapter, take=quotas.take, give_back=quotas.give_back, renderer=renderer, pace=in_steps)


def in_steps(account: ChannelAccount, wanted: int, now: datetime) -> quotas.Pace:
    """Pace messages in steps: evenly for who counts by the second, and not each in a transaction of its own."""
    return quotas.pace(account, wanted, now, EVERY)
