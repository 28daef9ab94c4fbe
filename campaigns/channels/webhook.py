"""A message as a signed HTTP request to another system of the organisation's (Standard Webhooks).

The hand-off's key is the message's number, which a receiver takes once: so an unknown outcome may be asked again.
410 says that nobody wants these messages any more: the account stops.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from campaigns import egress, standard_webhooks
from campaigns.channels import over_http, reports
from campaigns.channels.base import Answer, ChannelError, Message, Outcome, Told
from campaigns.models import ChannelAccount

MOST_BYTES = 64 * 2**10


class Webhook:
    """The adapter of a receiver of our own kind."""

    channel, identifier = "webhook", ""
    idempotent = True
    asynchronous = needs_staff = False

    def __init__(self, channel: str = "webhook") -> None:
        self.channel = channel

    def check_account(self, account: ChannelAccount) -> None:
        over_http.required(account.settings, "url")
        over_http.required(account.secrets or {}, "secret")
        try:
            standard_webhooks.key_of(account.secrets["secret"])
        except ValueError as error:
            raise ChannelError(f"secret: {error}") from error
        try:
            egress.check_resolved(account.settings["url"])
        except egress.Forbidden as error:
            raise ChannelError("url: " + _("this server may not call it (%(why)s).") % {"why": error}) from error

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        size = len(json.dumps(dict(form), ensure_ascii=False).encode())
        return [_("The body has more than 64 KiB.")] if size > MOST_BYTES else []

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        now = datetime.now(UTC)
        body = _body(message, key, now)
        if len(body) > MOST_BYTES:
            return Outcome(answer=Answer.REFUSED, reason="too_big")
        signed = standard_webhooks.sign(account.secrets["secret"], str(key), body, now)
        reply = over_http.call(account, account.settings["url"], {"content-type": "application/json"} | signed, body)
        if isinstance(reply, Outcome):
            return reply
        if reply.status == 410:
            return Outcome(answer=Answer.BUSY, code="410", reason="gone", account_refused=True)
        if reply.status in (401, 403):  # a receiver's own rules: not our account at a provider
            return Outcome(answer=Answer.REFUSED, code=str(reply.status), reason="refused")
        return over_http.by_status(reply, now)

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        """Take the receiver's own words on what became of a message, signed as ours are, with the same secret."""
        return reports.signed(str((account.secrets or {}).get("secret", "")), headers, body, now)


def _body(message: Message, key: UUID, now: datetime) -> bytes:
    """Return the request's body: the template's own JSON under ``data``, and what it is above it."""
    told = message.parts.get("body", dict(message.parts))
    try:
        data = json.loads(told) if isinstance(told, str) else told
    except ValueError:
        data = told
    whole = {"type": "message.sent", "timestamp": now.isoformat(), "id": str(key), "language": message.language}
    return json.dumps(whole | {"data": data}, ensure_ascii=False, default=str).encode()
