"""What every channel's adapter does, and the words in which it answers: one vocabulary for all providers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from campaigns.models import ChannelAccount

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise


class ChannelError(ValueError):
    """An account or a message that this channel cannot work with; the message names the field and says why."""


class Answer(StrEnum):
    """What the provider made of a message that it was given."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # definitely not sent, and never will be: another channel may be tried
    BUSY = "busy"  # definitely not sent, and worth another try later
    UNKNOWN = "unknown"  # no answer, or one that does not say: never sent again blindly


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The answer to one message. ``code`` is the provider's, ``reason`` ours (of the adapter's table of codes)."""

    answer: Answer
    provider_id: str = ""
    code: str = ""
    reason: str = ""
    again_after: timedelta | None = None
    account_refused: bool = False  # it is the account's fault: stop using it, and call a person
    account_waits: bool = False  # a quota or a rate of the whole account: nothing else leaves through it until then


@dataclass(frozen=True, kw_only=True)
class Message:
    """A rendered message, ready for one address.

    ``parts`` are the fields of the channel's form, rendered: subject, html and text of an e-mail, text of an SMS,
    body of a webhook, data of a template message by key.
    """

    to: str
    language: str
    parts: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One message to many, the same for all of them; ``sender`` is the member of staff who has to confirm it.

    Where much has to be done before the call, ``still`` is asked right before it: to which addresses it may go by now.
    """

    to: Sequence[str]
    language: str
    parts: Mapping[str, Any]
    sender: str = ""
    still: Callable[[], Collection[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class BatchOutcome:
    """The one answer to a batch; ``refused`` are those of its addresses that definitely get nothing."""

    outcome: Outcome
    data_id: str = ""
    refused: Sequence[str] = ()


class Feedback(StrEnum):
    """What became of a message later; names are the field's."""

    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    FAILED = "failed"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    REPLIED = "replied"


@dataclass(frozen=True, kw_only=True)
class Told:
    """One thing that a provider's callback told: of which message, what, when, and its own key for it.

    Either ``provider_id`` or ``delivery`` names the message. ``permanent`` of a bounce says that the address is dead.
    ``address`` and ``text`` are personal: kept sealed, never logged.
    """

    key: str
    feedback: Feedback
    happened_at: datetime
    provider_id: str = ""
    delivery: UUID | None = None
    code: str = ""
    permanent: bool = False
    address: str = ""
    text: str = ""
    user_agent: str = ""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A line of the table of providers: its name in the admin, its adapter, and the channels that it serves."""

    name: "_StrOrPromise"
    path: str
    channels: tuple[str, ...]


class Channel(Protocol):
    """A provider's adapter: plain functions of an account, without state of its own.

    ``identifier`` is the type of identifier that a message is sent to. ``idempotent`` says that the provider takes a
    repeated key once, so that an unknown outcome may be asked again with the same key. ``asynchronous`` says that
    *accepted* only means queued at the provider, and that the truth comes by callback. ``needs_staff`` says that a
    person must confirm before it leaves.
    """

    channel: str
    identifier: str
    idempotent: bool
    asynchronous: bool
    needs_staff: bool

    def check_account(self, account: ChannelAccount) -> None:
        """Raise :class:`ChannelError` where the settings or secrets do not suffice."""

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        """Return what is wrong with a form of a template, in words; nothing where it is well."""

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        """Give one message to the provider and answer in the one vocabulary; never raises for what a network does."""

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        """Check a callback's signature and return what it tells; raise :class:`ChannelError` if it is not genuine."""


class BulkChannel(Channel, Protocol):
    """A provider's adapter that also takes one message to many people in one call.

    ``many_idempotent`` says that a repeated key is taken once: an unknown answer may be asked for again by it.
    """

    many_idempotent: bool

    def most(self, account: ChannelAccount) -> int:
        """Return how many people one call may name."""

    def send_many(self, account: ChannelAccount, batch: Batch, key: UUID) -> BatchOutcome:
        """Give one message to the provider for all of a batch; never raises for what a network does."""
