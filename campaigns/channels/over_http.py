"""What all providers that are spoken to over HTTP have in common."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from campaigns import egress
from campaigns.channels.base import Answer, ChannelError, Outcome
from campaigns.models import ChannelAccount

MOST_PATIENCE = 60.0  # seconds: a lease on a delivery is longer
LONGEST_WAIT = timedelta(hours=6)


def call(account: ChannelAccount, url: str, headers: Mapping[str, str], body: bytes) -> egress.Reply | Outcome:
    """Post a body; return the reply, or what it means that there is none."""
    try:
        return egress.request("POST", url, headers=headers, body=body, timeout=patience(account))
    except egress.Forbidden as error:
        return Outcome(answer=Answer.BUSY, code=f"egress_{error}", reason="address_forbidden", account_refused=True)
    except egress.NotSent as error:
        return Outcome(answer=Answer.BUSY, code=str(error), reason="connection", again_after=timedelta(minutes=1))
    except egress.NoAnswer as error:
        return Outcome(answer=Answer.UNKNOWN, code=str(error), reason="no_answer")


def patience(account: ChannelAccount) -> float:
    """Return how many seconds an account's provider has for a whole answer."""
    return min(float(account.settings.get("timeout") or egress.TOTAL), MOST_PATIENCE)


def parsed(reply: egress.Reply) -> Mapping[str, Any] | None:
    """Return an answer's JSON object, or nothing where it is none."""
    try:
        found = json.loads(reply.body) if not reply.cut else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def retry_after(reply: egress.Reply, now: datetime) -> timedelta | None:
    """Return how long a ``Retry-After`` asks to wait, in either of its spellings; at most six hours."""
    value = next((text for name, text in reply.headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(timedelta(seconds=int(value)), LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(when - now, timedelta()), LONGEST_WAIT)


def by_status(reply: egress.Reply, now: datetime) -> Outcome:
    """Return what an HTTP status means where nothing else tells: what a gateway says in another's place is unknown."""
    code = str(reply.status)
    match reply.status:
        case status if 200 <= status < 300:
            return Outcome(answer=Answer.ACCEPTED, code=code)
        case 429 | 503:
            wait = retry_after(reply, now) or timedelta(minutes=1)
            return Outcome(answer=Answer.BUSY, code=code, reason="busy", again_after=wait)
        case 401 | 403:
            return Outcome(answer=Answer.BUSY, code=code, reason="account", account_refused=True)
        case status if status >= 500 or status in (408, 409, 425) or status < 200:
            return Outcome(answer=Answer.UNKNOWN, code=code, reason="server_failed")
        case status if status < 400:
            return Outcome(answer=Answer.REFUSED, code=code, reason="redirected")
        case _:
            return Outcome(answer=Answer.REFUSED, code=code, reason="refused")


def json_body(body: bytes) -> Any:
    """Return a callback's JSON; :class:`ChannelError` where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ChannelError("This callback is no JSON.") from error


def required(values: Mapping[str, Any], *names: str) -> None:
    """Raise :class:`ChannelError` for the first setting or secret that is not there."""
    for name in names:
        if not isinstance(values.get(name), str) or not values[name].strip():
            raise ChannelError(f"{name}: this is needed.")
