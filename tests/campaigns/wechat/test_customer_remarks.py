"""Remarks of staff in WeCom: written there, and read from there for one look that is written down."""

from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount, StaffContact
from campaigns.wechat import staff_sync, wecom_jobs
from crm.models import PersonalDataAccess
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    CORP,
    platform,  # noqa: F401
)
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def contact(platform: Stub) -> StaffContact:  # noqa: F811
    account: ChannelAccount = corporation.corporation(platform, "ann")
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li"])
    wecom_jobs.run(wecom_jobs.order(staff_sync.KIND, account, None, timezone.now()).pk, timezone.now)
    return StaffContact.objects.get()


def page(contact: StaffContact, verb: str) -> str:
    return f"/admin/campaigns/staffcontact/{contact.pk}/{verb}/"


def test_what_is_written_is_read_again_and_each_look_is_written_down(contact: StaffContact) -> None:
    support = logged_in(member("Support"))
    support.post(page(contact, "write-remark"), {"name": "李女士", "note": "喜欢绿茶"})
    support.post(page(contact, "write-remark"), {"name": "", "note": "喜欢白茶"})  # what is empty stays
    assert "李女士" not in support.get(page(contact, "change")).content.decode()
    shown = support.post(page(contact, "read-remark"), {"reason": "she asked what we noted"}).content.decode()
    assert "李女士" in shown
    assert "喜欢白茶" in shown
    (look,) = PersonalDataAccess.objects.filter(profile_id=contact.identifier.profile_id)
    assert look.reason == "she asked what we noted"
    support.post(page(contact, "read-remark"), {"reason": ""})
    assert PersonalDataAccess.objects.count() == 1


@pytest.mark.parametrize("told", [{}, {"name": "x" * 21}, {"note": "x" * 151}])
def test_what_wecom_would_refuse_is_not_asked(
    platform: Stub,  # noqa: F811
    contact: StaffContact,
    told: dict[str, Any],
) -> None:
    logged_in(member("Marketing")).post(page(contact, "write-remark"), told)
    assert not any(one["path"].endswith("/remark") for one in platform.get("log")["calls"])


def test_who_may_not_see_people_unmasked_sees_no_remark(contact: StaffContact) -> None:
    browser = logged_in(member("Marketing"))
    assert browser.post(page(contact, "read-remark"), {"reason": "curious about her"}).status_code == 403
    assert not PersonalDataAccess.objects.exists()
    StaffContact.objects.update(ended_at=timezone.now())
    assert "write-remark" not in browser.get(page(contact, "change")).content.decode()
