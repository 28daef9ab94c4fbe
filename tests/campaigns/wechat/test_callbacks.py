"""What the platform tells: taken when it is genuine, once, and nothing else is."""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from campaigns.channels.wechat.stub import wire
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount, ChatMessage, Delivery, Follower, Inbound, ServiceWindow
from campaigns.runs import planning
from campaigns.wechat import inbound, subscriptions
from crm import consent
from crm.models import Event, Identifier, Suppression
from tests.campaigns import factories
from tests.campaigns.wechat.accounts import KEY, TOKEN, account, clear, connected, event, message, parcel, push
from tests.crm import consents

pytestmark = pytest.mark.django_db


def asked(to: ChannelAccount, **query: str) -> Any:
    return Client().get(f"/hooks/wechat/{to.hook}/", query)


def stamp() -> dict[str, str]:
    return {"timestamp": str(int(time.time())), "nonce": "1514711492"}


# -- the address is ours ---------------------------------------------------------------------------------------------


def test_the_address_is_proven_by_saying_back_what_was_sent() -> None:
    one, now = account(), stamp()
    answer = asked(one, **now, signature=wire.signed(TOKEN, *now.values()), echostr="5927782489442352469")
    assert (answer.status_code, answer.content) == (200, b"5927782489442352469")
    assert answer["Content-Type"].startswith("text/plain")


def test_wecom_wants_what_it_sent_decrypted_without_anything_around_it() -> None:
    one, now = account("wecom", appid="ww1"), stamp()
    echo = wire.encrypted(b"1616140317555161061", KEY, "ww1")
    answer = asked(one, **now, msg_signature=wire.signed(TOKEN, *now.values(), echo), echostr=echo)
    assert (answer.status_code, answer.content) == (200, b"1616140317555161061")


@pytest.mark.parametrize(
    "wrong", [{"signature": "0" * 40}, {"echostr": "<script>"}, {"echostr": ""}, {"timestamp": "0"}, {"nonce": "1"}]
)
def test_nobody_else_gets_an_answer(wrong: dict[str, str]) -> None:
    one, now = account(), stamp()
    query = now | {"signature": wire.signed(TOKEN, *now.values()), "echostr": "1"}
    answer = asked(one, **query | wrong)
    assert (answer.status_code, answer.content) == (403, b"")


def test_an_old_address_is_not_proven_again() -> None:
    one, old = account(), {"timestamp": str(int(time.time()) - 3600), "nonce": "1514711492"}
    answer = asked(one, **old, signature=wire.signed(TOKEN, *old.values()), echostr="1")
    assert answer.status_code == 403


# -- what is taken ---------------------------------------------------------------------------------------------------


def test_a_message_is_kept_answered_and_then_worked_on() -> None:
    one = account()
    answer = push(parcel(one, message()))
    assert (answer.status_code, answer.content) == (200, b"success")
    row = Inbound.objects.get()
    assert (row.kind, row.handled_at, row.told["Content"]) == ("message.text", None, "你好")
    assert inbound.work(timezone.now()) == 1
    row.refresh_from_db()
    assert row.handled_at is not None
    said = Event.objects.get(name="WeChat Message")
    assert (said.kind, said.channel) == ("track", "wechat")
    assert said.properties == {"type": "text", "through": one.pk}
    assert said.sealed == {"Content": "你好"}
    assert said.profile_id == Identifier.objects.get(type="openid").profile_id
    assert ChatMessage.objects.get().text == "你好"
    window = ServiceWindow.objects.get()
    assert (window.scene, window.remaining) == ("message", 5)
    assert window.expires_at - window.opened_at == timedelta(hours=48)


@pytest.mark.parametrize("mode", ["safe", "compat", "json", "previous key", "plain"])
def test_every_mode_in_which_the_platform_calls(mode: str) -> None:
    one = account()
    told = message()
    sent = parcel(one, told)
    if mode == "compat":  # the clear fields beside it count for nothing
        blob = wire.field(sent[1].decode(), "Encrypt")
        sent = sent[0], wire.xml(told | {"Content": "forged", "Encrypt": blob}).encode()
    elif mode == "json":
        sent = parcel(one, wire.as_json(told).encode())
        blob = wire.field(sent[1].decode(), "Encrypt")
        sent = sent[0], wire.as_json({"ToUserName": "gh_1", "Encrypt": blob}).encode()
    elif mode == "previous key":
        one.secrets |= {"aes_key": "N" * 43, "previous_aes_key": KEY}
        one.save()
    elif mode == "plain":
        one.secrets = {"secret": "s", "callback_token": TOKEN}
        one.save()
        sent = clear(one, told)
    assert push(sent).content == b"success"
    assert Inbound.objects.get().told["Content"] == "你好"


