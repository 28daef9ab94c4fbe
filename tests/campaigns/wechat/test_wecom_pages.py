"""The pages of WeCom and mini programs: what they do at the platform, and that lists ask no more for more rows."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import (
    ArrivalWay,
    ChannelAccount,
    CustomerGroup,
    CustomerTag,
    Handover,
    MiniLink,
    Moment,
    Staff,
    StaffContact,
)
from campaigns.wechat import customers, staff_sync, wecom_jobs
from crm.models import JobRun
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
    platform.post("wecom/customers", appid=CORP, userid="ann", count=3)
    job = wecom_jobs.order(staff_sync.KIND, made, None, timezone.now())
    wecom_jobs.run(job.pk, timezone.now)
    return made


def admin(path: str) -> str:
    return f"/admin/campaigns/{path}/"


def test_a_way_is_made_at_the_platform_and_closed_there(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    browser, ann = logged_in(member("Marketing")), Staff.objects.get(userid="ann")
    told = {"account": account.pk, "name": "door", "kind": "staff", "staff": [ann.pk], "welcome": "欢迎"}
    answer = browser.post(admin("arrivalway/add"), told)
    way = ArrivalWay.objects.get()
    assert answer["Location"].endswith(admin(f"arrivalway/{way.pk}/change"))
    assert way.config_id
    page = browser.get(admin(f"arrivalway/{way.pk}/change")).content.decode()
    assert way.state in page
    browser.post(admin(f"arrivalway/{way.pk}/close"))
    way.refresh_from_db()
    assert way.closed_at is not None


@pytest.mark.parametrize("kind", ["staff", "group"])
def test_a_way_that_leads_to_nobody_is_refused_where_it_is_written(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    kind: str,
) -> None:
    browser = logged_in(member("Marketing"))
    answer = browser.post(admin("arrivalway/add"), {"account": account.pk, "name": "door", "kind": kind})
    assert answer.status_code == 200
    assert "errornote" in answer.content.decode()
    assert not ArrivalWay.objects.exists()


def test_a_moment_is_handed_over_by_another_and_then_stays_as_it_is(platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    writer, colleague = logged_in(member("Marketing")), logged_in(member("Marketing", "colleague"))
    writer.post(admin("moment/add"), {"account": account.pk, "text": "新茶"})
    moment = Moment.objects.get()
    writer.post(admin(f"moment/{moment.pk}/hand-over"))
    moment.refresh_from_db()
    assert moment.status == "draft"
    colleague.post(admin(f"moment/{moment.pk}/hand-over"))
    moment.refresh_from_db()
    assert (moment.status, str(moment.approved_by)) == ("waiting", "colleague")
    writer.post(admin(f"moment/{moment.pk}/change"), {"account": account.pk, "text": "另一个"})
    moment.refresh_from_db()
    assert moment.text == "新茶"


def test_customers_are_handed_over_and_everything_is_read_from_the_pages(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
) -> None:
    browser = logged_in(member("Marketing"))
    ann, bob = Staff.objects.order_by("userid")
    browser.post(admin("handover/add"), {"from_staff": ann.pk, "to_staff": bob.pk})
    made = Handover.objects.get()
    assert made.customers.count() == 3
    assert browser.get(admin(f"handover/{made.pk}/change")).status_code == 200
    for path in (f"staff/{account.pk}/read", f"customertag/{account.pk}/read", f"customergroup/{account.pk}/read"):
        assert browser.post(admin(path)).status_code == 302
    assert set(JobRun.objects.values_list("kind", flat=True)) == {"wecom_customers", "wecom_groups"}
    browser.post(admin("customertag/add"), {"account": account.pk, "group": "Level", "name": "gold"})
    assert CustomerTag.objects.get().tag_id


def test_a_link_into_a_mini_program_is_made_and_its_picture_shown(platform: Stub) -> None:  # noqa: F811
    mini = corporation.mini_program(platform)
    browser = logged_in(member("Marketing"))
    for kind in ("link", "scheme", "code"):
        browser.post(admin("minilink/add"), {"account": mini.pk, "name": kind, "kind": kind})
    assert MiniLink.objects.exclude(url="").count() == 2
    code = MiniLink.objects.get(kind="code")
    assert browser.get(admin(f"minilink/{code.pk}/picture"))["Content-Type"] == "image/png"
    browser.post(admin("minilink/add"), {"account": mini.pk, "name": "x", "kind": "link", "page": "pages/none"})
    lost = MiniLink.objects.get(name="x")
    assert lost.url == ""
    browser.post(admin(f"minilink/mini-programs/{mini.pk}/check"))
    page = browser.get(admin("minilink/mini-programs")).content.decode()
    assert "request_subscribe" in page
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "path", ["staff", "staffcontact", "arrivalway", "customertag", "customergroup", "minilink", "welcome", "moment"]
)
def test_a_list_asks_no_more_for_more_rows(
    platform: Stub,  # noqa: F811
    account: ChannelAccount,
    path: str,
    django_assert_max_num_queries: Any,
) -> None:
    browser, now = logged_in(member("Marketing")), timezone.now()
    mini = corporation.mini_program(platform)

    def fill(name: str) -> None:
        one = customers.staff_of(account, f"staff {name}", now)
        ArrivalWay.objects.create(account=account, name=name, state=name, created_at=now)
        CustomerTag.objects.create(account=account, tag_id=name, name=name, group="g")
        by_way = {name: 2}
        CustomerGroup.objects.create(account=account, chat_id=name, owner=one, by_way=by_way, synced_at=now)
        Moment.objects.create(account=account, text=name, created_at=now)
        MiniLink.objects.create(account=mini, name=name, kind="link", scene=name, created_at=now)
        StaffContact.objects.update(state=name, tags=[name])

    fill("a")
    browser.get(admin(path))
    with django_assert_max_num_queries(200) as first:
        browser.get(admin(path))
    few = len(first)
    for name in "bcdef":
        fill(name)
    with django_assert_max_num_queries(few):
        assert browser.get(admin(path)).status_code == 200
