"""Ways into a mini program: each has a scene of its own, by which its logins are counted.

Links and schemes are made at the platform, half a million a day in all, and end after thirty days. A plain scheme is
written here and never ends: its page must be allowed in the platform's console. Codes never end either.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User

from campaigns.channels.wechat import limits, mini
from campaigns.models import ChannelAccount, MiniLink

Kind = MiniLink.Kind


def order(account: ChannelAccount, told: Mapping[str, Any], by: User | None, now: datetime) -> MiniLink:
    """Write down a way to be made, with a scene that nobody can guess."""
    return MiniLink.objects.create(account=account, **told, scene=token_hex(8), created_by=by, created_at=now)


def make(link: MiniLink, now: datetime) -> MiniLink:
    """Make a way at the platform, unless it is made and still works; links work for thirty days, codes for good.

    Raises
    ------
    WeChatError
        The platform refused: a page that is not in the live version (41030), too many today (45009).
    """
    made = bool(link.url or link.image)
    if made and (link.expires_at is None or link.expires_at > now):
        return link
    MAKERS[Kind(link.kind)](link, now)
    link.save(update_fields=["url", "image", "expires_at"])
    return link


def _link(link: MiniLink, now: datetime) -> None:
    days = _days(link)
    told = {"path": link.page, "query": _query(link), "expire_type": 1, "expire_interval": days}
    link.url = str(mini.generate_urllink(link.account, told)["url_link"])[:500]
    link.expires_at = now + timedelta(days=days)


def _scheme(link: MiniLink, now: datetime) -> None:
    days = _days(link)
    target = {"path": link.page, "query": _query(link)}
    told = {"jump_wxa": target, "is_expire": True, "expire_type": 1, "expire_interval": days}
    link.url = str(mini.generatescheme(link.account, told)["openlink"])[:500]
    link.expires_at = now + timedelta(days=days)


def _plain(link: MiniLink, now: datetime) -> None:
    told = {"appid": str(link.account.settings.get("appid", "")), "path": link.page, "query": _query(link)}
    link.url = f"weixin://dl/business/?{urlencode({name: value for name, value in told.items() if value})}"


def _code(link: MiniLink, now: datetime) -> None:
    link.image = mini.getwxacodeunlimit(link.account, link.scene, link.page)


def _query(link: MiniLink) -> str:
    return f"scene={link.scene}"


def _days(link: MiniLink) -> int:
    return limits.of(link.account, "link_days") or 30


MAKERS: Mapping[Kind, Callable[[MiniLink, datetime], None]] = {
    Kind.LINK: _link,
    Kind.SCHEME: _scheme,
    Kind.PLAIN: _plain,
    Kind.CODE: _code,
}
