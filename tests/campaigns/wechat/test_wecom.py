"""Staff and customers of WeCom, tags, groups, moments and handovers, against the imitation's own book."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import (
    ArrivalWay,
    ChannelAccount,
    CustomerGroup,
    CustomerTag,
    HandedOver,
    Moment,
    Staff,
    StaffContact,
)
from campaigns.wechat import (
    arrival_ways,
    customer_groups,
    customer_tags,
    handovers,
    paging,
    staff_moments,
    staff_sync,
    wecom_events,
    wecom_jobs,
)
from campaigns.wechat.staff_moments import NoMoment
from crm.models import Event, Identifier, JobRun, Profile
from tests.campaigns import factories
from tests.campaigns.wechat import corporation
from tests.campaigns.wechat.corporation import (
    CORP,
    platform,  # noqa: F401
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(platform: Stub) -> ChannelAccount:  # noqa: F811
    return corporation.corporation(platform, "ann", "bob")


def read(kind: str, account: ChannelAccount) -> JobRun:
    job = wecom_jobs.order(kind, account, None, timezone.now())
    wecom_jobs.run(job.pk, timezone.now)
    job.refresh_from_db()
    return job


def test_staff_and_customers_are_read_page_by_page_and_again_changes_nothing(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("wecom/customers", appid=CORP, userid="ann", count=230)
    platform.post("wecom/customers", appid=CORP, userid="bob", persons=["p0", "x"], state="door")
    job = read(staff_sync.KIND, account)
    assert (job.status, job.done) == ("succeeded", 232)
    assert list(Staff.objects.values_list("userid", "active")) == [("ann", True), ("bob", True)]
    assert StaffContact.objects.count() == 232
    assert Identifier.objects.filter(type="external_userid").count() == 231
    assert set(StaffContact.objects.filter(staff__userid="bob").values_list("state", flat=True)) == {"door"}
    before = list(StaffContact.objects.order_by("pk").values_list("pk", "identifier"))
    assert read(staff_sync.KIND, account).done == 232
    assert list(StaffContact.objects.order_by("pk").values_list("pk", "identifier")) == before


def test_a_reading_whose_worker_was_killed_goes_on_where_it_was(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform.post("wecom/customers", appid=CORP, userid="ann", count=230)
    job = wecom_jobs.order(staff_sync.KIND, account, None, timezone.now())
    pages = []

    class Killed(BaseException):
        """As a worker's end is to what it was doing."""

    whole = staff_sync.Customers.fetch

    def fetch(self: staff_sync.Customers, place: paging.Place, now: Any) -> paging.Page:
        pages.append(dict(place))
        if len(pages) == 3:
            raise Killed
        return whole(self, place, now)

    monkeypatch.setattr(staff_sync.Customers, "fetch", fetch)
    with pytest.raises(Killed):
        wecom_jobs.run(job.pk, timezone.now)
    assert StaffContact.objects.count() == 100
    assert wecom_jobs.run(job.pk, timezone.now)
    job.refresh_from_db()
    assert (job.status, job.done, len(pages)) == ("succeeded", 230, 6)
    assert StaffContact.objects.count() == 230


