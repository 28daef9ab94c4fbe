"""Staff tasks that were given to WeCom without an answer: looked for among those that it lists.

WeCom knows no key of ours, so a task is told from others by when it was made, by its words and links, by who of the
staff is asked, and by its customers. Only where exactly one task fits, and that one fits no other job of ours, is it
taken for the lost one. Otherwise the job stays unknown: it is shown, and never given to WeCom a second time.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from campaigns import forms
from campaigns.bulk import staff_tasks, worker
from campaigns.bulk.pairs import Pair
from campaigns.channels import Batch
from campaigns.channels.wechat import many, wecom
from campaigns.channels.wechat.errors import WeChatError
from campaigns.delivering.writing import Desk
from campaigns.models import BulkJob, Delivery
from campaigns.templating.sandbox import TemplateFailed

BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=10)  # of our call: the clocks differ, and a call takes time
WITHIN = timedelta(days=1)
SINGLE, BY_CORPORATION = "single", 0
Status = BulkJob.Status


def look(now: datetime, at: Desk) -> int:
    """Look for the tasks whose turn it is, ever more rarely; return how many were found."""
    due = BulkJob.objects.to_be_asked_for(now).filter(status=Status.UNKNOWN, kind=BulkJob.Kind.STAFF_TASK)
    return sum(_look(job, at, now) for job in due.select_related("account", "run", "variant__template"))


def _look(job: BulkJob, at: Desk, now: datetime) -> bool:
    since = now - (job.called_at or now)
    again = now + since if job.called_at and since < WITHIN else None
    if not BulkJob.objects.filter(pk=job.pk, status=Status.UNKNOWN, poll_at=job.poll_at).update(poll_at=again):
        return False
    try:
        fitting = [(msgid, people) for msgid in _alike(job, at, now) if (people := _customers(job, msgid))]
    except (WeChatError, TemplateFailed, forms.FormError):
        return False
    if len(fitting) != 1:
        return False
    ((msgid, people),) = fitting
    return _found(job, msgid, people, now)


def _alike(job: BulkJob, at: Desk, now: datetime) -> list[str]:
    """Return the tasks of that time which say the same, and are not known as another job's."""
    if job.called_at is None:
        return []
    one = Delivery.objects.filter(job=job).order_by("pk").first()
    if one is None:
        return []
    said = worker.content(Pair(job.run, job.variant, one.channel), job.language, one.profile_id, at, now)
    parts = {**said, "media_id": "any"}  # a picture has another number after each upload
    ours = many.said_to_staff(job.account, Batch(to=[], language=job.language, parts=parts, sender=job.sender))
    first, last = job.called_at - BEFORE, min(now, job.called_at + AFTER)
    asked = {"chat_type": SINGLE, "start_time": int(first.timestamp()), "end_time": int(last.timestamp()), "limit": 100}
    ask = wecom.externalcontact_get_groupmsg_list_v2
    pages = staff_tasks.pages(lambda cursor: ask(job.account, {**asked, "cursor": cursor}))
    told = [one for page in pages for one in page.get("group_msg_list") or () if _says(one, ours)]
    known = BulkJob.objects.filter(account=job.account, provider_id__in=[str(one["msgid"]) for one in told])
    others = set(known.values_list("provider_id", flat=True))
    return [str(one["msgid"]) for one in told if str(one["msgid"]) not in others]


def _says(told: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Tell whether a task was made by the corporation, and its words and addresses are ours."""
    if int(told.get("create_type") or 0) != BY_CORPORATION or not told.get("msgid"):
        return False
    return _words(told) == _words(ours) and _links(told) == _links(ours)


def _words(told: Mapping[str, Any]) -> str:
    return str((told.get("text") or {}).get("content") or "").strip()


def _links(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the kinds of what hangs below, with addresses: numbers of pictures are other ones after each upload."""
    kinds = [(str(one.get("msgtype")), one) for one in told.get("attachments") or ()]
    return sorted((kind, str((one.get(kind) or {}).get("url") or "")) for kind, one in kinds)


def _customers(job: BulkJob, msgid: str) -> set[str]:
    """Return whom a task names, if it asks the same member of staff, and her alone, for customers of this job only."""
    ask = wecom.externalcontact_get_groupmsg_task
    pages = staff_tasks.pages(lambda cursor: ask(job.account, msgid, cursor))
    asked = {str(one.get("userid")) for page in pages for one in page.get("task_list") or ()}
    if asked != {job.sender}:
        return set()
    told = {str(one.get("external_userid")) for one in staff_tasks.results_of(job.account, msgid, job.sender)}
    return told if told <= set(staff_tasks.by_customer(job)) else set()


def _found(job: BulkJob, msgid: str, people: set[str], now: datetime) -> bool:
    """Take the task for ours: who is named in it is waited for, who is not was refused."""
    with transaction.atomic():
        held = BulkJob.objects.select_for_update().filter(pk=job.pk, status=Status.UNKNOWN)
        facts = {"status": Status.ACCEPTED, "reason": "", "provider_id": msgid[:200], "poll_at": now}
        if not held.update(**facts, people=len(people), ended_at=now):
            return False
        by_customer = staff_tasks.by_customer(job)
        named = [pk for customer, pk in by_customer.items() if customer in people]
        unknown = Delivery.objects.filter(job=job, status=Delivery.Status.UNKNOWN)
        unknown.filter(pk__in=named).update(status=Delivery.Status.ACCEPTED, reason="", ended_at=now, logged=False)
        # Who has no address any more (erased since) is neither: she stays unknown.
        others = unknown.filter(pk__in=[pk for pk in by_customer.values() if pk not in named])
        others.update(status=Delivery.Status.FAILED, reason="not_taken", ended_at=now, logged=False)
    job.refresh_from_db()
    staff_tasks.open_(job)
    return True
