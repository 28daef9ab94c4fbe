"""An imitation of a provider, for a demo and for tests: it takes every message, and nothing leaves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from campaigns.channels.base import Answer, ChannelError, Message, Outcome, Told
from campaigns.models import ChannelAccount
from crm.addresses import ADDRESSES


class Stub:
    """The adapter of no provider."""

    idempotent = asynchronous = needs_staff = False

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.identifier = ADDRESSES.get(channel, ("",))[0]

    def check_account(self, account: ChannelAccount) -> None:
        return None

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return []

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        return Outcome(answer=Answer.ACCEPTED, provider_id=key.hex)

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        raise ChannelError("An imitation tells nothing.")
