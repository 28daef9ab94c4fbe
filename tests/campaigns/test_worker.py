"""A worker's while: what leaves, what waits, and why the rest does not leave."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import bell
from campaigns.channels import Answer, Message, Outcome
from campaigns.delivering import sending
from campaigns.delivering.worker import Worker
from campaigns.models import Campaign, ChannelAccount, Delivery, FrequencyCap, Run, TemplateVersion
from campaigns.reach import policies, quotas
from campaigns.runs import planning
from crm import consent, suppression
from crm.models import HandOff, Identifier, Profile, ProfileAlias
from tests.campaigns import factories
from tests.campaigns.providers import Peer, desk
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Shanghai
HOUR = timedelta(hours=1)


def people(number: int, first: int = 1, **facts: Any) -> list[Profile]:
    consents.purpose()
    return [factories.person(first + one, **facts) for one in range(number)]


def planned(who: Sequence[Profile], name: str = "spring", **facts: Any) -> Run:
    campaign = factories.campaign(name, **{"holdout": "0"} | facts)
    run = planning.begin(campaign, "once", NOON)
    return planning.plan(run, iter([[one.pk for one in who]]), NOON)


def work(now: datetime = NOON, seconds: float = 30, **peers: Peer) -> Counter[str]:
    return Worker(lambda: now, at=desk(**peers), threads=4).run(seconds)


def reasons(run: Run) -> dict[str, int]:
    return dict(Counter(run.deliveries.values_list("reason", flat=True)))


def test_a_worker_sends_everything_once_with_several_calls_under_way() -> None:
    factories.account()
    run = planned(people(30))
    peer = Peer()
    assert work(email=peer) == {"accepted": 30}
    assert work(email=peer) == {}
    assert len(set(peer.taken)) == 30
    assert sorted(peer.addresses) == sorted(f"p{number}@example.com" for number in range(1, 31))
    assert HandOff.objects.filter(delivery__in=peer.taken).count() == 30
    assert set(run.deliveries.values_list("provider_id", flat=True)) == {key.hex for key in peer.taken}


def test_an_address_that_was_suppressed_is_not_written_to_while_another_works() -> None:
    factories.account()
    (one,) = people(1)
    Identifier.objects.create(type="email", value="other@example.com", profile=one, created_at=NOON - HOUR)
    planned([one])
    suppression.suppress([("email", "p1@example.com")], "email", "bounced", now=NOON)
    peer = Peer()
    assert work(email=peer) == {"accepted": 1}
    assert peer.addresses == ["other@example.com"]


def test_an_address_that_dies_between_writing_and_the_hand_off_gets_nothing() -> None:
    account = factories.account()
    (one,) = people(1)
    planned([one])
    peer = Peer()
    worker = Worker(lambda: NOON, at=desk(email=peer))
    worker._take()
    Identifier.objects.filter(profile=one).delete()
    assert sending.hand_off(worker.ready[0], worker.id, NOON) is None
    row = Delivery.objects.get()
    assert (row.status, row.reason, peer.taken, account.status) == ("suppressed", "no_address", [], "active")


def test_caps_count_what_left_to_any_profile_of_the_person() -> None:
    factories.account()
    one, other, lonely = people(3)
    FrequencyCap.objects.create(channel="", most=1, within=timedelta(days=1))
    first = planned([one])
    assert work(email=Peer()) == {"accepted": 1}
    second = planned([other, lonely], "summer")
    ProfileAlias.objects.create(duplicate=one, canonical=other, reason="same", merged_at=NOON)
    assert work(NOON + HOUR, email=Peer()) == {"accepted": 1}
    assert reasons(second) == {"capped": 1, "": 1}
    assert reasons(first) == {"": 1}


def test_the_message_of_the_greater_campaign_takes_the_only_place_under_the_cap() -> None:
    factories.account()
    (one,) = people(1)
    lesser = planned([one], "lesser", priority=10)
    greater = planned([one], "greater", priority=90)
    Delivery.objects.filter(run=greater).update(due_at=NOON + HOUR)
    FrequencyCap.objects.create(channel="email", most=1, within=timedelta(days=1))
    work(email=Peer())
    assert reasons(lesser) == {"outranked": 1}
    assert work(NOON + HOUR, email=Peer()) == {"accepted": 1}


def test_each_person_has_her_own_night() -> None:
    factories.account()
    here, there, nobody = people(3)
    Profile.objects.filter(pk=there.pk).update(attributes={"time_zone": "America/New_York"})
    Profile.objects.filter(pk=nobody.pk).update(city="伦敦")
    planned([here, there, nobody], message_expires_after=timedelta(hours=12))
    Delivery.objects.update(due_at=NOON)  # noon in Shanghai, 23:00 in New York, 04:00 in London
    assert work(email=Peer()) == {"accepted": 1}
    due = dict(Delivery.objects.filter(status="queued").values_list("profile_id", "due_at"))
    assert due == {
        there.pk: datetime(2026, 3, 2, 14, tzinfo=UTC),
        nobody.pk: datetime(2026, 3, 2, 9, tzinfo=UTC),
    }


@pytest.mark.parametrize("how", ["paused", "stopped", "cancelled", "account"])
def test_what_was_taken_waits_when_sending_is_stopped_before_its_hand_off(how: str) -> None:
    factories.account()
    run = planned(people(3))
    peer = Peer()
    worker = Worker(lambda: NOON, at=desk(email=peer))
    worker._take()
    assert len(worker.ready) == 3
    match how:
        case "paused":
            Campaign.objects.update(status="paused")
        case "stopped":
            policies.stop_everything(factories.campaign("other").created_by, "wrong words", NOON)
        case "cancelled":
            Run.objects.filter(pk=run.pk).update(status="cancelled")
        case _:
            ChannelAccount.objects.update(status="paused")
    worker.run(5)
    assert peer.taken == []
    assert set(run.deliveries.values_list("status", flat=True)) == {"queued"}


def test_what_expired_or_was_withdrawn_meanwhile_does_not_leave() -> None:
    factories.account()
    one, two = people(2)
    run = planned([one, two])
    Delivery.objects.filter(profile=one).update(expires_at=NOON)
    consent.withdraw(two.pk, "offers", "email", "form", NOON)
    peer = Peer()
    work(email=peer)
    assert peer.taken == []
    assert reasons(run) == {"expired": 1, "withdrawn": 1}


def test_the_next_channel_follows_a_definite_failure_and_never_an_unknown() -> None:
    factories.account()
    factories.account("sms", per_second=None)
    refused, lost = people(2)
    for number, one in enumerate((refused, lost)):
        Identifier.objects.create(type="phone", value=f"+86138000000{number:02}", profile=one, created_at=NOON)
        consents.say(one, channel="sms", method="form")
    run = planned([refused, lost], channels=["email", "sms"])
    version = TemplateVersion.objects.get()
    version.forms |= {"sms": {"en": {"text": "Hello"}}}
    version.save()
    answers = {"p1@example.com": Answer.REFUSED, "p2@example.com": Answer.UNKNOWN}
    sms = Peer(identifier="phone")
    counts = work(email=Peer(lambda message: Outcome(answer=answers[message.to], reason="no_such_user")), sms=sms)
    assert counts == {"failed": 1, "unknown": 1, "accepted": 1}, reasons(run)
    assert sms.addresses == ["+8613800000000"]
    assert {(row.profile_id, row.channel, row.status) for row in run.deliveries.all()} == {
        (refused.pk, "email", "failed"),
        (refused.pk, "sms", "accepted"),
        (lost.pk, "email", "unknown"),
    }


def test_a_busy_provider_is_asked_again_later_by_another_key_and_not_for_ever() -> None:
    factories.account()
    planned(people(1))
    peer = Peer(Answer.BUSY)
    now = NOON
    for _ in range(sending.MOST_ATTEMPTS):
        work(now, email=peer)
        now += HOUR
    assert work(now, email=peer) == {}
    row = Delivery.objects.get()
    assert (row.status, row.reason, row.attempt) == ("failed", "busy", sending.MOST_ATTEMPTS)
    assert len(set(peer.taken)) == sending.MOST_ATTEMPTS


def test_an_adapter_that_fails_leaves_an_unknown() -> None:
    factories.account()
    planned(people(1))

    def breaks(_message: Any) -> Outcome:
        raise RuntimeError("a bug")

    assert work(email=Peer(breaks)) == {"unknown": 1}
    assert work(NOON + HOUR, email=Peer()) == {}


def test_a_late_answer_makes_known_what_was_given_up() -> None:
    factories.account()
    planned(people(1))
    worker = Worker(lambda: NOON, at=desk(email=Peer()))
    worker._take()
    call = sending.hand_off(worker.ready[0], worker.id, NOON)
    assert call
    assert sending.recover(NOON + HOUR) == (0, 1)
    assert sending.settle(call, Outcome(answer=Answer.ACCEPTED, provider_id="7"), NOON + HOUR) == "accepted"
    row = Delivery.objects.get()
    assert (row.status, row.reason, row.provider_id) == ("accepted", "", "7")


def test_no_more_than_the_rate_leave_within_a_minute() -> None:
    factories.account()
    planned(people(10), send_rate=4)
    assert work(email=Peer()) == {"accepted": 4}
    assert work(NOON + timedelta(seconds=59), email=Peer()) == {}
    assert work(NOON + timedelta(seconds=61), email=Peer()) == {"accepted": 4}


def test_an_account_has_so_many_messages_to_one_person_a_month() -> None:
    factories.account(per_person_month=1)
    who = people(1)
    planned(who)
    planned(who, "summer")
    assert work(email=Peer()) == {"accepted": 1}
    assert work(NOON + HOUR, email=Peer()) == {}
    assert Delivery.objects.filter(reason="quota").count() == 1


def test_what_a_paused_campaign_kept_too_long_expires() -> None:
    factories.account()
    planned(people(2))
    Campaign.objects.update(status="paused")
    assert sending.expire(NOON) == 0
    assert sending.expire(NOON + timedelta(days=2)) == 2
    assert set(Delivery.objects.values_list("status", "reason")) == {("suppressed", "expired")}


def test_an_account_that_takes_so_many_a_second_is_given_no_more_and_kept_busy() -> None:
    factories.account(per_second=20)
    planned(people(12))
    begun = time.monotonic()
    now = lambda: NOON + timedelta(seconds=time.monotonic() - begun)  # noqa: E731
    made = Worker(now, at=replace(desk(email=Peer()), take=quotas.take), threads=4).run(200)
    assert made == {"accepted": 12}
    moments: list[Any] = sorted(Delivery.objects.values_list("called_at", flat=True))
    assert all(b - a >= timedelta(seconds=0.05) for a, b in zip(moments, moments[6:], strict=False))
    assert moments[-1] - moments[0] < timedelta(seconds=60)


def test_a_worker_has_no_more_ready_than_the_rate_lets_leave_in_two_seconds() -> None:
    factories.account(per_second=5)
    planned(people(14))
    worker = Worker(lambda: NOON, at=replace(desk(email=Peer()), take=quotas.take))
    worker._take()
    assert (len(worker.ready), Delivery.objects.filter(status="reserved").count()) == (10, 10)
    worker._take()
    assert len(worker.ready) == 10
    assert len(worker._paced(16)) == 1  # a quarter of a second's
    assert worker._paced(16) == []
    assert worker.paced_until > time.monotonic()
    worker._leave()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"queued"}


def test_a_worker_whose_time_is_up_calls_another_before_its_last_calls_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factories.account()
    planned(people(3))
    rung, went_on, first = [], threading.Event(), threading.Lock()

    def ring() -> None:
        rung.append(Delivery.objects.filter(status="calling").count())
        went_on.set()

    def answer(message: Message) -> Outcome:
        if first.acquire(blocking=False):  # whoever is called first is answered last
            went_on.wait(60)
        return Outcome(answer=Answer.ACCEPTED)

    monkeypatch.setattr(bell, "ring", ring)
    assert Worker(lambda: NOON, at=desk(email=Peer(answer)), threads=2).run(0.01) == {"accepted": 2}
    assert rung == [1]
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["accepted", "accepted", "queued"]
