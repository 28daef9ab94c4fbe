"""Tags that stood for the people of one call are deleted once nobody needs them: an account has room for few."""

from datetime import datetime, timedelta

from django.db.models import Q

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import BulkJob, EphemeralTag

AT_LAST = timedelta(days=1)  # by then the platform is done with a job, whatever it told
OVER = (BulkJob.Status.SENT, BulkJob.Status.FAILED, BulkJob.Status.CANCELLED)
NO_SUCH_TAG = ("45159", "45058")
TOO_MANY = "45057"


def clear(now: datetime) -> int:
    """Delete the tags of jobs that are over; return how many. What fails is tried the next time."""
    rows = EphemeralTag.objects.filter(gone_at=None).filter(Q(job__status__in=OVER) | Q(made_at__lt=now - AT_LAST))
    return sum(_delete(row, now) for row in rows.select_related("account")[:100])


def _delete(row: EphemeralTag, now: datetime) -> bool:
    try:
        if row.tag_id is not None:
            official.tags_delete(row.account, row.tag_id)
    except WeChatError as error:
        if str(error.code) == TOO_MANY and row.tag_id is not None:
            return _emptied(row)
        if str(error.code) not in NO_SUCH_TAG:
            return False
    return bool(EphemeralTag.objects.filter(pk=row.pk).update(gone_at=now))


def _emptied(row: EphemeralTag) -> bool:
    """Take some people out of a tag that is too large to be deleted; the next time it may be."""
    assert row.tag_id is not None  # noqa: S101
    people = list((official.user_tag_get(row.account, row.tag_id).get("data") or {}).get("openid") or ())
    for start in range(0, len(people), 50):
        official.tags_members_batchuntagging(row.account, row.tag_id, people[start : start + 50])
    return False
