"""One token for all: fetched by one of many, replaced once, never in a loop, and never shown."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.urls import reverse

from campaigns.channels import Answer, Message, adapter
from campaigns.channels.wechat import errors, official, tokens, transport, wecom
from campaigns.channels.wechat.errors import Action, Ambiguous, WeChatError
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import AccountToken, ChannelAccount
from tests.campaigns.wechat.accounts import account, connected
from tests.staff import logged_in, member

WORKERS = 8


def asked(stub: Stub, path: str = "/cgi-bin/stable_token") -> int:
    return len(stub.get("log", path=path)["calls"])


def now() -> datetime:
    return datetime.now(UTC)


class Nobody(dict[int, Any]):
    """No lock of this process: each thread stands for a process of its own, and waits in the database."""

    def setdefault(self, key: int, default: Any = None) -> Any:
        return threading.Lock()


@pytest.fixture
def as_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_threads", Nobody())


def all_at_once(one: ChannelAccount) -> list[int]:
    """Let eight workers call at the same moment; return what each was told."""
    ready = threading.Barrier(WORKERS)

    def call() -> int:
        ready.wait(120)
        try:
            return int(official.user_get(one)["total"])
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return [one.result() for one in [pool.submit(call) for _ in range(WORKERS)]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["none", "expired", "killed", "cache lost"])
def test_eight_workers_without_a_good_token_ask_exactly_once(stub: Stub, as_processes: None, state: str) -> None:
    one = connected(stub)
    expected = 1
    if state != "none":
        official.user_get(one)
        expected = 2
    if state == "expired":
        old = AccountToken.objects.get()
        tokens.put(one, old.token, now() - timedelta(seconds=1), now())
        AccountToken.objects.update(expires_at=now() - timedelta(seconds=1))
        stub.post("clock", advance=7200)
    elif state == "killed":  # by another system's forced renewal
        stub.post("chaos", what="token_killed", path="/cgi-bin/user/get", times=1)
    elif state == "cache lost":
        cache.delete(f"zhiyin:wechat:token:{one.hook}")
        expected = 1
    assert all_at_once(one) == [0] * WORKERS
    assert asked(stub) == expected
    assert AccountToken.objects.count() == 1


@pytest.mark.django_db
def test_a_token_is_kept_until_the_platform_gives_another(stub: Stub) -> None:
    one, start = connected(stub), now()
    first = tokens.get(one, start)
    assert tokens.get(one, start + timedelta(seconds=6950)) == first  # the cache says when
    assert asked(stub) == 1
    cache.clear()
    assert tokens.get(one, start + timedelta(seconds=6950)) == first  # and the row
    assert asked(stub) == 1
    stub.post("clock", advance=6965)
    cache.clear()
    assert tokens.get(one, start + timedelta(seconds=6965)) != first
    assert asked(stub) == 2


@pytest.mark.django_db
def test_a_token_that_another_system_ended_is_replaced_once_and_the_call_made_again(stub: Stub) -> None:
    one = connected(stub)
    official.user_get(one)
    stub.post("chaos", what="token_killed", path="/cgi-bin/user/get", times=1)
    assert official.user_get(one)["total"] == 0
    assert asked(stub) == 2
    assert asked(stub, "/cgi-bin/user/get") == 3


@pytest.mark.django_db
def test_a_token_that_never_will_do_is_the_accounts_fault_and_ends_there(stub: Stub) -> None:
    one = connected(stub)
    stub.post("chaos", what="token_killed", path="/cgi-bin/user/get")
    with pytest.raises(WeChatError) as refused:
        official.user_get(one)
    assert refused.value.action is Action.AUTH
    assert errors.outcome(refused.value, now()).account_refused
    assert asked(stub, "/cgi-bin/user/get") == 2
    assert not [call for call in stub.get("log")["calls"] if 'force_refresh": true' in str(call)]


@pytest.mark.django_db
def test_who_was_faster_is_believed(stub: Stub) -> None:
    one = connected(stub)
    good = tokens.get(one, now())
    assert tokens.renew(one, "an older one", now()) == good
    assert asked(stub) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "code"),
    [({"secret": "wrong"}, 40125), ({"ip_whitelist": ["10.0.0.1"]}, 40164)],
    ids=["secret", "address"],
)
def test_an_account_that_is_not_let_in_is_asked_for_once_in_a_while(
    stub: Stub, change: dict[str, Any], code: int
) -> None:
    one = connected(stub)
    stub.post("accounts", appid=one.settings["appid"], **change)
    for _ in range(3):
        with pytest.raises(WeChatError) as refused:
            official.user_get(one)
        assert (refused.value.action, refused.value.code) == (Action.AUTH, code)
    assert asked(stub) == 1
    stub.post("accounts", appid=one.settings["appid"], secret=one.secrets["secret"], ip_whitelist=[])
    tokens.fetch(one, now())  # somebody tries the connection out
    assert official.user_get(one)["total"] == 0


@pytest.mark.django_db
def test_a_refused_account_calls_a_person_and_keeps_the_message(stub: Stub) -> None:
    one = connected(stub)
    stub.post("accounts", appid=one.settings["appid"], secret="another")
    parts = {"template_id": "t1", "data": {"thing1": "Hi"}}
    outcome = adapter(one).send(one, Message(to="o1", language="en", parts=parts), one.hook)
    assert (outcome.answer, outcome.account_refused, outcome.reason) == (Answer.BUSY, True, "account")


@pytest.mark.django_db
def test_wecom_has_a_token_of_its_own_kind(stub: Stub) -> None:
    one = connected(stub, "wecom")
    stub.post("chaos", what="token_killed", path="/cgi-bin/externalcontact/get_follow_user_list", times=1)
    assert wecom.externalcontact_get_follow_user_list(one)["errcode"] == 0
    assert asked(stub, "/cgi-bin/gettoken") == 2
    one.secrets |= {"secret": "wrong"}
    with pytest.raises(WeChatError) as refused:
        tokens.fetch(one, now())
    assert (refused.value.action, refused.value.code) == (Action.AUTH, 40001)


@pytest.mark.django_db(transaction=True)
def test_a_token_of_the_account_that_was_entered_before_is_used_for_nothing_more(stub: Stub) -> None:
    one, other = connected(stub), stub.post("accounts", kind="oa_service")
    tokens.get(one, now())
    told = {"name": one.name, "status": "active", "cost": "0", "own_kind": "service", "own_imitation": "on"}
    told |= {"own_appid": other["appid"], "own_secret": other["secret"]}
    browser = logged_in(member("Admin"), second_factor=True)
    answer = browser.post(reverse("admin:campaigns_channelaccount_change", args=[one.pk]), told)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert not AccountToken.objects.exists()
    stub.post("users", appid=other["appid"], count=3)
    assert official.user_get(ChannelAccount.objects.get())["total"] == 3  # the other one's


@pytest.mark.django_db
def test_the_store_holds_no_token_that_can_be_read(stub: Stub) -> None:
    one = connected(stub)
    token = tokens.get(one, now())
    assert token.encode() not in bytes(cache.get(f"zhiyin:wechat:token:{one.hook}"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM campaigns_accounttoken")
        assert token.encode() not in bytes(cursor.fetchone()[0])


@pytest.mark.django_db
def test_neither_log_nor_error_shows_a_token_or_a_secret(
    stub: Stub, patient: list[float], caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    one = connected(stub)
    told, hidden = [], [tokens.get(one, now()), one.secrets["secret"]]
    for what in ("reset_after_commit", "truncated", "html", "error"):
        stub.post("chaos", what=what, path="/cgi-bin/user/info", times=3, code=40003)
        with pytest.raises(WeChatError) as raised:
            official.user_info(one, "o1")
        told.append(f"{raised.getrepr(style='long', showlocals=False)}{raised.value!r}{raised.value.__cause__!r}")
    settings.WECHAT_STUB_URL = "http://127.0.0.1:9"
    with pytest.raises(WeChatError) as raised:
        official.user_info(one, "o1")
    told.append(str(raised.value))
    for word in hidden:
        assert word not in caplog.text
        assert all(word not in text for text in told)


# -- what is done again, and what never ----------------------------------------------------------------------------


def sent(stub: Stub) -> list[Any]:
    found: list[Any] = stub.get("deliveries", kind="template")["deliveries"]
    return found


def template(stub: Stub, one: ChannelAccount) -> tuple[dict[str, Any], str]:
    [openid] = stub.post("users", appid=one.settings["appid"], persons=["zhang"])["openids"]
    made = stub.post("templates", appid=one.settings["appid"], title="订单", content="订单：{{thing1.DATA}}")
    return {"touser": openid, "template_id": made["template_id"], "data": {"thing1": {"value": "茶 ☕"}}}, openid


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["timeout_after_commit", "reset_after_commit"])
def test_a_template_message_whose_answer_was_lost_is_sent_once(stub: Stub, patient: list[float], what: str) -> None:
    one = connected(stub)
    told, _openid = template(stub, one)
    one.settings |= {"timeout": 0.5}
    tokens.get(one, now())
    stub.post("chaos", what=what, path="/cgi-bin/message/template/send", times=1, seconds=1)
    outcome = adapter(one).send(
        one, Message(to=told["touser"], language="zh", parts=told | {"data": {"thing1": "茶"}}), one.hook
    )
    assert outcome.answer is Answer.ACCEPTED
    assert outcome.provider_id
    assert len(sent(stub)) == 1
    assert len(patient) == 1


@pytest.mark.django_db
def test_a_message_without_a_key_whose_answer_was_lost_is_unknown_and_never_sent_again(
    stub: Stub, patient: list[float]
) -> None:
    one = connected(stub)
    _told, openid = template(stub, one)
    stub.post(f"users/{openid}/text", Content="hi")
    stub.post("chaos", what="reset_after_commit", path="/cgi-bin/message/custom/send", times=1)
    outcome = adapter(one).send(one, Message(to=openid, language="zh", parts={"text": "您好"}), one.hook)
    assert (outcome.answer, outcome.reason) == (Answer.UNKNOWN, "no_answer")
    assert len(stub.get("deliveries", kind="custom")["deliveries"]) == 1
    assert not patient


@pytest.mark.django_db
def test_a_busy_platform_is_asked_three_times_ever_later(stub: Stub, patient: list[float]) -> None:
    one = connected(stub)
    stub.post("chaos", what="busy", path="/cgi-bin/user/get", times=2)
    assert official.user_get(one)["total"] == 0
    assert len(patient) == 2
    assert 0.5 <= patient[0] <= 1.0 <= patient[1] <= 2.0
    stub.post("chaos", what="busy", path="/cgi-bin/user/get", times=9)
    with pytest.raises(WeChatError) as busy:
        official.user_get(one)
    assert busy.value.action is Action.TRANSIENT
    assert len(patient) == 4


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["truncated", "html", "reset"])
def test_an_answer_that_cannot_be_read_says_nothing(stub: Stub, patient: list[float], what: str) -> None:
    one = connected(stub)
    stub.post("chaos", what=what, path="/cgi-bin/tags/create", times=9)
    with pytest.raises(Ambiguous):
        official.tags_create(one, "vip")


@pytest.mark.django_db
def test_nobody_there_means_that_nothing_left(stub: Stub, patient: list[float], settings: Any) -> None:
    one = connected(stub)
    tokens.get(one, now())
    settings.WECHAT_STUB_URL = "http://127.0.0.1:9"
    with pytest.raises(WeChatError) as raised:
        official.tags_create(one, "vip")
    assert (raised.value.action, raised.value.reason) == (Action.TRANSIENT, "connection")
    assert len(patient) == 2  # it never left, so it may be done again, whatever it is


@pytest.mark.django_db
def test_chinese_goes_as_it_is(stub: Stub) -> None:
    one = connected(stub)
    made = official.tags_create(one, "贵宾")
    assert made["tag"]["name"] == "贵宾"
    assert transport.spelled({"name": "贵宾"}) == '{"name":"贵宾"}'.encode()


@pytest.mark.django_db
def test_a_refusal_keeps_the_platforms_number_of_the_request(stub: Stub) -> None:
    one = connected(stub)
    with pytest.raises(WeChatError) as refused:
        official.user_info(one, "nobody")
    assert (refused.value.code, refused.value.action) == (40003, Action.RECIPIENT)
    assert len(refused.value.rid) > 20
    assert refused.value.rid in str(refused.value)


@pytest.mark.django_db
def test_an_account_leads_to_no_address_but_the_settings(settings: Any) -> None:
    settings.WECHAT_API_BASE, settings.WECOM_API_BASE = "https://a.example/", "https://b.example"
    evil = {"url": "http://169.254.169.254", "api_url": "http://10.0.0.1", "base": "http://10.0.0.1"}
    for kind, base in (
        ("oa_service", "https://a.example"),
        ("mini", "https://a.example"),
        ("wecom", "https://b.example"),
    ):
        one = account(kind, appid=f"wx{kind}", settings=evil | {"imitation": False})
        assert transport.base(one) == base
