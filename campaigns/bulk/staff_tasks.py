"""Tasks that staff must confirm in WeCom: who did, who was reached, who is reminded, and what nobody ever confirmed.

The platform tells nothing of its own accord: it is asked, ever more rarely, for three days. What it then says of each
customer is known of each; what nobody confirmed by then was sent to nobody.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, Q, QuerySet, When
from django.utils.translation import gettext

from campaigns.bulk import failing
from campaigns.channels.base import Feedback, Told
from campaigns.channels.wechat import limits, wecom
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import BulkJob, Campaign, ChannelAccount, Delivery, Run, Staff, StaffTask
from campaigns.responses import feedback
from crm.models import Identifier

STEPS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 360, 720, 1440, 2160, 2880, 3600))
A_DAY = timedelta(hours=24)
Status = BulkJob.Status
CONFIRMED = 2  # a task's status; 0 is unsent
# What the platform says of one customer; 0 is that nothing was sent yet.
RESULTS: Mapping[int, tuple[Feedback, str]] = {
    1: (Feedback.DELIVERED, ""),
    2: (Feedback.FAILED, "not_a_friend"),
    3: (Feedback.FAILED, "capped_by_platform"),
}
WORDS = {0: "waiting", 1: "reached", 2: "not_friends", 3: "capped"}


class NotPossible(ValueError):
    """A task cannot be reminded of or cancelled; the message says why."""


def open_(job: BulkJob) -> None:
    """Write down that a member of staff was asked, once the platform has taken the task."""
    who = Staff.objects.filter(account=job.account, userid=job.sender).first()
    if who is not None:
        people = Delivery.objects.filter(job=job, status=Delivery.Status.ACCEPTED).count()
        StaffTask.objects.get_or_create(job=job, staff=who, defaults={"people": people})


def of(campaign: Campaign) -> QuerySet[StaffTask]:
    """Return what the staff were asked to confirm of a campaign, those that wait first."""
    rows = StaffTask.objects.filter(job__run__campaign=campaign).select_related("staff", "job")
    waits = Case(When(status=StaffTask.Status.WAITING, then=0), default=1)
    return rows.order_by(waits, "-job__called_at", "staff__userid")


def poll(clock: Callable[[], datetime]) -> int:
    """Ask how far tasks are; return of how many something was learnt."""
    due = BulkJob.objects.to_be_asked_for(clock()).filter(kind=BulkJob.Kind.STAFF_TASK, status=Status.ACCEPTED)
    return sum(_poll(job, clock()) for job in due.select_related("account", "run"))


def _poll(job: BulkJob, now: datetime) -> bool:
    since = now - (job.called_at or now)
    last = timedelta(hours=limits.of(job.account, "group_poll_hours") or 72)
    ahead = next((step for step in STEPS if step > since), last)
    if not BulkJob.objects.filter(pk=job.pk, poll_at=job.poll_at).update(poll_at=now - since + max(ahead, since)):
        return False
    try:
        if job.run.status == Run.Status.CANCELLED:
            cancel(job, now)
            return True
        open_(job)
        confirmed = _tasks(job)
        results = [one for userid in confirmed for one in results_of(job.account, job.provider_id, userid)]
    except (WeChatError, NotPossible):
        if since >= last + A_DAY:
            BulkJob.objects.filter(pk=job.pk).update(poll_at=None)
        elif since >= last:
            BulkJob.objects.filter(pk=job.pk).update(poll_at=now + timedelta(hours=1))
        return False
    _learn(job, confirmed, results, now)
    _end(job, confirmed, results, now, late=since >= last)
    return True


def _tasks(job: BulkJob) -> dict[str, datetime]:
    """Return which of the staff have confirmed, and when."""
    found: dict[str, datetime] = {}
    for page in pages(lambda cursor: wecom.externalcontact_get_groupmsg_task(job.account, job.provider_id, cursor)):
        for one in page.get("task_list") or ():
            if int(one.get("status", 0)) == CONFIRMED:
                found[str(one["userid"])] = datetime.fromtimestamp(int(one.get("send_time") or 0), UTC)
    return found


def results_of(account: ChannelAccount, msgid: str, userid: str) -> list[Mapping[str, Any]]:
    """Return what the platform says of each customer of a member of staff in a task."""
    ask = wecom.externalcontact_get_groupmsg_send_result
    told = pages(lambda cursor: ask(account, msgid, userid, cursor))
    return [one for page in told for one in page.get("send_list") or ()]


def pages(ask: Callable[[str], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of a list of the platform's, each asked for by the cursor of the one before."""
    cursor, seen = "", set[str]()
    while cursor not in seen:  # a cursor that leads back ends it
        seen.add(cursor)
        page = ask(cursor)
        yield page
        cursor = str(page.get("next_cursor") or "")


