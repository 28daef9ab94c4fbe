"""A batch of deliveries becomes messages: through which account, to which address, in which words."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol
from uuid import UUID

from campaigns import addressing, quotas
from campaigns.audience import Reason
from campaigns.channels import Channel, Message, adapter
from campaigns.handing_off import Ready
from campaigns.models import ChannelAccount, Delivery, Variant
from crm.addresses import ADDRESSES
from crm.models import Profile

QUOTA_PAUSE = timedelta(seconds=2)  # of a rate a second; what a day has used up is asked again as well
NO_ACCOUNT_PAUSE = timedelta(minutes=1)

# A message, or why there is none, or until when it has to wait.
Written = Ready | str | datetime
Write = Callable[[Sequence[Delivery], datetime], Mapping[UUID, Written]]


class TemplateFailed(ValueError):
    """The message cannot be written for one person."""


class Renderer(Protocol):
    """Writes messages of one variant on one channel: first everything is read for a batch, then each is written."""

    def prepare(self, profiles: Iterable[int], /) -> None: ...

    def message(self, profile: int, delivery: UUID, /) -> Message: ...


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where messages are written: who speaks to the provider, how much it may be given, and who renders."""

    adapter: Callable[[ChannelAccount], Channel]
    take: Callable[[ChannelAccount, int, datetime], int]
    renderer: Callable[[Variant, str], Renderer]

    def write(self, deliveries: Sequence[Delivery], now: datetime) -> dict[UUID, Written]:
        """Write the messages of reserved deliveries; what fails for one person fails for that one."""
        written: dict[UUID, Written] = {}
        by_channel = sorted(deliveries, key=lambda one: one.channel)
        for channel, some in groupby(by_channel, key=lambda one: one.channel):
            rows = list(some)
            accounts = list(ChannelAccount.objects.working(channel))
            for account, share in self._shared_out(rows, accounts, now):
                written |= self._through(account, share)
            pause = QUOTA_PAUSE if accounts else NO_ACCOUNT_PAUSE
            written |= {one.pk: now + pause for one in rows if one.pk not in written}
        return written

    def _shared_out(
        self, rows: Sequence[Delivery], accounts: Sequence[ChannelAccount], now: datetime
    ) -> Iterator[tuple[ChannelAccount, Sequence[Delivery]]]:
        """Share deliveries out among the accounts that work, as far as their quotas go, the preferred one first."""
        for account in accounts:
            if rows and (granted := self.take(account, len(rows), now)):
                yield account, rows[:granted]
                rows = rows[granted:]

    def _through(self, account: ChannelAccount, rows: Sequence[Delivery]) -> dict[UUID, Written]:
        adapter, written = self.adapter(account), dict[UUID, Written]()
        types = [adapter.identifier] if getattr(adapter, "identifier", "") else ADDRESSES.get(account.channel, ())
        known = addressing.addresses((one.profile_id for one in rows), account.channel, types) if types else {}
        if types:
            written |= {one.pk: Reason.NO_ADDRESS.value for one in rows if one.profile_id not in known}
        left = sorted((one for one in rows if one.pk not in written), key=lambda one: one.variant_id or 0)
        for _, some in groupby(left, key=lambda one: one.variant_id):
            alike = list(some)
            renderer = self.renderer(_variant(alike[0]), account.channel)
            renderer.prepare([one.profile_id for one in alike])
            for one in alike:
                written[one.pk] = self._one(one, renderer, account, adapter, known.get(one.profile_id))
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
        except (TemplateFailed, *template_errors()):
            return Reason.TEMPLATE.value
        return Ready(
            delivery=delivery,
            account=account,
            channel=adapter,
            message=replace(message, to=address.value) if address else message,
            identifier=address.identifier if address else None,
        )


def _variant(delivery: Delivery) -> Variant:
    if delivery.variant is None:
        raise ValueError(f"The delivery {delivery.pk} has no variant to send.")
    return delivery.variant


class AsItStands:
    """Sends what a template says as it stands, in the person's language or the first that there is."""

    def __init__(self, variant: Variant, channel: str) -> None:
        self.forms: Mapping[str, Mapping[str, object]] = variant.template.forms.get(channel, {})
        self.languages: dict[int, str] = {}

    def prepare(self, profiles: Iterable[int], /) -> None:
        rows = Profile.objects.filter(pk__in=list(profiles)).values_list("pk", "language")
        self.languages = {pk: language.lower() for pk, language in rows}

    def message(self, profile: int, delivery: UUID, /) -> Message:
        language = self.languages.get(profile, "")
        chosen = language if language in self.forms else next(iter(self.forms), "")
        if not chosen:
            raise TemplateFailed("no_form")
        return Message(to="", language=chosen, parts=self.forms[chosen])


def template_errors() -> tuple[type[Exception], ...]:
    return ()


def desk() -> Desk:
    """Return the desk of the house."""
    return Desk(adapter=adapter, take=quotas.take, renderer=AsItStands)
