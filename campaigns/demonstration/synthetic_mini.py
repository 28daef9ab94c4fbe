"""A mini program to try: households of the sample log in by its ways, some tell their phone number, some subscribe.

It lives at the imitation, and what people do in it is made up there: codes, consents and answers go the usual way.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid5

from django.utils import timezone

from campaigns.channels.wechat.inbound import notice
from campaigns.keys import NAMESPACE
from campaigns.models import ChannelAccount, Follower, MiniLink
from campaigns.wechat import catalogue, connecting, inbound, mini_links, mini_login, phone_numbers, privacy_guides
from crm import synthetic_consents
from crm.consent import NewConsent
from crm.models import Notice

SUBSCRIPTION = {"title": "到货提醒", "keys": {"商品名称": "thing1", "到货时间": "time2"}}
LINKS = (("短信：新品上架", "link", ""), ("门店桌牌", "code", "pages/coupon/coupon"))
DECLARED = {"PhoneNumber": "用于订单联系与会员识别", "EXUserOpLog": "用于改进服务"}
PEOPLE, TOLD, ACCEPTED = 14, 4, 5


def seed(account: ChannelAccount, households: Sequence[str], now: datetime) -> None:
    """Let households log in, agree and subscribe; read the templates, and what the privacy guide says.

    Raises
    ------
    campaigns.wechat.connecting.NoConnection
        The imitation does not run.
    """
    template = _order(account, "subscriptions", **SUBSCRIPTION)["priTmplId"]
    _order(account, "privacy", used=list(DECLARED), declared=DECLARED)
    catalogue.read(account, now)
    links = [_link(account, *about, now) for about in LINKS]
    known = []
    for place, household in enumerate(households[:PEOPLE]):
        code = _order(account, "codes", person=household, kind="login")["code"]
        scene = links[place % 3].scene if place % 3 < len(links) else ""
        known.append(mini_login.log_in(account, code, scene, now).follower)
    told_of = Notice.objects.filter(code=synthetic_consents.MARK).exclude(published_at=None).first()
    for follower, household in zip(known[:TOLD] if told_of else [], households, strict=False):
        code = _order(account, "codes", person=household, kind="phone")["code"]
        phone_numbers.ask(follower, code, _yes(account, household), now)
    for follower in known[:ACCEPTED]:
        _accept(account, follower, template, now)
    inbound.work(timezone.now())
    privacy_guides.check(account, now)


def _order(account: ChannelAccount, what: str, **told: Any) -> dict[str, Any]:
    return connecting.imitation(what, {"appid": account.settings["appid"], **told})


def _link(account: ChannelAccount, name: str, kind: str, page: str, now: datetime) -> MiniLink:
    link = mini_links.order(account, {"name": name, "kind": kind, "page": page}, None, now)
    return mini_links.make(link, now)


def _yes(account: ChannelAccount, household: str) -> NewConsent:
    """Return what a household says before its number is asked for: made up, and marked as such."""
    return NewConsent(
        purpose="marketing",
        state="given",
        method="mini_program",
        channel="",
        notice=f"{synthetic_consents.MARK}/1",
        language="zh-hans",
        form_version=synthetic_consents.MARK,
        channel_account=account.settings["appid"],
        idempotency=uuid5(NAMESPACE, f"{synthetic_consents.MARK} phone {household}"),
    )


def _accept(account: ChannelAccount, follower: Follower, template: str, now: datetime) -> None:
    told = connecting.imitation(f"users/{follower.identifier.value}/accept", {"template_id": template})
    inbound.take(account, notice(told["message"], now), now)