def _learn(job: BulkJob, confirmed: Mapping[str, datetime], results: list[Mapping[str, Any]], now: datetime) -> None:
    """Take the platform's word for each customer, once."""
    deliveries = by_customer(job)
    told = []
    for one in results:
        status, pk = int(one.get("status", 0)), deliveries.get(str(one.get("external_userid")))
        if pk is None or status not in RESULTS:
            continue
        kind, code = RESULTS[status]
        at = datetime.fromtimestamp(int(one.get("send_time") or 0), UTC) if one.get("send_time") else now
        told.append(Told(key=f"{job.pk.hex}:{pk.hex}:{status}", feedback=kind, happened_at=at, delivery=pk, code=code))
    feedback.take(job.account, told, now)
    counts = Counter(WORDS.get(int(one.get("status", 0)), "waiting") for one in results)
    BulkJob.objects.filter(pk=job.pk).update(counts=dict(counts))
    for userid, at in confirmed.items():
        rows = StaffTask.objects.filter(job=job, staff__userid=userid)
        rows.update(status=StaffTask.Status.CONFIRMED, confirmed_at=at, reached=counts["reached"])


def by_customer(job: BulkJob) -> dict[str, UUID]:
    """Return a job's deliveries by the platform's numbers of their people."""
    rows = dict(Delivery.objects.filter(job=job).values_list("address_id", "pk"))
    return {str(one.value): rows[one.pk] for one in Identifier.objects.filter(pk__in=[pk for pk in rows if pk])}


def _end(
    job: BulkJob,
    confirmed: Mapping[str, datetime],
    results: list[Mapping[str, Any]],
    now: datetime,
    *,
    late: bool,
) -> None:
    waiting = sum(int(one.get("status", 0)) == 0 for one in results)
    if confirmed and (late or (results and not waiting)):
        BulkJob.objects.filter(pk=job.pk).update(status=Status.SENT, poll_at=None, ended_at=now)
    elif late:
        ended = {"status": Status.FAILED, "reason": "expired_unsent", "poll_at": None, "ended_at": now}
        BulkJob.objects.filter(pk=job.pk).update(**ended)
        StaffTask.objects.filter(job=job).update(status=StaffTask.Status.EXPIRED)
        failing.fail(job, "expired_unsent", now)


def remind(task: StaffTask, now: datetime) -> None:
    """Have WeCom remind the member of staff, as often as it does so in a day.

    Raises
    ------
    NotPossible
        The task waits for nobody, she was reminded as often as may be, or the platform did not do it.
    """
    most = limits.of(task.job.account, "group_reminders_a_day") or 0
    waiting = StaffTask.objects.filter(pk=task.pk, status=StaffTask.Status.WAITING, job__status=Status.ACCEPTED)
    fresh = waiting.filter(Q(reminded_at=None) | Q(reminded_at__lte=now - A_DAY))
    if not fresh.update(reminders=1, reminded_at=now):
        held = waiting.filter(reminders__lt=most, reminders=task.reminders)
        if not held.update(reminders=task.reminders + 1, reminded_at=now):
            raise NotPossible(gettext("It waits for nobody, or was recalled as often as WeCom does in a day."))
    try:
        wecom.externalcontact_remind_groupmsg_send(task.job.account, task.job.provider_id)
    except WeChatError as error:
        raise NotPossible(gettext("WeCom did not do it: %(why)s") % {"why": error}) from error
    task.refresh_from_db()


def cancel(job: BulkJob, now: datetime) -> None:
    """Take a task back that nobody has confirmed; nobody gets it, on no other channel either.

    Raises
    ------
    NotPossible
        It is over, or the platform did not do it.
    """
    if job.kind != BulkJob.Kind.STAFF_TASK or job.status != Status.ACCEPTED:
        raise NotPossible(gettext("It is over: there is nothing to take back."))
    try:
        wecom.externalcontact_cancel_groupmsg_send(job.account, job.provider_id)
    except WeChatError as error:
        raise NotPossible(gettext("WeCom did not do it: %(why)s") % {"why": error}) from error
    BulkJob.objects.filter(pk=job.pk).update(status=Status.CANCELLED, reason="cancelled", poll_at=None, ended_at=now)
    StaffTask.objects.filter(job=job, status=StaffTask.Status.WAITING).update(status=StaffTask.Status.CANCELLED)
    failing.fail(job, "cancelled", now, follow=False)
    job.refresh_from_db()
