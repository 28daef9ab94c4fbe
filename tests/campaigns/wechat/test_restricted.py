"""Whose data may only be stored is neither written to nor shown, also where only a merged profile of hers says so."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ArrivalWay, ChatMessage, Follower, ServiceWindow, StaffContact, Welcome
from campaigns.wechat import answering, followers, welcoming
from crm import merging
from crm.models import PersonalDataAccess, Profile
from tests import factories
from tests.campaigns.wechat import corporation, house
from tests.campaigns.wechat.corporation import platform  # noqa: F401
from tests.campaigns.wechat.house import House
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with house.opened(settings) as made:
        yield made


def restricted_as_somebody_else(profile: int) -> None:
    """Merge a person with a profile that was restricted before anybody knew that it is she."""
    now = timezone.now()
    other = factories.profile(restricted_at=now)
    merging.merge(other.pk, profile, source=factories.source("till"), reason="same card", now=now)


def talks(oa: House) -> Follower:
    now, (openid,) = timezone.now(), oa.people(1)
    made = followers.follow(oa.account, openid, at=now, now=now)
    facts: dict[str, Any] = {"account": oa.account, "identifier": made.identifier}
    open_until = now + timedelta(hours=48)
    ServiceWindow.objects.create(**facts, scene="message", opened_at=now, expires_at=open_until, remaining=5)
    said = {"key": "k", "direction": "in", "text": "Hello?", "happened_at": now}
    ChatMessage.objects.create(**facts, profile=made.identifier.profile, **said)
    return made


def welcomed(platform: Stub) -> None:  # noqa: F811
    """Let somebody come to a member of staff by a way that welcomes her."""
    corp, now = corporation.corporation(platform, "ann"), timezone.now()
    ArrivalWay.objects.create(account=corp, name="all", kind="otherwise", welcome="Hello", created_at=now)
    corporation.friend(platform, corp, "ann", "li", now)


def test_nobody_answers_whose_other_profile_is_restricted(oa: House) -> None:
    one = talks(oa)
    restricted_as_somebody_else(one.identifier.profile_id)
    with pytest.raises(answering.NoAnswer, match="only be stored"):
        answering.answer(oa.account, one.identifier, "Yes", None, timezone.now())
    assert not oa.calls("/cgi-bin/message/custom/send")


def test_no_welcome_for_who_is_restricted_under_another_profile(platform: Stub) -> None:  # noqa: F811
    welcomed(platform)
    restricted_as_somebody_else(Welcome.objects.get().identifier.profile_id)
    welcoming.work(timezone.now)
    assert Welcome.objects.values_list("status", "reason").get() == ("withheld", "restricted")


def test_lists_of_customers_and_welcomes_leave_out_who_is_restricted(platform: Stub) -> None:  # noqa: F811
    welcomed(platform)
    browser = logged_in(member("Marketing"))

    def counts() -> list[int]:
        pages = [browser.get(f"/admin/campaigns/{name}/") for name in ("staffcontact", "welcome")]
        return [page.context["cl"].result_count for page in pages]

    assert counts() == [1, 1]
    Profile.objects.filter(pk=StaffContact.objects.get().identifier.profile_id).update(restricted_at=timezone.now())
    assert counts() == [0, 0]


def test_whoever_reads_a_conversation_by_its_frame_alone_is_written_down_too(oa: House) -> None:
    one = talks(oa)
    browser = logged_in(member("Marketing"))
    for _ in range(2):
        assert b"Hello?" in browser.get(f"/admin/campaigns/chatmessage/with/{one.pk}/messages/").content
    noted = PersonalDataAccess.objects.filter(profile=one.identifier.profile_id, what="conversation")
    assert noted.count() == 1  # an open page asks every few seconds
