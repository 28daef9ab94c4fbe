"""Followers: read page by page, gone on with after a kill, found to have left, and told one by one."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import Follower
from campaigns.wechat import followers
from crm.models import ConsentState, Identifier, JobRun
from tests.campaigns.wechat import house
from tests.campaigns.wechat.house import House
from tests.crm import consents

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with house.opened(settings) as made:
        yield made


def read(oa: House) -> JobRun:
    job = followers.order(oa.account, None, timezone.now())
    followers.run(job, timezone.now)
    job.refresh_from_db()
    return job


def openids() -> set[str]:
    rows = Follower.objects.filter(following=True).select_related("identifier")
    return {str(one.identifier.value) for one in rows}


def test_all_followers_become_people_by_openid_and_unionid(oa: House) -> None:
    told = oa.people(250, scene="ADD_SCENE_QR_CODE")
    job = read(oa)
    assert (job.status, job.result) == ("succeeded", {"followers": 250, "left": 0})
    assert openids() == set(told)
    one = Follower.objects.select_related("identifier").first()
    assert one is not None
    assert one.scene == "ADD_SCENE_QR_CODE"
    assert {i.type for i in one.identifier.profile.identifiers.all()} == {"openid", "unionid"}
    assert len(oa.calls("/cgi-bin/user/info/batchget")) == 3  # a hundred at a time


def test_reading_again_changes_nothing_but_when_they_were_heard_of(oa: House) -> None:
    oa.people(3)
    read(oa)
    before = list(Follower.objects.order_by("pk").values("pk", "identifier", "followed_at", "scene"))
    read(oa)
    assert list(Follower.objects.order_by("pk").values("pk", "identifier", "followed_at", "scene")) == before


def test_a_reading_that_is_cut_off_goes_on_where_it_was(oa: House) -> None:
    told = oa.people(350)
    oa.stub.post("chaos", what="error", path="/cgi-bin/user/info/batchget", after=2, times=1, code=45009)
    job = read(oa)
    assert job.status == "failed"
    assert "quota" in job.error
    assert Follower.objects.count() == 200
    asked = len(oa.calls("/cgi-bin/user/info/batchget"))
    assert job.resume()
    followers.run(job, timezone.now)
    job.refresh_from_db()
    assert job.status == "succeeded"
    assert job.done == 350
    assert openids() == set(told)
    assert len(oa.calls("/cgi-bin/user/info/batchget")) == asked + 2  # only who was not read yet


def test_a_killed_worker_s_reading_is_put_back_and_the_cursor_names_nobody(oa: House) -> None:
    told = oa.people(2)
    job = read(oa)
    assert all(openid not in str(job.checkpoint) for openid in told)
    JobRun.objects.filter(pk=job.pk).update(
        status="running", heartbeat_at=timezone.now() - timedelta(minutes=6), finished_at=None
    )
    assert followers.revive(timezone.now()) == 1
    job.refresh_from_db()
    assert job.status == "queued"


def test_two_orders_at_once_are_one_job(oa: House) -> None:
    first = followers.order(oa.account, None, timezone.now())
    assert followers.order(oa.account, None, timezone.now()) == first


def test_who_is_not_on_the_list_any_more_has_left_and_withdrawn(oa: House) -> None:
    stays, goes = oa.people(2)
    read(oa)
    person = Identifier.objects.known_as(goes).get().profile
    consents.purpose()
    consents.say(person, channel="wechat", method="form")
    oa.stub.post(f"users/{goes}/unfollow")
    job = read(oa)
    assert job.result == {"followers": 1, "left": 1}
    assert openids() == {stays}
    assert [one.state for one in ConsentState.objects.filter(profile=person, channel="wechat")] == ["withdrawn"]


def test_a_list_that_the_platform_cut_short_takes_nobody_s_consent_away(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes = oa.people(2)
    read(oa)
    consents.purpose()
    for one in (stays, goes):
        consents.say(Identifier.objects.known_as(one).get().profile, channel="wechat", method="form")
    oa.stub.post(f"users/{goes}/unfollow")
    monkeypatch.setattr("campaigns.channels.wechat.official.user_get", lambda *_: {"total": 0, "count": 0})
    assert read(oa).result == {"followers": 1, "left": 1}
    states = dict(ConsentState.objects.filter(channel="wechat").values_list("profile", "state"))
    people = {one: Identifier.objects.known_as(one).get().profile_id for one in (stays, goes)}
    assert (states[people[stays]], states[people[goes]]) == ("given", "withdrawn")


def test_whom_the_platform_does_not_know_any_more_has_left_and_the_others_have_not(oa: House) -> None:
    (stays,) = oa.people(1)
    read(oa)
    before = timezone.now() - SECOND
    followers.follow(oa.account, "oOfAnotherAccount", at=before, now=before)
    assert read(oa).result == {"followers": 1, "left": 1}
    assert openids() == {stays}


def test_who_leaves_while_the_platform_answers_is_not_brought_back_by_the_answer(oa: House) -> None:
    now = timezone.now()
    followers.follow(oa.account, "oA", at=now - 9 * SECOND, now=now - 9 * SECOND)
    followers.unfollow(oa.account, "oA", at=now - SECOND, now=now)
    told = [{"openid": "oA", "subscribe": 1}]
    assert followers.take(oa.account, told, now + SECOND, asked_at=now - SECOND) == 0
    assert Follower.objects.get().following is False
    assert followers.take(oa.account, told, now + 9 * SECOND, asked_at=now + 8 * SECOND) == 1
    assert Follower.objects.get().following is True


@pytest.mark.parametrize("by_reading", [True, False])
def test_who_comes_back_receives_messages_again(oa: House, by_reading: bool) -> None:
    now = timezone.now()
    followers.follow(oa.account, "oA", at=now - 9 * SECOND, now=now)
    Follower.objects.update(receiving=False)  # the platform said so of a message
    followers.take(oa.account, [{"openid": "oA", "subscribe": 1}], now)
    assert Follower.objects.get().receiving is False
    followers.unfollow(oa.account, "oA", at=now, now=now)
    if by_reading:
        followers.take(oa.account, [{"openid": "oA", "subscribe": 1}], now + SECOND)
    else:
        followers.follow(oa.account, "oA", at=now + SECOND, now=now + SECOND)
    assert list(Follower.objects.reachable()) == list(Follower.objects.all())


def test_a_minimal_answer_of_somebody_who_left_is_no_follower(oa: House) -> None:
    now = timezone.now()
    followers.take(oa.account, [{"openid": "oNobodyWhomWeKnow0000000001", "subscribe": 0}], now)
    assert not Follower.objects.exists()
    followers.follow(oa.account, "oSomebody", at=now, now=now)
    followers.take(oa.account, [{"openid": "oSomebody", "subscribe": 0}], now)
    assert Follower.objects.get().following is False


def test_what_is_told_too_late_does_not_bring_back_who_left(oa: House) -> None:
    now = timezone.now()
    followers.follow(oa.account, "oA", at=now - 9 * SECOND, now=now)
    followers.unfollow(oa.account, "oA", at=now - 5 * SECOND, now=now)
    followers.follow(oa.account, "oA", at=now - 9 * SECOND, now=now)  # the platform repeats itself
    assert Follower.objects.get().following is False
    followers.follow(oa.account, "oA", at=now, now=now)
    assert Follower.objects.get().following is True
    followers.unfollow(oa.account, "oA", at=now - 5 * SECOND, now=now)
    assert Follower.objects.get().following is True
    assert followers.unfollow(oa.account, "oNobody", at=now, now=now) is None


@pytest.mark.slow
def test_more_than_a_page_is_read_page_by_page(oa: House) -> None:
    oa.people(10_050)
    job = read(oa)
    assert job.result == {"followers": 10_050, "left": 0}
    assert len(oa.calls("/cgi-bin/user/get")) == 3  # the last one is empty
