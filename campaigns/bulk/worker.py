"""A worker's while with messages to many: it takes a pair's people, groups them, and gives each group away in one call.

One call at a time: a few of them carry what a night of single messages would. Nothing here asks for less than a single
message does; what differs is that the answer is one for all.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID, uuid4

from django.db import connection

from campaigns import forms
from campaigns.bulk import budgets, contents, jobs, pairs, staff_tasks
from campaigns.bulk.jobs import Group
from campaigns.bulk.pairs import Pair
from campaigns.channels import Answer, Batch, BatchOutcome, Channel, ChannelError, Message, Outcome
from campaigns.channels.base import BulkChannel
from campaigns.channels.wechat import rights
from campaigns.delivering import sending
from campaigns.delivering.handing_off import Ready
from campaigns.delivering.writing import NO_ACCOUNT_PAUSE, Desk, desk, nearest
from campaigns.models import BulkJob, Campaign, ChannelAccount, Delivery, Run
from campaigns.reach import addressing
from campaigns.reach.audience import Reason
from campaigns.templating import checking, rendering
from campaigns.templating.sandbox import TemplateFailed
from campaigns.wechat import pauses
from crm.copying import text_array
from crm.models import Profile

log = logging.getLogger(__name__)

MOST = 10_000  # people that are taken at once
COMPANY = timedelta(minutes=15)  # for which one who is alone waits for others
KINDS = {"wechat": BulkJob.Kind.MASS, "wecom": BulkJob.Kind.STAFF_TASK}
PUT_BACK = """
UPDATE campaigns_delivery d SET status = 'queued', reserved_by = NULL, lease_until = NULL,
    due_at = greatest(d.due_at, %(due)s)
WHERE d.id = ANY (%(ids)s::uuid[]) AND d.status = 'reserved' AND d.reserved_by = %(worker)s
"""


class BulkWorker:
    """One worker's while, in one process."""

    def __init__(self, clock: Callable[[], datetime], *, at: Desk | None = None) -> None:
        self.id, self.clock, self.desk = uuid4(), clock, at or desk()
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float) -> Counter[str]:
        """Send for a while, and return how many people came to which status; what is left is put back."""
        until = time.monotonic() + seconds
        try:
            for pair in self._pairs():
                while time.monotonic() < until and self._send_some(pair):
                    pass
        finally:
            sending.release(self.id, self.clock())
        return self.counts

    def _pairs(self) -> Iterator[Pair]:
        runs = Run.objects.sending().filter(campaign__channels__overlap=sorted(pairs.CHANNELS))
        for run in runs.select_related("campaign__purpose").order_by("-campaign__priority", "starts_at", "pk"):
            yield from pairs.of(run)

    def _send_some(self, pair: Pair) -> bool:
        """Take what is due of a pair and give it away; tell whether there may be more."""
        now = self.clock()
        taken = sending.reserve_many(self.id, pair, budgets.most(pair.channel, MOST), now)
        rows = list(Delivery.objects.filter(pk__in=taken).prefetch_related("run__campaign__purpose"))
        for row in rows:
            row.variant = pair.variant
        for group in self._groups(pair, rows, now):
            self._give(group)
        return len(taken) > 0

    # -- who gets what through which account ---------------------------------------------------------------------------

    def _groups(self, pair: Pair, rows: Sequence[Delivery], now: datetime) -> Iterator[Group]:
        accounts = list(ChannelAccount.objects.working(pair.channel))
        open_ = [one for one in accounts if not pauses.until(one, now)]
        if not open_:
            paused = [until for one in accounts if (until := pauses.until(one, now))]
            self._put_back(rows, min(paused, default=now + NO_ACCOUNT_PAUSE))
            return
        for account, own in nearest(rows, open_).items() if rows else ():
            share = [one for one in rows if own is None or one.profile_id in own]
            yield from self._of_account(pair, account, share, now)

    def _of_account(
        self, pair: Pair, account: ChannelAccount, rows: Sequence[Delivery], now: datetime
    ) -> Iterator[Group]:
        try:
            channel = self.desk.adapter(account)
        except ChannelError:
            self._put_back(rows, now + NO_ACCOUNT_PAUSE)
            return
        known = addressing.addresses((one.profile_id for one in rows), pair.channel, [channel.identifier], account)
        self._suppress([one for one in rows if one.profile_id not in known], Reason.NO_ADDRESS, now)
        here = [one for one in rows if one.profile_id in known]
        self._suppress([one for one in here if not known[one.profile_id].open], Reason.NOT_FOLLOWING, now)
        here = [one for one in here if known[one.profile_id].open]
        spoken = _languages(pair, here)
        by_way = lambda one: (spoken[one.profile_id], known[one.profile_id].sender)  # noqa: E731
        for (language, sender), some in groupby(sorted(here, key=by_way), key=by_way):
            alike = list(some)
            if self._waits_for_company(pair, alike, now):
                continue
            try:
                parts = content(pair, language, alike[0].profile_id, self.desk, now)
            except (TemplateFailed, forms.FormError):
                self._suppress(alike, Reason.TEMPLATE, now)
                continue
            ready = [_ready(one, account, channel, known[one.profile_id], language, parts) for one in alike]
            for chunk in _chunks(ready, channel.most(account)):  # type: ignore[attr-defined]  # of a BulkChannel
                yield Group(
                    pair=pair, account=account, kind=KINDS[pair.channel], language=language, sender=sender, ready=chunk
                )

    def _waits_for_company(self, pair: Pair, alike: Sequence[Delivery], now: datetime) -> bool:
        """Let one who is alone wait for others who come soon: a list of one the platform does not take."""
        if len(alike) > 1 or KINDS[pair.channel] != BulkJob.Kind.MASS:
            return False
        (one,) = alike
        due = pairs.next_due(pair, now)
        if pair.run.campaign.kind in Campaign.STANDING and one.due_at + COMPANY > now:
            due = min(due or one.due_at + COMPANY, one.due_at + COMPANY)
        if due is None or due >= one.expires_at:
            return False
        self._put_back(alike, due)
        return True

    # -- giving away ---------------------------------------------------------------------------------------------------

    def _give(self, group: Group) -> None:
        now = self.clock()
        rows = [one.delivery for one in group.ready]
        if until := budgets.wait(group, now):
            self._put_back(rows, until)
            return
        try:
            group = contents.made_ready(group, now)
        except contents.NotReady as error:
            self._not_ready(group, error.outcome, now)
            return
        job, handed = jobs.hand_over(group, self.id, now)
        left = jobs.seal(job, handed, self.clock())
        if not left:
            return
        told = called(group, jobs.batch(job, left, self.clock), job.pk)
        self.counts.update(jobs.settle(job, left, told, self.clock()).values())
        if job.kind == BulkJob.Kind.STAFF_TASK and job.status == BulkJob.Status.ACCEPTED:
            staff_tasks.open_(job)

    def _not_ready(self, group: Group, outcome: Outcome, now: datetime) -> None:
        rows = [one.delivery for one in group.ready]
        if outcome.answer == Answer.REFUSED:
            self._suppress(rows, Reason.TEMPLATE, now)
            return
        if outcome.account_waits:
            pauses.pause(group.account.pk, outcome, now)
        if outcome.account_refused:
            rights.refuse(group.account, outcome.reason or outcome.code)
        self._put_back(rows, now + (outcome.again_after or timedelta(minutes=1)))

    def _suppress(self, rows: Sequence[Delivery], reason: Reason, now: datetime) -> None:
        if rows:
            self.counts["suppressed"] += sending.suppress([one.pk for one in rows], reason.value, now)

    def _put_back(self, rows: Iterable[Delivery], due: datetime) -> None:
        ids = text_array(str(one.pk) for one in rows)
        with connection.cursor() as cursor:
            cursor.execute(PUT_BACK, {"ids": ids, "due": due, "worker": self.id})


