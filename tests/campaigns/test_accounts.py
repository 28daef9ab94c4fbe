"""Channel accounts: their forms, their quotas, and the address at which providers tell what became of messages."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from campaigns import standard_webhooks
from campaigns.channels import CHANNELS
from campaigns.channels.fields import FIELDS
from campaigns.models import AccountUse, Callback, ChannelAccount
from campaigns.reach import quotas
from tests.campaigns import factories, peers
from tests.campaigns.factories import NOW
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = standard_webhooks.new_secret()


def posted(account: ChannelAccount, body: bytes, **headers: str) -> Any:
    sent: dict[str, Any] = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Client().post(f"/hooks/{account.hook}/", body, content_type="application/json", **sent)


def signed(account: ChannelAccount, body: bytes, number: str = "m1") -> Any:
    from django.utils import timezone

    told = standard_webhooks.sign(account.secrets["secret"], number, body, timezone.now())
    return posted(account, body, **{name.replace("-", "_"): value for name, value in told.items()})


REPORT = b'{"reports": [{"key": "r1", "message": "%s", "feedback": "delivered", "at": "2026-03-01T00:00:00Z"}]}'


def granted(account: ChannelAccount, wanted: int, seconds: float, **more: float) -> int:
    return quotas.pace(account, wanted, NOW + timedelta(seconds=seconds), **more).granted


def test_a_rate_is_kept_by_all_who_take() -> None:
    account = factories.account(per_second=40)
    assert quotas.pace(account, 100, NOW) == (10, 0.0)  # a quarter of a second's
    assert quotas.pace(account, 100, NOW) == pytest.approx((0, 1 / 40))
    assert granted(account, 100, 0.1) == 4
    taken = sum(granted(account, 100, 1 + tick / 100) for tick in range(100))
    assert 40 <= taken <= 50


def test_what_nobody_asked_for_in_time_is_lost_and_never_caught_up() -> None:
    account = factories.account(per_second=40)
    asked = [*(tick / 50 for tick in range(100)), *(12 + tick / 50 for tick in range(100))]  # ten seconds of nothing
    left = [(at, granted(account, 100, at)) for at in asked]
    in_a_second = [sum(number for at, number in left if begun <= at < begun + 1) for begun in asked]
    assert max(in_a_second) == 49  # ten at once and then the rate: at most five quarters of it, 50
    assert [number for at, number in left if at == 12] == [10]


def test_those_of_one_step_leave_together() -> None:
    account = factories.account(per_second=40)
    assert granted(account, 10, 0, step=0.1) == 10
    assert quotas.pace(account, 100, NOW + timedelta(seconds=0.075), 0.1) == pytest.approx((0, 1 / 40))  # three of four
    assert granted(account, 100, 0.1, step=0.1) == 4
    assert granted(account, 1, 0.125, step=0.1) == 1  # there are no others


def test_a_rate_knows_no_midnight() -> None:
    account = factories.account(per_second=40)
    midnight = datetime(2026, 3, 2, 16, tzinfo=UTC)  # in Shanghai
    assert quotas.pace(account, 100, midnight - timedelta(seconds=0.05)).granted == 10
    assert quotas.pace(account, 100, midnight).granted == 2


def test_a_slow_rate_lets_one_leave_at_a_time() -> None:
    account = factories.account(per_second=1)
    assert [quotas.pace(account, 5, NOW + timedelta(seconds=tick / 2)) for tick in range(4)] == [
        (1, 0.0), (0, pytest.approx(0.5)), (1, 0.0), (0, pytest.approx(0.5))
    ]  # fmt: skip
    assert quotas.pace(factories.account(name="free"), 5, NOW) == (5, 0.0)


def test_a_days_quota_ends_at_the_organisations_midnight() -> None:
    account = factories.account(per_day=5)
    assert [quotas.take(account, 3, NOW), quotas.take(account, 3, NOW), quotas.take(account, 3, NOW)] == [3, 2, 0]
    quotas.give_back(account, 2, NOW)
    assert quotas.use(account, NOW) == quotas.Use(used=3, most=5)
    assert quotas.take(account, 9, NOW + timedelta(days=1)) == 5


def test_an_account_that_is_paused_gives_nothing() -> None:
    assert quotas.take(factories.account(status="paused"), 1, NOW) == 0


def test_two_workers_never_take_more_than_there_is() -> None:
    account, granted = factories.account(per_day=100), list[int]()

    def work() -> None:
        granted.extend(quotas.take(account, 3, NOW) for _ in range(20))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 100 == AccountUse.objects.get().used


def test_a_forecast_counts_days_rates_and_nights() -> None:
    noon = NOW.replace(hour=4, minute=0, second=0, microsecond=0)  # in Shanghai
    day = timedelta(days=1)
    assert quotas.forecast(factories.account(), 10**6, noon) == noon
    slow = factories.account(name="slow", per_second=1)
    assert quotas.forecast(slow, 3600, noon) == noon + timedelta(hours=1)
    # Nine hours until 21:00, then from 09:00 on.
    assert quotas.forecast(slow, 10 * 3600, noon) == noon + timedelta(hours=22)
    few = factories.account(name="few", per_day=10)
    assert quotas.forecast(few, 25, noon) == noon.replace(hour=1) + 2 * day
    assert quotas.forecast(factories.account(name="none", per_day=0), 1, noon) is None


def test_a_signed_report_is_taken_once_however_often_it_comes() -> None:
    account = factories.account(secrets={"secret": SECRET})
    body = REPORT % str(uuid4()).encode()
    answers = {signed(account, body, number).content for number in ("m1", "m1", "m2")}
    assert len(answers) == 1
    assert Callback.objects.count() == 1


def test_a_forged_report_an_unknown_address_and_a_look_change_nothing_and_learn_nothing() -> None:
    account = factories.account(secrets={"secret": SECRET})
    body = REPORT % str(uuid4()).encode()
    forged = posted(account, body, webhook_id="m", webhook_timestamp="1", webhook_signature="v1,AAAA")
    account.hook = uuid4()
    unknown = posted(account, body)
    assert (forged.status_code, forged.content) == (unknown.status_code, unknown.content) == (404, forged.content)
    for method in ("get", "head", "put", "delete"):
        assert getattr(Client(), method)(f"/hooks/{account.hook}/").status_code == 405
    assert not Callback.objects.exists()


def test_a_callback_has_a_size() -> None:
    account = factories.account(secrets={"secret": SECRET})
    assert posted(account, b" " * (256 * 2**10 + 1)).status_code == 413


def test_a_secret_is_written_and_never_shown() -> None:
    browser = logged_in(member("Admin"), second_factor=True)
    told = {
        "name": "relay",
        "status": "active",
        "cost": "0",
        "own_host": "127.0.0.1",
        "own_port": "2525",
        "own_security": "starttls",
        "own_from_email": "us@shop.example",
        "own_username": "me",
        "own_password": "very secret words",
    }
    add = reverse("admin:campaigns_channelaccount_add")
    assert b"provider=smtp" in browser.get(add).content
    answer = browser.post(f"{add}?provider=smtp&channel=email", told)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    account = ChannelAccount.objects.get()
    assert account.secrets == {"username": "me", "password": "very secret words"}
    assert account.settings == {
        "host": "127.0.0.1",
        "port": 2525,
        "security": "starttls",
        "from_email": "us@shop.example",
    }
    change = reverse("admin:campaigns_channelaccount_change", args=[account.pk])
    assert b"very secret words" not in browser.get(change).content
    browser.post(change, told | {"own_password": "", "own_username": "", "name": "our relay"})
    account = ChannelAccount.objects.get()
    assert (account.name, account.secrets["password"]) == ("our relay", "very secret words")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets::text FROM campaigns_channelaccount")
        assert "very secret" not in cursor.fetchone()[0]


def test_settings_that_cannot_work_are_refused_in_words() -> None:
    browser = logged_in(member("Admin"), second_factor=True)
    told = {"name": "x", "status": "active", "cost": "0", "own_url": "http://127.0.0.1/", "own_secret": SECRET}
    answer = browser.post(f"{reverse('admin:campaigns_channelaccount_add')}?provider=webhook&channel=webhook", told)
    assert "this server may not call it" in str(answer.context["adminform"].form.errors)
    assert not ChannelAccount.objects.exists()


@pytest.mark.parametrize("provider", sorted(CHANNELS))
def test_every_provider_has_a_form_that_opens(provider: str) -> None:
    browser = logged_in(member("Admin"), second_factor=True)
    page = browser.get(
        f"{reverse('admin:campaigns_channelaccount_add')}?provider={provider}&channel={CHANNELS[provider].channels[0]}"
    )
    assert page.status_code == 200
    for field in FIELDS[provider]:
        assert f'name="own_{field.name}"'.encode() in page.content


def test_a_connection_is_tested_without_sending() -> None:
    browser = logged_in(member("Admin"), second_factor=True)
    with peers.smtp_peer() as peer:
        settings = {"host": "127.0.0.1", "port": peer.port, "security": "none", "from_email": "us@shop.example"}
        account = factories.account(provider="smtp", settings=settings, secrets={})
        test = reverse("admin:campaigns_channelaccount_test", args=[account.pk])
        assert "This account works" in browser.post(test, follow=True).content.decode()
        assert (peer.connections, peer.taken) == (1, [])
        peer.says = {"GREETING": b"554 go away"}
        assert "does not let this account in" in browser.post(test, follow=True).content.decode()
    assert browser.get(test).status_code == 405


def test_who_may_only_look_at_an_account_sees_what_is_no_secret() -> None:
    account = factories.account("sms", name="our relay")
    change = reverse("admin:campaigns_channelaccount_change", args=[account.pk])
    answer = logged_in(member("Marketing")).get(change)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "our relay" in page
    assert 'name="name"' not in page
