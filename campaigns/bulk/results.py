"""What the platform counted of a mass send, all together: it stays with the job, and nobody's own state is made of it.

The platform tells it once, by a callback; where that is lost, it is asked whether the job is done, which has no counts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from campaigns.bulk import failing
from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.channels.wechat.inbound import text_of
from campaigns.models import BulkJob, Inbound
from campaigns.wechat import foreign_sends

WITHIN = timedelta(hours=24)
DELETED = "DELETE"  # only what was sent can be: it may have been read before, so nobody gets it in another way
DONE = ("send success", "sendsuccess", "send_success", DELETED.lower())
COUNTS = {"total": "TotalCount", "filtered": "FilterCount", "sent": "SentCount", "errors": "ErrorCount"}
Status = BulkJob.Status


class NotYet(Exception):
    """The callback came before the answer that would name its job: it is worked on again."""


def finished(row: Inbound, now: datetime) -> None:
    """Take the platform's word that a mass send is done; of one that is not ours, that there was one.

    Raises
    ------
    NotYet
        It may be the one whose call has not been answered yet.
    """
    number = text_of(row.told, "MsgID")
    job = BulkJob.objects.filter(account=row.account, provider_id=number).exclude(provider_id="").first()
    counts = {name: int(text) for name, key in COUNTS.items() if (text := text_of(row.told, key)).isdigit()}
    if job is None:
        open_ = BulkJob.objects.filter(account=row.account, status__in=[Status.CALLING, Status.UNKNOWN])
        if open_.filter(called_at__gt=now - WITHIN, called_at__lte=row.happened_at + timedelta(minutes=1)).exists():
            raise NotYet(number)
        foreign_sends.told(row, counts)
        return
    _done(job, text_of(row.told, "Status"), counts, now)


def _done(job: BulkJob, said: str, counts: Mapping[str, int], now: datetime) -> None:
    well = said.strip().lower() in DONE
    reached_nobody = not well and not counts.get("sent", 0)
    facts: dict[str, Any] = {"status": Status.SENT if well or not reached_nobody else Status.FAILED}
    facts |= {
        "reason": "" if well and said != DELETED else said.strip()[:64],
        "counts": dict(counts),
        "poll_at": None,
        "ended_at": now,
    }
    BulkJob.objects.filter(pk=job.pk).update(**facts)
    if reached_nobody:
        failing.fail(job, said.strip() or "send fail", now)


def ask(now: datetime) -> int:
    """Ask for mass sends of which nothing was heard; return how many are done."""
    due = BulkJob.objects.to_be_asked_for(now).filter(kind=BulkJob.Kind.MASS, status=Status.ACCEPTED)
    return sum(_ask(job, now) for job in due.select_related("account"))


def _ask(job: BulkJob, now: datetime) -> bool:
    called = job.called_at or now
    # Twice as long after the last time as that was after the call; nobody counts any more after a day.
    again = now + max(now - called, timedelta(minutes=5)) if now - called < WITHIN else None
    if not BulkJob.objects.filter(pk=job.pk, poll_at=job.poll_at).update(poll_at=again):
        return False
    try:
        said = str(official.message_mass_get(job.account, job.provider_id).get("msg_status") or "")
    except WeChatError:
        return False
    if said not in ("SEND_SUCCESS", "SEND_FAIL", DELETED):
        return False
    _done(job, said, job.counts, now)
    return True
