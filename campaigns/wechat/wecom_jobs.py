"""Everything of WeCom that takes long or comes again: readings, tags of segments, moments and handovers."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from celery import current_app
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext_noop

from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ChannelAccount, CustomerTag
from campaigns.wechat import (
    acquisition,
    customer_groups,
    customer_tags,
    departures,
    handovers,
    paging,
    pictures,
    staff_figures,
    staff_moments,
    staff_sync,
)
from crm.models import JobRun

log = logging.getLogger(__name__)

TASK = "campaigns.tasks.read_wecom"
PROVIDER = "wecom"
TITLES: Mapping[str, str] = {
    staff_sync.KIND: gettext_noop("Read staff and customers of WeCom"),
    customer_groups.KIND: gettext_noop("Count the groups of WeCom"),
    acquisition.KIND: gettext_noop("Read the acquisition links of WeCom"),
    staff_figures.KIND: gettext_noop("Ask WeCom for its figures of staff"),
    departures.KIND: gettext_noop("Ask WeCom who left and whose customers wait"),
}
READINGS: Mapping[str, Callable[[ChannelAccount], paging.Reading]] = {
    staff_sync.KIND: staff_sync.Customers,
    customer_groups.KIND: customer_groups.Groups,
    acquisition.KIND: acquisition.Links,
    staff_figures.KIND: staff_figures.Figures,
    departures.KIND: departures.Departures,
}


def accounts() -> list[ChannelAccount]:
    """Return the corporations that are in use."""
    rows = ChannelAccount.objects.filter(provider=PROVIDER, status=ChannelAccount.Status.ACTIVE)
    return list(rows.order_by("pk"))


def order(kind: str, account: ChannelAccount, by: User | None, now: datetime, *, ring: bool = True) -> JobRun:
    """Return the job of a reading, and ring for it unless ``ring`` is false; the one that is under way, if there is."""
    with transaction.atomic():
        ChannelAccount.objects.select_for_update().get(pk=account.pk)
        under_way = JobRun.objects.active().filter(kind=kind, parameters__account=account.pk).first()
        if under_way is not None:
            return under_way
        facts = {"title": TITLES[kind], "parameters": {"account": account.pk}, "created_at": now}
        job = JobRun.objects.create(kind=kind, requested_by=by, **facts)
        if ring:
            transaction.on_commit(lambda: current_app.send_task(TASK, [job.pk]), robust=True)
    return job


def run(job_id: int, clock: paging.Clock) -> bool:
    """Do the work of a job of :func:`order` from where it stands."""
    job = JobRun.objects.get(pk=job_id)
    reading = READINGS[job.kind](ChannelAccount.objects.get(pk=job.parameters["account"]))
    return paging.run(job, reading, clock)


def order_all(now: datetime) -> int:
    """Order all readings of all accounts, and read their tags; return how many were ordered."""
    for account in accounts():
        try:
            customer_tags.sync(account, now)
        except WeChatError as error:
            log.warning("The tags of the channel account %s could not be read: %s", account.pk, error)
    return sum(order(kind, account, None, now) is not None for account in accounts() for kind in READINGS)


def follow(now: datetime) -> None:
    """Do what is due: one platform's refusal keeps nothing else from being done."""
    for work in (_readings, pictures.get_ready, handovers.work, staff_moments.poll_due, _tags):
        try:
            work(now)
        except WeChatError as error:
            log.warning("WeCom refused %s: %s", work.__name__, error)


def _readings(now: datetime) -> int:
    """Ring for readings whose worker was killed, and for those that nobody took."""
    lost = JobRun.objects.silent(now).filter(kind__in=READINGS)
    waiting = JobRun.objects.filter(kind__in=READINGS, status=JobRun.Status.QUEUED)
    found = [*lost.values_list("pk", flat=True), *waiting.values_list("pk", flat=True)]
    for pk in found:
        current_app.send_task(TASK, [pk])
    return len(found)


def _tags(now: datetime) -> int:
    tags = CustomerTag.objects.exclude(segment=None).filter(gone_at=None, account__status="active")
    return sum(sum(customer_tags.apply(tag, now)) for tag in tags.select_related("account", "segment__current"))
