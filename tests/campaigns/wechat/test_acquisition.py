"""Acquisition links and WeCom's figures of staff, against the imitation's own book."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import AcquisitionQuota, ArrivalWay, ChannelAccount, Staff, StaffContact, StaffDay
from campaigns.wechat import acquisition, arrival_ways, staff_figures, staff_sync, wecom_events, wecom_jobs
from crm.models import Event
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
    read(staff_sync.KIND, made)
    return made


def read(kind: str, account: ChannelAccount) -> int:
    job = wecom_jobs.order(kind, account, None, timezone.now())
    assert wecom_jobs.run(job.pk, timezone.now)
    job.refresh_from_db()
    return job.done


def comes(platform: Stub, account: ChannelAccount, url: str, person: str, **facts: Any) -> None:  # noqa: F811
    told = platform.post("wecom/acquired", appid=CORP, url=url, person=person, **facts)
    now = timezone.now()
    wecom_events.added(corporation.inbound(account, told["message"], now), now)


def test_a_link_is_made_brings_its_mark_and_what_is_left_is_shown(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    browser, ann = logged_in(member("Marketing")), Staff.objects.get(userid="ann")
    told = {"account": account.pk, "name": "advert", "kind": "link", "staff": [ann.pk]}
    browser.post("/admin/campaigns/arrivalway/add/", told)
    way = ArrivalWay.objects.get()
    assert way.url.endswith(f"?customer_channel={way.state}")
    comes(platform, account, way.url, "li", writes=True)
    comes(platform, account, way.url, "wang")
    assert set(StaffContact.objects.values_list("state", flat=True)) == {way.state}
    assert set(Event.objects.filter(name="WeCom Contact Added").values_list("properties__way", flat=True)) == {"advert"}
    assert browser.post(f"/admin/campaigns/arrivalway/{account.pk}/read-links/").status_code == 302
    assert read(acquisition.KIND, account) == 2
    way.refresh_from_db()
    assert (way.told, way.writing, arrival_ways.came_by(way).came) == (2, 1, 2)
    assert (AcquisitionQuota.objects.get().total, AcquisitionQuota.objects.get().balance) == (1000, 998)
    assert "998" in browser.get("/admin/campaigns/arrivalway/").content.decode()
    assert way.url in browser.get(f"/admin/campaigns/arrivalway/{way.pk}/change/").content.decode()
    browser.post(f"/admin/campaigns/arrivalway/{way.pk}/close/")
    assert read(acquisition.KIND, account) == 0


def test_a_link_of_the_console_is_written_down_and_its_customers_are_told_apart_for_good(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    there = platform.post("wecom/links", appid=CORP, name="of the console", userid="bob")
    comes(platform, account, there["url"], "li")
    platform.post("wecom/customers", appid=CORP, userid="bob", persons=["zhao"])
    read(staff_sync.KIND, account)
    assert set(StaffContact.objects.values_list("state", flat=True)) == {""}
    read(acquisition.KIND, account)
    way = ArrivalWay.objects.get()
    assert (way.name, way.kind, way.told, [str(one) for one in way.staff.all()]) == (
        "of the console",
        "link",
        1,
        ["bob"],
    )
    assert StaffContact.objects.filter(state=way.state).count() == 1
    read(staff_sync.KIND, account)  # which tells of no mark
    assert StaffContact.objects.filter(state=way.state).count() == 1
    assert ArrivalWay.objects.count() == 1


def test_where_the_application_may_not_read_links_nothing_is_closed(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    platform.post("wecom/links", appid=CORP, name="stays", userid="bob")
    read(acquisition.KIND, account)
    platform.post("chaos", what="error", code=48002, path="/cgi-bin/externalcontact/customer_acquisition/*")
    assert read(acquisition.KIND, account) == 0
    assert ArrivalWay.objects.get().closed_at is None


def test_a_link_that_is_gone_at_the_platform_is_closed_here(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    platform.post("wecom/links", appid=CORP, name="gone soon", userid="bob")
    read(acquisition.KIND, account)
    way = ArrivalWay.objects.get()
    arrival_ways.close(ArrivalWay.objects.get(), timezone.now())
    ArrivalWay.objects.filter(pk=way.pk).update(closed_at=None)  # as if the console had done it
    read(acquisition.KIND, account)
    way.refresh_from_db()
    assert way.closed_at is not None


def test_staff_s_days_are_kept_as_told_and_asked_again_only_where_they_may_have_changed(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("wecom/chats", appid=CORP, owner="ann", name="Tea", persons=["a", "b"])
    now = timezone.now()
    assert read(staff_figures.KIND, account) == 2 * 30 + 2
    yesterday = now.astimezone(staff_figures.SHANGHAI).date() - timedelta(days=1)
    ann = StaffDay.objects.get(staff__userid="ann", day=yesterday)
    assert (ann.group_total, ann.group_members_total, ann.group_messages) == (1, 3, None)
    assert read(staff_figures.KIND, account) == 2 * staff_figures.AGAIN + 2
    assert StaffDay.objects.count() == 60
    (first, second) = staff_figures.lines(account, yesterday, 7)
    days = StaffDay.objects.filter(staff=first.staff, day__gt=yesterday - timedelta(days=7))
    assert first.now["chats"] == sum(one.chats or 0 for one in days)
    assert (first.members, first.members_more, second.before["added"]) == (3, None, 0)
    StaffDay.objects.create(staff=first.staff, day=yesterday - timedelta(days=40), group_members_total=1, taken_at=now)
    assert staff_figures.lines(account, yesterday, 7)[0].members_more == 2


def test_the_page_of_figures_adds_up_and_what_was_not_told_is_no_nought(account: ChannelAccount) -> None:
    now = timezone.now()
    yesterday = now.astimezone(staff_figures.SHANGHAI).date() - timedelta(days=1)
    for userid, added in (("ann", 2), ("bob", 3)):
        staff = Staff.objects.get(userid=userid)
        StaffDay.objects.create(staff=staff, day=yesterday, added=added, taken_at=now)
    days = staff_figures.by_day(account, yesterday, 2)
    assert [(one["added"], one["chats"]) for one in days] == [(None, None), (5, None)]
    page = logged_in(member("Marketing")).get("/admin/campaigns/staffday/?days=30").content.decode()
    assert "ann" in page
    assert "bob" in page
