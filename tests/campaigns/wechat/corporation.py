"""A corporation and a mini program at the imitation of the platforms, as plain functions."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount, Inbound
from campaigns.wechat import wecom_events

CORP, MINI = "ww1corporation", "wx1mini"


@pytest.fixture
def platform(settings: Any) -> Iterator[Stub]:
    """The imitation on a port of its own, in place of the network; all else is real."""
    with Stub(seed=1) as playing:
        settings.WECHAT_STUB_URL = playing.url
        yield playing


def corporation(platform: Stub, *userids: str) -> ChannelAccount:
    """Return our account of a corporation with such staff."""
    told = platform.post("accounts", kind="wecom", appid=CORP)
    for userid in userids:
        platform.post("wecom/staff", appid=CORP, userid=userid, confirms=[0, 0])
    return ChannelAccount.objects.create(
        name="our corporation",
        channel="wecom",
        provider="wecom",
        settings={"corpid": CORP, "imitation": True},
        secrets={"secret": told["secret"], "callback_token": told["token"], "aes_key": told["aes_key"]},
        hook=uuid4(),
        created_at=timezone.now(),
    )


def mini_program(platform: Stub, **facts: Any) -> ChannelAccount:
    """Return our account of a mini program."""
    told = platform.post("accounts", kind="mini", appid=MINI, pages=["pages/offer/index"], **facts)
    return ChannelAccount.objects.create(
        name="our mini program",
        channel="mini_program",
        provider="wechat_mini",
        settings={"appid": MINI, "imitation": True},
        secrets={"secret": told["secret"], "callback_token": told["token"], "aes_key": told["aes_key"]},
        hook=uuid4(),
        created_at=timezone.now(),
    )


def inbound(account: ChannelAccount, told: dict[str, Any], at: datetime) -> Inbound:
    """Return a callback as it is kept, of what the platform told."""
    kind = f"{told['Event']}.{told['ChangeType']}"
    row = Inbound(account=account, key=uuid4().hex, kind=kind, told=told, happened_at=at, received_at=at)
    row.save()
    return row


def friend(platform: Stub, account: ChannelAccount, userid: str, person: str, now: datetime, **about: Any) -> str:
    """Let a person add a member of staff, and our house hear of it; return her number there."""
    told = platform.post("wecom/friend", appid=CORP, userid=userid, person=person, **about)
    wecom_events.added(inbound(account, told["message"], now), now)
    return str(told["external_userid"])
