"""The whole way of a message: who gets one, who is kept, what leaves, and what is written of it."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection

from campaigns.channels import Answer, Message, Outcome
from campaigns.delivering import sending
from campaigns.models import Delivery, Run
from campaigns.runs import planning
from crm import consent
from crm.database_roles import as_owner
from crm.models import Event, HandOff, Profile
from tests.campaigns import factories
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Shanghai


class Peer:
    """A provider that takes everything and remembers it."""

    def __init__(self, answer: Answer = Answer.ACCEPTED) -> None:
        self.taken: list[UUID] = []
        self.answer = answer

    def send(self, _account: Any, _message: Message, key: UUID) -> Outcome:
        self.taken.append(key)
        return Outcome(answer=self.answer, provider_id=key.hex)


def planned(people: Sequence[Profile], **facts: Any) -> Run:
    consents.purpose()
    campaign = factories.campaign(**facts)
    run = planning.begin(campaign, "once", NOON)
    return planning.plan(run, iter([[one.pk for one in people]]), NOON)


def ready(pk: UUID, peer: Peer, account: Any) -> sending.Ready:
    return sending.Ready(
        delivery=Delivery.objects.select_related("run__campaign__purpose").get(pk=pk),
        account=account,
        channel=peer,  # type: ignore[arg-type]
        message=Message(to="x@example.com", language="en", parts={}),
    )


def send_all(peer: Peer, account: Any, now: datetime = NOON) -> Counter[str]:
    worker = uuid4()
    ended: Counter[str] = Counter()
    for pk in sending.reserve(worker, 1000, now):
        ended[sending.send(ready(pk, peer, account), worker, lambda: now)] += 1
    return ended


def test_everybody_gets_one_row_and_nobody_two_messages() -> None:
    consents.purpose()
    account = factories.account()
    people = [factories.person(number) for number in range(40)]
    people += [factories.person(100, consent=False), factories.person(101, email=False)]
    run = planned(people, holdout="0.250")
    rows = Delivery.objects.filter(run=run)
    assert rows.count() == len(people)
    assert dict(rows.filter(status="suppressed").values_list("profile_id", "reason")) == {
        people[40].pk: "no_consent",
        people[41].pk: "no_address",
    }
    held, queued = rows.filter(status="held_out").count(), rows.filter(status="queued").count()
    assert held + queued == 40
    assert 0 < held < 40
    assert Event.objects.filter(kind="assigned", session=str(run.pk)).count() == 40
    peer = Peer()
    assert send_all(peer, account) == {"accepted": queued}
    assert send_all(peer, account) == {}
    assert len(set(peer.taken)) == len(peer.taken) == queued
    assert HandOff.objects.filter(delivery__in=peer.taken).count() == queued


def test_planning_twice_changes_nothing() -> None:
    factories.account()
    consents.purpose()
    people = [factories.person(number) for number in range(10)]
    run = planned(people)
    before = list(Delivery.objects.order_by("pk").values())
    Run.objects.filter(pk=run.pk).update(status=Run.Status.PLANNING)
    run.refresh_from_db()
    planning.plan(run, iter([[one.pk for one in people]]), NOON)
    assert list(Delivery.objects.order_by("pk").values()) == before
    assert Event.objects.filter(kind="assigned").count() == 10


def test_a_withdrawal_between_queueing_and_sending_wins() -> None:
    account = factories.account()
    consents.purpose()
    person = factories.person(1)
    planned([person], holdout="0")
    consent.withdraw(person.pk, "offers", "email", "form", NOON)
    peer = Peer()
    assert send_all(peer, account) == {"suppressed": 1}
    assert peer.taken == []
    assert Delivery.objects.get().reason == "withdrawn"


def test_a_lost_worker_leaves_an_unknown_that_is_not_sent_again() -> None:
    account = factories.account()
    consents.purpose()
    planned([factories.person(1), factories.person(2)], holdout="0")
    worker = uuid4()
    first, _second = sending.reserve(worker, 10, NOON)
    assert sending.hand_off(ready(first, Peer(), account), worker, NOON)
    later = NOON + 2 * sending.LEASE
    assert sending.recover(later) == (1, 1)
    peer = Peer()
    assert send_all(peer, account, later) == {"accepted": 1}
    assert Delivery.objects.get(pk=first).status == "unknown"


def test_no_more_are_reserved_than_are_asked_for_when_the_last_statistics_found_no_row() -> None:
    factories.account()
    consents.purpose()
    planned([factories.person(0)], name="winter", holdout="0")
    Delivery.objects.all().delete()
    with as_owner(), connection.cursor() as cursor:  # a planner that expects one row may ask for each which are due
        cursor.execute("ANALYZE campaigns_delivery")
    planned([factories.person(number) for number in range(1, 21)], holdout="0")
    assert len(sending.reserve(uuid4(), 3, NOON)) == 3
    assert Delivery.objects.filter(status="reserved").count() == 3


def test_nothing_leaves_at_night() -> None:
    account = factories.account()
    consents.purpose()
    planned([factories.person(1)], holdout="0")
    night = datetime(2026, 3, 2, 15, tzinfo=UTC)
    assert send_all(Peer(), account, night) == {"queued": 1}
    assert Delivery.objects.get().due_at == datetime(2026, 3, 3, 1, tzinfo=UTC)
