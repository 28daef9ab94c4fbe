"""Moments: a post that staff are asked to publish; a colleague hands it over, and who published it is asked for."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.attachments import Attachments, BadAttachment
from campaigns.channels.wechat.errors import Ambiguous, WeChatError
from campaigns.models import Moment, MomentTask
from campaigns.reach import policies
from campaigns.wechat import customers, pictures

Status = Moment.Status
MAKING = timedelta(minutes=1)  # between questions while the platform is making it
PAUSES = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=6))
ASKED_FOR = timedelta(days=3)
LOST = timedelta(minutes=5)  # no call takes as long: whoever was at it was killed
MADE = 3  # of the platform's states of a job
LARGEST = 2000  # bytes of text
MOST_PICTURES = 9


class NoMoment(ValueError):
    """The moment cannot be handed over; the message says why, in the reader's language."""


def hand_over(moment: Moment, by: User, now: datetime) -> None:
    """Give a moment to the platform, which asks the staff to publish it.

    It is claimed before the call: what was not answered is unknown, and never given a second time.

    Raises
    ------
    NoMoment
        Everything is stopped, whoever wrote it would approve of herself, or it was handed over before.
    WeChatError
        The platform refused.
    """
    if policies.policy().stopped_at is not None:
        raise NoMoment(_("Everything is stopped."))
    if moment.created_by_id == by.pk:
        raise NoMoment(_("A colleague hands it over: nobody approves of what she wrote herself."))
    if len(moment.text.encode()) > LARGEST:
        raise NoMoment(_("The text is longer than 2,000 bytes (a Chinese character has three)."))
    check(moment, moment.pictures.count())
    below = _below(moment, now)  # before it is claimed: a picture that is not taken leaves a draft
    rows = Moment.objects.filter(pk=moment.pk, status=Status.DRAFT)
    if not rows.update(status=Status.CREATING, approved_by=by, called_at=now):
        raise NoMoment(_("It was handed over before."))
    mine = Moment.objects.filter(pk=moment.pk, status=Status.CREATING)
    userids = list(moment.staff.order_by("userid").values_list("userid", flat=True))
    try:
        told = wecom.externalcontact_add_moment_task(moment.account, _asked(moment.text, userids) | below)
    except Ambiguous:
        mine.update(status=Status.UNKNOWN, reason="no_answer")
        return
    except WeChatError as error:
        mine.update(status=Status.FAILED, reason=str(error.code)[:64])
        raise
    mine.update(status=Status.WAITING, job_id=str(told.get("jobid", ""))[:128], poll_at=now + timedelta(seconds=5))


def check(moment: Moment, pictures_count: int) -> None:
    """Raise :class:`NoMoment` where the platform would refuse what hangs below the text."""
    if pictures_count and moment.link_url:
        raise NoMoment(_("A moment shows pictures or a link, not both."))
    if pictures_count > MOST_PICTURES:
        raise NoMoment(_("A moment shows nine pictures at most."))
    try:
        Attachments(link_title=moment.link_title, link_url=moment.link_url).check()
    except BadAttachment as error:
        raise NoMoment(str(error)) from error


def _below(moment: Moment, now: datetime) -> dict[str, Any]:
    numbers = [
        pictures.media_id(moment.account, one, pictures.Use.MOMENT, now)
        for one in moment.pictures.order_by("pk").values_list("pk", flat=True)
    ]
    made = [{"msgtype": "image", "image": {"media_id": number}} for number in numbers]
    made += Attachments(link_title=moment.link_title, link_url=moment.link_url).made(str)
    return {"attachments": made} if made else {}


def _asked(text: str, userids: list[str]) -> dict[str, Any]:
    to = {"visible_range": {"sender_list": {"user_list": userids}}} if userids else {}
    return {"text": {"content": text}, **to}


def poll_due(now: datetime) -> int:
    """Ask for those whose turn it is, and call unknown what a killed process was handing over; return how many."""
    lost = Moment.objects.filter(status=Status.CREATING, called_at__lt=now - LOST)
    lost.update(status=Status.UNKNOWN, reason="no_answer")
    due = Moment.objects.filter(status=Status.WAITING, poll_at__lte=now).select_related("account").order_by("poll_at")
    return sum(_poll(moment, now) for moment in due[:20])


def _poll(moment: Moment, now: datetime) -> bool:
    # Taken for a while, so that two workers do not ask the same.
    if not Moment.objects.filter(pk=moment.pk, poll_at=moment.poll_at).update(poll_at=now + MAKING):
        return False
    try:
        if not moment.moment_id and not _made(moment):
            return True
        _count(moment, now)
    except WeChatError as error:
        Moment.objects.filter(pk=moment.pk).update(reason=str(error.code)[:64])
    return True


def _made(moment: Moment) -> bool:
    told = wecom.externalcontact_get_moment_task_result(moment.account, moment.job_id)
    if told.get("status") != MADE:
        return False
    result: dict[str, Any] = told.get("result") or {}
    if result.get("errcode"):
        Moment.objects.filter(pk=moment.pk).update(status=Status.FAILED, reason=str(result["errcode"])[:64])
        return False
    moment.moment_id = str(result.get("moment_id", ""))[:128]
    Moment.objects.filter(pk=moment.pk).update(moment_id=moment.moment_id)
    return bool(moment.moment_id)


def _count(moment: Moment, now: datetime) -> None:
    found: dict[str, bool] = {}
    cursor = ""
    while True:
        told = wecom.externalcontact_get_moment_task(moment.account, moment.moment_id, cursor)
        for one in told.get("task_list") or []:
            found[str(one["userid"])[:64]] = one.get("publish_status") == 1
        cursor = str(told.get("next_cursor") or "")
        if not cursor:
            break
    over = moment.called_at is not None and now - moment.called_at > ASKED_FOR
    done = bool(found) and all(found.values())
    with transaction.atomic():
        rows = [
            MomentTask(
                moment=moment,
                staff=customers.staff_of(moment.account, userid, now),
                published=published,
                synced_at=now,
            )
            for userid, published in sorted(found.items())
        ]
        MomentTask.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["moment", "staff"],
            update_fields=["published", "synced_at"],
        )
        Moment.objects.filter(pk=moment.pk).update(
            asked=len(found),
            published=sum(found.values()),
            status=Status.OVER if over or done else Status.WAITING,
            poll_at=None if over or done else now + _pause(moment, now),
            reason="",
        )


def _pause(moment: Moment, now: datetime) -> timedelta:
    age = now - (moment.called_at or now)
    return next((pause for pause in PAUSES if age < 4 * pause), PAUSES[-1])
