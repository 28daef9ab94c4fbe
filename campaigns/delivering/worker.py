"""A worker's while: it takes a batch, writes it, and keeps some calls under way until nothing is due or time is up.

One thread has the database; the others only speak to providers, so that waiting for them and for the disk overlap.
Each time that some calls have ended, their answers are written down in one transaction, and in another as many messages
are handed over as threads have become free: none is handed over before somebody is there to call for it. A transaction
costs the same for one message as for ten, so with a fast provider both wait a moment for all that are under way.

Where an account has a rate, messages are written ahead of it and leave by it (:mod:`campaigns.reach.quotas`); until the
next may leave, the worker waits for answers and for nothing else.
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

from campaigns import bell
from campaigns.channels import Answer, Outcome
from campaigns.delivering import sending
from campaigns.delivering.handing_off import Ready, hand_off_each
from campaigns.delivering.writing import RATE_PAUSE, Desk, Written, desk
from campaigns.models import ChannelAccount, Delivery
from crm.copying import text_array

log = logging.getLogger(__name__)

THREADS, BATCH = 16, 200
MOMENT = 0.05  # seconds that an answer may wait for others
LEAST = 8  # taken at once where an account's rate leaves room for fewer
LONGEST_WAIT = 0.25  # seconds for a rate: whatever else became due is looked for, too
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
        self.calling, self.most, self.paced_until = 0, BATCH, 0.0
        self.taken_at = clock()
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float) -> Counter[str]:
        """Send for a while, and return how many came to which status; what is left is put back."""
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(self.threads, thread_name_prefix="send") as pool:
            try:
                while time.monotonic() < until and self._fill(pool):
                    self._settle()
                self._leave()
                while self.calling:
                    self._settle()
            finally:
                self._leave()
        return self.counts

    def _leave(self) -> None:
        """Put back what is left, and call another worker to it: not only after the calls that are under way here."""
        left = list(self.ready)
        self.ready.clear()
        self.paced_until = 0.0
        sending.release(self.id, self.clock())  # the second message to somebody, too, whose first was just handed over
        self._give_back(left)
        if left:
            bell.ring()

    def _fill(self, pool: ThreadPoolExecutor) -> bool:
        """Give every free thread a call that may leave now; tell whether anything is under way or waits for its time.

        The next batch is taken while the last one is still leaving, so that no rate has to wait for it.
        """
        if 4 * len(self.ready) <= self.most and self.calling < self.threads:
            self._take()
        taken = self._paced(self.threads - self.calling)
        calls = hand_off_each(taken, self.id, self.clock()) if taken else {}
        self._give_back(one for one in taken if one.delivery.pk not in calls)
        for one in taken:
            if call := calls.get(one.delivery.pk):
                self.calling += 1
                pool.submit(self._call, one, call)
        return bool(self.calling or self.ready)

    def _paced(self, free: int) -> list[Ready]:
        """Take of what is ready as much as threads are free and each account's rate lets leave at once."""
        now, room, waits = self.clock(), Counter[ChannelAccount](), list[float]()
        for account, number in Counter(one.account for one in self.ready).items():
            if wanted := min(free - room.total(), number):
                room[account], wait = self.desk.pace(account, wanted, now)
                waits += [wait] if wait else []
        self.paced_until = time.monotonic() + min(*waits, LONGEST_WAIT) if waits and not room.total() else 0.0
        if not room.total():
            return []
        taken, left = list[Ready](), deque[Ready]()
        for one in self.ready:
            (taken if room[one.account] else left).append(one)
            room[one.account] -= room[one.account] > 0
        self.ready = left
        return taken

    def _give_back(self, unused: Iterable[Ready]) -> None:
        for account, number in Counter(one.account for one in unused).items():
            self.desk.give_back(account, number, self.taken_at)

    def _take(self) -> None:
        now = self.taken_at = self.clock()
        taken = sending.reserve(self.id, self.most - len(self.ready), now)
        if not taken:
            return
        # Not joined: a batch shares its run, purpose and template, whose texts may be long.
        rows = Delivery.objects.filter(pk__in=taken).prefetch_related("run__campaign__purpose", "variant__template")
        in_order = {row.pk: row for row in rows}
        held = Counter(one.account for one in self.ready)
        written = self.desk.write([in_order[pk] for pk in taken if pk in in_order], now, held)
        self._put_away(written, now)
        self.ready += [one for pk in taken if isinstance(one := written.get(pk), Ready)]
        rated = any(until == now + RATE_PAUSE for until in written.values())
        self.most = max(LEAST, len(self.ready)) if rated else min(BATCH, self.most + LEAST)

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

    def _settle(self) -> None:
        outcomes = dict(self._answers())
        if outcomes:
            self.calling -= len(outcomes)
            self.counts.update(sending.settle_each(outcomes, self.clock()).values())

    def _answers(self) -> Iterable[tuple[UUID, Outcome]]:
        """Yield answers, for as long as there is nothing else to do: until a rate lets the next messages leave.

        Where nothing can be done without one, the first is waited for, and others that could come for a moment.
        """
        under_way, until = self.calling, self.paced_until
        try:
            if not until and under_way and (under_way == self.threads or not self.ready):
                yield self.ended.get(timeout=LONGEST_CALL)
                under_way, until = under_way - 1, time.monotonic() + MOMENT
            while under_way and (left := until - time.monotonic()) > 0:
                yield self.ended.get(timeout=left)
                under_way -= 1
            while True:
                yield self.ended.get_nowait()
        except Empty:
            pass
        if not self.calling:
            time.sleep(max(0.0, self.paced_until - time.monotonic()))


def _texts(ids: Iterable[UUID]) -> str:
    return text_array(map(str, ids))
