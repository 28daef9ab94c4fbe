"""Messages to other systems leave here, at least once each: taken on a lease, called, and the answer written down.

``next_at`` is the lease: a worker that takes a message moves it into the future, so that nobody else takes it, and
whoever finds it due again knows that the worker was lost. A receiver knows a repetition by its ``webhook-id``.

An endpoint that fails is left in peace for longer and longer, with one message tried at a time: it keeps no thread from
the others. After five days of it the endpoint is stopped, and people are told.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from campaigns import egress, standard_webhooks
from campaigns.models import WebhookAttempt, WebhookEndpoint, WebhookMessage

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
THREADS = 8
AT_ONCE = 3  # calls of one endpoint under way in one worker: a slow one leaves threads to the others
TIMEOUT = 15.0  # seconds, by the specification's advice
LEASE = timedelta(minutes=2)  # longer than a call
MOST_ANSWER = 2048  # bytes that are read of an answer: nothing depends on them
# After each failure; then it is given up and waits for a person (Standard Webhooks, "retry schedule").
PAUSES = tuple(
    timedelta(**pause)
    for pause in (
        {"seconds": 5},
        {"minutes": 5},
        {"minutes": 30},
        {"hours": 2},
        {"hours": 5},
        {"hours": 10},
        {"hours": 14},
        {"hours": 20},
        {"hours": 24},
    )
)
JITTER = 0.2  # of a pause, either way
FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=15)
STOPPED_AFTER = timedelta(days=5)
LONGEST_ASKED = timedelta(hours=24)  # by a receiver's Retry-After
KEPT = timedelta(days=30)

TAKE = """
WITH taken AS MATERIALIZED (
    SELECT id FROM campaigns_webhookmessage WHERE endpoint_id = %(endpoint)s AND next_at <= %(now)s
    ORDER BY next_at, sequence LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE campaigns_webhookmessage m SET next_at = %(until)s, attempts = m.attempts + 1
FROM taken WHERE m.id = taken.id RETURNING m.id
"""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One message, signed and ready to leave."""

    message: WebhookMessage
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a call: a status, or the code of why there is none."""

    status: int | None
    error: str
    took: float
    again_after: timedelta | None = None

    @property
    def good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def work(clock: Clock, seconds: float, threads: int = THREADS) -> Counter[str]:
    """Send what is due until nothing is, or the time is over; return how many were told, failed and given up."""
    ends, counts, flying = time.monotonic() + seconds, Counter[str](), dict[Future[Answer], Call]()
    with ThreadPoolExecutor(threads, thread_name_prefix="webhook") as pool:
        while True:
            if time.monotonic() < ends and len(flying) < threads:
                busy = Counter(call.message.endpoint_id for call in flying.values())
                for call in take(threads - len(flying), clock(), busy):
                    flying[pool.submit(send, call)] = call
            if not flying:
                return counts
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                counts[settle(flying.pop(future).message, future.result(), clock())] += 1


def take(most: int, now: datetime, busy: Counter[int] | None = None) -> list[Call]:
    """Take up to so many due messages on a lease, of each endpoint its oldest; other workers skip them."""
    taken: list[Call] = []
    for endpoint in WebhookEndpoint.objects.due(now).order_by("pk"):
        room = min(most - len(taken), AT_ONCE - (busy or Counter())[endpoint.pk])
        if room > 0:
            taken += _take(endpoint, room, now)
    return taken


def _take(endpoint: WebhookEndpoint, most: int, now: datetime) -> list[Call]:
    if endpoint.failing_since is not None:
        # One of all workers tries whether it is back.
        rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, next_try_at=endpoint.next_try_at)
        if not rows.update(next_try_at=now + LEASE):
            return []
        most = 1
    values: dict[str, Any] = {"endpoint": endpoint.pk, "now": now, "until": now + LEASE, "limit": most}
    with connection.cursor() as cursor:
        cursor.execute(TAKE, values)
        ids = [row[0] for row in cursor.fetchall()]
    return [call_of(endpoint, one, now) for one in WebhookMessage.objects.filter(pk__in=ids).order_by("sequence")]


def call_of(endpoint: WebhookEndpoint, message: WebhookMessage, now: datetime) -> Call:
    """Return the request: its body, and headers signed with every secret that is in force."""
    told = {
        "type": message.kind,
        "timestamp": message.happened_at.isoformat(),
        "id": str(message.pk),
        "sequence": message.sequence,
        "data": dict(message.body) | ({"profile_id": message.profile_id} if message.profile_id is not None else {}),
    }
    body = orjson.dumps(told)
    secrets = [endpoint.secret]
    if endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > now:
        secrets.append(endpoint.old_secret)
    signed = standard_webhooks.sign_with_each(secrets, str(message.pk), body, now)
    return Call(message=message, url=endpoint.url, headers={"content-type": "application/json"} | signed, body=body)


def send(call: Call) -> Answer:
    """Call the endpoint; it asks the database nothing, so any thread may."""
    began = time.monotonic()
    try:
        reply = egress.request(
            "POST", call.url, headers=call.headers, body=call.body, most=MOST_ANSWER, timeout=TIMEOUT
        )
    except egress.EgressError as error:
        return Answer(status=None, error=str(error)[:200], took=time.monotonic() - began)
    wished = {name.lower(): value for name, value in reply.headers.items()}.get("retry-after", "")
    again = min(timedelta(seconds=int(wished)), LONGEST_ASKED) if wished.isdecimal() and len(wished) < 8 else None
    why = "redirect" if 300 <= reply.status < 400 else ""
    return Answer(status=reply.status, error=why, took=time.monotonic() - began, again_after=again)


def settle(message: WebhookMessage, answer: Answer, now: datetime) -> str:
    """Write down what an endpoint answered: *told*, *failed* (it is tried again), *given up*, or *late*.

    Late is who comes back after the lease, when somebody else has the message: the answer stands in the log, and counts
    only if it was good.
    """
    with transaction.atomic():
        _log(message, answer, now)
        mine = WebhookMessage.objects.filter(pk=message.pk)
        if answer.good:
            mine.update(next_at=None, delivered_at=now)
            _is_well(message.endpoint_id)
            return "told"
        mine = mine.filter(attempts=message.attempts, delivered_at=None)
        if answer.status == 410:
            mine.update(next_at=now)
            _stop(message.endpoint_id, WebhookEndpoint.Why.GONE)
            return "failed"
        _fails(message.endpoint_id, answer, now)
        if message.attempts > len(PAUSES):
            return "given up" if mine.update(next_at=None) else "late"
        return "failed" if mine.update(next_at=now + _pause(message.attempts, answer)) else "late"


def note(message: WebhookMessage, answer: Answer, now: datetime) -> None:
    """Write down what came of a message that is tried once only."""
    with transaction.atomic():
        _log(message, answer, now)
        if answer.good:
            WebhookMessage.objects.filter(pk=message.pk).update(delivered_at=now)
            _is_well(message.endpoint_id)


def _log(message: WebhookMessage, answer: Answer, now: datetime) -> None:
    took = round(1000 * answer.took)
    WebhookAttempt.objects.create(message=message, status=answer.status, error=answer.error, took_ms=took, tried_at=now)


def _pause(attempts: int, answer: Answer) -> timedelta:
    pause = PAUSES[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # so that they do not all come at once
    return max(pause, answer.again_after or timedelta())


def _is_well(endpoint: int) -> None:
    failing = WebhookEndpoint.objects.filter(pk=endpoint, failing_since__isnull=False)
    failing.update(failures=0, failing_since=None, next_try_at=None)


def _fails(endpoint: int, answer: Answer, now: datetime) -> None:
    row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint)
    rest = min(FIRST_REST * 2 ** min(row.failures, 20), LONGEST_REST)
    rest = max(rest, answer.again_after or timedelta())
    WebhookEndpoint.objects.filter(pk=endpoint).update(
        failures=F("failures") + 1, failing_since=Coalesce("failing_since", now), next_try_at=now + rest
    )
    if row.active and row.failing_since is not None and row.failing_since <= now - STOPPED_AFTER:
        _stop(endpoint, WebhookEndpoint.Why.FAILING)


def _stop(endpoint: int, why: WebhookEndpoint.Why) -> None:
    if WebhookEndpoint.objects.filter(pk=endpoint, active=True).update(active=False, stopped_for=why):
        log.error("The webhook endpoint %s was stopped: %s. Somebody should look at it.", endpoint, why.value)


def forget(now: datetime, most: int = 100_000) -> int:
    """Delete messages that are a month old and wait for nothing, with the log of their attempts."""
    done = WebhookMessage.objects.filter(next_at=None, created_at__lt=now - KEPT).values_list("pk", flat=True)
    ids: Sequence[Any] = list(done[:most])
    with transaction.atomic():
        WebhookAttempt.objects.filter(message__in=ids).delete()
        return WebhookMessage.objects.filter(pk__in=ids).delete()[0]
