"""What a platform demands is asked and taken with the hand-off: who follows, what she accepted, what she lately did."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from campaigns.channels import Answer, Outcome
from campaigns.delivering import fallback
from campaigns.delivering.worker import Worker
from campaigns.models import (
    AccountPause,
    ChannelAccount,
    Delivery,
    Follower,
    Inbound,
    PlatformTemplate,
    ServiceWindow,
)
from campaigns.wechat import pauses
from campaigns.wechat import subscriptions as ledger
from crm.models import ConsentState, Identifier
from tests.campaigns import factories
from tests.campaigns.wechat import houses
from tests.campaigns.wechat.houses import HOUR, NOON, Platform, account, followers, planned, send
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
SERVICE = {"zh-hans": {"kind": "service", "text": "我们在"}}


def reasons() -> dict[str, int]:
    return dict(Counter(Delivery.objects.values_list("reason", flat=True)))


def subscribed(number: int, accepted: int = 1) -> tuple[ChannelAccount, list[Any]]:
    own = account("mini_program")
    houses.allowed(own, kind="one_time")
    who = followers(own, number)
    for one in who:
        houses.accepted(own, one, accepted)
    return own, who


def subscriptions(who: Any, name: str = "spring", **facts: Any) -> Any:
    told = {"purpose": houses.service(), "says": houses.TEMPLATE} | facts
    return planned(who, name=name, channel="mini_program", **told)


def answers(code: str, reason: str, answer: Answer = Answer.REFUSED, **facts: Any) -> Any:
    return lambda _message: Outcome(answer=answer, code=code, reason=reason, **facts)


def test_an_acceptance_lets_one_message_leave_and_no_second() -> None:
    own, who = subscribed(2)
    subscriptions(who)
    assert send(Platform()) == {"accepted": 2}
    assert [houses.balance(own, one) for one in who] == [0, 0]
    subscriptions(who, "summer")
    assert reasons() == {"": 2, "no_credit": 2}


def test_two_campaigns_that_were_planned_together_share_one_acceptance() -> None:
    own, (one,) = subscribed(1)
    subscriptions([one], "first")
    subscriptions([one], "second")
    assert send(Platform()) == {"accepted": 1}
    send(Platform())
    assert reasons() == {"": 1, "no_credit": 1}
    assert houses.balance(own, one) == 0


def test_what_definitely_was_not_sent_gives_its_acceptance_back_and_an_unknown_does_not() -> None:
    own, (busy, lost) = subscribed(2)
    subscriptions([busy, lost])

    def answer(message: Any) -> Outcome:
        return Outcome(answer=Answer.BUSY if message.to == "o1" else Answer.UNKNOWN, reason="busy")

    assert send(Platform(answer)) == {"queued": 1, "unknown": 1}
    assert [houses.balance(own, one) for one in (busy, lost)] == [1, 0]


def test_what_the_platform_refuses_for_want_of_an_acceptance_empties_the_account_of_them() -> None:
    own, (one,) = subscribed(1, accepted=3)
    subscriptions([one])
    assert send(Platform(answers("43101", "no_credit"))) == {"failed": 1}
    assert houses.balance(own, one) == 0


def test_who_switched_a_long_term_template_off_gets_nothing_until_she_accepts_again() -> None:
    own, (off, on) = subscribed(2, accepted=0)
    PlatformTemplate.objects.update(kind="long_term")
    hers = Identifier.objects.get(profile=off, type="openid")

    def told(key: str, said: str, at: datetime) -> Inbound:
        facts = {"account": own, "identifier": hers, "happened_at": at, "received_at": at}
        return Inbound(**facts, key=key, told={"List": {"TemplateId": "T1", "SubscribeStatusString": said}})

    ledger.changed(told("event:1", "reject", NOON), NOON)
    subscriptions([off, on])
    assert send(Platform()) == {"accepted": 1}
    assert reasons() == {"": 1, "no_credit": 1}
    ledger.answered(told("event:2", "accept", NOON + HOUR), NOON + HOUR)
    subscriptions([off], "summer")
    assert send(Platform()) == {"accepted": 1}


def test_a_long_term_template_uses_nothing_up() -> None:
    own, (one,) = subscribed(1, accepted=0)
    PlatformTemplate.objects.update(kind="long_term")
    subscriptions([one])
    assert send(Platform()) == {"accepted": 1}
    assert houses.balance(own, one) == 0


@pytest.mark.parametrize("how", ["marketing", "not reviewed", "refused", "gone"])
def test_nothing_goes_by_a_template_that_is_advertising_or_that_nobody_allowed(how: str) -> None:
    _own, (one,) = subscribed(1)
    match how:
        case "not reviewed":
            PlatformTemplate.objects.update(allowed=None)
        case "refused":
            PlatformTemplate.objects.update(allowed=False)
        case "gone":
            PlatformTemplate.objects.update(gone_at=NOON)
    marketing: dict[str, Any] = {} if how != "marketing" else {"purpose": consents.purpose()}
    subscriptions([one], **marketing)
    assert reasons() == {"not_allowed": 1}


def test_a_template_that_is_forbidden_after_planning_stops_what_has_not_left() -> None:
    _own, who = subscribed(2)
    subscriptions(who)
    PlatformTemplate.objects.update(allowed=False)
    platform = Platform()
    send(platform)
    assert (platform.calls, reasons()) == ([], {"not_allowed": 2})


def test_an_answer_leaves_only_while_a_window_is_open_and_uses_one_of_its_places() -> None:
    own = account()
    open_, shut, used_up, never = followers(own, 4)
    houses.window(own, open_, remaining=2)
    houses.window(own, shut, until=NOON)
    houses.window(own, used_up, remaining=0)
    planned([open_, shut, used_up, never], says=SERVICE)
    assert reasons() == {"": 1, "window_closed": 3}
    assert send(Platform()) == {"accepted": 1}
    assert ServiceWindow.objects.get(identifier__profile=open_).remaining == 1


def test_a_window_that_closes_between_planning_and_sending_lets_nothing_out() -> None:
    own = account()
    (one,) = followers(own, 1)
    houses.window(own, one)
    planned([one], says=SERVICE)
    ServiceWindow.objects.update(expires_at=NOON)
    platform = Platform()
    send(platform)
    assert (platform.calls, reasons()) == ([], {"window_closed": 1})


@pytest.mark.parametrize(("code", "left"), [("45015", 0), ("45047", 0), ("43019", 5)])
def test_the_platform_has_the_last_word_on_a_window(code: str, left: int) -> None:
    own = account()
    (one,) = followers(own, 1)
    houses.window(own, one)
    planned([one], says=SERVICE)
    assert send(Platform(answers(code, "refused"))) == {"failed": 1}
    assert ServiceWindow.objects.get().remaining == left
    assert Follower.objects.get().receiving is (code != "43019")


def test_who_unfollows_between_planning_and_sending_gets_nothing() -> None:
    own = account()
    houses.allowed(own)
    stays, goes = followers(own, 2)
    planned([stays, goes], purpose=houses.service(), says=houses.TEMPLATE)
    Follower.objects.filter(identifier__profile=goes).update(following=False)
    platform = Platform()
    assert send(platform) == {"accepted": 1, "suppressed": 1}
    assert (platform.reached, reasons()) == (["o1"], {"": 1, "not_following": 1})


def test_who_the_platform_says_does_not_follow_has_left_and_withdrawn() -> None:
    own = account()
    houses.allowed(own)
    (one,) = followers(own, 1)
    planned([one], purpose=houses.service(), says=houses.TEMPLATE)
    assert send(Platform(answers("43004", "not_following"))) == {"failed": 1}
    assert Follower.objects.get().following is False
    assert ConsentState.objects.get(profile=one, purpose_id="offers").state == "withdrawn"


def test_a_quota_of_the_day_parks_the_whole_account_until_midnight_in_shanghai() -> None:
    own = account()
    houses.allowed(own)
    planned(followers(own, 3), purpose=houses.service(), says=houses.TEMPLATE, message_expires_after=timedelta(days=2))
    midnight = NOON + 12 * HOUR
    spent = answers("45009", "quota", Answer.BUSY, account_waits=True, again_after=midnight - NOON)
    for number, now in enumerate((NOON, NOON + HOUR)):
        platform = Platform(spent)
        Worker(partial(moment, now), at=houses.desk(platform, houses_take), threads=1).run(2)
        assert len(platform.calls) <= 3 * (1 - number)  # those under way when the first was refused, then none
    assert AccountPause.objects.get().until == midnight
    assert pauses.until(own, midnight - timedelta(seconds=1)) == midnight
    assert pauses.until(own, midnight) is None
    assert set(Delivery.objects.values_list("status", flat=True)) == {"queued"}


def moment(now: datetime) -> datetime:
    return now


def houses_take(one: ChannelAccount, wanted: int, now: Any) -> int:
    from campaigns.reach import quotas

    return quotas.take(one, wanted, now)


def test_another_channel_follows_only_where_the_platform_lets_something_through() -> None:
    own = account()
    one, two = followers(own, 2)
    houses.window(own, two)
    factories.account()
    for number, person in enumerate((one, two)):
        Identifier.objects.create(type="email", value=f"p{number}@example.com", profile=person, created_at=NOON - HOUR)
        consents.say(person, channel="email", method="form")
    run = planned([one, two], says=SERVICE, channels=["email", "wechat"])
    assert set(run.deliveries.values_list("channel", flat=True)) == {"email"}
    followed = {}
    for row in Delivery.objects.select_related("run__campaign__purpose", "profile"):
        row.status = "failed"
        with transaction.atomic():
            made = fallback.follow(row, NOON)
        followed[row.profile_id] = made.channel if made else None
    assert followed == {one.pk: None, two.pk: "wechat"}
