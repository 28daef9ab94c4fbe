"""What is unknown is asked for again, where a provider knows a repeated key: by the same key, so nobody gets it twice.

Everything is asked as at a hand-off (``campaigns.delivering.handing_off``): who has withdrawn since gets nothing, and
the message stays unknown. Only a yes makes it known: that the provider refuses it now says nothing of the first time.
The time between two questions doubles, and after some hours nobody asks any more, for providers forget keys.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F

from campaigns.channels import Answer, ChannelError, Outcome
from campaigns.delivering import sending
from campaigns.delivering.handing_off import Ready, ask_again_each
from campaigns.delivering.writing import Desk, desk
from campaigns.models import ChannelAccount, Delivery

AFTER, WITHIN = timedelta(minutes=1), timedelta(hours=6)
THREADS, BATCH = 8, 80
Clock = Callable[[], datetime]


def ask_again(clock: Clock, at: Desk | None = None) -> Counter[str]:
    """Ask again for what is unknown through accounts whose provider knows repeated keys; return what came of it."""
    place, counts = at or desk(), Counter[str]()
    for account in ChannelAccount.objects.filter(status=ChannelAccount.Status.ACTIVE):
        if _knows_keys(account, place):
            counts += _ask_through(account, place, clock)
    return counts


def _knows_keys(account: ChannelAccount, place: Desk) -> bool:
    try:
        return place.adapter(account).idempotent
    except ChannelError:  # nobody speaks to its provider any more
        return False


def _ask_through(account: ChannelAccount, place: Desk, clock: Clock) -> Counter[str]:
    now = clock()
    unknown = Delivery.objects.filter(
        account=account,
        job=None,  # jobs for many are asked for as a whole (campaigns.bulk.reconciling)
        status=Delivery.Status.UNKNOWN,
        called_at__gt=now - WITHIN,
        expires_at__gt=now,
        ended_at__lt=now - AFTER,
        # As long after the last question as that was after the first.
        called_at__lte=now - 2 * (F("ended_at") - F("called_at")),
    )
    rows = list(unknown.prefetch_related("run__campaign__purpose", "variant__template").order_by("ended_at")[:BATCH])
    rows = rows[: place.take(account, place.pace(account, len(rows), now).granted, now)]
    written = place.through(account, rows, now)
    ready = [one for one in written.values() if isinstance(one, Ready)]
    counts: Counter[str] = Counter()
    with ThreadPoolExecutor(THREADS, thread_name_prefix="ask") as pool:
        for start in range(0, len(ready), THREADS):
            some = ready[start : start + THREADS]
            outcomes = _outcomes(pool, some, ask_again_each(some, clock()))
            counts.update(sending.settle_each(outcomes, clock()).values())
    return counts


def _outcomes(pool: ThreadPoolExecutor, ready: Sequence[Ready], calls: dict[UUID, UUID]) -> dict[UUID, Outcome]:
    asked = [(one, calls[one.delivery.pk]) for one in ready if one.delivery.pk in calls]
    return dict(zip((call for _, call in asked), pool.map(_ask, asked), strict=True))


def _ask(asked: tuple[Ready, UUID]) -> Outcome:
    one, call = asked
    outcome = one.channel.send(one.account, one.message, call)
    return outcome if outcome.answer == Answer.ACCEPTED else Outcome(answer=Answer.UNKNOWN, reason="no_answer_again")
