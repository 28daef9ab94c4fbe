"""An e-mail's bytes: its own headers, a plain text and an HTML part, and nothing that a header could be smuggled in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from campaigns.channels.base import ChannelError, Message

# RFC 5322's dot-atom, or with signs beyond ASCII (RFC 6531); quoted local parts are nobody's marketing address.
LOCAL = r"[^\x00-\x20\x7f()<>\[\]:;@\\,\"\s]{1,64}"
ADDRESS = re.compile(rf"(?!\.)(?!.*\.\.)(?P<local>{LOCAL})(?<!\.)@(?P<domain>[^@]{{1,253}})")
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = re.compile(rf"{LABEL}(?:\.{LABEL})*")
HEADER = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,60}$")
FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
# Ours alone: a template or a caller that sets one of these is mistaken, or hostile.
RESERVED = frozenset(
    {"from", "to", "cc", "bcc", "subject", "date", "message-id", "sender", "return-path", "mime-version", "received"}
)
LONGEST_SUBJECT = 255


def parts_of(address: str) -> tuple[str, str]:
    """Return an address's local part and its domain as DNS spells it.

    Raises
    ------
    ChannelError
        It is no address of one mailbox.
    """
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise ChannelError("This is no e-mail address.")
    try:
        domain = found["domain"] if found["domain"].isascii() else found["domain"].encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ChannelError("The domain of this e-mail address cannot be.") from error
    if not DOMAIN.fullmatch(domain) or len(domain) > 253:
        raise ChannelError("The domain of this e-mail address cannot be.")
    return found["local"], domain


def message_id(key: UUID, sender: str) -> str:
    """Return the Message-ID of a hand-off: the same at each try, so that a mailbox can drop the second copy."""
    return f"<{key.hex}@{parts_of(sender)[1]}>"


def build(settings: Mapping[str, Any], message: Message, key: UUID, now: datetime) -> EmailMessage:
    """Return an e-mail from an account's settings (``from_email``, ``from_name``, ``reply_to``) and a rendered message.

    Raises
    ------
    ChannelError
        A header holds a line's end, or is one that only we set, or an address is none.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _mailbox(settings["from_email"], str(settings.get("from_name") or ""))
    mail["To"] = _mailbox(message.to)
    mail["Subject"] = _plain("Subject", str(message.parts.get("subject", "")))[:LONGEST_SUBJECT]
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = message_id(key, settings["from_email"])
    if settings.get("reply_to"):
        mail["Reply-To"] = _mailbox(settings["reply_to"])
    # A machine wrote it: nobody's holiday note answers (RFC 3834, section 5).
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in message.headers.items():
        if not HEADER.match(name) or name.lower() in RESERVED:
            raise ChannelError(f"A message must not set the header {name[:60]!r}.")
        del mail[name]
        mail[name] = _plain(name, value)
    html, text = str(message.parts.get("html") or ""), str(message.parts.get("text") or "")
    mail.set_content(text or " ", cte="base64" if not text.isascii() else "quoted-printable")
    if html:
        mail.add_alternative(html, subtype="html", cte="base64" if not html.isascii() else "quoted-printable")
    return mail


def _mailbox(address: str, name: str = "") -> Address:
    local, domain = parts_of(address)
    return Address(display_name=_plain("From", name), username=local, domain=domain)


def _plain(name: str, value: str) -> str:
    if FORBIDDEN.search(value):
        raise ChannelError(f"The header {name} must be one line without control characters.")
    return value
