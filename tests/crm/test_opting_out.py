"""Every way to say no arrives as a withdrawal, once, and from nobody who may not speak for the person."""

from datetime import UTC, datetime, timedelta

import pytest

from crm import consent, replies
from crm.consent import Reason
from crm.models import ConsentEvent, Identifier, Profile, Source, Suppression
from tests import factories
from tests.crm.consents import NOW, purpose, say
from tests.crm.senders import Send, track

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def with_phone(external_id: str, phone: str = "+8613800138000") -> Profile:
    person = factories.profile(external_id)
    Identifier.objects.create(type="phone", value=phone, profile=person, created_at=NOW)
    return person


@pytest.mark.parametrize(
    "text",
    [
        *(
            "TD",
            "td",
            "T",
            "ＴＤ",
            "ｔｄ。",
            " 退订 ",
            "【退订】",
            "退订！",
            "退 订",
            "我要退订",
            "TD退订",
            "回复TD",
            "STOP",
        ),
        *(
            "Stop.",
            "S.T.O.P",
            "stop please unsubscribe me",
            "取消",
            "取消订阅",
            "拒收",
            "不要再发了",
            "退\u200b订",
            "UNSUBSCRIBE",
        ),
        *(
            "退訂",
            "QX",
            "N",
            "R",
            "回T退订",
            "TD退订",
            "退订回T",
            "stop!",
            "ｓｔｏｐ！",
            "ⓉⒹ",
            "T\u200bD",
            "TD\ufe0f👍",
            "\u202eTD",
        ),
        *(
            "please stop",
            "STOP, thanks",
            "Stop sending me these",
            "td，谢谢",
            "TD\n",
            "请退订",
            "怎么退订",
            "回复 T",
            "退.订",
        ),
        *(
            "不要再给我发了，退订",
            "我不需要了退订",
            "昨天退订了为什么还发",
            "already unsubscribed!!",
            "do not write. Unsubscribe",
        ),
    ],
)
def test_every_spelling_of_no_is_understood(text: str) -> None:
    assert replies.read_reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "。",
        "Y",
        "好的",
        "谢谢",
        "不退订",
        "不要退订",
        "取消订单",
        "don't unsubscribe",
        "1",
        "T恤多少钱",
        "stopwatch?",
        *(
            "I will stop by the shop",
            "please don't stop",
            "I don't want to unsubscribe",
            "我并没有要退订",
            "不是要退订",
        ),
        *(
            "为什么把我退订了？",
            "Why did you unsubscribe me?",
            "never opt out",
            "别给我退订",
            "没收到退订短信",
            "TDK耳机",
        ),
        *("non-stop", "end of season?", "请", "谢谢了", "hi", "stop" + "p" * 3, "退订" * 251),
    ],
)
def test_what_is_not_a_no_is_left_alone(text: str) -> None:
    assert not replies.read_reply(text)


def test_an_sms_reply_withdraws_all_marketing_on_that_channel_only() -> None:
    (
        purpose(),
        purpose("birthday"),
        purpose("newsletter", channel="email"),
        purpose("orders", kind="service", basis="contract"),
    )
    person = with_phone("u1")
    for code in ("offers", "birthday", "newsletter"):
        say(person, purpose=code)
    done = replies.take_reply("138 0013 8000", "ＴＤ", source=factories.source(), now=LATER, message_id="m1")
    assert done is not None
    assert [(event.purpose_id, event.channel, event.method) for event in done] == [
        ("birthday", "sms", "sms_reply"),
        ("offers", "sms", "sms_reply"),
    ]
    asked = [("offers", "sms"), ("offers", "email"), ("newsletter", "email"), ("orders", "sms")]
    found = [consent.basis_for(person.pk, code, channel, LATER).reason for code, channel in asked]
    assert found == [Reason.WITHDRAWN, None, None, None]


def test_the_same_reply_delivered_twice_is_one_withdrawal() -> None:
    purpose()
    person = with_phone("u1")
    for _ in range(2):
        replies.take_reply("13800138000", "TD", source=factories.source(), now=LATER, message_id="m1")
    say(person, channel="sms", now=LATER + timedelta(hours=1))
    replies.take_reply("13800138000", "TD", source=factories.source(), now=LATER + timedelta(hours=2), message_id="m1")
    assert ConsentEvent.objects.filter(state="withdrawn").count() == 1
    assert consent.basis_for(person.pk, "offers", "sms", LATER + timedelta(hours=2)).allowed


def test_a_reply_from_an_unknown_number_suppresses_it() -> None:
    assert replies.take_reply("13900139000", "TD", source=factories.source(), now=NOW) == []
    assert Suppression.objects.get().channel == "sms"


def unfollow(**facts: object) -> dict[str, object]:
    return track(event="unfollow", messageId="f1", timestamp=datetime.now(UTC).isoformat()) | facts


def test_an_unfollow_from_a_server_is_a_withdrawal_on_wechat(send: Send) -> None:
    purpose()
    person = factories.profile("u1")
    say(person)
    assert send("track", unfollow()).status_code == 200
    now = datetime.now(UTC)
    assert consent.basis_for(person.pk, "offers", "wechat", now).reason == Reason.WITHDRAWN
    assert consent.basis_for(person.pk, "offers", "email", now).allowed
    assert ConsentEvent.objects.get(state="withdrawn").method == "unfollow"


def test_an_unfollow_sent_again_after_a_new_consent_changes_nothing(send: Send) -> None:
    purpose()
    person = factories.profile("u1")
    send("track", unfollow())
    now = datetime.now(UTC) + timedelta(seconds=1)
    say(person, channel="wechat", now=now)
    send("track", unfollow())
    assert consent.basis_for(person.pk, "offers", "wechat", now).allowed
    assert ConsentEvent.objects.filter(state="withdrawn").count() == 1


def test_a_public_key_cannot_withdraw_for_others(send: Send, source: Source) -> None:
    purpose()
    person = factories.profile("u1")
    say(person)
    Source.objects.filter(pk=source.pk).update(kind="browser")
    send("track", unfollow())
    assert consent.basis_for(person.pk, "offers", "wechat", datetime.now(UTC)).allowed


def test_a_hard_bounce_suppresses_the_address_and_a_soft_one_does_not(send: Send) -> None:
    person = factories.profile("u1")
    Identifier.objects.create(type="email", value="ada@example.com", profile=person, created_at=NOW)
    send("track", track(event="Email Bounced", properties={"type": "soft"}))
    assert not Suppression.objects.exists()
    send("track", track(event="Email Bounced", properties={"type": "hard"}))
    assert Suppression.objects.values_list("channel", "reason").get() == ("email", "bounced")


def test_a_complaint_withdraws_and_suppresses(send: Send) -> None:
    purpose()
    person = factories.profile("u1")
    Identifier.objects.create(type="email", value="ada@example.com", profile=person, created_at=NOW)
    say(person)
    send("track", track(event="Email Marked as Spam"))
    assert consent.basis_for(person.pk, "offers", "email", datetime.now(UTC)).reason == Reason.WITHDRAWN
    assert Suppression.objects.values_list("channel", "reason").get() == ("email", "complained")
