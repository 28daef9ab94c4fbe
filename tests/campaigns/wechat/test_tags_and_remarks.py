"""Tags renamed and pushed no faster than the account may; what staff call a follower, there and here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import AccountTag, ChannelLimit, Follower, FollowerRemark
from campaigns.wechat import account_tags, answers, followers, pacing, remarks
from tests.campaigns.wechat.house import House, opened
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with opened(settings) as house:
        yield house


class Clock:
    """A clock that runs while somebody sleeps, and nowhere else."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 4, 0, 10, tzinfo=UTC)
        self.slept = 0.0

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "sleep", made.sleep)
    return made


def tag(oa: House, name: str = "Spring") -> AccountTag:
    return account_tags.create(oa.account, name, None, timezone.now())


def test_a_tag_is_renamed_at_the_platform_first(oa: House) -> None:
    one, other = tag(oa), tag(oa, "Autumn")
    account_tags.rename(one, " 春天 ", timezone.now())
    assert [row["name"] for row in official.tags_get(oa.account)["tags"]] == ["春天", "Autumn"]
    account_tags.rename(one, "春天", timezone.now())  # its own name is not taken
    for name, why in (("Autumn", "has a tag of this name"), ("很" * 11, "10 Chinese"), ("", "letters at most")):
        with pytest.raises(account_tags.NoTag, match=why):
            account_tags.rename(one, name, timezone.now())
    oa.stub.post("chaos", what="error", path="/cgi-bin/tags/update", code=45058)
    with pytest.raises(account_tags.NoTag, match="does not take this"):
        account_tags.rename(one, "Winter", timezone.now())
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.name, other.name) == ("春天", "Autumn")


def test_the_tag_s_page_renames_it_and_says_what_the_platform_refuses(oa: House) -> None:
    one = tag(oa)
    client = logged_in(member("Marketing", "ann"))
    page = f"/admin/campaigns/accounttag/{one.pk}/change/"
    told = client.post(page, {"name": "Summer", "segment": ""})
    assert told.status_code == 302, told.context["adminform"].form.errors
    one.refresh_from_db()
    assert one.name == "Summer"
    tag(oa, "Autumn")
    refused = client.post(page, {"name": "Autumn", "segment": ""})
    assert "has a tag of this name" in refused.content.decode()


def test_calls_of_a_minute_are_counted_for_the_account_and_the_rest_wait_for_the_next(oa: House, clock: Clock) -> None:
    ChannelLimit.objects.create(
        provider="wechat_official", name="tag_calls_a_minute", value=3, changed_at=timezone.now()
    )
    made: list[datetime] = []
    alive: list[datetime] = []
    for _ in range(7):
        pacing.paced(oa.account, "tag_calls", lambda: made.append(clock()), clock, alive.append)
    assert [moment.minute for moment in made] == [0, 0, 0, 1, 1, 1, 2]
    assert clock.slept == pytest.approx(110.0)  # ten seconds of the first minute were gone
    assert len(alive) == 22  # whoever waits says every five seconds that it lives


def test_a_platform_that_says_slower_is_asked_again_in_a_minute_and_not_for_ever(oa: House, clock: Clock) -> None:
    oa.stub.post("chaos", what="error", path="/cgi-bin/tags/get", code=45011, times=2)
    told = pacing.paced(oa.account, "tag_calls", lambda: official.tags_get(oa.account), clock, lambda _now: None)
    assert (told["tags"], clock.slept) == ([], 120.0)
    oa.stub.post("chaos", what="error", path="/cgi-bin/tags/get", code=45011)
    with pytest.raises(WeChatError):
        pacing.paced(oa.account, "tag_calls", lambda: official.tags_get(oa.account), clock, lambda _now: None)
    assert clock.slept == 120.0 + 60.0 * pacing.MOST_WAITS


def test_whoever_is_stopped_while_waiting_stops(oa: House, clock: Clock) -> None:
    ChannelLimit.objects.create(
        provider="wechat_official", name="tag_calls_a_minute", value=0, changed_at=timezone.now()
    )

    def stopped(_now: datetime) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        pacing.paced(oa.account, "tag_calls", lambda: None, clock, stopped)
    assert clock.slept == 0.0


def follower(oa: House) -> Follower:
    oa.people(1)
    followers.run(followers.order(oa.account, None, timezone.now(), ring=False), timezone.now)
    return Follower.objects.select_related("identifier", "account").get()


def test_a_remark_is_written_to_the_platform_kept_sealed_and_read_back(oa: House) -> None:
    one = follower(oa)
    openid = str(one.identifier.value)
    remarks.write(one, "  常客   王女士 ", None, timezone.now())
    assert (official.user_info(oa.account, openid)["remark"], remarks.of(one)) == ("常客 王女士", "常客 王女士")
    official.user_info_updateremark(oa.account, openid, "changed in the console")
    followers.run(followers.order(oa.account, None, timezone.now(), ring=False), timezone.now)
    assert remarks.of(one) == "changed in the console"
    official.user_info_updateremark(oa.account, openid, "")
    followers.run(followers.order(oa.account, None, timezone.now(), ring=False), timezone.now)
    assert not FollowerRemark.objects.exists()
    with pytest.raises(remarks.NoRemark, match="29 signs"):
        remarks.write(one, "x" * 30, None, timezone.now())


def test_a_remark_goes_with_the_follower_and_nobody_is_called_anything_who_left(oa: House) -> None:
    one = follower(oa)
    client = logged_in(member("Marketing", "ann"))
    client.post(f"/admin/campaigns/follower/{one.pk}/remark/", {"remark": "regular"})
    assert 'value="regular"' in client.get(f"/admin/campaigns/follower/{one.pk}/change/").content.decode()
    followers.leave(one, timezone.now())
    assert not FollowerRemark.objects.exists()
    with pytest.raises(remarks.NoRemark, match="does not follow"):
        remarks.write(one, "x", None, timezone.now())


ASKED = {
    "hours": "exact",
    "  HOURS ": "exact",
    "hours on sunday?": "longest beginning",
    "hours tomorrow": "beginning",
    "your hours": "within",
    "are your opening hours": "longest within",
    "hour": "",
    "": "",
    "*": "",
}


def test_keywords_are_asked_in_one_order_whatever_theirs_is() -> None:
    lines = [
        "*hours* = within",
        "hours* = beginning",
        "*opening hours* = longest within",
        "hours on* = longest beginning",
        "hours = exact",
        "hours = said twice",
        "* = everything",
        "nothing =",
        "= no word",
    ]
    for rules in (lines, [lines[4], *lines[:4][::-1], *lines[5:]]):
        known = answers.rules("\n".join(rules))
        assert {text: answers.answer(known, text) for text in ASKED} == ASKED
