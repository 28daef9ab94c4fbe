"""In which way a message goes through a WeChat account, and what has to be there for it: the platform asks for it too.

A mass message and a template message want a follower; a subscription message wants an acceptance that is not used up;
an answer wants a window that is open; a task for staff wants somebody of the staff who knows the customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from campaigns import forms
from campaigns.channels.wechat import rights
from campaigns.models import ChannelAccount, PlatformTemplate

OFFICIAL, MINI, WECOM = "wechat_official", "wechat_mini", "wecom"
BOUND = frozenset({OFFICIAL, MINI, WECOM})  # accounts that reach only people who are theirs


class Demand(StrEnum):
    """What the platform demands of a person before a message may go to her."""

    MASS = "mass"
    TEMPLATE = "template"
    CREDIT = "credit"
    WINDOW = "window"
    CONTACT = "contact"


@dataclass(frozen=True, kw_only=True)
class Way:
    """What one message demands; ``template_id`` is the platform's template that it goes by, if it does."""

    demand: Demand
    template_id: str = ""


DEMANDS: Mapping[tuple[str, str], Demand] = {
    ("wechat", "article"): Demand.MASS,
    ("wechat", "text"): Demand.MASS,
    ("wechat", "template"): Demand.TEMPLATE,
    ("wechat", "subscription"): Demand.CREDIT,
    ("wechat", "service"): Demand.WINDOW,
    ("mini_program", "template"): Demand.CREDIT,
    ("mini_program", "service"): Demand.WINDOW,
    ("wecom", "note"): Demand.CONTACT,
}
CHANNELS = frozenset(channel for channel, _ in DEMANDS)
# By which call a message of each way leaves; an account that cannot name people sends to a tag.
CALLS: Mapping[Demand, str] = {
    Demand.MASS: "/cgi-bin/message/mass/send",
    Demand.TEMPLATE: "/cgi-bin/message/template/send",
    Demand.CREDIT: "/cgi-bin/message/subscribe/send",
    Demand.WINDOW: "/cgi-bin/message/custom/send",
    Demand.CONTACT: "/cgi-bin/externalcontact/add_msg_template",
}
TO_A_TAG = "/cgi-bin/message/mass/sendall"
TO_A_SUBSCRIBER = "/cgi-bin/message/subscribe/bizsend"  # of an official account
BY_TEMPLATE = frozenset({Demand.TEMPLATE, Demand.CREDIT})


def bound(account: ChannelAccount) -> bool:
    """Tell whether an account reaches only people who are its own."""
    return account.provider in BOUND


def call_of(account: ChannelAccount, way: Way) -> str:
    """Return by which call of the platform's a message would leave through an account."""
    if way.demand is Demand.CREDIT and account.provider == OFFICIAL:
        return TO_A_SUBSCRIBER
    to_a_tag = way.demand is Demand.MASS and account.settings.get("kind") == "subscription"
    return TO_A_TAG if to_a_tag else CALLS[way.demand]


def lacking(account: ChannelAccount, way: Way) -> bool:
    """Tell whether the platform has said that an account may not send in a way; nobody is asked."""
    return bound(account) and call_of(account, way) in rights.refused(account)


def of_form(channel: str, languages: object) -> Way | None:
    """Return the way of what a version says on a channel; nothing where no platform demands anything.

    >>> of_form("wechat", {"en": {"template_id": "T", "data": {"thing1": "x"}}})
    Way(demand=<Demand.TEMPLATE: 'template'>, template_id='T')
    >>> of_form("email", {"en": {"subject": "x"}})
    """
    if channel not in CHANNELS or not isinstance(languages, dict) or not languages:
        return None
    said = next(iter(languages.values()))
    if not isinstance(said, dict):
        return None
    return _way(channel, forms.kind_of(channel, said).KIND, said)


def of_parts(channel: str, parts: Mapping[str, Any]) -> Way | None:
    """Return the way of a message that is written."""
    if channel not in CHANNELS:
        return None
    return _way(channel, str(parts.get("kind") or "note"), parts)


def _way(channel: str, kind: str, said: Mapping[str, Any]) -> Way | None:
    demand = DEMANDS.get((channel, kind))
    if demand is None:
        return None
    return Way(demand=demand, template_id=str(said.get("template_id") or "") if demand in BY_TEMPLATE else "")


def allowed(account: ChannelAccount, way: Way) -> PlatformTemplate | None:
    """Return the platform's template of a way if a colleague has allowed it, and it is still there."""
    rows = PlatformTemplate.objects.filter(account=account, template_id=way.template_id, gone_at=None)
    return rows.filter(allowed=True).first()
