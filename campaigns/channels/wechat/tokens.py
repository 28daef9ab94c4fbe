"""One access token for each account, in one store that all processes share; renewed by one of them at a time.

The row in PostgreSQL is the truth, and the cache is a copy of it, sealed as well. Whoever finds no good token takes the
lock and looks again: of many who come at once, one asks the platform. A token that was refused is replaced only if it
is still the one in store; else somebody was faster, and theirs is used.

Of the platform's stable token a new one is given in the old one's last five minutes, while both are good. So it is
asked for then, and not ten minutes before, when the answer would only be the same token once more. A forced renewal
kills the token of every other system of the account: it is never asked for.
"""

import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection

from campaigns.channels.wechat.errors import Action, Ambiguous, WeChatError
from campaigns.models import AccountToken, ChannelAccount
from crm.encryption import open_for_house, seal_for_house
from crm.locks import Busy, only_one

log = logging.getLogger(__name__)

BEFORE_END = timedelta(minutes=4)  # within the platform's last five, so that a new one is given
LEAST = timedelta(seconds=30)  # between two questions that gave the same token
PATIENCE = 15.0  # seconds for somebody else who is asking
REFUSED_FOR = 30  # seconds in which a refused account is not asked about again
_threads: dict[int, threading.Lock] = {}  # of this process only one waits in the database


def get(account: ChannelAccount, now: datetime) -> str:
    """Return a token that is good, as far as anybody knows.

    Raises
    ------
    WeChatError
        The platform does not let the account in (``AUTH``), or cannot be asked.
    """
    held = _cached(account)
    if held is not None and held[1] > now:
        return held[0]
    return _under_lock(account, "", now)


def renew(account: ChannelAccount, refused: str, now: datetime) -> str:
    """Return another token than the one that was refused; asked for only if nobody has replaced it.

    Raises
    ------
    WeChatError
        As :func:`get`.
    """
    return _under_lock(account, refused, now)


def fetch(account: ChannelAccount, now: datetime) -> str:
    """Ask the platform for the account's token, and keep it: for whoever tries a connection out.

    Raises
    ------
    WeChatError
        As :func:`get`.
    """
    token, expires_at = _asked(account, now)
    _keep(account, token, expires_at, now)
    return token


def forget(account: ChannelAccount) -> None:
    """Forget an account's token, and that it was refused: its number or secret is another one now."""
    AccountToken.objects.filter(account=account).delete()
    try:
        cache.delete_many([_name(account, "token"), _name(account, "refused")])
    except Exception:  # whatever a cache raises
        log.warning("The cache did not forget a token; it does so by itself when that ends.")


def _under_lock(account: ChannelAccount, refused: str, now: datetime) -> str:
    lock = _threads.setdefault(account.pk, threading.Lock())
    with lock:
        held = _cached(account)
        if held is not None and held[1] > now and held[0] != refused:
            return held[0]
        _refuse_early(account)
        own = connection.connection is None
        try:
            with only_one(f"token of channel account {account.pk}", patience=PATIENCE):
                return _looked_again(account, refused, now)
        except Busy as error:
            raise WeChatError(Action.TRANSIENT, "token", reason="busy") from error
        finally:
            if own and not connection.in_atomic_block:  # a thread that only calls providers keeps none
                connection.close()


def _looked_again(account: ChannelAccount, refused: str, now: datetime) -> str:
    row = AccountToken.objects.filter(account=account).first()
    if row is not None and row.token != refused and row.expires_at - BEFORE_END > now:
        put(account, row.token, row.expires_at, now)
        return str(row.token)
    _refuse_early(account)
    try:
        token, expires_at = _asked(account, now)
    except WeChatError as error:
        if error.action is Action.AUTH:
            cache.set(_name(account, "refused"), [error.code, error.reason, error.rid], REFUSED_FOR)
        raise
    _keep(account, token, expires_at, now)
    return token


def _asked(account: ChannelAccount, now: datetime) -> tuple[str, datetime]:
    from campaigns.channels.wechat import transport  # noqa: PLC0415 (it asks for tokens)

    request, secret = _request(account)
    try:
        told = transport.parsed(account, transport.sent(account, request, secret))
    except Ambiguous as error:  # asked again it is the same token: nothing can have been done twice
        raise WeChatError(Action.TRANSIENT, error.code, reason="connection") from None
    except WeChatError as error:
        if error.action is Action.TOKEN:  # here it is the secret that is refused
            raise WeChatError(Action.AUTH, error.code, reason="account", rid=error.rid, told=error.told) from None
        raise
    token, lives = told.get("access_token"), told.get("expires_in")
    if not isinstance(token, str) or not token or not isinstance(lives, int) or lives <= 0:
        raise WeChatError(Action.TRANSIENT, "garbage", reason="garbage")
    return token, now + timedelta(seconds=lives)


def _request(account: ChannelAccount) -> tuple[Any, dict[str, str]]:
    from campaigns.channels.wechat.transport import Request, spelled  # noqa: PLC0415

    secret = str((account.secrets or {}).get("secret", ""))
    if account.provider == "wecom":
        told = {"corpid": str(account.settings.get("corpid", "")), "corpsecret": secret}
        return Request(method="GET", path="/cgi-bin/gettoken"), told
    body = {
        "grant_type": "client_credential",
        "appid": account.settings.get("appid", ""),
        "secret": secret,
        "force_refresh": False,
    }
    made = Request(
        method="POST", path="/cgi-bin/stable_token", body=spelled(body), content_type="application/json; charset=utf-8"
    )
    return made, {}


def _keep(account: ChannelAccount, token: str, expires_at: datetime, now: datetime) -> None:
    facts = {"token": token, "expires_at": expires_at, "fetched_at": now}
    AccountToken.objects.update_or_create(account=account, defaults=facts)
    put(account, token, expires_at, now)
    log.info("The channel account %s has a token until %s.", account.pk, expires_at.isoformat(timespec="seconds"))


def put(account: ChannelAccount, token: str, expires_at: datetime, now: datetime) -> None:
    """Let all processes use a token, until shortly before its end."""
    until = min(max(expires_at - BEFORE_END, now + LEAST), expires_at)
    told = seal_for_house(json.dumps([token, until.timestamp()]).encode(), _aad(account))
    try:
        cache.set(_name(account, "token"), told, max(1, int((until - now).total_seconds())))
        cache.delete(_name(account, "refused"))
    except Exception:  # whatever a cache raises: the row is the truth
        log.warning("The cache did not take a token; the database has it.")


def _cached(account: ChannelAccount) -> tuple[str, datetime] | None:
    """Return the token and until when it is used."""
    try:
        told = cache.get(_name(account, "token"))
        if told is None:
            return None
        token, until = json.loads(open_for_house(told, _aad(account)))
    except Exception:  # whatever a cache raises or holds
        return None
    return str(token), datetime.fromtimestamp(until, UTC)


def _refuse_early(account: ChannelAccount) -> None:
    """Ask nothing where the platform has just refused the account: all its messages would ask the same."""
    try:
        told = cache.get(_name(account, "refused"))
    except Exception:  # as above
        return
    if told:
        raise WeChatError(Action.AUTH, told[0], reason=told[1], rid=told[2])


def _name(account: ChannelAccount, what: str) -> str:
    return f"zhiyin:wechat:{what}:{account.hook}"


def _aad(account: ChannelAccount) -> bytes:
    return f"campaigns.accounttoken|{account.hook}".encode()
