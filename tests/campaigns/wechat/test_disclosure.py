"""Whoever asks for her data is told what we know of her at WeChat."""

import pytest

from campaigns import disclosure
from campaigns.models import ChannelAccount, Credit, Follower, FollowerRemark
from crm.models import Identifier
from tests import factories
from tests.campaigns.wechat.accounts import account
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def follower(of: ChannelAccount, openid: str) -> Follower:
    person = factories.profile()
    row = Identifier.objects.create(type="openid", value=openid, profile=person, created_at=NOW)
    Credit.objects.create(
        account=of, identifier=row, template_id="T1", delta=1, source="popup", key=f"popup {openid}", at=NOW
    )
    FollowerRemark.objects.create(account=of, profile=person, identifier=row, text=f"regular {openid}", changed_at=NOW)
    return Follower.objects.create(account=of, identifier=row, synced_at=NOW)


def test_a_copy_of_her_data_says_what_she_subscribed_to_and_what_staff_call_her() -> None:
    own = account(name="Shop")
    hers, _other = follower(own, "oA"), follower(own, "oB")
    profiles = [hers.identifier.profile_id]
    told = {one.name: list(one.rows(profiles)) for one in disclosure.SECTIONS}
    assert told["subscriptions"] == [
        {"at": NOW, "account": "Shop", "template": "T1", "messages": 1, "because": "popup"}
    ]
    assert told["remarks"] == [{"account": "Shop", "remark": "regular oA", "since": NOW}]
    assert [one["account"] for one in told["follows"]] == ["Shop"]
