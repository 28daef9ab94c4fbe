"""What other systems are told: whatever is committed, signed, at least once, in spite of them and of our crashes."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns import outgoing, standard_webhooks
from campaigns.channels.base import Feedback, Told
from campaigns.delivering import outbox
from campaigns.models import Delivery, LedgerReader, WebhookAttempt, WebhookEndpoint, WebhookMessage
from campaigns.outgoing import Fact, endpoints, facts, worker
from campaigns.outgoing.worker import LEASE, PAUSES, work
from campaigns.responses import feedback
from crm import consent, sequencer
from crm.database_roles import as_owner
from crm.models import Profile
from mlengine.models import ModelVersion, PredictionRun
from tests.campaigns import factories, peers
from tests.campaigns.peers import HttpPeer, http_peer
from tests.campaigns.test_feedback import sent
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
ANSWERS: dict[str, tuple[int, Any]] = {
    "accepted": (200, {}),
    "no content": (204, b""),
    "error": (500, b"no"),
    "away": (503, b""),
    "gone": (410, b""),
    "moved": (302, b""),
    "huge": (200, b""),
}


@pytest.fixture
def peer(settings: Any) -> Iterator[HttpPeer]:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    with http_peer(ANSWERS) as made:
        yield made


def endpoint(peer: HttpPeer, name: str = "shop", kinds: list[str] | None = None) -> tuple[WebhookEndpoint, str]:
    return endpoints.create(name, f"{peer.url}/{name}", kinds or sorted(outgoing.KINDS), NOW)


def told(number: int = 1, now: datetime = NOW) -> int:
    facts = [Fact(kind="scores.finished", key=f"{one}", happened_at=now, data={"run": one}) for one in range(number)]
    return outgoing.tell(facts, now)


def send(now: datetime = NOW, **facts: Any) -> Counter[str]:
    return work(lambda: now, 20, **facts)


def numbers(peer: HttpPeer) -> list[str]:
    return [
        {name.lower(): value for name, value in headers.items()}["webhook-id"] for _path, headers, _body in peer.taken
    ]


def test_a_message_says_what_happened_and_is_signed(peer: HttpPeer) -> None:
    made, secret = endpoint(peer)
    with transaction.atomic():
        assert told() == 1
    assert send() == {"told": 1}
    [(path, headers, body)] = peer.taken
    row = WebhookMessage.objects.get()
    assert path == "/shop"
    assert standard_webhooks.verify(secret, headers, body, NOW) == str(row.pk)
    assert json.loads(body) == {
        "type": "scores.finished",
        "timestamp": NOW.isoformat(),
        "id": str(row.pk),
        "sequence": row.sequence,
        "data": {"run": 0},
    }
    assert (row.delivered_at, row.next_at, row.attempts) == (NOW, None, 1)
    assert list(WebhookAttempt.objects.values_list("status", "error")) == [(200, "")]
    assert secret.encode() not in bytes(str(WebhookEndpoint.objects.values_list().get()), "utf-8")
    assert made.secret == secret


def test_what_is_rolled_back_is_not_told_and_what_is_told_twice_is_one_message(peer: HttpPeer) -> None:
    endpoint(peer)
    with transaction.atomic():
        assert told() == 1
        transaction.set_rollback(True)
    assert not WebhookMessage.objects.exists()
    assert [told(), told()] == [1, 1]
    assert WebhookMessage.objects.count() == 1


def test_each_endpoint_is_told_the_kinds_it_wants_and_nobody_anything_while_none_is_there(peer: HttpPeer) -> None:
    assert told() == 0
    endpoint(peer, "scores", ["scores.finished"])
    endpoint(peer, "consents", ["consent.given"])
    told(3)
    assert send() == {"told": 3}
    assert {path for path, _headers, _body in peer.taken} == {"/scores"}


def test_what_becomes_of_a_message_is_told_by_numbers_only(peer: HttpPeer) -> None:
    endpoint(peer)
    account, delivery = sent()
    outbox.tell_log(NOW)
    facts: dict[str, Any] = {"happened_at": NOW, "provider_id": delivery.provider_id, "delivery": delivery.call}
    for number, kind in enumerate(("delivered", "clicked", "complained", "unsubscribed")):
        feedback.take(account, [Told(feedback=Feedback(kind), key=str(number), address="p1@example.com", **facts)], NOW)
    outbox.tell_log(NOW)
    assert send()["told"] == 5
    bodies = [json.loads(body) for _path, _headers, body in peer.taken]
    assert sorted(body["type"] for body in bodies) == [
        *("delivery.accepted", "delivery.clicked", "delivery.complained", "delivery.delivered"),
        "delivery.unsubscribed",
    ]
    for body in bodies:
        assert body["data"]["profile_id"] == delivery.profile_id
        assert body["data"]["delivery"] == str(delivery.pk)
        assert "example.com" not in json.dumps(body)
    assert outbox.tell_log(NOW) == 0
    assert WebhookMessage.objects.count() == 5


def test_of_somebody_whose_data_may_only_be_stored_nobody_is_told(peer: HttpPeer) -> None:
    endpoint(peer)
    _account, delivery = sent()
    Profile.objects.filter(pk=delivery.profile_id).update(restricted_at=NOW)
    outbox.tell_log(NOW)
    assert not WebhookMessage.objects.exists()


def test_consents_are_told_once_in_the_ledgers_order_and_none_of_the_past(peer: HttpPeer) -> None:
    endpoint(peer)
    consents.purpose()
    person = factories.person(1)
    sequencer.sequence(NOW)
    facts.follow(NOW)
    assert not WebhookMessage.objects.exists()
    consent.withdraw(person.pk, "offers", "email", "preference_centre", NOW)
    facts.follow(NOW)
    assert not WebhookMessage.objects.exists()  # it has no number yet
    sequencer.sequence(NOW)
    facts.follow(NOW)
    facts.follow(NOW)
    LedgerReader.objects.update(position=-1)
    facts.follow(NOW)
    kinds = list(WebhookMessage.objects.order_by("sequence").values_list("kind", "body__purpose", "body__channel"))
    assert kinds == [("consent.withdrawn", "offers", "email"), ("consent.given", "offers", "email")]


def test_a_finished_run_of_a_model_is_told_once(peer: HttpPeer) -> None:
    endpoint(peer)
    version = ModelVersion.objects.create(spec="churn", number=1, stage="champion", cutoff=NOW, trained_at=NOW)
    run = PredictionRun.objects.create(spec="churn", version=version, cutoff=NOW, started_at=NOW)
    facts.follow(NOW)
    PredictionRun.objects.update(finished_at=NOW)
    facts.follow(NOW)
    facts.follow(NOW)
    body = {"run": run.pk, "spec": "churn", "version": 1, "cutoff": NOW.isoformat()}
    assert list(WebhookMessage.objects.values_list("kind", "body")) == [("scores.finished", body)]


@pytest.mark.parametrize(
    ("mode", "status", "error"),
    [
        ("error", 500, ""),
        ("away", 503, ""),
        ("moved", 302, "redirect"),
        (peers.BREAK, None, "closed"),
        (peers.STALL, None, "timeout"),
    ],
)
def test_whatever_goes_wrong_is_logged_and_tried_again(
    peer: HttpPeer, mode: str, status: int | None, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TIMEOUT", 1.5)
    peer.headers = {"location": f"{peer.url}/elsewhere"}
    endpoint(peer)
    told()
    peer.mode = mode
    assert send() == {"failed": 1}
    row = WebhookMessage.objects.get()
    assert list(WebhookAttempt.objects.values_list("status")) == [(status,)]
    assert WebhookAttempt.objects.get().error in ({error, "closed"} if error == "timeout" else {error})
    assert NOW + 0.8 * PAUSES[0] <= row.next_at <= NOW + 1.2 * PAUSES[0]  # type: ignore[operator]
    assert len(peer.taken) == 1  # nobody followed the redirect
    peer.mode = "accepted"
    assert send(NOW + 2 * PAUSES[0]) == {"told": 1}
    assert len(set(numbers(peer))) == 1


def test_who_says_yes_and_then_drips_for_ever_keeps_no_thread(peer: HttpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TIMEOUT", 1.5)
    endpoint(peer)
    told()
    peer.mode, began = peers.DRIP, time.monotonic()
    assert send() == {"told": 1}  # the first line of the answer was good
    assert time.monotonic() - began < 60


def test_a_huge_answer_is_read_no_further_than_needed(peer: HttpPeer) -> None:
    endpoint(peer)
    told()
    peer.mode = peers.HUGE
    assert send() == {"told": 1}


def test_an_address_of_our_own_network_is_refused_when_it_is_saved_and_when_it_is_called(
    peer: HttpPeer, settings: Any
) -> None:
    endpoint(peer)
    told()
    settings.EGRESS_HOSTS = []
    for url in (
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/",
        "http://[::1]/",
        "ftp://example.com/",
        "http://x@8.8.8.8/",
    ):
        with pytest.raises(endpoints.BadAddress):
            endpoints.create(url, url, ["ping"], NOW)
    assert send() == {"failed": 1}
    assert peer.taken == []
    assert WebhookAttempt.objects.get().error in {"private", "port"}


def test_it_is_tried_ten_times_over_days_and_then_waits_for_a_person(peer: HttpPeer) -> None:
    made, _secret = endpoint(peer)
    told()
    peer.mode, now, counts = "error", NOW, Counter[str]()
    for pause in (timedelta(), *PAUSES):
        now += 1.3 * pause
        WebhookEndpoint.objects.update(failing_since=None, next_try_at=None)  # this is about one message, not about all
        counts += send(now)
    assert counts == {"failed": 9, "given up": 1}
    assert send(now + timedelta(days=9)) == {}
    assert list(made.messages.given_up()) == [WebhookMessage.objects.get()]
    peer.mode = "accepted"
    assert endpoints.replay_since(made, NOW, now) == 1
    WebhookEndpoint.objects.update(failing_since=None, next_try_at=None)
    assert send(now) == {"told": 1}
    assert len(set(numbers(peer))) == 1
    assert WebhookAttempt.objects.count() == 11


def test_who_says_when_to_come_again_is_asked_then(peer: HttpPeer) -> None:
    endpoint(peer)
    told()
    peer.mode, peer.headers = "away", {"retry-after": "3600"}
    send()
    assert WebhookMessage.objects.get().next_at == NOW + timedelta(hours=1)
    assert WebhookEndpoint.objects.get().next_try_at == NOW + timedelta(hours=1)


def test_a_failing_endpoint_is_tried_with_one_message_and_takes_nothing_from_others(peer: HttpPeer) -> None:
    with http_peer(ANSWERS) as broken:
        bad, _ = endpoint(broken, "bad")
        endpoint(peer, "good")
        told(50)
        broken.mode = "error"
        assert send() == {"told": 50, "failed": 3}  # those that were under way together
        bad.refresh_from_db()
        assert (bad.failures, bad.failing_since, bad.next_try_at) == (3, NOW, NOW + timedelta(seconds=20))
        assert send(NOW + timedelta(seconds=21)) == {"failed": 1}
        broken.mode = "accepted"
        assert send(NOW + timedelta(hours=1))["told"] == 50
        bad.refresh_from_db()
        assert (bad.failures, bad.failing_since) == (0, None)


def test_after_days_of_failures_it_is_stopped_people_are_called_and_nothing_is_lost(
    peer: HttpPeer, caplog: pytest.LogCaptureFixture
) -> None:
    made, _secret = endpoint(peer)
    told()
    peer.mode = "error"
    send()
    WebhookMessage.objects.update(next_at=NOW)
    assert send(NOW + timedelta(days=5, minutes=1)) == {"failed": 1}
    made.refresh_from_db()
    assert (made.active, made.stopped_for) == (False, "failing")
    assert "was stopped: failing" in caplog.text
    told(2, NOW + timedelta(days=6))
    assert send(NOW + timedelta(days=9)) == {}
    peer.mode = "accepted"
    endpoints.switch_on(made, NOW + timedelta(days=10))
    assert send(NOW + timedelta(days=10)) == {"told": 2}


def test_one_that_says_it_is_gone_is_stopped_at_once_and_is_kept_nothing(peer: HttpPeer) -> None:
    made, _secret = endpoint(peer)
    told()
    peer.mode = "gone"
    send()
    made.refresh_from_db()
    assert (made.active, made.stopped_for) == (False, "gone")
    assert told(5) == 0


def test_while_a_secret_is_rotated_the_receiver_may_know_either(peer: HttpPeer) -> None:
    made, old = endpoint(peer)
    new = endpoints.rotate(made, NOW)
    for now, good in ((NOW, [old, new]), (NOW + timedelta(days=1, seconds=1), [new])):
        peer.taken.clear()
        outgoing.tell([Fact(kind="scores.finished", key=str(now), happened_at=now)], now)
        assert send(now) == {"told": 1}
        [(_path, headers, body)] = peer.taken
        for secret in good:
            standard_webhooks.verify(secret, headers, body, now)
    with pytest.raises(standard_webhooks.BadSignature):
        standard_webhooks.verify(old, headers, body, now)


def test_a_ping_is_sent_at_once_also_to_one_that_is_switched_off_and_never_again(peer: HttpPeer) -> None:
    made, _secret = endpoint(peer)
    endpoints.switch_off(made)
    made.refresh_from_db()
    assert endpoints.ping(made, NOW).good
    peer.mode = "error"
    assert endpoints.ping(made, NOW).status == 500
    assert [json.loads(body)["type"] for _path, _headers, body in peer.taken] == ["ping", "ping"]
    assert endpoints.replay_since(made, NOW, NOW, all_of_it=True) == 0
    assert send(NOW + timedelta(days=1)) == {}


def test_several_workers_send_each_message_once(peer: HttpPeer) -> None:
    endpoint(peer)
    told(200)
    counts: list[Counter[str]] = []

    def one() -> None:
        counts.append(send())
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counts, Counter()) == {"told": 200}
    assert Counter(numbers(peer)).most_common(1)[0][1] == 1
    assert len(peer.taken) == 200


def test_no_more_are_taken_than_are_asked_for_when_the_last_statistics_found_no_row(peer: HttpPeer) -> None:
    endpoint(peer)
    told()
    WebhookMessage.objects.all().delete()
    with as_owner(), connection.cursor() as cursor:  # a planner that expects one row may ask for each which are due
        cursor.execute("ANALYZE campaigns_webhookmessage")
    told(50)
    assert len(worker.take(1, NOW)) == 1
    assert WebhookMessage.objects.filter(next_at=NOW).count() == 49


def test_a_worker_that_is_killed_in_a_call_loses_nothing_and_the_number_stays(peer: HttpPeer) -> None:
    endpoint(peer)
    told(5)
    peer.mode = peers.STALL
    child = os.fork()
    if child == 0:  # the parent's connection is left as it is: to close it would end the parent's session
        kept, connection.connection = connection.connection, None
        send()
        os._exit(0 if kept else 1)
    while len(peer.taken) < 3:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    first = set(numbers(peer))
    peer.mode = "accepted"
    assert send() == {"told": 2}  # the lease of the three has not run out
    assert send(NOW + LEASE + timedelta(seconds=1)) == {"told": 3}
    assert Counter(numbers(peer)) == {
        str(row.pk): 2 if str(row.pk) in first else 1 for row in WebhookMessage.objects.all()
    }
    assert set(WebhookMessage.objects.values_list("attempts", flat=True)) == {1, 2}
    assert not WebhookMessage.objects.filter(delivered_at=None).exists()


def test_an_answer_that_comes_after_the_lease_counts_only_if_it_is_good(peer: HttpPeer) -> None:
    endpoint(peer)
    told()
    [late] = worker.take(1, NOW)
    [call] = worker.take(1, NOW + LEASE)
    assert late.message.pk == call.message.pk
    bad = worker.Answer(status=500, error="", took=0.1)
    assert worker.settle(late.message, bad, NOW + LEASE) == "late"
    assert WebhookMessage.objects.get().next_at == NOW + 2 * LEASE
    good = worker.Answer(status=200, error="", took=0.1)
    assert worker.settle(late.message, good, NOW + LEASE) == "told"
    assert worker.settle(call.message, bad, NOW + LEASE) == "late"
    assert WebhookMessage.objects.get().delivered_at == NOW + LEASE


def test_what_is_told_goes_with_the_person_and_after_a_month(peer: HttpPeer) -> None:
    endpoint(peer)
    _account, delivery = sent()
    outbox.tell_log(NOW)
    assert WebhookMessage.objects.filter(profile=delivery.profile_id).count() == 1
    assert send() == {"told": 1}
    assert worker.forget(NOW + timedelta(days=29)) == 0
    assert worker.forget(NOW + timedelta(days=31)) == 1
    assert not WebhookAttempt.objects.exists()
    assert Delivery.objects.exists()
