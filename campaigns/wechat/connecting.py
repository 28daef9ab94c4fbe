"""Connecting an account: what is left to do, step by step, and an imitated one for who has none yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import orjson
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import egress
from campaigns.channels.wechat import official
from campaigns.models import AccountToken, ChannelAccount, Follower, Inbound
from crm.models import Channel

IMITATED = "Imitation of an official account"
# Of the imitation's own shop, which has people: by the kind of account there.
OF_THE_SHOP = {"mini": "Imitation of a mini program", "wecom": "Imitation of WeCom"}
FOLLOWERS = 200
OPEN_PLATFORM = "demonstration"  # accounts of one such share people's unionids
SECONDS = 5.0


class NoConnection(ValueError):
    """The account cannot be connected; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How far an account is connected: each step as done or not."""

    let_in: bool
    callback_set: bool
    heard: bool
    read: bool

    @property
    def done(self) -> bool:
        return self.let_in and self.callback_set and self.heard and self.read


def callback_address(account: ChannelAccount, base: str = "") -> str:
    """Return the whole address at which the platform calls us about an account."""
    return f"{(settings.PUBLIC_URL or base).rstrip('/')}{reverse('wechat-hook', args=[account.hook])}"


def steps(account: ChannelAccount, now: datetime) -> Steps:
    """Return how far an account is connected, by what we hold of it; nobody is asked."""
    secrets = account.secrets or {}
    return Steps(
        let_in=AccountToken.objects.filter(account=account, expires_at__gt=now).exists(),
        callback_set=bool(secrets.get("callback_token") and secrets.get("aes_key")),
        heard=Inbound.objects.filter(account=account).exists(),
        read=Follower.objects.filter(account=account).exists(),
    )


def test(account: ChannelAccount) -> int | None:
    """Ask the platform for the followers' number; so it is known that it lets us in.

    Raises
    ------
    campaigns.channels.wechat.errors.WeChatError
        It does not, and why.
    """
    total = official.user_get(account).get("total")
    return total if isinstance(total, int) else None


def imitation(control: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Give the imitation an order (``campaigns.channels.wechat.stub``) and return its answer.

    Raises
    ------
    NoConnection
        It does not run, or refuses.
    """
    base = str(settings.WECHAT_STUB_URL).rstrip("/")
    body, kind = orjson.dumps(told), {"Content-Type": "application/json"}
    try:
        url = f"{base}/_stub/{control}"
        reply = egress.request("POST", url, headers=kind, body=body, timeout=SECONDS, named_here=base)
        answer = orjson.loads(reply.body)
    except (egress.EgressError, ValueError) as error:
        raise NoConnection(_("The imitation does not run: start it with “manage.py wechat_stub”.")) from error
    if reply.status != 200 or not isinstance(answer, dict):
        raise NoConnection(str(answer.get("error", reply.status)) if isinstance(answer, dict) else str(reply.status))
    return answer


def imitate(now: datetime, name: str = IMITATED, *, base: str = "") -> ChannelAccount:
    """Make an account at the imitation, of the kind that may do most, and connect it.

    ``base`` is where this server is reached, if the settings do not say so.

    Raises
    ------
    NoConnection
        The imitation does not run.
    """
    account = _row(_free(name), "oa_service", now)
    told = {"kind": "oa_service", "verified": True, "mode": "safe", "open_platform": OPEN_PLATFORM}
    if settings.PUBLIC_URL or base:
        told["callback_url"] = callback_address(account, base)
    return _kept(account, imitation("accounts", told))


def furnish(now: datetime, names: Mapping[str, str], *, base: str = "") -> dict[str, ChannelAccount]:
    """Let the imitation make up a whole shop, and connect its accounts, by their kind there.

    Raises
    ------
    NoConnection
        The imitation does not run.
    """
    rows = {kind: _row(_free(name), kind, now) for kind, name in names.items()}
    callbacks = {kind: callback_address(row, base) for kind, row in rows.items() if settings.PUBLIC_URL or base}
    made = _shop(callbacks)
    return {kind: _kept(row, made[kind]) for kind, row in rows.items()}


def imitate_of_shop(kind: str, now: datetime) -> ChannelAccount:
    """Connect the mini program or the corporation of the imitation's own shop; the one that is connected, if it is.

    Raises
    ------
    NoConnection
        The imitation does not run.
    """
    _channel, provider, number, _facts = KINDS[kind]
    told = {f"settings__{number}": _shop({})[kind]["appid"], "settings__imitation": True}
    there = ChannelAccount.objects.filter(provider=provider, **told).order_by("status", "pk").first()
    return there or furnish(now, {kind: OF_THE_SHOP[kind]})[kind]


def _shop(callbacks: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Have the imitation make up its shop, once, and return the accounts there by their kind."""
    made = imitation("demo", {"followers": FOLLOWERS, "callbacks": callbacks})["accounts"]
    return {one["kind"]: one for one in made}


# Of an account there: our channel and provider, what we call its number, and what else its row says.
KINDS: Mapping[str, tuple[str, str, str, Mapping[str, Any]]] = {
    "oa_service": (Channel.WECHAT, "wechat_official", "appid", {"kind": "service"}),
    "mini": (Channel.MINI_PROGRAM, "wechat_mini", "appid", {}),
    "wecom": (Channel.WECOM, "wecom", "corpid", {"agent_id": "1000002"}),
}


def _row(name: str, kind: str, now: datetime) -> ChannelAccount:
    channel, provider, _number, facts = KINDS[kind]
    row = ChannelAccount(name=name, channel=channel, provider=provider, hook=uuid4(), created_at=now)
    row.settings = {**facts, "imitation": True}
    return row


def _kept(row: ChannelAccount, told: Mapping[str, Any]) -> ChannelAccount:
    """Keep an account with the secrets that the imitation told."""
    row.settings |= {KINDS[told["kind"]][2]: told["appid"]}
    row.secrets = {"secret": told["secret"], "callback_token": told["token"], "aes_key": told["aes_key"]}
    row.save()
    return row


def _free(name: str) -> str:
    taken = set(ChannelAccount.objects.filter(name__startswith=name).values_list("name", flat=True))
    return next(one for n in range(1, len(taken) + 2) if (one := name if n == 1 else f"{name} {n}") not in taken)
