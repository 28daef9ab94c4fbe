"""What providers tell: twice, too late, in the wrong order, and of messages that nobody answered for."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from campaigns.channels import Answer
from campaigns.channels.base import Feedback, Told
from campaigns.delivering import outbox, sending
from campaigns.delivering.worker import Worker
from campaigns.models import Callback, ChannelAccount, Delivery
from campaigns.responses import feedback
from campaigns.runs import planning
from crm import consent
from crm.models import Event, Suppression
from tests.campaigns import factories
from tests.campaigns.providers import Peer, desk
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def sent(answer: Answer = Answer.ACCEPTED) -> tuple[ChannelAccount, Delivery]:
    """Return the delivery of a message that was handed over."""
    consents.purpose()
    account = factories.account()
    run = planning.begin(factories.campaign(holdout="0"), "once", NOON)
    planning.plan(run, iter([[factories.person(1).pk]]), NOON)
    Worker(lambda: NOON, at=desk(email=Peer(answer)), threads=1).run(20)
    return account, Delivery.objects.get()


def told(of: Delivery, kind: str, **facts: Any) -> Told:
    values: dict[str, Any] = {
        "key": kind,
        "happened_at": LATER,
        "provider_id": of.provider_id,
        "delivery": of.call,
    } | facts
    return Told(feedback=Feedback(kind), **values)


def test_whichever_order_callbacks_come_in_and_however_often_the_end_is_the_same() -> None:
    account, delivery = sent()
    for number, order in enumerate(permutations(("sent", "delivered", "bounced"))):
        Delivery.objects.update(status="accepted", reason="")
        for kind in order * 2:
            feedback.take(account, [told(delivery, kind, key=f"{number} {kind}")], LATER)
        assert Delivery.objects.get().status == "bounced"
    assert Callback.objects.count() == 18
    assert Callback.objects.filter(handled_at=None).count() == 0


def test_a_callback_makes_known_what_nobody_answered_for() -> None:
    account, delivery = sent(Answer.UNKNOWN)
    assert delivery.status == "unknown"
    feedback.take(account, [told(delivery, "delivered")], LATER)
    assert Delivery.objects.get().status == "delivered"


def test_what_was_taken_after_all_does_not_leave_again() -> None:
    account, delivery = sent(Answer.BUSY)
    assert delivery.status == "queued"
    feedback.take(account, [told(delivery, "delivered")], LATER)
    assert Worker(lambda: NOON + timedelta(hours=3), at=desk(email=Peer())).run(5) == {}
    assert Delivery.objects.get().status == "delivered"


def test_a_callback_that_comes_before_its_answer_waits_for_it() -> None:
    account, delivery = sent()
    Delivery.objects.update(provider_id="")
    feedback.take(account, [told(delivery, "delivered", delivery=None)], LATER)
    assert Delivery.objects.get().status == "accepted"
    Delivery.objects.update(provider_id=delivery.provider_id)
    assert feedback.work(LATER) == 1
    assert Delivery.objects.get().status == "delivered"


def test_one_of_an_unknown_message_is_put_away_in_the_end() -> None:
    account, _ = sent()
    stranger = Told(key="x", feedback=Feedback.DELIVERED, happened_at=LATER, provider_id="nobody's")
    feedback.take(account, [stranger], LATER)
    assert Callback.objects.get().handled_at is None
    feedback.work(LATER + 2 * feedback.PATIENCE)
    assert Callback.objects.get().handled_at is not None


def test_a_dead_address_gets_nothing_more() -> None:
    account, delivery = sent()
    feedback.take(account, [told(delivery, "bounced", permanent=True, address="p1@example.com")], LATER)
    assert Suppression.objects.get().reason == "bounced"
    assert consent.basis_for(delivery.profile_id, "offers", "email", LATER).reason == "suppressed"


@pytest.mark.parametrize(("kind", "why"), [("complained", "complained"), ("unsubscribed", "unsubscribed")])
def test_who_complains_or_unsubscribes_is_left_alone_from_then_on(kind: str, why: str) -> None:
    account, delivery = sent()
    feedback.take(account, [told(delivery, kind)] * 2, LATER)
    assert not consent.basis_for(delivery.profile_id, "offers", "email", LATER + timedelta(seconds=1)).allowed
    assert Suppression.objects.filter(channel="email").exists()
    assert Delivery.objects.get().status == "delivered"
    assert Event.objects.filter(kind=kind).count() == 1
    assert why


def test_the_log_is_told_once_of_each_thing() -> None:
    account, delivery = sent()
    assert outbox.tell_log(LATER) == 1
    assert outbox.tell_log(LATER) == 0
    feedback.take(account, [told(delivery, "delivered")], LATER)
    assert outbox.tell_log(LATER) == 1
    Delivery.objects.update(logged=False)
    outbox.tell_log(LATER)
    kinds = Event.objects.exclude(kind="assigned").order_by("kind").values_list("kind", "occurred_at", "channel")
    assert list(kinds) == [("delivered", LATER, "email"), ("sent", NOON, "email")]
    assert Event.objects.get(kind="sent").properties["delivery"] == str(delivery.pk)


def test_opens_of_machines_are_marked() -> None:
    account, delivery = sent()
    opens = [
        told(delivery, "opened", key="1", user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 17_0)"),
        told(delivery, "opened", key="2", user_agent="Barracuda Sentinel"),
        told(delivery, "opened", key="3", user_agent="Mozilla/5.0", happened_at=NOON),
    ]
    feedback.take(account, opens, LATER)
    marks = [one.properties.get("machine", False) for one in Event.objects.filter(kind="opened")]
    assert sorted(marks) == [False, True, True]


def test_a_failure_that_is_told_late_is_one() -> None:
    account, delivery = sent()
    feedback.take(account, [told(delivery, "failed", code="UNDELIV")], LATER)
    row = Delivery.objects.get()
    assert (row.status, row.reason) == ("failed", "UNDELIV")
    feedback.take(account, [told(delivery, "delivered")], LATER)
    assert Delivery.objects.get().status == "failed"
    assert sending.recover(LATER) == (0, 0)
