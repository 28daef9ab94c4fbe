"""E-mail by a provider's own interface: django-anymail's backends and callbacks, set up by an account alone.

Nothing of it stands in Django's settings, so that two accounts of one provider live side by side. Its requests go
through :mod:`campaigns.egress`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from io import BytesIO
from typing import Any
from uuid import UUID

from anymail.exceptions import AnymailError, AnymailRecipientsRefused, AnymailRequestsAPIError
from anymail.message import AnymailMessage
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.core.handlers.wsgi import WSGIRequest

from campaigns import egress
from campaigns.channels import mime, over_http
from campaigns.channels.base import Answer, ChannelError, Feedback, Message, Outcome, Told
from campaigns.channels.smtp import MOST_BYTES, email_form
from campaigns.models import ChannelAccount


@dataclass(frozen=True, kw_only=True)
class Esp:
    """A provider of e-mail: its class names, what sending needs, and what its callbacks are recognised by."""

    view: str
    sends_with: tuple[str, ...]
    signs_with: str  # the secret of its callbacks; "webhook_secret" is a name and password (``user:password``)


ESPS: Mapping[str, Esp] = {
    "brevo": Esp(view="BrevoTrackingWebhookView", sends_with=("api_key",), signs_with="webhook_secret"),
    "mailersend": Esp(view="MailerSendTrackingWebhookView", sends_with=("api_token",), signs_with="signing_secret"),
    "mailgun": Esp(view="MailgunTrackingWebhookView", sends_with=("api_key",), signs_with="webhook_signing_key"),
    "mailjet": Esp(
        view="MailjetTrackingWebhookView", sends_with=("api_key", "secret_key"), signs_with="webhook_secret"
    ),
    "postmark": Esp(view="PostmarkTrackingWebhookView", sends_with=("server_token",), signs_with="webhook_secret"),
    "resend": Esp(view="ResendTrackingWebhookView", sends_with=("api_key",), signs_with="tracking_webhook_secret"),
    "sendgrid": Esp(
        view="SendGridTrackingWebhookView", sends_with=("api_key",), signs_with="tracking_webhook_verification_key"
    ),
    "sparkpost": Esp(view="SparkPostTrackingWebhookView", sends_with=("api_key",), signs_with="webhook_secret"),
}
FEEDBACK: Mapping[str, Feedback] = {
    EventType.SENT: Feedback.SENT,
    EventType.DELIVERED: Feedback.DELIVERED,
    EventType.DEFERRED: Feedback.DEFERRED,
    EventType.BOUNCED: Feedback.BOUNCED,
    EventType.REJECTED: Feedback.BOUNCED,
    EventType.FAILED: Feedback.FAILED,
    EventType.OPENED: Feedback.OPENED,
    EventType.CLICKED: Feedback.CLICKED,
    EventType.COMPLAINED: Feedback.COMPLAINED,
    EventType.UNSUBSCRIBED: Feedback.UNSUBSCRIBED,
}
TOOK = frozenset({"sent", "queued"})
DEAD = frozenset({RejectReason.INVALID, RejectReason.BOUNCED})


class Anymail:
    """The adapter of providers of e-mail."""

    channel, identifier = "email", "email"
    idempotent = needs_staff = False
    asynchronous = True

    def __init__(self, channel: str = "email") -> None:
        self.channel = channel

    def check_account(self, account: ChannelAccount) -> None:
        esp = _esp(account)
        over_http.required(account.settings, "from_email")
        mime.parts_of(account.settings["from_email"])
        over_http.required(account.secrets or {}, *esp.sends_with)
        if account.settings.get("api_url"):
            egress.check(account.settings["api_url"])

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return email_form(form)

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        try:
            mail = _mail(account, message, key)
        except ChannelError as error:
            return Outcome(answer=Answer.REFUSED, reason="malformed", code=str(error)[:64])
        if len(mail.body) + sum(len(part) for part, _kind in mail.alternatives) > MOST_BYTES:
            return Outcome(answer=Answer.REFUSED, reason="too_big")
        try:
            with egress.exchange(over_http.patience(account)) as session:
                return _sent(account, mail, session)
        except egress.Forbidden as error:
            return Outcome(answer=Answer.BUSY, code=f"egress_{error}", reason="address_forbidden", account_refused=True)
        except egress.NotSent as error:
            return Outcome(answer=Answer.BUSY, code=str(error), reason="connection")
        except egress.NoAnswer as error:
            return Outcome(answer=Answer.UNKNOWN, code=str(error), reason="no_answer")

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        name, esp = account.settings.get("esp", ""), _esp(account)
        secret = str((account.secrets or {}).get(esp.signs_with) or "")
        if not secret:
            raise ChannelError(f"{esp.signs_with}: without it nobody knows whose callbacks these are.")
        view = getattr(import_module(f"anymail.webhooks.{name}"), esp.view)(**{esp.signs_with: secret})
        request = _request(headers, body)
        try:
            view.run_validators(request)
            events = view.parse_events(request)
        except AnymailError as error:
            raise ChannelError("This callback is not genuine.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ChannelError("This callback cannot be read.") from error
        return [_told(event, now) for event in events if event.event_type in FEEDBACK]


def _esp(account: ChannelAccount) -> Esp:
    found = ESPS.get(str(account.settings.get("esp") or ""))
    if found is None:
        raise ChannelError(f"esp: one of {', '.join(ESPS)}.")
    return found


def _mail(account: ChannelAccount, message: Message, key: UUID) -> AnymailMessage:
    built = mime.build(account.settings, message, key, datetime.now(UTC))  # the one check of addresses and headers
    mail = AnymailMessage(
        subject=str(built["Subject"]),
        body=str(message.parts.get("text") or ""),
        from_email=str(built["From"]),
        to=[message.to],
        headers=dict(message.headers) | {"Auto-Submitted": "auto-generated"},
        reply_to=[account.settings["reply_to"]] if account.settings.get("reply_to") else None,
    )
    if message.parts.get("html"):
        mail.attach_alternative(str(message.parts["html"]), "text/html")
    mail.metadata = {"delivery": str(key)}
    return mail


def _sent(account: ChannelAccount, mail: AnymailMessage, session: Any) -> Outcome:
    esp = _esp(account)
    options = {name: account.secrets[name] for name in esp.sends_with}
    options |= {name: account.settings[name] for name in ("api_url", "sender_domain") if account.settings.get(name)}
    backend = import_module(f"anymail.backends.{account.settings['esp']}").EmailBackend(**options)
    backend.session, backend.timeout = session, over_http.patience(account)
    try:
        backend.send_messages([mail])
    except AnymailRecipientsRefused as error:
        return Outcome(answer=Answer.REFUSED, reason="no_such_address", code=str(error.status_code or "")[:64])
    except AnymailRequestsAPIError as error:
        if error.status_code is None:
            raise
        return _by_status(error.response)
    except AnymailError as error:  # before anything left: what the provider cannot do
        return Outcome(answer=Answer.REFUSED, reason="not_supported", code=type(error).__name__[:64])
    if not mail.anymail_status.status <= TOOK:
        return _by_status(mail.anymail_status.esp_response)
    number = mail.anymail_status.message_id
    return Outcome(answer=Answer.ACCEPTED, provider_id=number[:200] if isinstance(number, str) else "")


def _by_status(answer: Any) -> Outcome:
    reply = egress.Reply(status=answer.status_code, headers=dict(answer.headers), body=b"")
    found = over_http.by_status(reply, datetime.now(UTC))
    if found.answer is Answer.ACCEPTED:  # 2xx, and yet no answer that can be read
        return Outcome(answer=Answer.UNKNOWN, code=found.code, reason="garbage")
    return found


def _request(headers: Mapping[str, str], body: bytes) -> WSGIRequest:
    """Return a callback as the request that anymail's views read."""
    given = {name.lower(): value for name, value in headers.items()}
    environment = {
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "callbacks",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(body),
        "CONTENT_TYPE": given.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
    }
    return WSGIRequest(environment | {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in given.items()})


def _told(event: AnymailTrackingEvent, now: datetime) -> Told:
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    try:
        delivery = UUID(str(metadata.get("delivery")))
    except ValueError:
        delivery = None
    return Told(
        key=_key(event),
        feedback=FEEDBACK[event.event_type],
        happened_at=min(event.timestamp, now) if event.timestamp else now,
        provider_id=str(event.message_id or "")[:200],
        delivery=delivery,
        code=str(event.reject_reason or "")[:64],
        permanent=event.event_type in (EventType.BOUNCED, EventType.REJECTED) and event.reject_reason in DEAD,
        address=str(event.recipient or "")[:320],
        user_agent=str(event.user_agent or "")[:500],
    )


def _key(event: AnymailTrackingEvent) -> str:
    if event.event_id:
        return f"{event.event_type}:{event.event_id}"[:128]
    told = event.esp_event
    spelt = json.dumps(told if isinstance(told, dict | list) else str(told), sort_keys=True, default=str)
    return f"{event.event_type}:{sha256(spelt.encode()).hexdigest()}"