def test_each_account_has_an_address_and_secrets_of_its_own() -> None:
    one, other = account(), account(appid="wx0000000000000002")
    address, body = parcel(one, message())
    assert push((address.replace(str(one.hook), str(other.hook)), body)).status_code == 403
    assert push((address, body)).status_code == 200


def test_the_three_tries_of_the_platform_are_one_message() -> None:
    one, told = account(), message()
    for _ in range(3):  # each with a new time, nonce and cipher
        assert push(parcel(one, told)).content == b"success"
    assert Inbound.objects.count() == 1
    inbound.work(timezone.now())
    push(parcel(one, told))
    assert inbound.work(timezone.now()) == 0
    assert Event.objects.count() == ChatMessage.objects.count() == 1


def test_two_events_of_one_person_in_one_second_are_two() -> None:
    one, at = account(), int(time.time())
    push(parcel(one, event("CLICK", EventKey="offers", CreateTime=at)))
    push(parcel(one, event("CLICK", EventKey="help", CreateTime=at)))
    push(parcel(one, event("CLICK", EventKey="help", CreateTime=at)))
    inbound.work(timezone.now())
    assert sorted(one.properties["key"] for one in Event.objects.all()) == ["help", "offers"]


def test_a_keyword_is_answered_in_the_platforms_own_request() -> None:
    one = account(settings={"keyword_answers": "营业时间 = 9:00–21:00 <b>\nhelp = Ask us"})
    text = push(parcel(one, message(Content=" 营业时间 "))).content.decode()
    said, receiver = wire.decrypted(wire.field(text, "Encrypt"), KEY)
    assert receiver == one.settings["appid"]
    assert "<Content>9:00–21:00 &lt;b&gt;</Content>" in said.decode()
    assert "<ToUserName>oFan1</ToUserName>" in said.decode()
    assert push(parcel(one, message(Content="something else", MsgId="2"))).content == b"success"


# -- what is not -----------------------------------------------------------------------------------------------------

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, (b"&l%d;" % (n - 1) if n else b"&lol;") * 10) for n in range(10))
    + b"]><xml><ToUserName>&l9;</ToUserName><Encrypt>&l9;</Encrypt><MsgType>text</MsgType><MsgId>1</MsgId></xml>"
)
XXE = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>'
    b"<xml><MsgType>text</MsgType><MsgId>1</MsgId><Content>&file;</Content></xml>"
)
DTD = b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml><MsgType>text</MsgType><MsgId>1</MsgId></xml>'
DEEP = b"<xml><MsgType>text</MsgType><MsgId>1</MsgId>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</xml>"


@pytest.mark.parametrize(
    "sent",
    [
        lambda one: parcel(one, message(), msg_signature="0" * 40),
        lambda one: parcel(one, message(), token="another token"),
        lambda one: parcel(one, message(), timestamp=str(int(time.time()) - 301)),
        lambda one: parcel(one, message(), timestamp=str(int(time.time()) + 310)),
        lambda one: parcel(one, message(), timestamp="soon"),
        lambda one: parcel(one, message(), receiver="wx9999999999999999"),
        lambda one: parcel(one, message(), key="N" * 43),
        lambda one: parcel(one, message(), blob="AAAA"),
        lambda one: parcel(one, message(), nonce="n" * 200),
        lambda one: (parcel(one, message())[0], parcel(one, message())[1]),
        lambda one: (parcel(one, message())[0], b""),
        lambda one: clear(one, message()),
        lambda one: parcel(one, b"no xml"),
        lambda one: parcel(one, b"<xml></xml>"),
        lambda one: parcel(one, b'{"MsgType": "text", "MsgId": "\\u0000"}'),
        lambda one: parcel(one, b'{"MsgType": "text", "MsgId": "1", "Content": "\\ud800"}'),
        lambda one: parcel(one, b'{"a":' * 3000 + b"1" + b"}" * 3000),
        lambda one: parcel(one, BOMB),
        lambda one: parcel(one, XXE),
        lambda one: parcel(one, DTD),
        lambda one: parcel(one, DEEP),
        lambda one: (parcel(one, message())[0], BOMB),
        lambda one: (parcel(one, message())[0], XXE),
        lambda one: parcel(one, b"<xml>" + b"x" * 70_000 + b"</xml>"),
    ],
)
def test_what_is_not_genuine_is_not_taken_and_learns_nothing(sent: Any) -> None:
    answer = push(sent(account()))
    assert (answer.status_code, answer.content) == (403, b"")
    assert not Inbound.objects.exists()