def test_a_reading_that_somebody_stopped_stays_stopped(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    job = wecom_jobs.order(staff_sync.KIND, account, None, timezone.now())
    assert wecom_jobs.order(staff_sync.KIND, account, None, timezone.now()) == job
    job.cancel(timezone.now())
    assert not wecom_jobs.run(job.pk, timezone.now)
    assert wecom_jobs.order(staff_sync.KIND, account, None, timezone.now()) != job


def test_whoever_a_whole_reading_does_not_name_is_gone_and_has_not_withdrawn(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    corporation.friend(platform, account, "ann", "li", timezone.now() - timedelta(hours=1))
    platform.post("wecom/unfriend", appid=CORP, userid="ann", person="li", by="staff")
    read(staff_sync.KIND, account)
    contact = StaffContact.objects.get()
    assert contact.ended_at is not None
    assert contact.ended_by == ""


def test_coming_and_leaving_are_told_and_the_later_word_counts(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    now = timezone.now() - timedelta(minutes=10)
    corporation.friend(platform, account, "ann", "li", now)
    assert list(Event.objects.values_list("name", "channel")) == [("WeCom Contact Added", "wecom")]
    told = platform.post("wecom/unfriend", appid=CORP, userid="ann", person="li")
    later = now + timedelta(minutes=1)
    gone = corporation.inbound(account, told["message"], later)
    wecom_events.contact_changed(gone, later)
    contact = StaffContact.objects.get()
    assert (contact.ended_at, contact.ended_by) == (later, "customer")
    again = now + timedelta(minutes=2)
    corporation.friend(platform, account, "ann", "li", again)
    wecom_events.contact_changed(gone, again)  # told once more, and old by now
    contact.refresh_from_db()
    assert (contact.ended_at, contact.added_at) == (None, again)


def test_tags_go_both_ways(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    now = timezone.now()
    wecom.externalcontact_add_corp_tag(account, {"group_name": "Level", "tag": [{"name": "gold"}, {"name": "silver"}]})
    assert customer_tags.sync(account, now) == 2
    read_names = CustomerTag.objects.order_by("name").values_list("group", "name")
    assert list(read_names) == [("Level", "gold"), ("Level", "silver")]
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang"])
    read(staff_sync.KIND, account)
    one = StaffContact.objects.order_by("pk").first()
    assert one is not None
    one.identifier.profile.city = "上海"
    one.identifier.profile.save()
    rule = {"all": [{"field": "city", "is": "in", "value": ["上海"]}]}
    ours = CustomerTag.objects.create(account=account, group="Ours", name="city", segment=factories.segment(rule=rule))
    customer_tags.make(ours, now)
    assert customer_tags.apply(ours, now) == (1, 0)
    assert customer_tags.apply(ours, now) == (0, 0)
    read(staff_sync.KIND, account)
    assert list(StaffContact.objects.filter(tags__contains=[ours.tag_id]).values_list("pk", flat=True)) == [one.pk]
    one.identifier.profile.city = "北京"
    one.identifier.profile.save()
    assert customer_tags.apply(ours, now) == (0, 1)
    wecom.externalcontact_del_corp_tag(account, {"tag_id": [ours.tag_id]})
    customer_tags.sync(account, now)
    ours.refresh_from_db()
    assert ours.gone_at == now


def test_of_all_customers_only_those_who_are_tagged_now_are_opened(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang", "zhao"])
    read(staff_sync.KIND, account)
    Profile.objects.update(city="上海")
    rule = {"all": [{"field": "city", "is": "in", "value": ["上海"]}]}
    tag = CustomerTag.objects.create(account=account, group="Ours", name="city", segment=factories.segment(rule=rule))
    customer_tags.make(tag, timezone.now())
    with CaptureQueriesContext(connection) as asked:
        assert customer_tags.apply(tag, timezone.now(), most=2) == (2, 0)
    opened = [one["sql"] for one in asked if '"crm_identifier"."value"' in one["sql"]]
    assert opened
    assert all('"campaigns_staffcontact"."id" IN (' in sql for sql in opened)  # never those of everybody
    assert customer_tags.apply(tag, timezone.now()) == (1, 0)


def test_groups_are_counted_by_way_and_nobody_in_them_is_kept(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    chat = platform.post("wecom/chats", appid=CORP, owner="ann", name="Tea", persons=["a", "b", "c"])
    read(customer_groups.KIND, account)
    way = ArrivalWay.objects.create(
        account=account, name="poster", kind="group", groups=[chat["chat_id"]], created_at=timezone.now()
    )
    arrival_ways.make(way, timezone.now())
    assert way.qr_code
    platform.post("wecom/chats/join", appid=CORP, chat_id=chat["chat_id"], person="d", state=way.state)
    assert read(customer_groups.KIND, account).done == 1
    group = CustomerGroup.objects.get()
    assert (group.name, str(group.owner), group.members, group.customers) == ("Tea", "ann", 5, 4)
    assert group.by_way == {way.state: 1}
    assert not Identifier.objects.exists()
    told = platform.post("wecom/chats/dismiss", appid=CORP, chat_id=chat["chat_id"])
    wecom_events.chat_changed(corporation.inbound(account, told["message"], timezone.now()), timezone.now())
    group.refresh_from_db()
    assert group.dismissed_at is not None


def test_a_moment_is_handed_over_by_a_colleague_and_who_published_it_is_asked(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    ann, boss = User.objects.create(username="writer"), User.objects.create(username="boss")
    now = timezone.now()
    moment = Moment.objects.create(account=account, text="新茶上市", created_by=ann, created_at=now)
    with pytest.raises(NoMoment):
        staff_moments.hand_over(moment, ann, now)
    staff_moments.hand_over(moment, boss, now)
    with pytest.raises(NoMoment):
        staff_moments.hand_over(moment, boss, now)
    platform.post("clock", advance=5)
    platform.post("wecom/publish", appid=CORP, userid="ann")
    assert staff_moments.poll_due(now + timedelta(seconds=6)) == 1
    moment.refresh_from_db()
    assert (moment.status, moment.asked, moment.published) == ("waiting", 2, 1)
    assert dict(moment.tasks.values_list("staff__userid", "published")) == {"ann": True, "bob": False}
    platform.post("wecom/publish", appid=CORP)
    assert staff_moments.poll_due(now + timedelta(minutes=6)) == 1
    moment.refresh_from_db()
    assert (moment.status, moment.published, moment.poll_at) == ("over", 2, None)


def test_a_moment_whose_process_was_killed_in_the_call_is_unknown_and_not_given_again(account: ChannelAccount) -> None:
    boss, now = User.objects.create(username="boss"), timezone.now()
    moment = Moment.objects.create(account=account, text="新茶上市", status="creating", called_at=now, created_at=now)
    staff_moments.poll_due(now + timedelta(minutes=4))
    moment.refresh_from_db()
    assert moment.status == "creating"
    staff_moments.poll_due(now + timedelta(minutes=6))
    moment.refresh_from_db()
    assert (moment.status, moment.reason) == ("unknown", "no_answer")
    with pytest.raises(NoMoment):
        staff_moments.hand_over(moment, boss, now)


def test_a_platform_that_is_busy_fails_nobody_s_handover(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang"])
    read(staff_sync.KIND, account)
    ann, bob, now = Staff.objects.get(userid="ann"), Staff.objects.get(userid="bob"), timezone.now()
    made = handovers.order(ann, bob, "", None, now)
    platform.post("chaos", what="error", code=45009, path="/cgi-bin/externalcontact/transfer_customer", times=1)
    handovers.work(now)
    rows = HandedOver.objects.filter(handover=made)
    assert set(rows.values_list("status", flat=True)) == {"queued"}
    handovers.work(now + timedelta(minutes=6))
    assert set(rows.values_list("status", flat=True)) == {"waiting"}


def test_a_handover_whose_worker_was_killed_in_the_call_is_asked_about_again(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang"])
    read(staff_sync.KIND, account)
    ann, bob, now = Staff.objects.get(userid="ann"), Staff.objects.get(userid="bob"), timezone.now()
    made = handovers.order(ann, bob, "", None, now)
    HandedOver.objects.update(status="calling")
    handovers.work(now)
    made.refresh_from_db()
    assert made.poll_at is not None


def test_customers_are_handed_over_and_one_refuses(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    platform.post("wecom/customers", appid=CORP, userid="ann", persons=["li", "wang", "zhao"])
    read(staff_sync.KIND, account)
    ann, bob = Staff.objects.get(userid="ann"), Staff.objects.get(userid="bob")
    now = timezone.now()
    made = handovers.order(ann, bob, "您好，由小博继续为您服务", None, now)
    assert handovers.work(now) == 1
    waiting = HandedOver.objects.filter(handover=made)
    assert set(waiting.values_list("status", flat=True)) == {"waiting"}
    first = waiting.order_by("pk")[0]
    who = first.contact.identifier.value
    refused = platform.post(
        "wecom/refuse_transfer", appid=CORP, handover_userid="ann", takeover_userid="bob", external_userid=who
    )
    wecom_events.contact_changed(corporation.inbound(account, refused["message"], now), now)
    first.refresh_from_db()
    assert (first.status, first.reason) == ("refused", "customer_refused")
    platform.post("clock", advance=86_500)
    assert handovers.work(now + timedelta(days=1, minutes=5)) == 1
    assert sorted(waiting.values_list("status", flat=True)) == ["done", "done", "refused"]
    assert StaffContact.objects.filter(staff=bob, ended_at=None).count() == 2
    assert StaffContact.objects.filter(staff=ann, ended_by="handover").count() == 2
    made.refresh_from_db()
    assert made.poll_at is None
