"""What goes wrong between queueing and sending, and after: each message leaves once, or it is said why it did not."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from campaigns.channels import Answer, Message, Outcome
from campaigns.channels.base import Feedback, Told
from campaigns.delivering import outbox, reconciling, sending
from campaigns.delivering.worker import Worker
from campaigns.models import (
    AccountUse,
    Callback,
    Campaign,
    ChannelAccount,
    Delivery,
    ListMember,
    Run,
    SegmentMember,
    TemplateVersion,
    Visit,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from campaigns.reach import quotas
from campaigns.responses import feedback
from campaigns.runs import deciding, planning, running
from campaigns.templating import rendering
from campaigns.templating.sandbox import TemplateFailed
from crm import consent
from crm.models import Event, HandOff, Identifier, Profile, ProfileAlias, Suppression
from tests.campaigns import factories
from tests.campaigns.providers import Peer, desk
from tests.crm import consents, passes, requests

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Shanghai
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def people(number: int, **facts: Any) -> list[Profile]:
    consents.purpose()
    return [factories.person(one, **facts) for one in range(1, number + 1)]


def planned(who: Sequence[Profile], name: str = "spring", **facts: Any) -> Run:
    run = planning.begin(factories.campaign(name, **{"holdout": "0"} | facts), "once", NOON)
    return planning.plan(run, iter([[one.pk for one in who]]), NOON)


def work(now: datetime = NOON, **peers: Peer) -> Counter[str]:
    return Worker(lambda: now, at=desk(**peers), threads=4).run(30)


def at_once(*works: Callable[[], Any]) -> None:
    def alone(work: Callable[[], Any]) -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=alone, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def with_sms(who: Sequence[Profile]) -> None:
    """Let the people be reached by SMS as well, and the template say something there."""
    factories.account("sms")
    for number, one in enumerate(who):
        Identifier.objects.create(type="phone", value=f"+86138000000{number:02}", profile=one, created_at=NOON)
        consents.say(one, channel="sms", method="form")


def also_by_sms() -> None:
    version = TemplateVersion.objects.get()
    version.forms |= {"sms": {"en": {"text": "Hello"}}}
    version.save()


class Knowing(Peer):
    """A provider that knows a repeated key, takes what it is given and does not always say so."""

    idempotent = True

    def send(self, account: Any, message: Message, key: UUID) -> Outcome:
        super().send(account, message, key)
        return self.answer(message) if callable(self.answer) else Outcome(answer=self.answer, provider_id=key.hex)


# -- clocks and beats --------------------------------------------------------------------------------------------------


def test_clocks_that_jump_back_and_ahead_lose_nothing_and_repeat_nothing() -> None:
    factories.account()
    planned(people(20))
    jumps = cycle([timedelta(0), -2 * HOUR, 5 * HOUR, -HOUR, 8 * HOUR, timedelta(seconds=1)])
    lock, peer = threading.Lock(), Peer()

    def clock() -> datetime:
        with lock:
            return NOON + next(jumps)

    for _ in range(12):
        Worker(clock, at=desk(email=peer), threads=4).run(5)
        sending.recover(clock())
    sending.recover(NOON + 12 * HOUR)
    work(NOON + HOUR, email=peer)
    assert len(peer.taken) == len(set(peer.taken))
    statuses = Counter(Delivery.objects.values_list("status", flat=True))
    assert set(statuses) <= {"accepted", "unknown"}
    assert statuses.total() == 20
    assert len(set(peer.addresses)) == len(peer.addresses) >= statuses["accepted"]


def test_two_beats_and_two_workers_send_everything_once() -> None:
    factories.account()
    planned(people(40))
    peer = Peer()

    def beat() -> None:
        for _ in range(5):
            running.tick(NOON)
            sending.recover(NOON)
            outbox.tell_log(NOON)

    at_once(beat, beat, lambda: work(email=peer), lambda: work(email=peer))
    running.tick(NOON)
    outbox.tell_log(NOON)
    assert sorted(Counter(peer.addresses).values()) == [1] * 40
    assert Event.objects.filter(kind="sent").count() == HandOff.objects.count() == 40
    assert Run.objects.get().status == "done"


# -- between queueing and sending --------------------------------------------------------------------------------------


def test_who_is_erased_after_her_message_was_written_gets_nothing() -> None:
    factories.account()
    one, other = people(2)
    planned([one, other])
    peer = Peer()
    worker = Worker(lambda: NOON, at=desk(email=peer))
    worker._take()
    assert len(worker.ready) == 2
    requests.carried_out("erasure", one)
    worker.run(20)
    assert peer.addresses == ["p2@example.com"]
    assert set(Delivery.objects.values_list("profile_id", flat=True)) == {other.pk}


def test_who_is_erased_while_her_message_is_handed_over_leaves_the_worker_unharmed() -> None:
    factories.account()
    one, other = people(2)
    planned([one, other])

    def answer(message: Message) -> Outcome:
        if message.to == "p1@example.com":
            requests.carried_out("erasure", one)
        return Outcome(answer=Answer.ACCEPTED)

    assert work(email=Peer(answer)) == {"accepted": 1}
    assert not Delivery.objects.filter(profile_id=one.pk).exists()
    assert Delivery.objects.get().status == "accepted"


def test_an_account_that_is_banned_fails_nobody_and_another_one_takes_over() -> None:
    banned = factories.account(preferred=True)
    planned(people(6))

    def answer(_message: Message) -> Outcome:
        return Outcome(answer=Answer.REFUSED, reason="account_suspended", account_refused=True)

    class Banned(Peer):
        def send(self, account: Any, message: Message, key: UUID) -> Outcome:
            self.taken.append(key)
            return answer(message)

    refusing = Banned()
    counts = work(email=refusing)
    assert set(counts) == {"queued"}
    banned.refresh_from_db()
    assert (banned.status, banned.status_reason) == ("refused", "account_suspended")
    assert set(Delivery.objects.values_list("status", flat=True)) == {"queued"}
    second = factories.account(name="another")
    peer = Peer()
    assert work(NOON + 2 * MINUTE, email=peer) == {"accepted": 6}
    assert not set(refusing.taken) & set(peer.taken)
    assert set(Delivery.objects.values_list("account_id", flat=True)) == {second.pk}


def test_a_template_that_fails_for_one_person_skips_her_and_reports_it() -> None:
    factories.account()
    who = people(20)
    run = planned(who)

    class Failing(rendering.Renderer):
        def message(self, profile: int, delivery: UUID | None) -> Message:
            if profile == who[7].pk:
                raise TemplateFailed("bad_link", "x")
            return super().message(profile, delivery)

    peer = Peer()
    at = replace(desk(email=peer), renderer=lambda variant, channel: Failing(variant.template, variant, channel))
    assert Worker(lambda: NOON, at=at, threads=4).run(20) == {"accepted": 19, "suppressed": 1}
    assert list(run.deliveries.filter(reason="template").values_list("profile_id", flat=True)) == [who[7].pk]
    assert "p8@example.com" not in peer.addresses


def test_a_segment_of_all_is_everybody_once_but_who_must_be_left_alone() -> None:
    factories.account()
    who = people(30)
    ProfileAlias.objects.create(duplicate=who[0], canonical=who[1], reason="same", merged_at=NOON)
    Profile.objects.filter(pk=who[2].pk).update(restricted_at=NOON)
    run = planning.begin(factories.campaign(holdout="0"), "once", NOON)
    planning.plan(run, deciding.audience(run, NOON), NOON)
    assert sorted(run.deliveries.values_list("profile_id", flat=True)) == [one.pk for one in [who[1], *who[3:]]]
    peer = Peer()
    assert work(email=peer) == {"accepted": 28}
    assert len(set(peer.addresses)) == 28


def test_what_was_taken_of_a_quota_and_not_handed_over_is_given_back() -> None:
    account = factories.account(per_day=100)
    who = people(10)
    planned(who)
    consent.withdraw(who[0].pk, "offers", "email", "form", NOON)
    Identifier.objects.filter(profile=who[1]).delete()
    at = replace(desk(email=Peer()), take=quotas.take, give_back=quotas.give_back)
    assert Worker(lambda: NOON, at=at, threads=4).run(20)["accepted"] == 8
    assert AccountUse.objects.get(account=account).used == 8


# -- after it ----------------------------------------------------------------------------------------------------------


def test_the_next_channel_is_sent_also_after_the_run_was_done() -> None:
    email = factories.account()
    (one,) = people(1)
    with_sms([one])
    run = planned([one], channels=["email", "sms"])
    also_by_sms()
    work(email=Peer())
    running.tick(NOON)
    run.refresh_from_db()
    assert (run.status, Campaign.objects.get().status) == ("done", "finished")
    told = Told(key="1", feedback=Feedback.BOUNCED, happened_at=NOON + HOUR, delivery=Delivery.objects.get().call)
    feedback.take(email, [told], NOON + HOUR)
    sms = Peer(identifier="phone")
    assert work(NOON + HOUR, email=Peer(), sms=sms) == {"accepted": 1}
    assert sms.addresses == ["+8613800000000"]
    running.tick(NOON + HOUR)
    run.refresh_from_db()
    assert (run.status, Campaign.objects.get().status) == ("done", "finished")


def test_of_a_cancelled_run_no_other_channel_is_tried() -> None:
    email = factories.account()
    (one,) = people(1)
    with_sms([one])
    run = planned([one], channels=["email", "sms"])
    work(email=Peer())
    running.cancel(run.campaign, None, "enough", NOON)
    told = Told(key="1", feedback=Feedback.BOUNCED, happened_at=NOON + HOUR, delivery=Delivery.objects.get().call)
    feedback.take(email, [told], NOON + HOUR)
    assert Delivery.objects.count() == 1


def unknown(peer: Peer) -> Delivery:
    factories.account()
    planned(people(1))
    assert work(email=peer) == {"unknown": 1}
    return Delivery.objects.get()


def ask(now: datetime, peer: Peer) -> Counter[str]:
    return reconciling.ask_again(lambda: now, desk(email=peer))


def test_an_unknown_is_asked_again_by_the_same_key_where_the_provider_knows_it() -> None:
    peer = Knowing(Answer.UNKNOWN)
    before = unknown(peer)
    assert ask(NOON, peer) == {}  # not at once
    peer.answer = Answer.ACCEPTED
    assert ask(NOON + 2 * MINUTE, peer) == {"accepted": 1}
    assert peer.taken == [before.call, before.call]
    after = Delivery.objects.get()
    assert (after.status, after.attempt, after.called_at) == ("accepted", 1, NOON)
    assert HandOff.objects.count() == 1
    assert ask(NOON + 3 * HOUR, peer) == {}


def test_an_unknown_of_a_provider_that_forgets_keys_is_never_sent_again() -> None:
    peer = Peer(Answer.UNKNOWN)
    unknown(peer)
    assert ask(NOON + HOUR, peer) == {}
    assert len(peer.taken) == 1


@pytest.mark.parametrize("how", ["withdrawn", "stopped", "expired", "address"])
def test_an_unknown_that_may_not_leave_any_more_stays_unknown(how: str) -> None:
    peer = Knowing(Answer.UNKNOWN)
    row = unknown(peer)
    match how:
        case "withdrawn":
            consent.withdraw(row.profile_id, "offers", "email", "form", NOON + MINUTE)
        case "stopped":
            Campaign.objects.update(status="paused")
        case "expired":
            Delivery.objects.update(expires_at=NOON + MINUTE)
        case _:
            Identifier.objects.all().delete()
    assert ask(NOON + HOUR, peer) == {}
    assert len(peer.taken) == 1
    assert Delivery.objects.get().status == "unknown"


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.BUSY, Answer.UNKNOWN])
def test_only_a_yes_makes_an_unknown_known(answer: Answer) -> None:
    peer = Knowing(Answer.UNKNOWN)
    unknown(peer)
    peer.answer = answer
    moments = [NOON + minutes * MINUTE for minutes in range(1, 60)]
    asked = sum(ask(now, peer).total() for now in moments)
    assert Delivery.objects.get().status == "unknown"
    assert 4 <= asked <= 6  # at ever longer distances
    assert work(NOON + 2 * HOUR, email=peer) == {}


def test_a_bounce_that_names_no_address_ends_that_of_the_message_and_no_other() -> None:
    account = factories.account()
    (one,) = people(1)
    Identifier.objects.create(type="email", value="other@example.com", profile=one, created_at=NOON)
    planned([one])
    peer = Peer()
    work(email=peer)
    call = Delivery.objects.get().call
    feedback.take(
        account, [Told(key="1", feedback=Feedback.BOUNCED, happened_at=NOON, delivery=call, permanent=True)], NOON
    )
    dead = Identifier.objects.get(suppression_key__in=Suppression.objects.values("key"))
    assert [dead.value] == peer.addresses
    assert Suppression.objects.count() == 1
    assert consent.basis_for(one.pk, "offers", "email", NOON + MINUTE).allowed


def test_hundreds_of_callbacks_are_worked_on_together(django_assert_max_num_queries: Any) -> None:
    account = factories.account()
    planned(people(60))
    work(email=Peer())
    calls = list(Delivery.objects.values_list("call", flat=True))
    kinds = (Feedback.DELIVERED, Feedback.SENT, Feedback.OPENED, Feedback.CLICKED)
    told = [
        Told(key=f"{call} {kind}", feedback=kind, happened_at=NOON + MINUTE, delivery=call)
        for call in calls
        for kind in kinds
    ]
    with django_assert_max_num_queries(40):
        assert feedback.take(account, told * 2, NOON + HOUR) == 240
    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert Callback.objects.filter(handled_at=None).count() == 0
    assert Counter(Event.objects.values_list("kind", flat=True)) == {"assigned": 60, "opened": 60, "clicked": 60}


def test_nobody_speaks_for_the_messages_of_another_account() -> None:
    factories.account()
    planned(people(1))
    work(email=Peer())
    stranger = factories.account("sms")
    told = Told(key="1", feedback=Feedback.BOUNCED, happened_at=NOON, delivery=Delivery.objects.get().call)
    feedback.take(stranger, [told], NOON)
    assert Delivery.objects.get().status == "accepted"


def test_what_is_past_its_time_goes_with_what_was_told_of_it() -> None:
    account = factories.account()
    planned(people(2))
    work(email=Peer())
    call = Delivery.objects.values_list("call", flat=True)[0]
    feedback.take(account, [Told(key="1", feedback=Feedback.DELIVERED, happened_at=NOON, delivery=call)], NOON)
    later = NOON + timedelta(days=100)
    passes.release(["callbacks", "deliveries"], now=later)
    assert passes.passed(now=later)["callbacks"]["deleted"] == 1
    assert Delivery.objects.count() == 2
    much_later = NOON + timedelta(days=731)
    assert passes.passed(now=much_later)["deliveries"]["deleted"] == 2
    assert ChannelAccount.objects.count() == 1


def test_an_erasure_takes_all_that_campaigns_keep_of_a_person_and_nothing_of_others() -> None:
    account = factories.account()
    one, other = who = people(2)
    planned(who)
    work(email=Peer())
    endpoint = WebhookEndpoint.objects.create(
        name="shop", url="https://example.com", secret="s", kinds=[], created_at=NOON
    )
    segment = factories.segment("list")
    for person in who:
        row = Delivery.objects.get(profile=person)
        feedback.take(
            account, [Told(key=str(row.pk), feedback=Feedback.OPENED, happened_at=NOON, delivery=row.call)], NOON
        )
        Visit.objects.create(pk=row.pk, delivery=row, kind="clicked", happened_at=NOON)
        ListMember.objects.create(segment=segment, profile=person, added_at=NOON)
        SegmentMember.objects.create(segment=segment, profile=person, joined_at=NOON)
        told = WebhookMessage.objects.create(
            pk=row.pk, endpoint=endpoint, kind="k", profile=person, body={}, happened_at=NOON, created_at=NOON
        )
        WebhookAttempt.objects.create(message=told, took_ms=1, tried_at=NOON)
    requests.carried_out("erasure", one)
    kept = Delivery.objects.get()
    assert kept.profile_id == other.pk
    for model in (Callback, Visit, ListMember, SegmentMember, WebhookMessage, WebhookAttempt):
        assert model._default_manager.count() == 1, model
    assert WebhookMessage.objects.get().profile_id == other.pk
    assert Callback.objects.get().delivery_id == kept.pk
