"""Welcome messages: once each, within twenty seconds, whichever worker is killed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ArrivalWay, ChannelAccount, Welcome
from campaigns.reach import policies
from campaigns.wechat import wecom_events, welcoming
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import platform  # noqa: F401

WELCOME = "/cgi-bin/externalcontact/send_welcome_msg"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(platform: Stub) -> ChannelAccount:  # noqa: F811
    made = corporation.corporation(platform, "ann")
    ArrivalWay.objects.create(
        account=made, name="everybody", kind="otherwise", welcome="欢迎", created_at=timezone.now(),
        link_url="https://shop.example/", link_title="Shop",
    )  # fmt: skip
    return made


def delivered(platform: Stub) -> list[dict[str, Any]]:  # noqa: F811
    return list(platform.get("deliveries", appid=corporation.CORP, kind="welcome")["deliveries"])


def state() -> tuple[str, str, int]:
    row = Welcome.objects.get()
    return row.status, row.reason, row.attempt


def test_who_comes_is_welcomed_once_however_often_we_are_told(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    now = timezone.now()
    told = platform.post("wecom/friend", appid=corporation.CORP, userid="ann", person="li")
    row = corporation.inbound(account, told["message"], now)
    wecom_events.added(row, now)
    wecom_events.added(row, now)
    assert welcoming.work(timezone.now) == {"late": 0, "unknown": 0, "sent": 1}
    assert state() == ("sent", "", 1)
    (one,) = delivered(platform)
    assert one["text"] == "欢迎 [link]"
    wecom_events.added(row, now)
    assert welcoming.take(timezone.now()) is None


def test_a_way_says_its_own_welcome_and_counts_who_came(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    from campaigns.wechat import arrival_ways

    way = ArrivalWay.objects.create(
        account=account, name="door", welcome="Hello from the door", created_at=timezone.now()
    )
    now = timezone.now()
    way.staff.set([corporation_staff(account)])
    arrival_ways.make(way, now)
    assert way.config_id
    assert len(way.state) == 16
    corporation.friend(platform, account, "ann", "wang", now, config_id=way.config_id)
    welcoming.work(timezone.now)
    assert delivered(platform)[0]["text"] == "Hello from the door"
    assert arrival_ways.came_by(way) == arrival_ways.Came(came=1, left=0, welcomed=1, not_welcomed=0)
    assert arrival_ways.close(way, now)
    assert platform.get("log", path="/cgi-bin/externalcontact/del_contact_way")["calls"]


def corporation_staff(account: ChannelAccount) -> Any:
    from campaigns.wechat import customers

    return customers.staff_of(account, "ann", timezone.now())


def test_a_worker_killed_before_its_call_is_replaced_in_time(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    now = timezone.now()
    corporation.friend(platform, account, "ann", "li", now)
    assert welcoming.take(now) is not None  # and then it is killed
    assert welcoming.take(now + timedelta(seconds=4)) is None
    taken = welcoming.take(now + timedelta(seconds=5))
    assert taken is not None
    assert welcoming.send(taken, timezone.now) == "sent"
    assert state() == ("sent", "", 2)
    assert len(delivered(platform)) == 1


def test_a_worker_killed_after_its_call_leaves_one_message_and_its_replacement_knows(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    now = timezone.now()
    corporation.friend(platform, account, "ann", "li", now)
    first = welcoming.take(now)
    assert first is not None
    platform.post("chaos", what="timeout_after_commit", path=WELCOME, times=1, seconds=0.1)
    assert welcoming.send(first, timezone.now) == "again"
    second = welcoming.take(timezone.now())
    assert second is not None
    assert welcoming.send(second, timezone.now) == "presumed"
    assert state() == ("presumed", "41051", 2)
    assert len(delivered(platform)) == 1


def test_who_was_faster_than_we_is_told_apart(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    from campaigns.channels.wechat import wecom

    corporation.friend(platform, account, "ann", "li", timezone.now())
    code = Welcome.objects.get().code
    wecom.externalcontact_send_welcome_msg(account, code, {"text": {"content": "by another system"}})
    welcoming.work(timezone.now)
    assert state() == ("taken", "41051", 1)


def test_a_lost_worker_that_comes_back_changes_nothing(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    now = timezone.now()
    corporation.friend(platform, account, "ann", "li", now)
    lost = welcoming.take(now)
    taken = welcoming.take(now + timedelta(seconds=6))
    assert lost is not None
    assert taken is not None
    assert welcoming.send(taken, timezone.now) == "sent"
    assert welcoming.settle(lost, "failed", "x", timezone.now()) == "late"
    assert state() == ("sent", "", 2)


def test_after_eighteen_seconds_nobody_tries(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    long_ago = timezone.now() - timedelta(seconds=19)
    corporation.friend(platform, account, "ann", "li", long_ago)
    assert dict(welcoming.work(timezone.now)) == {"late": 1, "unknown": 0}
    assert state()[0] == "late"
    assert delivered(platform) == []


def test_a_stop_holds_for_welcomes_too(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    corporation.friend(platform, account, "ann", "li", timezone.now())
    policies.stop_everything(None, "fire", timezone.now())
    welcoming.work(timezone.now)
    assert state()[:2] == ("withheld", "stopped")
    assert delivered(platform) == []


def test_a_busy_platform_is_asked_again_a_second_later(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from campaigns.channels.wechat import transport

    monkeypatch.setattr(transport, "sleep", lambda _seconds: None)
    now = timezone.now()
    corporation.friend(platform, account, "ann", "li", now)
    platform.post("chaos", what="busy", path=WELCOME, times=3)
    first = welcoming.take(now)
    assert first is not None
    assert welcoming.send(first, lambda: now) == "again"
    later = now + timedelta(seconds=2)
    second = welcoming.take(later)
    assert second is not None
    assert welcoming.send(second, lambda: later) == "sent"
    assert Welcome.objects.get().unanswered is False
