"""The demonstration's WeChat: connected, followed by households, a draft that lacks nothing, people who wait."""

from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.demonstration import synthetic, synthetic_mini, synthetic_wechat
from campaigns.models import (
    AccountTag,
    ArrivalWay,
    Article,
    Campaign,
    ChannelAccount,
    ChatMessage,
    Credit,
    CustomerGroup,
    CustomerTag,
    Delivery,
    EntryCode,
    Follower,
    HandedOver,
    Inbound,
    MiniLink,
    Moment,
    PhoneCode,
    PlatformTemplate,
    ServiceWindow,
    StaffContact,
    StaffTask,
    Welcome,
)
from campaigns.runs import readiness
from campaigns.wechat import connecting
from config import imitation
from config.management.commands import up
from crm import synthetic_consents
from tests.campaigns.test_synthetic import sample_with
from tests.staff import member

pytestmark = pytest.mark.django_db
BASE = "http://127.0.0.1:8000"


def test_households_follow_and_a_draft_waits(stub: Stub) -> None:
    sample_with(40)
    synthetic.seed(timezone.now())
    assert synthetic_wechat.seed(timezone.now(), BASE)
    account = ChannelAccount.objects.get(name=synthetic_wechat.NAME)
    rows = Follower.objects.filter(account=account, identifier__profile__identifiers__type="external_id")
    assert rows.count() == 40
    draft = Campaign.objects.get(name="Weekend on WeChat (demonstration)")
    assert (draft.status, draft.channels) == ("draft", ["wechat"])
    assert readiness.problems(draft, timezone.now()) == []
    assert ChatMessage.objects.filter(direction="in").count() == 3
    assert ServiceWindow.objects.filter(scene="message", remaining=5).count() == 3
    assert EntryCode.objects.get().scans == 1
    assert [(one.status, one.author) for one in Article.objects.all()] == [("draft", "云杉生活")]
    assert not Inbound.objects.exclude(problem="").exists()
    told = stub.get("accounts")["accounts"]
    assert {one["callback_url"][: len(BASE)] for one in told} == {BASE}
    assert {one.provider for one in ChannelAccount.objects.exclude(provider="stub")} == {
        *("wechat_official", "wechat_mini", "wecom")
    }
    assert all(one.settings["imitation"] for one in ChannelAccount.objects.exclude(provider="stub"))


def test_the_mini_program_and_wecom_are_read_and_a_task_waits_for_one_of_the_staff(stub: Stub) -> None:
    sample_with(100)
    synthetic.seed(timezone.now())
    synthetic_consents.seed()
    assert synthetic_wechat.seed(timezone.now(), BASE, [member("Admin"), member("Marketing")])
    tasks = StaffTask.objects.order_by("staff__userid").values_list("staff__userid", "status")
    assert list(tasks) == [("chen.hao", "waiting"), ("lin.yue", "confirmed"), ("zhao.min", "confirmed")]
    reached = Delivery.objects.filter(channel="wecom", status="delivered").count()
    assert sum(StaffTask.objects.values_list("reached", flat=True)) == reached > 30
    assert set(Welcome.objects.values_list("status", flat=True)) == {"sent"}
    gone = StaffContact.objects.filter(ended_by="customer")
    assert gone.count() == 1
    people = [CustomerTag, CustomerGroup, ArrivalWay, Moment, HandedOver, MiniLink, AccountTag]
    assert [rows.__name__ for rows in people if not rows.objects.exists()] == []  # type: ignore[attr-defined]
    mini = ChannelAccount.objects.get(provider="wechat_mini")
    assert Follower.objects.filter(account=mini).count() == synthetic_mini.PEOPLE
    assert PlatformTemplate.objects.filter(account=mini, kind="one_time").count() == 2
    assert Credit.objects.filter(account=mini, source="popup").count() == synthetic_mini.ACCEPTED
    paid = PhoneCode.objects.filter(account=mini, status="charged")
    assert paid.count() == synthetic_mini.TOLD
    assert not Inbound.objects.exclude(problem="").exists()
    assert not synthetic_wechat.seed(timezone.now(), BASE)  # again changes nothing
    assert Campaign.objects.filter(channels=["wechat"]).count() == 1


def test_without_the_imitation_it_is_said_how_to_start_it(settings: Any) -> None:
    settings.WECHAT_STUB_URL = "http://127.0.0.1:9"
    with pytest.raises(connecting.NoConnection, match="wechat_stub"):
        connecting.imitate(timezone.now())
    assert not ChannelAccount.objects.exists()


def test_up_starts_the_imitation_only_where_a_demonstration_asked_for_it(settings: Any, tmp_path: Any) -> None:
    settings.VAR_DIR, settings.WECHAT_STUB_URL = tmp_path, "http://127.0.0.1:9"
    assert not up.imitated()
    imitation.state().write_text("{}")
    (line,) = up.imitated()
    assert line[2:5] == ["wechat_stub", "--port", "9"]


def test_one_that_runs_already_is_used_and_left_running(stub: Stub) -> None:
    with imitation.running() as here:
        assert here
    assert imitation.answers()
