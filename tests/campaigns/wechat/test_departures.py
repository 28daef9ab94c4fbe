"""What staff are called, and who takes over the customers of those who left, against the imitation's own book."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount, HandedOver, Staff, StaffContact
from campaigns.wechat import departures, handovers, staff_names, staff_sync, wecom_jobs
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    CORP,
    platform,  # noqa: F401
)
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(platform: Stub) -> ChannelAccount:  # noqa: F811
    made = corporation.corporation(platform, "ann", "bob")
    platform.post("wecom/staff", appid=CORP, userid="ann", name="安娜")
    return made


def read(kind: str, account: ChannelAccount) -> int:
    job = wecom_jobs.order(kind, account, None, timezone.now())
    assert wecom_jobs.run(job.pk, timezone.now)
    job.refresh_from_db()
    return job.done


def called(platform: Stub, path: str) -> int:  # noqa: F811
    return sum(one["path"] == path for one in platform.get("log")["calls"])


def test_staff_are_called_by_the_names_of_the_platform_or_by_one_written_here(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    read(staff_sync.KIND, account)
    assert [str(one) for one in Staff.objects.order_by("userid")] == ["安娜", "bob"]
    assert called(platform, "/cgi-bin/user/get") == 1  # bob, whose name is his number
    Staff.objects.filter(userid="ann").update(name="Anna of the tea shop")
    platform.post("wecom/staff", appid=CORP, userid="ann", name="安安")
    assert staff_names.read(account) == 1
    assert staff_names.read(account) == 0
    ann = Staff.objects.get(userid="ann")
    assert (str(ann), ann.told_name) == ("Anna of the tea shop", "安安")


@pytest.mark.parametrize("rule", ["refused", "numbers_for_names"])
def test_where_the_application_may_not_read_names_numbers_are_shown_and_it_is_not_asked_for_each(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    rule: str,
) -> None:
    platform.post("wecom/address_book", appid=CORP, **{rule: True})
    read(staff_sync.KIND, account)
    assert [str(one) for one in Staff.objects.order_by("userid")] == ["ann", "bob"]
    assert set(Staff.objects.values_list("told_name", flat=True)) == {""}
    assert called(platform, "/cgi-bin/user/get") == (1 if rule == "refused" else 2)


def test_customers_of_who_left_wait_and_are_given_to_another_by_the_calls_for_that(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang"])
    read(staff_sync.KIND, account)
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["zhao"])  # whom nobody has read yet
    platform.post("wecom/staff", appid=CORP, userid="ann", active=False)
    read(staff_sync.KIND, account)
    assert read(departures.KIND, account) == 3
    assert read(departures.KIND, account) == 3  # again changes nothing
    ann, bob = Staff.objects.get(userid="ann"), Staff.objects.get(userid="bob")
    assert ann.left_at is not None
    assert not ann.active
    assert StaffContact.objects.filter(staff=ann, ended_at=None).count() == 3
    assert list(departures.waiting().values_list("pk", "waiting")) == [(ann.pk, 3)]  # type: ignore[misc]
    now = timezone.now()
    page = logged_in(member("Marketing")).get("/admin/campaigns/handover/").content.decode()
    assert f"add/?from_staff={ann.pk}" in page
    made = handovers.order(ann, bob, "words that nobody would hear", None, now)
    assert (made.resigned, made.message) == (True, "")
    assert list(departures.waiting()) == []
    handovers.work(now)
    assert set(HandedOver.objects.values_list("status", "reason")) == {("waiting", "")}
    assert called(platform, "/cgi-bin/externalcontact/resigned/transfer_customer") == 1
    assert called(platform, "/cgi-bin/externalcontact/transfer_customer") == 0
    platform.post("clock", advance=86_500)
    handovers.work(now + timedelta(days=1, minutes=5))
    assert set(HandedOver.objects.values_list("status", flat=True)) == {"done"}
    assert StaffContact.objects.filter(staff=bob, ended_at=None).count() == 3
    assert read(departures.KIND, account) == 0


def test_who_comes_back_has_not_left_any_more_and_whom_a_customer_deleted_stays_deleted(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang"])
    read(staff_sync.KIND, account)
    gone = StaffContact.objects.order_by("pk")[0]
    StaffContact.objects.filter(pk=gone.pk).update(ended_at=timezone.now(), ended_by="customer")
    platform.post("wecom/staff", appid=CORP, userid="ann", active=False)
    read(departures.KIND, account)
    gone.refresh_from_db()
    assert gone.ended_by == "customer"
    assert gone.ended_at is not None
    platform.post("wecom/staff", appid=CORP, userid="ann", active=True)
    read(staff_sync.KIND, account)
    ann = Staff.objects.get(userid="ann")
    assert (ann.left_at, ann.active) == (None, True)
