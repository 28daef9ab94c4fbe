"""Providers of our own for tests: they take messages as they are told to, and remember what they took."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from campaigns.channels import Answer, Message, Outcome
from campaigns.delivering.writing import Desk, renderer
from campaigns.models import ChannelAccount


class Peer:
    """A provider that takes everything, or answers as it is told to, message by message."""

    channel, idempotent, asynchronous, needs_staff = "email", False, False, False

    def __init__(
        self, answer: Callable[[Message], Outcome] | Answer = Answer.ACCEPTED, *, identifier: str = "email"
    ) -> None:
        self.identifier = identifier
        self.taken: list[UUID] = []
        self.addresses: list[str] = []
        self.answer = answer
        self.most_at_once = self.at_once = 0
        self.lock = threading.Lock()

    def send(self, _account: Any, message: Message, key: UUID) -> Outcome:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            outcome = self.answer(message) if callable(self.answer) else Outcome(answer=self.answer)
        finally:
            with self.lock:
                self.at_once -= 1
                self.taken.append(key)
                self.addresses.append(message.to)
        return Outcome(answer=outcome.answer, provider_id=key.hex, code=outcome.code, reason=outcome.reason)


def desk(**peers: Peer) -> Desk:
    """Return a desk at which each channel's peer stands; without any, one peer for e-mail."""

    def adapter(account: ChannelAccount) -> Any:
        return peers[account.channel]

    return Desk(adapter=adapter, take=as_many, give_back=lambda *_: None, renderer=renderer)


def as_many(_account: ChannelAccount, wanted: int, _now: datetime) -> int:
    """Grant what is wanted."""
    return wanted