def called(group: Group, batch: Batch, key: UUID) -> BatchOutcome:
    channel: BulkChannel = group.ready[0].channel  # type: ignore[assignment]  # its form goes to many
    try:
        return channel.send_many(group.account, batch, key)
    except Exception:  # whatever it is: nobody knows whether the message left
        log.exception("An adapter failed in a call for many.")
        return BatchOutcome(outcome=Outcome(answer=Answer.UNKNOWN, reason="adapter_failed"))


def _languages(pair: Pair, rows: Sequence[Delivery]) -> Mapping[int, str]:
    there = sorted(pair.variant.template.forms[pair.channel])
    spoken = dict(Profile.objects.filter(pk__in={one.profile_id for one in rows}).values_list("pk", "language"))
    return {one.profile_id: rendering.nearest(spoken.get(one.profile_id, "").lower(), there) for one in rows}


def content(pair: Pair, language: str, profile: int, at: Desk, now: datetime) -> Mapping[str, object]:
    """Return what everybody of a language gets; it holds nothing of anybody, though one of them lends her language."""
    form = forms.parse(pair.variant.template.forms)[pair.channel][language]
    if mine := checking.personal(form):
        raise TemplateFailed("same_for_all", sorted(mine)[0])
    renderer = at.renderer(pair.variant, pair.channel)
    renderer.prepare([profile], now)
    return renderer.message(profile, None).parts  # no delivery: nothing in it is one person's


def _ready(
    row: Delivery,
    account: ChannelAccount,
    channel: Channel,
    address: addressing.Address,
    language: str,
    parts: Mapping[str, object],
) -> Ready:
    message = Message(to=address.value, language=language, parts=parts)
    return Ready(delivery=row, account=account, channel=channel, message=message, identifier=address.identifier)


def _chunks(ready: Sequence[Ready], most: int) -> Iterator[Sequence[Ready]]:
    """Yield pieces of at most so many, none of one where there are more.

    >>> [len(piece) for piece in _chunks(["x"] * 21, 10)], [len(piece) for piece in _chunks(["x"] * 20, 10)]
    ([7, 7, 7], [10, 10])
    """
    pieces = -(-len(ready) // most)
    size = -(-len(ready) // pieces) if pieces else most
    for start in range(0, len(ready), size):
        yield ready[start : start + size]
