"""An imitation of a provider, for a demo and for tests.

Without an address it takes every message, and nothing leaves. With one (``url``) it speaks to a server as a provider
of SMS would be spoken to: the message as JSON, the key once, and signed reports back.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from campaigns import egress, standard_webhooks
from campaigns.channels import over_http, reports
from campaigns.channels.base import Answer, Message, Outcome, Told
from campaigns.models import ChannelAccount
from crm.addresses import ADDRESSES

# What the imitated provider answers in its body's ``code``.
CODES: Mapping[str, Outcome] = {
    "busy": Outcome(answer=Answer.BUSY, code="busy", reason="busy", again_after=timedelta(seconds=10)),
    "bad_address": Outcome(answer=Answer.REFUSED, code="bad_address", reason="no_such_address"),
    "blocked": Outcome(answer=Answer.REFUSED, code="blocked", reason="blocked"),
    "no_credit": Outcome(answer=Answer.BUSY, code="no_credit", reason="no_credit", account_refused=True),
}


class Stub:
    """The adapter of no provider."""

    idempotent = True
    asynchronous = needs_staff = False

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.identifier = ADDRESSES.get(channel, ("",))[0]

    def check_account(self, account: ChannelAccount) -> None:
        if account.settings.get("url"):
            over_http.required(account.secrets or {}, "secret")

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return []

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        url = account.settings.get("url")
        if not url:
            return Outcome(answer=Answer.ACCEPTED, provider_id=key.hex)
        now = datetime.now(UTC)
        told = {"key": str(key), "to": message.to, "parts": dict(message.parts)}
        body = json.dumps(told, ensure_ascii=False, default=str).encode()
        signed = standard_webhooks.sign(account.secrets["secret"], str(key), body, now)
        reply = over_http.call(account, url, {"content-type": "application/json"} | signed, body)
        return reply if isinstance(reply, Outcome) else _answer(reply, now)

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        return reports.signed(str((account.secrets or {}).get("secret", "")), headers, body, now)


def _answer(reply: egress.Reply, now: datetime) -> Outcome:
    told = over_http.parsed(reply)
    if not 200 <= reply.status < 300:
        return over_http.by_status(reply, now)
    if told and told.get("code") == "ok" and told.get("id"):
        return Outcome(answer=Answer.ACCEPTED, provider_id=str(told["id"])[:200], code="ok")
    code = str((told or {}).get("code"))[:64]
    return CODES.get(code) or Outcome(answer=Answer.UNKNOWN, code=code, reason="garbage")
