"""From WeCom's own call to the accepted welcome, and to the withdrawal, by the doors that the platform uses."""

from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ArrivalWay, ChannelAccount, Inbound, StaffContact, Welcome
from campaigns.wechat import inbound, welcoming
from crm import consent
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    CORP,
    platform,  # noqa: F401
)
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(platform: Stub, live_server: Any) -> ChannelAccount:  # noqa: F811
    made = corporation.corporation(platform, "ann")
    platform.post("accounts", kind="wecom", appid=CORP, callback_url=f"{live_server.url}/hooks/wechat/{made.hook}/")
    ArrivalWay.objects.create(account=made, name="all", kind="otherwise", welcome="欢迎", created_at=timezone.now())
    return made


def test_the_welcome_waits_when_the_platform_has_its_answer_and_leaves_once(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("pusher", duplicate=2)
    platform.post("wecom/friend", appid=CORP, userid="ann", person="li")
    platform.post("settle", timeout=120)
    assert Inbound.objects.count() == 1
    assert Welcome.objects.get().status == "waiting"
    assert StaffContact.objects.get().staff.userid == "ann"
    welcoming.work(timezone.now)
    assert inbound.work(timezone.now()) == 1
    assert Inbound.objects.get().problem == ""
    assert Welcome.objects.get().status == "sent"
    assert len(platform.get("deliveries", appid=CORP, kind="welcome")["deliveries"]) == 1


def test_who_deletes_us_has_withdrawn_before_the_platform_has_its_answer(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("wecom/friend", appid=CORP, userid="ann", person="li")
    platform.post("settle", timeout=120)
    contact = StaffContact.objects.get()
    consents.purpose()
    consents.say(contact.identifier.profile, channel="wecom", method="form")
    profile = contact.identifier.profile_id
    assert consent.basis_for(profile, "offers", "wecom", timezone.now()).allowed
    platform.post("wecom/unfriend", appid=CORP, userid="ann", person="li")
    platform.post("settle", timeout=120)
    assert not consent.basis_for(profile, "offers", "wecom", timezone.now()).allowed
    inbound.work(timezone.now())
    contact.refresh_from_db()
    assert contact.ended_by == "customer"
    assert Inbound.objects.exclude(problem="").count() == 0