def test_a_message_that_was_cut_off_is_not_taken() -> None:
    one = account()
    address, body = parcel(one, message())
    for length in (1, 20, len(body) // 2, len(body) - 1):
        assert push((address, body[:length])).status_code == 403
    assert push((address, body)).status_code == 200


def test_an_address_that_nobody_has_and_one_of_another_provider() -> None:
    one = account()
    address, body = parcel(one, message())
    assert push((address.replace(str(one.hook), "00000000-0000-4000-8000-000000000000"), body)).status_code == 403
    assert Client().put(address, body).status_code == 405
    plain = ChannelAccount.objects.create(
        name="sms",
        channel="sms",
        provider="stub",
        hook="00000000-0000-4000-8000-000000000001",
        created_at=one.created_at,
    )
    assert push((address.replace(str(one.hook), str(plain.hook)), body)).status_code == 403


def test_a_plain_address_is_used_up_so_other_words_cannot_come_by_it() -> None:
    one = account(secrets={"aes_key": ""})
    address, _body = sent = clear(one, message())
    assert push(sent).content == b"success"
    forged = wire.xml(message(Content="forged", MsgId="2")).encode()
    assert push((address, forged)).content == b"success"  # whoever tries learns nothing
    assert [row.told["Content"] for row in Inbound.objects.all()] == ["你好"]


def test_an_account_without_a_token_takes_nothing() -> None:
    one = account(secrets={"callback_token": "", "aes_key": ""})
    assert push(clear(one, message())).status_code == 403


def test_no_secret_or_openid_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    one = account()
    push(parcel(one, message(), receiver="wx9999999999999999"))
    push(parcel(one, message()))
    inbound.work(timezone.now())
    for hidden in (TOKEN, KEY, "oFan1", "你好"):
        assert hidden not in caplog.text
    assert "receiver" in caplog.text


# -- when something of ours fails ------------------------------------------------------------------------------------


def test_without_a_broker_it_is_kept_and_answered(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    one = account()

    def down(*_: Any, **__: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(current_app, "send_task", down)
    with django_capture_on_commit_callbacks(execute=True) as rung:
        assert push(parcel(one, message())).content == b"success"
    assert len(rung) == 1
    assert inbound.work(timezone.now()) == 1  # beat comes by


def test_without_a_database_the_platform_tries_again_and_its_users_see_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = account()

    def down(*_: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(inbound, "take", down)
    answer = push(parcel(one, message()))
    assert (answer.status_code, answer.content) == (503, b"")


def test_one_that_cannot_be_worked_on_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    one = account()
    push(parcel(one, message()))
    push(parcel(one, event("CLICK", EventKey="help")))

    def broken(_rows: Any, _now: Any) -> None:
        raise ValueError("你好 is personal")

    table = dict(inbound.OF_MANY) | {("wechat_official", "message"): "broken"}
    monkeypatch.setattr(inbound, "OF_MANY", table)
    monkeypatch.setattr(inbound, "_found", lambda path: broken if path == "broken" else _found(path))
    assert inbound.work(timezone.now()) == 1
    assert list(Inbound.objects.filter(handled_at=None).values_list("kind", "problem")) == [
        ("message.text", "ValueError")
    ]
    monkeypatch.undo()
    assert inbound.work(timezone.now()) == 1
    assert Inbound.objects.get(kind="message.text").problem == ""
    assert Event.objects.count() == 2


def test_what_fails_for_a_day_is_given_up_and_says_why() -> None:
    one = account()
    push(parcel(one, message()))
    Inbound.objects.update(problem="ValueError", received_at=timezone.now() - timedelta(days=2))
    inbound.work(timezone.now())
    row = Inbound.objects.get()
    assert (row.problem, row.handled_at is not None) == ("ValueError", True)


_found = inbound._found


def test_the_bell_rings_once_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **_: rung.append(task))
    inbound.ring()
    inbound.ring()
    assert rung == [inbound.TASK]
    inbound.answer_bell()
    inbound.ring()
    assert len(rung) == 2


def test_a_follow_that_is_told_after_the_farewell_changes_nothing() -> None:
    one, at = account(), int(time.time())
    push(parcel(one, event("subscribe", CreateTime=at - 60)))
    inbound.work(timezone.now())
    push(parcel(one, event("unsubscribe", CreateTime=at - 20)))
    push(parcel(one, event("subscribe", CreateTime=at - 40, EventKey="qrscene_shop")))
    inbound.work(timezone.now())
    follower = Follower.objects.get()
    assert not follower.following
    push(parcel(one, event("subscribe", CreateTime=at - 10)))
    inbound.work(timezone.now())
    follower.refresh_from_db()
    assert follower.following


def test_who_of_the_staff_writes_to_the_app_is_no_customer() -> None:
    one = account("wecom")
    push(parcel(one, message(FromUserName="zhangsan", AgentID="1000002")))
    push(parcel(one, event("LOCATION", FromUserName="zhangsan", Latitude="31.2", Longitude="121.4", AgentID="1000002")))
    assert inbound.work(timezone.now()) == 2
    assert not Identifier.objects.exists()
    assert not Event.objects.exists()


# -- who leaves ------------------------------------------------------------------------------------------------------


def consenting(one: ChannelAccount, kind: str, openid: str = "oFan1") -> Identifier:
    """Return the identifier of somebody who follows, and allowed offers on the account's channel."""
    person = factories.person(1, email=False, consent=False)
    made = Identifier.objects.create(type=kind, value=openid, profile=person, created_at=person.created_at)
    consents.say(person, channel=one.channel, method="form")
    Follower.objects.create(account=one, identifier=made, synced_at=person.created_at)
    return made


@pytest.mark.parametrize(
    ("kind", "identifier", "told"),
    [
        ("oa_service", "openid", event("unsubscribe")),
        ("oa_service", "openid", event("user_authorization_revoke", OpenID="oFan1", RevokeInfo="8")),
        ("mini", "openid", event("user_authorization_revoke", OpenID="oFan1", RevokeInfo="8", FromUserName="oOther")),
        (
            "wecom",
            "external_userid",
            event(
                "change_external_contact", ChangeType="del_follow_user", UserID="zhang", ExternalUserID="oFan1",
                FromUserName="sys",
            ),
        ),
    ],
)  # fmt: skip
def test_who_leaves_has_withdrawn_before_the_platform_has_its_answer(
    kind: str, identifier: str, told: dict[str, Any]
) -> None:
    one = account(kind)
    purpose = consents.purpose()
    who = consenting(one, identifier)
    assert consent.basis_for(who.profile_id, purpose.code, one.channel, timezone.now()).allowed
    assert push(parcel(one, told)).content == b"success"
    assert not consent.basis_for(who.profile_id, purpose.code, one.channel, timezone.now()).allowed
    assert Inbound.objects.get().handled_at is None
    inbound.work(timezone.now())
    assert Inbound.objects.get().handled_at is not None


def test_a_stranger_who_leaves_stays_one_and_gets_nothing() -> None:
    one = account()
    push(parcel(one, event("unsubscribe", FromUserName="oStranger")))
    inbound.work(timezone.now())
    assert not Identifier.objects.exists()
    assert not Event.objects.exists()
    assert Suppression.objects.get().channel == "wechat"


def test_a_farewell_whose_consequence_fails_is_kept_answered_and_done_later(monkeypatch: pytest.MonkeyPatch) -> None:
    one = account()
    purpose = consents.purpose()
    who = consenting(one, "openid")

    def down(*_: Any) -> None:
        raise DatabaseError("lock timeout")

    with monkeypatch.context() as broken:
        broken.setattr(inbound, "_found", lambda _path: down)
        assert push(parcel(one, event("unsubscribe"))).content == b"success"
    assert Inbound.objects.get().problem == "DatabaseError"
    inbound.work(timezone.now())
    assert not consent.basis_for(who.profile_id, purpose.code, one.channel, timezone.now()).allowed
    assert not Follower.objects.get().following


# -- what became of messages, and what was allowed -------------------------------------------------------------------


def sent(one: ChannelAccount, number: str) -> Delivery:
    now = timezone.now()
    run = planning.begin(factories.campaign(f"c{number}", purpose=consents.purpose()), "once", now)
    return Delivery.objects.create(
        pk=uuid4(), occasion=uuid4(), run=run, variant=run.campaign.variants.get(), channel=one.channel, account=one,
        profile=factories.person(int(number), email=False, consent=False), status="accepted", call=uuid4(),
        called_at=now, provider_id=number, planned_at=now, due_at=now, expires_at=now,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "becomes", "reason"),
    [
        ("success", "delivered", ""),
        ("failed:user block", "failed", "blocked_by_person"),
        ("failed: system failed", "failed", "platform_failed"),
        ("failed:system failed", "failed", "platform_failed"),
        ("something new", "failed", "not_delivered"),
    ],
)
def test_what_became_of_a_template_message(status: str, becomes: str, reason: str) -> None:
    one = account()
    delivery = sent(one, "200163836")
    push(parcel(one, event("TEMPLATESENDJOBFINISH", MsgID=200163836, Status=status)))
    inbound.work(timezone.now())
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == (becomes, reason)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_list_of_one_is_an_object_and_of_two_an_array(as_json: bool) -> None:
    one = account("mini")
    yes, no = (
        {"TemplateId": "t1", "SubscribeStatusString": "accept"},
        {"TemplateId": "t2", "SubscribeStatusString": "reject"},
    )

    at = int(time.time())

    def told(number: int, *rows: dict[str, str]) -> bytes:
        said = event("subscribe_msg_popup_event", CreateTime=at - number)
        if as_json:
            return wire.as_json(said | {"List": list(rows)}).encode()
        return wire.xml(said | {"SubscribeMsgPopupEvent": {"List": list(rows)}}).encode()

    push(parcel(one, told(1, yes)))
    push(parcel(one, told(2, yes, no)))
    push(parcel(one, told(2, yes, no)))
    push(parcel(one, told(3, no)))
    inbound.work(timezone.now())
    who = Identifier.objects.get(type="openid")
    assert subscriptions.balance(one.pk, who.pk, "t1") == 2
    assert subscriptions.balance(one.pk, who.pk, "t2") == 0
    assert [event.properties["accepted"] for event in Event.objects.order_by("occurred_at")] == [0, 1, 1]
    off = event("subscribe_msg_change_event")
    rows = {"TemplateId": "t1", "SubscribeStatusString": "reject"}
    push(parcel(one, wire.as_json(off | {"List": [rows]}).encode()))
    inbound.work(timezone.now())
    assert subscriptions.balance(one.pk, who.pk, "t1") == 0


def test_what_became_of_subscription_messages_as_one_and_as_many() -> None:
    one = account("mini")
    first, second, third = (sent(one, number) for number in ("31", "32", "33"))
    went, not_ = (
        {"TemplateId": "t", "MsgID": "31", "ErrorCode": "0"},
        {"TemplateId": "t", "MsgID": 32, "ErrorCode": 43101},
    )
    push(parcel(one, event("subscribe_msg_sent_event", SubscribeMsgSentEvent={"List": [went, not_]})))
    alone = {"TemplateId": "t", "MsgID": "33", "ErrorCode": "0", "ErrorStatus": "success"}
    push(parcel(one, wire.as_json(event("subscribe_msg_sent_event", List=[alone])).encode()))
    inbound.work(timezone.now())
    for one_ in (first, second, third):
        one_.refresh_from_db()
    assert [one_.status for one_ in (first, second, third)] == ["delivered", "failed", "delivered"]
    assert second.reason == "43101"


# -- with the platform itself, as the imitation plays it -------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_platform_is_understood_and_understands_us(stub: Stub, live_server: Any) -> None:
    one = connected(stub)
    stub.post("accounts", appid=one.settings["appid"], callback_url=f"{live_server.url}/hooks/wechat/{one.hook}/")
    [openid] = stub.post("users", appid=one.settings["appid"], persons=["zhang"], subscribed=False)["openids"]
    stub.post("pusher", duplicate=1)
    stub.post(f"users/{openid}/follow", scene_str="spring")
    stub.post(f"users/{openid}/text", Content="在吗？")
    stub.post(
        "same_second", openid=openid, acts=[{"verb": "click", "EventKey": "a"}, {"verb": "click", "EventKey": "b"}]
    )
    assert stub.post("settle", timeout=120)
    inbound.work(timezone.now())
    assert not stub.get("incidents")["incidents"]
    assert sorted(Event.objects.values_list("name", flat=True)) == [
        "WeChat Followed", "WeChat Menu Used", "WeChat Menu Used", "WeChat Message",
    ]  # fmt: skip
    follower = Follower.objects.get()
    assert (follower.following, follower.entry) == (True, "spring")
