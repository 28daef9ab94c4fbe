"""What the platforms tell is kept, once, and then worked on: the person, the event in the log, and what follows of it.

Three tables say what follows: ``AT_ONCE`` in the platform's own request and transaction (who leaves has withdrawn; a
welcome has twenty seconds); a moment later ``OF_MANY``, for what comes in numbers, and ``HANDLERS``, one by one in the
order in which things happened. Whatever they do may be done twice; what fails is kept, tried again for a day, and
shown.

To add what follows of an event: a function of the row and now, and a line in one table. It asks the database only; what
calls a platform is queued when that is committed.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache as kept
from typing import Any

from celery import current_app
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from campaigns.channels.wechat.inbound import Notice
from campaigns.models import ChannelAccount, Inbound
from campaigns.wechat import results, telling
from crm.locks import Busy, only_one

log = logging.getLogger(__name__)

Handler = Callable[[Inbound, datetime], object]
Verb = Callable[[Sequence[Inbound], datetime], object]
OFFICIAL, MINI, WECOM = "wechat_official", "wechat_mini", "wecom"
# By provider and kind: a message is of kind "message"; of a family of events, like WeCom's, the family's name will do.
AT_ONCE: Mapping[tuple[str, str], str] = {
    (OFFICIAL, "unsubscribe"): "campaigns.wechat.leaving.left",
    (OFFICIAL, "user_authorization_revoke"): "campaigns.wechat.leaving.left",
    (MINI, "user_authorization_revoke"): "campaigns.wechat.leaving.left",
    (WECOM, "change_external_contact.add_external_contact"): "campaigns.wechat.wecom_events.added",
    (WECOM, "change_external_contact.add_half_external_contact"): "campaigns.wechat.wecom_events.added",
    (WECOM, "change_external_contact.del_follow_user"): "campaigns.wechat.leaving.left",
}
HANDLERS: Mapping[tuple[str, str], str] = {
    (OFFICIAL, "subscribe"): "campaigns.wechat.handlers.followed",
    (OFFICIAL, "SCAN"): "campaigns.wechat.handlers.scanned",
    (OFFICIAL, "PUBLISHJOBFINISH"): "campaigns.wechat.handlers.published",
    (OFFICIAL, "FREEPUBLISHJOBFINISH"): "campaigns.wechat.handlers.published",
    (OFFICIAL, "MASSSENDJOBFINISH"): "campaigns.bulk.results.finished",
    (OFFICIAL, "subscribe_msg_popup_event"): "campaigns.wechat.subscriptions.answered",
    (OFFICIAL, "subscribe_msg_change_event"): "campaigns.wechat.subscriptions.changed",
    (WECOM, "change_external_contact"): "campaigns.wechat.wecom_events.contact_changed",
    (WECOM, "change_external_chat"): "campaigns.wechat.wecom_events.chat_changed",
    (WECOM, "change_external_tag"): "campaigns.wechat.wecom_events.tag_changed",
    (MINI, "subscribe_msg_popup_event"): "campaigns.wechat.subscriptions.answered",
    (MINI, "subscribe_msg_change_event"): "campaigns.wechat.subscriptions.changed",
}
OF_MANY: Mapping[tuple[str, str], str] = {
    (OFFICIAL, "message"): "campaigns.wechat.handlers.wrote",
    (OFFICIAL, "CLICK"): "campaigns.wechat.handlers.used_menu",
    (OFFICIAL, "scancode_push"): "campaigns.wechat.handlers.used_menu",
    (OFFICIAL, "scancode_waitmsg"): "campaigns.wechat.handlers.used_menu",
    (MINI, "message"): "campaigns.wechat.handlers.wrote",
    (MINI, "user_enter_tempsession"): "campaigns.wechat.handlers.entered",
}
BATCH, A_WHILE = 200, 20.0  # rows at once; seconds of one go
PATIENCE = timedelta(days=1)  # for what failed
AGAIN = 50  # of those that failed, in one go
TASK, RUNG, FORGOTTEN_SECONDS = "campaigns.tasks.work_on_wechat", "zhiyin:wechat:bell", 5


def take(account: ChannelAccount, told: Notice, now: datetime) -> None:
    """Keep what a platform told, once, and do at once what must not wait.

    Whoever calls this answers the platform as soon as it returns: what is kept is not told again.
    """
    row = Inbound(
        account=account, key=told.key, kind=told.kind if told.is_event else f"message.{told.kind}"[:64],
        told=told.fields, happened_at=told.happened_at, received_at=now,
    )  # fmt: skip
    with transaction.atomic():
        Inbound.objects.bulk_create([row], ignore_conflicts=True)
        if handler := _named(AT_ONCE, row):
            _tried(handler, row, now)
        transaction.on_commit(ring, robust=True)


def ring() -> None:
    """Call a worker, unless one was called and has not begun; beat calls as well, so nothing is lost unheard."""
    try:
        if cache.add(RUNG, 1, timeout=FORGOTTEN_SECONDS):
            current_app.send_task(TASK, queue="default", expires=60, retry=False)
    except Exception:  # whatever cache and broker raise: what was told is kept
        log.warning("Nobody could be called to work on WeChat's callbacks; beat will.", exc_info=True)


def answer_bell() -> None:
    """Let the bell ring again."""
    try:
        cache.delete(RUNG)
    except Exception:
        log.warning("The bell of WeChat's callbacks could not be reset; it forgets by itself.", exc_info=True)


def work(now: datetime) -> int:
    """Work on what waits, in the order in which it happened, for a while; return how much is done.

    One process does at a time: the others have nothing to add, and order matters.
    """
    ends, done, stuck = time.monotonic() + A_WHILE, 0, set[int]()
    try:
        with only_one("callbacks of WeChat", patience=1.0):
            waiting = Inbound.objects.filter(handled_at=None)
            fresh = waiting.filter(problem="").order_by("happened_at", "pk")
            while time.monotonic() < ends and (rows := _read(fresh.exclude(pk__in=stuck)[:BATCH])):
                done += _work_on(rows, now)
                stuck |= {row.pk for row in rows}
            failed = waiting.exclude(problem="")
            failed.filter(received_at__lt=now - PATIENCE).update(handled_at=now)
            return done + _work_on(_read(failed.exclude(pk__in=stuck).order_by("?")[:AGAIN]), now)
    except Busy:
        return done


def _read(waiting: "QuerySet[Inbound]") -> list[Inbound]:
    return sorted(waiting.select_related("account"), key=lambda row: (row.happened_at, row.pk))


def _work_on(rows: Sequence[Inbound], now: datetime) -> int:
    """Tell the log of all together, then do what follows of them."""
    told = _all_or_each(results.take, _all_or_each(telling.tell, rows, now), now)
    in_numbers: dict[Verb, list[Inbound]] = {}
    for row in told:
        if verb := _named(OF_MANY, row):
            in_numbers.setdefault(verb, []).append(row)
    good = [row.pk for row in told if not _named(OF_MANY, row) and not _follows(row)]
    good += [row.pk for verb, some in in_numbers.items() for row in _all_or_each(verb, some, now)]
    Inbound.objects.filter(pk__in=good, handled_at=None).update(handled_at=now, problem="")
    return len(good) + sum(_tried(_follow, row, now) for row in told if _follows(row))


def _all_or_each(verb: Verb, rows: Sequence[Inbound], now: datetime) -> list[Inbound]:
    """Do something with all rows together, or one by one where one will not do; return those with which it is done."""
    if not rows:
        return []
    try:
        verb(rows, now)
    except Exception:  # whatever one of them holds must not keep the others waiting
        return [row for row in rows if _tried(lambda one, at: verb([one], at), row, now)]
    return list(rows)


def _follows(row: Inbound) -> bool:
    return bool(_named(AT_ONCE, row) or _named(HANDLERS, row))


def _follow(row: Inbound, now: datetime) -> None:
    """Do what follows of a row, and note that it is done, in one transaction.

    What was done at once is done again, which changes nothing unless it had failed.
    """
    if not Inbound.objects.select_for_update().filter(pk=row.pk, handled_at=None).exists():
        return
    for handler in dict.fromkeys((_named(AT_ONCE, row), _named(HANDLERS, row))):
        if handler is not None:
            handler(row, now)
    Inbound.objects.filter(pk=row.pk).update(handled_at=now, problem="")


def _tried(handler: Handler, row: Inbound, now: datetime) -> bool:
    """Let a handler do its work, whole or not at all; what it raises is written down, without what it says."""
    try:
        with transaction.atomic():
            handler(row, now)
    except Exception as error:  # a process boundary: the row stays, and is tried again
        log.exception("A callback of WeChat is kept and not yet worked on: %s.", row.kind)
        mine = Inbound.objects.filter(account_id=row.account_id, key=row.key, handled_at=None)
        mine.update(problem=type(error).__name__[:200])
        return False
    return True


def _named(table: Mapping[tuple[str, str], str], row: Inbound) -> Any:
    provider, kind = row.account.provider, row.kind
    path = table.get((provider, kind)) or table.get((provider, kind.partition(".")[0]))
    return _found(path) if path else None


@kept
def _found(path: str) -> Any:
    return import_string(path)
