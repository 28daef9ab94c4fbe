"""What both providers of SMS have in common: how a message's parts become a registered template's parameters."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from campaigns.channels.base import Answer, ChannelError, Message, Outcome
from campaigns.channels.over_http import json_body
from campaigns.models import ChannelAccount

SHANGHAI = ZoneInfo("Asia/Shanghai")  # in which both write their times
LONGEST = 500  # signs of a marketing message at both
MOST_REPORTS = 1000


def template(account: ChannelAccount, message: Message) -> tuple[str, dict[str, str]]:
    """Return the provider's template and its parameters: the message's own, or its text in the account's template."""
    code = str(message.parts.get("template") or account.settings.get("template") or "")
    params = message.parts.get("params")
    if isinstance(params, Mapping) and params:
        return code, {str(name): str(value) for name, value in params.items()}
    name = str(account.settings.get("parameter") or "content")
    return code, {name: str(message.parts.get("text") or "")}


def check_form(form: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the form of an SMS."""
    wrong, text = [], str(form.get("text") or "")
    if not text.strip() and not form.get("params"):
        wrong.append(_("The message is empty."))
    if len(text) > LONGEST:
        wrong.append(
            _("The message has %(length)s characters; at most %(most)s.") % {"length": len(text), "most": LONGEST}
        )
    return wrong


def outcome(codes: Mapping[str, Outcome], code: str) -> Outcome:
    """Return what a provider's code means: its own line, or that of the longest beginning that the table knows."""
    known = [name for name in codes if code == name or (name.endswith(".") and code.startswith(name))]
    if not known:
        return Outcome(answer=Answer.UNKNOWN, code=code[:64], reason="unknown_code")
    found = codes[max(known, key=len)]
    return Outcome(
        answer=found.answer, code=code[:64], reason=found.reason, again_after=found.again_after,
        account_refused=found.account_refused,
    )  # fmt: skip


def rows_of(account: ChannelAccount, headers: Mapping[str, str], body: bytes) -> list[Mapping[str, Any]]:
    """Return the objects of a callback. Neither provider signs them.

    What makes them believed is the address that only the provider was told, a password where one was set, and that a
    report without a message of ours says nothing.
    """
    password = str((account.secrets or {}).get("callback_password") or "")
    if password:
        lower = {name.lower(): value for name, value in headers.items()}
        wanted = "Basic " + b64encode(password.encode()).decode()
        if not hmac.compare_digest(wanted.encode(), lower.get("authorization", "").encode()):
            raise ChannelError("This callback does not know the password.")
    told = json_body(body)
    rows = told if isinstance(told, list) else [told]
    if len(rows) > MOST_REPORTS or not all(isinstance(row, dict) for row in rows):
        raise ChannelError("A callback holds at most 1000 objects.")
    return rows


def key_of(kind: str, row: Mapping[str, Any]) -> str:
    """Return the key of a row without one of its own: the same row again has the same."""
    spelt = json.dumps(row, sort_keys=True, ensure_ascii=False)
    return f"{kind}:{sha256(spelt.encode()).hexdigest()}"


def moment(row: Mapping[str, Any], names: Iterable[str], now: datetime) -> datetime:
    """Return the first time that a row has under one of the names; never one to come."""
    for name in names:
        value = row.get(name)
        if isinstance(value, int) and 0 < value < 2**34:
            return min(datetime.fromtimestamp(value, UTC), now)
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            continue
        return min(found if found.tzinfo else found.replace(tzinfo=SHANGHAI), now)
    return now


def refused(reason: str) -> Outcome:
    return Outcome(answer=Answer.REFUSED, reason=reason)


def account(reason: str) -> Outcome:
    return Outcome(answer=Answer.BUSY, reason=reason, account_refused=True)


def texts(row: Mapping[str, Any], *names: str) -> Sequence[str]:
    return [str(row.get(name) or "") for name in names]
