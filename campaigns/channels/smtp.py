"""E-mail through a relay's SMTP: one connection for each thread and account, kept open between messages.

DKIM is the relay's. A message that broke before its last line was sent is definitely not sent; one that broke after it
is unknown (``campaigns.channels.smtp_codes``). Bounces come to the sender's mailbox, or by the relay's own callbacks.
"""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from campaigns.channels import mime, smtp_client, smtp_codes
from campaigns.channels.base import Answer, ChannelError, Message, Outcome, Told
from campaigns.channels.smtp_client import Broken, Connection, Refused
from campaigns.channels.smtp_codes import Phase
from campaigns.models import ChannelAccount

MOST_BYTES = 10 * 2**20  # of a whole message; the server's own limit is asked besides
MOST_USES, MOST_IDLE = 100, 20.0  # messages over one connection, seconds between two; relays close those kept longer
SECURITY = ("starttls", "tls", "none")


class Smtp:
    """The adapter of a mail relay."""

    channel, identifier = "email", "email"
    idempotent = asynchronous = needs_staff = False

    def __init__(self, channel: str = "email") -> None:
        self.channel = channel

    def check_account(self, account: ChannelAccount) -> None:
        settings = account.settings
        for name in ("host", "from_email"):
            if not isinstance(settings.get(name), str) or not settings[name].strip():
                raise ChannelError(f"{name}: " + _("this is needed."))
        mime.parts_of(settings["from_email"])
        if settings.get("reply_to"):
            mime.parts_of(settings["reply_to"])
        if settings.get("security", "starttls") not in SECURITY:
            raise ChannelError("security: " + _("one of %(these)s.") % {"these": ", ".join(SECURITY)})
        if not 0 < int(settings.get("port") or 587) < 2**16:
            raise ChannelError("port: " + _("a number from 1 to 65535."))
        if settings.get("security") == "none" and (account.secrets or {}).get("password"):
            raise ChannelError("security: " + _("a password must not go over an open line."))

    def check_form(self, form: Mapping[str, Any]) -> Sequence[str]:
        return email_form(form)

    def send(self, account: ChannelAccount, message: Message, key: UUID) -> Outcome:
        try:
            local, domain = mime.parts_of(message.to)
            mail = mime.build(account.settings, message, key, datetime.now(UTC)).as_bytes()
        except ChannelError as error:
            return Outcome(answer=Answer.REFUSED, reason="malformed", code=str(error)[:64])
        if len(mail) > MOST_BYTES:
            return Outcome(answer=Answer.REFUSED, reason="too_big")
        return _send(account, f"{local}@{domain}", mail, mime.message_id(key, account.settings["from_email"]))

    def told(self, account: ChannelAccount, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Told]:
        raise ChannelError("SMTP has no callbacks.")

    def test(self, account: ChannelAccount) -> Outcome:
        """Connect and log in, and send nothing."""
        close_all()
        try:
            _opened(account)
        except Refused as error:
            return smtp_codes.outcome(error.phase, error.code, error.text)
        except Broken as error:
            return smtp_codes.broken(Phase.OPEN, str(error))
        return Outcome(answer=Answer.ACCEPTED)


def email_form(form: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an e-mail's form."""
    wrong = []
    subject = str(form.get("subject") or "")
    if not subject.strip():
        wrong.append(_("The subject is empty."))
    if len(subject) > mime.LONGEST_SUBJECT or mime.FORBIDDEN.search(subject):
        wrong.append(_("The subject is one line of at most %(most)s characters.") % {"most": mime.LONGEST_SUBJECT})
    if not str(form.get("html") or form.get("mjml") or form.get("text") or "").strip():
        wrong.append(_("The message is empty."))
    return wrong


class _Kept(threading.local):
    """The connections of one thread, by account and how it is reached; a forked process has none of its parent's."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.by_account: dict[tuple[int | None, smtp_client.Login], Connection] = {}


_kept = _Kept()


def close_all() -> None:
    """Say goodbye on every connection of this thread."""
    for connection in _kept.by_account.values():
        connection.close()
    _kept.by_account.clear()


def _send(account: ChannelAccount, to: str, mail: bytes, number: str) -> Outcome:
    phase = Phase.OPEN
    try:
        connection, fresh = _opened(account)
        try:
            return _give(connection, account, to, mail, number)
        except Broken:
            phase = connection.phase
            _forget(account)
            if fresh or phase is not Phase.SENDER:
                raise
        # A kept connection that the server had closed meanwhile: nothing of this message was taken.
        phase = Phase.OPEN
        connection, _fresh = _opened(account)
        try:
            return _give(connection, account, to, mail, number)
        except Broken:
            phase = connection.phase
            _forget(account)
            raise
    except Refused as error:
        return smtp_codes.outcome(error.phase, error.code, error.text)
    except Broken as error:
        return smtp_codes.broken(phase, str(error))


def _give(connection: Connection, account: ChannelAccount, to: str, mail: bytes, number: str) -> Outcome:
    sender = str(account.settings.get("return_path") or account.settings["from_email"])
    limit = str(connection.esmtp_features.get("size", "") or "")
    if limit.isdigit() and 0 < int(limit) < len(mail):
        return Outcome(answer=Answer.REFUSED, reason="too_big", code=limit)
    options = "" if to.isascii() else " SMTPUTF8"
    if options and not connection.has_extn("smtputf8"):
        return Outcome(answer=Answer.REFUSED, reason="not_supported")
    end_timeout = smtp_client.login_of(account.settings, {}).end_timeout
    try:
        connection.give(sender, to, mail, options, end_timeout)
    except Refused as error:
        _after_refusal(connection, account, error)
        raise
    connection.used += 1
    connection.idle_since = time.monotonic()
    return Outcome(answer=Answer.ACCEPTED, provider_id=number, code="250")


def _after_refusal(connection: Connection, account: ChannelAccount, error: Refused) -> None:
    """Make the connection ready for the next message, or drop it: its server is closing it, or says odd things."""
    if error.code == 421 or not 400 <= error.code < 600 or error.phase is Phase.OPEN:
        _forget(account)
    elif error.phase is not Phase.END:
        try:
            connection.ask("RSET", error.phase, 250)
        except (Broken, Refused):
            _forget(account)


def _opened(account: ChannelAccount) -> tuple[Connection, bool]:
    """Return this thread's connection to the account's server, and whether it was opened just now."""
    if _kept.process != os.getpid():
        _kept.process, _kept.by_account = os.getpid(), {}
    login = smtp_client.login_of(account.settings, account.secrets or {})
    kept = _kept.by_account.get((account.pk, login))
    if kept is not None:
        if kept.used < MOST_USES and time.monotonic() - kept.idle_since < MOST_IDLE:
            return kept, False
        _forget(account)
    made = _kept.by_account[account.pk, login] = smtp_client.connect(login)
    return made, True


def _forget(account: ChannelAccount) -> None:
    for key in [key for key in _kept.by_account if key[0] == account.pk]:
        _kept.by_account.pop(key).close()
