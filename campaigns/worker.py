"""A worker's while: it takes a batch, writes it, and keeps some calls under way until nothing is due or time is up.

One thread has the database; the others only speak to providers, so that waiting for them and for the disk overlap.
Each time that some calls have ended, their answers are written down in one transaction, and in another as many messages
are handed over as threads have become free: none is handed over before somebody is there to call for it. A transaction
costs the same for one message as for ten, so with a fast provider both wait a moment for all that are under way.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from queue import Empty, SimpleQueue
from uuid import UUID, uuid4

from django.db import connection

from campaigns import sending
from campaigns.channels import Answer, Outcome
from campaigns.handing_off import Ready, hand_off_each
from campaigns.models import Delivery
from campaigns.writing import RATE_PAUSE, Desk, Written, desk
from crm.copying import text_array

log = logging.getLogger(__name__)

THREADS, BATCH = 16, 200
MOMENT = 0.05  # seconds that an answer may wait for others
LEAST = 8  # taken at once where an account's rate leaves room for fewer
LONGEST_CALL = 90.0  # seconds: shorter than the lease; adapters give up long before

PUT_BACK = """
UPDATE campaigns_delivery d SET status = 'queued', reserved_by = NULL, lease_until = NULL,
    due_at = greatest(d.due_at, told.due)
FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[]) AS told (id, due)
WHERE d.id = told.id AND d.status = 'reserved' AND d.reserved_by = %(worker)s
"""


class Worker:
    """One worker's while, in one process."""

    def __init__(self, clock: Callable[[], datetime], *, at: Desk | None = None, threads: int = THREADS) -> None:
        self.id, self.clock, self.desk, self.threads = uuid4(), clock, at or desk(), threads
        self.ready: deque[Ready] = deque()
        self.ended: SimpleQueue[tuple[UUID, Outcome]] = SimpleQueue()
        self.calling, self.batch, self.rated_until = 0, BATCH, 0.0
        self.taken_at = clock()
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float) -> Counter[str]:
        """Send for a while, and return how many came to which status; what is left is put back."""
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(self.threads, thread_name_prefix="send") as pool:
            try:
                while time.monotonic() < until and (self._fill(pool) or self._await_rate()):
                    self._settle(wait=self.calling == self.threads or not self.ready)
                while self.calling:
                    self._settle(wait=True)
            finally:  # the second message to somebody, too, whose first was just handed over
                sending.release(self.id, self.clock())
                self._give_back(self.ready)
        return self.counts

    def _fill(self, pool: ThreadPoolExecutor) -> bool:
        """Give every free thread a call; tell whether anything is under way."""
        if not self.ready and self.calling < self.threads:
            self._take()
        free = self.threads - self.calling
        while self.ready and free:
            taken = [self.ready.popleft() for _ in range(min(free, len(self.ready)))]
            calls = hand_off_each(taken, self.id, self.clock())
            self._give_back(one for one in taken if one.delivery.pk not in calls)
            for one in taken:
                if call := calls.get(one.delivery.pk):
                    self.calling += 1
                    pool.submit(self._call, one, call)
            free = self.threads - self.calling
        return bool(self.calling or self.ready)

    def _give_back(self, unused: Iterable[Ready]) -> None:
        for account, number in Counter(one.account for one in unused).items():
            self.desk.give_back(account, number, self.taken_at)

    def _await_rate(self) -> bool:
        """Wait a moment if an account's rate is all that keeps messages back; tell whether it was."""
        if rated := time.monotonic() < self.rated_until:
            time.sleep(RATE_PAUSE.total_seconds() / 2)
        return rated

    def _take(self) -> None:
        now = self.taken_at = self.clock()
        taken = sending.reserve(self.id, self.batch, now)
        if not taken:
            return
        # Not joined: a batch shares its run, purpose and template, whose texts may be long.
        rows = Delivery.objects.filter(pk__in=taken).prefetch_related("run__campaign__purpose", "variant__template")
        in_order = {row.pk: row for row in rows}
        written = self.desk.write([in_order[pk] for pk in taken if pk in in_order], now)
        self._put_away(written, now)
        rated = any(until == now + RATE_PAUSE for until in written.values())
        granted = sum(isinstance(one, Ready) for one in written.values())
        self.batch = max(LEAST, 2 * granted) if rated else BATCH
        self.rated_until = time.monotonic() + 4 * RATE_PAUSE.total_seconds() if rated else 0.0
        self.ready += [one for pk in taken if isinstance(one := written.get(pk), Ready)]

    def _put_away(self, written: Mapping[UUID, Written], now: datetime) -> None:
        waiting = {pk: until for pk, until in written.items() if isinstance(until, datetime)}
        if waiting:
            due = text_array(at.isoformat() for at in waiting.values())
            with connection.cursor() as cursor:
                cursor.execute(PUT_BACK, {"ids": _texts(waiting), "due": due, "worker": self.id})
        reasons = {why for why in written.values() if isinstance(why, str)}
        for reason in sorted(reasons):
            skipped = [pk for pk, why in written.items() if why == reason]
            self.counts["suppressed"] += sending.suppress(skipped, reason, now)

    def _call(self, one: Ready, call: UUID) -> None:
        try:
            outcome = one.channel.send(one.account, one.message, call)
        except Exception:  # whatever it is: nobody knows whether the message left
            log.exception("An adapter failed in a call.")
            outcome = Outcome(answer=Answer.UNKNOWN, reason="adapter_failed")
        finally:
            if connection.connection is not None:  # an adapter that asked the database had one of its thread's own
                connection.close()
        self.ended.put((call, outcome))

    def _settle(self, *, wait: bool) -> None:
        outcomes = dict(self._answers(wait=wait))
        if outcomes:
            self.calling -= len(outcomes)
            self.counts.update(sending.settle_each(outcomes, self.clock()).values())

    def _answers(self, *, wait: bool) -> Iterable[tuple[UUID, Outcome]]:
        """Yield answers: the first is waited for, if at all, others of which there could be more for a moment."""
        enough = self.calling
        try:
            if wait and self.calling:
                yield self.ended.get(timeout=LONGEST_CALL)
                until = time.monotonic() + MOMENT
                for _ in range(enough - 1):
                    yield self.ended.get(timeout=max(0.0, until - time.monotonic()))
            while True:
                yield self.ended.get_nowait()
        except Empty:
            return


def _texts(ids: Iterable[UUID]) -> str:
    return text_array(map(str, ids))
