"""Whether a callback is genuine: each check in its order, before anything of it is read.

Signature, time, decryption, padding, length, receiver; then the XML. An account with a key takes nothing that is not
encrypted: who could leave the encryption out could leave the check out, for in the plain mode the platform's signature
says nothing of the body. A plain address that was used is therefore used up.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import cache

from campaigns.channels.wechat.crypto import Key, NotGenuine, check_signature, open_by_any, sealed_reply
from campaigns.channels.wechat.inbound import Fields, Unreadable, fields_of, text_of
from campaigns.models import ChannelAccount

log = logging.getLogger(__name__)

LONGEST = 128  # signs of a parameter


@dataclass(frozen=True, kw_only=True, repr=False)
class Called:
    """A callback's account and the parameters of its address."""

    account: ChannelAccount
    token: str
    timestamp: str
    nonce: str
    signature: str
    msg_signature: str

    @classmethod
    def of(cls, account: ChannelAccount, query: Mapping[str, str]) -> "Called":
        """Read the parameters.

        Raises
        ------
        NotGenuine
            The account takes no callbacks, or a parameter is none of the platform's.
        """
        token = str((account.secrets or {}).get("callback_token") or "")
        told = {name: query.get(name, "") for name in ("timestamp", "nonce", "signature", "msg_signature")}
        if not token or any(len(value) > LONGEST or not value.isascii() for value in told.values()):
            raise NotGenuine("parameters")
        return cls(account=account, token=token, **told)

    @property
    def keys(self) -> list[Key]:
        """The account's keys, the present one first."""
        secrets = self.account.secrets or {}
        return [Key.read(str(secrets[name])) for name in ("aes_key", "previous_aes_key") if secrets.get(name)]

    @property
    def receiver(self) -> str:
        """To whom the platform encrypts."""
        return str(self.account.settings.get("corpid" if self.account.provider == "wecom" else "appid") or "")

    def check_time(self, now: datetime) -> None:
        """Raise :class:`NotGenuine` for what was signed too long ago: each repetition is signed anew."""
        told = self.timestamp
        if not (told.isdigit() and len(told) <= 11):
            raise NotGenuine("time")
        if abs(int(told) - now.timestamp()) > settings.WECHAT_CALLBACK_SKEW:
            raise NotGenuine("time")

    def seal(self, message: bytes) -> bytes:
        """Return an answer as the platform wants it from this account."""
        if not self.keys:
            return message
        return sealed_reply(message, self.keys[0], self.receiver, self.token, self.timestamp, self.nonce)

    @property
    def used(self) -> str:
        """The name under which a plain address is remembered."""
        told = f"{self.account.pk} {self.timestamp} {self.nonce} {self.signature}"
        return f"zhiyin:wechat:used:{hashlib.sha256(told.encode()).hexdigest()}"


def echoed(called: Called, echo: str, now: datetime) -> str:
    """Return what proves to the platform that this address is the account's.

    Raises
    ------
    NotGenuine
        Somebody else asks.
    """
    if called.account.provider != "wecom":
        check_signature(called.signature, called.token, called.timestamp, called.nonce)
        called.check_time(now)
        if not (0 < len(echo) <= LONGEST and echo.isascii() and echo.isalnum()):  # said back to whoever asked
            raise NotGenuine("echo")
        return echo
    check_signature(called.msg_signature, called.token, called.timestamp, called.nonce, echo)
    called.check_time(now)
    return open_by_any(echo, called.keys, called.receiver).decode(errors="replace")


def opened(called: Called, body: bytes, now: datetime) -> Fields:
    """Return a message's fields.

    Raises
    ------
    NotGenuine
        By the first check that fails.
    campaigns.channels.wechat.inbound.Unreadable
        What came is no message.
    """
    if called.account.provider != "wecom" and not called.keys:
        check_signature(called.signature, called.token, called.timestamp, called.nonce)
        called.check_time(now)
        return fields_of(body)
    sealed = text_of(fields_of(body), "Encrypt")
    if not sealed:
        raise NotGenuine("not encrypted")
    check_signature(called.msg_signature, called.token, called.timestamp, called.nonce, sealed)
    called.check_time(now)
    return fields_of(open_by_any(sealed, called.keys, called.receiver))


def was_used(called: Called) -> bool:
    """Tell whether a plain address was used before: with other words it would be a forgery."""
    if called.keys:
        return False  # what is encrypted is signed whole, and kept once by its key
    try:
        return bool(cache.get(called.used))
    except Exception:  # whatever a cache raises: the row is kept once all the same
        return False


def use_up(called: Called) -> None:
    """Remember that what came by a plain address is kept."""
    if called.keys:
        return
    try:
        cache.set(called.used, 1, timeout=2 * settings.WECHAT_CALLBACK_SKEW)
    except Exception:  # as above
        log.warning("The cache did not remember a callback.")


__all__ = ["Called", "NotGenuine", "Unreadable", "echoed", "opened", "use_up", "was_used"]
