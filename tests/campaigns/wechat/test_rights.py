"""What a platform does not let an account do, or does not let it in at all: known once, said, and taken back."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from campaigns.channels.wechat import official, rights
from campaigns.channels.wechat.errors import WeChatError
from campaigns.guarding import account_troubles
from campaigns.models import AccountTrouble, ChannelAccount, Delivery, RefusedRight
from campaigns.runs import readiness
from campaigns.wechat import allowances, permissions, ways
from campaigns.wechat.ways import Demand, Way
from tests.campaigns.wechat import houses
from tests.campaigns.wechat.house import House, opened
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)

TEMPLATES = "/cgi-bin/message/template/send"


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with opened(settings) as house:
        yield house


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    rights._known.clear()


def refuse(oa: House, path: str, code: int, times: int | None = 1) -> None:
    oa.stub.post("chaos", what="error", path=path, code=code, times=times)


def test_a_right_that_is_refused_is_remembered_with_its_rid_and_forgotten_when_it_works(oa: House) -> None:
    refuse(oa, "/cgi-bin/menu/get", 48001)
    with pytest.raises(WeChatError):
        official.menu_get(oa.account)
    row = RefusedRight.objects.get()
    assert (row.api, row.code) == ("/cgi-bin/menu/get", "48001")
    assert row.rid
    assert ChannelAccount.objects.get().status == "active"
    with pytest.raises(WeChatError):  # no menu was made: another refusal says nothing of rights
        official.menu_get(oa.account)
    assert RefusedRight.objects.exists()
    official.menu_create(oa.account, {"button": [{"name": "a", "type": "view", "url": "https://shop.example"}]})
    assert RefusedRight.objects.exists()
    official.menu_get(oa.account)
    assert not RefusedRight.objects.exists()


def test_a_refusal_that_is_about_one_sort_of_message_is_no_refused_right(oa: House) -> None:
    refuse(oa, "/cgi-bin/menu/get", 48008)
    with pytest.raises(WeChatError):
        official.menu_get(oa.account)
    assert not RefusedRight.objects.exists()


def test_no_message_is_handed_over_for_what_the_account_may_not_do() -> None:
    account = houses.account()
    people = houses.followers(account, 2)
    RefusedRight.objects.create(
        account=account, api="/cgi-bin/message/mass/send", code="48001", since=houses.NOON, seen_at=houses.NOON
    )
    way = Way(demand=Demand.MASS)
    assert ways.lacking(account, way)
    platform = houses.Platform()
    houses.planned(people)
    assert not houses.send_many(platform)
    assert not platform.calls
    assert set(Delivery.objects.values_list("status", "reason")) == {("suppressed", "account_may_not")}
    assert rights.ask_again(account) == 1
    assert not ways.lacking(account, way)


def test_planner_and_readiness_say_what_the_account_may_not_do() -> None:
    account = houses.account()
    one = houses.campaign()
    assert not [said for said in readiness.problems(one, houses.NOON) if "may not send" in said]
    rights._known.clear()
    RefusedRight.objects.create(
        account=account, api="/cgi-bin/message/mass/send", code="48001", rid="r-1", since=houses.NOON,
        seen_at=houses.NOON,
    )  # fmt: skip
    (said,) = [said for said in readiness.problems(one, houses.NOON) if "may not send" in said]
    assert "48001" in said
    assert "r-1" in said
    (told,) = allowances.told(one, {"wechat": 5}, houses.NOON)
    assert (told.a_day, told.left_out) == (0, 5)
    assert told.may_not is not None
    houses.account(name="another", settings={"appid": "wx2", "kind": "service"})
    assert not [said for said in readiness.problems(one, houses.NOON) if "may not send" in said]


def test_who_asks_and_is_not_let_in_stops_the_account_and_people_are_called_once(oa: House) -> None:
    ann = member("Marketing", "ann")
    User.objects.filter(pk=ann.pk).update(email="ann@shop.example")
    refuse(oa, "/cgi-bin/stable_token", 40164, times=None)
    with pytest.raises(WeChatError):
        official.tags_get(oa.account)
    account = ChannelAccount.objects.get()
    assert (account.status, account.status_reason) == ("refused", "server_address")
    now = timezone.now()
    assert account_troubles.call(now) == 1
    assert account_troubles.call(now) == 0
    (letter,) = mail.outbox
    assert "Official is refused by its provider: this server's address is not on the account's list" in letter.body
    assert "Official" in letter.body.split("Nothing leaves through it.")[1]  # in Chinese as well
    assert rights.let_in(account)
    account_troubles.notice(now + timedelta(minutes=1))
    assert AccountTrouble.objects.get().closed_at is not None
    ChannelAccount.objects.update(status="refused", status_reason="banned")
    assert not rights.let_in(account)  # a ban is not over when a token is given
    assert account_troubles.notice(now) == 1


def test_the_account_s_page_shows_refused_rights_and_its_button_asks_again(oa: House) -> None:
    client = logged_in(member("Admin", "sys"))
    refuse(oa, TEMPLATES, 48001)
    with pytest.raises(WeChatError):
        official.message_template_send(oa.account, {"touser": "o", "template_id": "T", "data": {}}, "key")
    page = client.get(f"/admin/campaigns/channelaccount/{oa.account.pk}/change/").content.decode()
    assert TEMPLATES in page
    colleague = logged_in(member("Marketing", "ann"))  # who may look, and change nothing
    shown = colleague.get(f"/admin/campaigns/channelaccount/{oa.account.pk}/change/")
    assert (shown.status_code, TEMPLATES in shown.content.decode()) == (200, True)
    client.post(f"/admin/campaigns/channelaccount/{oa.account.pk}/rights/")
    assert not RefusedRight.objects.exists()


def test_a_test_of_the_connection_that_succeeds_lets_a_refused_account_work_again(oa: House) -> None:
    client = logged_in(member("Admin", "sys"))
    ChannelAccount.objects.update(status="refused", status_reason="account")
    client.post(f"/admin/campaigns/channelaccount/{oa.account.pk}/test/")
    account = ChannelAccount.objects.get()
    assert (account.status, account.status_reason) == ("active", "")


def test_what_a_person_may_not_get_is_asked_in_the_transaction_as_before() -> None:
    account = houses.account()
    (person,) = houses.followers(account, 1)
    found = permissions.reasons(
        account, Way(demand=Demand.WINDOW), {person.pk: 0}, {person.pk: [person.pk]}, houses.service(), houses.NOON
    )
    assert found == {person.pk: "not_following"}
