"""Welcome messages: WeCom gives twenty seconds from somebody's arrival, once; a worker of its own uses them.

The row is written with the callback, before anything is called. A worker takes it on a short lease. If the worker is
lost, another takes the row within seconds, with the same code, which the platform accepts once: whoever comes second is
told 41051, so nobody gets two. After eighteen seconds nobody tries any more.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from celery import current_app
from django.db import connection, transaction
from django.db.models import Q

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.errors import Action, Ambiguous, WeChatError
from campaigns.models import ArrivalWay, ChannelAccount, StaffContact, Welcome
from campaigns.reach import policies
from campaigns.wechat import arrival_ways, pictures
from crm import restrictions
from crm.merging import members

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
TASK, QUEUE = "campaigns.tasks.welcome", "welcome"
USEFUL = timedelta(seconds=18)  # of the twenty
LEASE = timedelta(seconds=5)
TIMEOUT = 4.0  # seconds of a call: shorter than the lease, so a slow answer is never another's turn
LARGEST = 4000  # bytes
OVER = 41051  # the code was used: told apart from all other refusals
BUSY = frozenset({Action.TRANSIENT, Action.RATE})  # nothing was done, and a second later it may be
Status = Welcome.Status
NEVER_CALLED = Q(status=Status.WAITING, unanswered=False)

TAKE = """
WITH taken AS MATERIALIZED (
    SELECT id FROM campaigns_welcome
    WHERE status IN ('waiting', 'calling') AND lease_until <= %(now)s AND give_up_at > %(now)s
    ORDER BY lease_until, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE campaigns_welcome w SET status = 'calling', attempt = w.attempt + 1, lease_until = %(until)s,
    unanswered = w.unanswered OR w.status = 'calling'
FROM taken WHERE w.id = taken.id RETURNING w.id
"""


def order(contact: StaffContact, code: str, happened_at: datetime, now: datetime) -> Welcome | None:
    """Keep a welcome to be sent, and ring the bell when that is committed; nothing where no way has one to send."""
    way = ArrivalWay.objects.of_state(contact.staff.account, contact.state)
    if not code or way is None or not way.welcome.strip():
        return None
    row = Welcome(
        account=contact.staff.account,
        key=sha256(code.encode()).hexdigest(),
        code=code,
        staff=contact.staff,
        identifier=contact.identifier,
        way=way,
        happened_at=happened_at,
        received_at=now,
        give_up_at=min(happened_at, now) + USEFUL,
        lease_until=now,
    )
    with transaction.atomic():
        if Welcome.objects.filter(account=row.account, key=row.key).exists():
            return None
        row.save()
        transaction.on_commit(ring, robust=True)
    return row


def ring() -> None:
    """Call a worker; beat calls every two seconds as well, so nothing is lost unheard."""
    try:
        current_app.send_task(TASK, queue=QUEUE, expires=USEFUL.total_seconds(), retry=False)
    except Exception:  # whatever the broker raises: the commit stands
        log.warning("The bell of welcome messages could not be rung; beat will.", exc_info=True)


def work(clock: Clock, seconds: float = 10.0) -> Counter[str]:
    """Send what waits, until nothing does or the time is over; return how each ended."""
    ends, counts = time.monotonic() + seconds, Counter[str]()
    counts.update(dict(expire(clock())))
    while time.monotonic() < ends and (row := take(clock())) is not None:
        counts[str(send(row, clock))] += 1
    return counts


def take(now: datetime) -> Welcome | None:
    """Take one that is due on a lease, the one that waits longest first; other workers skip it."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"now": now, "until": now + LEASE})
        found = cursor.fetchone()
    if found is None:
        return None
    rows = Welcome.objects.select_related("account", "staff", "way", "identifier__profile")
    return rows.get(pk=found[0])


def send(row: Welcome, clock: Clock) -> str:
    """Make the one call for a row that this worker has taken, and write down what came of it."""
    if why := withheld(row):
        return settle(row, Status.WITHHELD, why, clock())
    left = (row.give_up_at - clock()).total_seconds()
    if left <= 0:
        return settle(row, _ended(row), "", clock())
    try:
        said, lacking = _said(row, clock())
        wecom.externalcontact_send_welcome_msg(row.account, row.code, said, min(TIMEOUT, max(left, 0.5)))
    except Ambiguous:
        return again(row, clock(), timedelta(0), Status.CALLING)
    except WeChatError as error:
        return _refused(row, error, clock())
    return settle(row, Status.SENT, lacking, clock())


def withheld(row: Welcome) -> str:
    """Return why this may not leave, which is asked at the last moment; nothing where it may.

    Whoever adds somebody asks to be answered: no consent is needed for that, but a stop holds, and a restriction.
    """
    if policies.policy().stopped_at is not None:
        return "stopped"
    if row.account.status != ChannelAccount.Status.ACTIVE:
        return "account"
    if restrictions.is_restricted(members(row.identifier.profile_id)):
        return "restricted"
    return "" if row.way is not None and row.way.welcome.strip() else "no_message"


def settle(row: Welcome, status: str, reason: str, now: datetime) -> str:
    """End a row that is still this worker's; "late" is who comes back after another has taken it."""
    mine = Welcome.objects.open().filter(pk=row.pk, attempt=row.attempt)
    return status if mine.update(status=status, reason=reason[:64], ended_at=now) else "late"


def again(row: Welcome, now: datetime, pause: timedelta, status: str) -> str:
    """Let somebody try again after a pause, with the same code; what stays *calling* was never answered."""
    mine = Welcome.objects.open().filter(pk=row.pk, attempt=row.attempt)
    return "again" if mine.update(lease_until=now + pause, status=status) else "late"


def expire(now: datetime) -> dict[str, int]:
    """End those whose time is over: too late, or unknown where a try was never answered."""
    over = Welcome.objects.over(now)
    return {
        "late": over.filter(NEVER_CALLED).update(status=Status.LATE, ended_at=now),
        "unknown": over.exclude(NEVER_CALLED).update(status=Status.UNKNOWN, ended_at=now),
    }


def _refused(row: Welcome, error: WeChatError, now: datetime) -> str:
    code = error.code
    if code == OVER:
        # An earlier try of ours may have got through unanswered; without one it was somebody else's.
        return settle(row, Status.PRESUMED if row.unanswered else Status.TAKEN, str(code), now)
    if error.action in BUSY:
        return again(row, now, timedelta(seconds=1), Status.WAITING)
    return settle(row, Status.UNKNOWN if row.unanswered else Status.FAILED, f"{code}"[:64], now)


def _ended(row: Welcome) -> str:
    return Status.UNKNOWN if row.unanswered else Status.LATE


def _said(row: Welcome, now: datetime) -> tuple[dict[str, Any], str]:
    """Return what is said: the text, cut at what the platform takes, and what hangs below it.

    A picture is uploaded before anybody comes (:func:`campaigns.wechat.pictures.get_ready`). One that does not lie
    there costs nobody her welcome: it goes without, and the second value says so.
    """
    way = row.way
    assert way is not None  # noqa: S101 (withheld otherwise)
    text = way.welcome.encode()[:LARGEST].decode(errors="ignore")
    use = pictures.Use.MESSAGE
    found = pictures.ready(row.account, way.picture_id, use, now + LEASE) if way.picture_id else ""
    below = arrival_ways.below(way).made(lambda _picture: found)
    return {"text": {"content": text}, "attachments": below}, "" if found or not way.picture_id else "without_picture"
