"""What a call's end says of the account: a right that it lacks, or that it is not let in at all, is written down.

All calls end here, those that send and those that ask, so that nobody asks a hundred thousand times for what was
refused once: a refused right is gone when one such call succeeds, a refused account works again when a person says so.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import DatabaseError, connection, transaction

from campaigns.channels.wechat.errors import OUTCOMES, Action, WeChatError
from campaigns.models import ChannelAccount, RefusedRight

log = logging.getLogger(__name__)

LET_IN = ("account", "server_address", "address_forbidden")  # reasons that are over when the platform gives a token
# Refusals that are about one sort of message, one colleague or one application: they say nothing of the call itself.
OF_ONE = frozenset({48008, 60011, 84074, 301002})
KNOWN_FOR = 30.0  # seconds until a process hears of what another one wrote down
_known: dict[int, tuple[float, frozenset[str]]] = {}


def heard(account: ChannelAccount, api: str, error: WeChatError, now: datetime) -> None:
    """Write down what a refusal says of the account; of other errors nothing is."""
    if error.action is Action.CAPABILITY and error.code not in OF_ONE:
        facts = {"code": str(error.code)[:16], "rid": error.rid[:64], "seen_at": now}
        with _kept(account):
            RefusedRight.objects.update_or_create(
                account=account, api=api[:120], defaults=facts, create_defaults=facts | {"since": now}
            )
        log.warning("The channel account %s may not call %s (%s, rid %s).", account.pk, api, error.code, error.rid)
    elif OUTCOMES[error.action].account_refused:
        with _kept(account):
            refuse(account, error.reason or str(error.code))


def refuse(account: ChannelAccount, reason: str) -> bool:
    """Use an account no more that its platform does not let in, until a person has looked; False where none did."""
    rows = ChannelAccount.objects.filter(pk=account.pk, status=ChannelAccount.Status.ACTIVE)
    return bool(rows.update(status=ChannelAccount.Status.REFUSED, status_reason=reason[:300]))


def let_in(account: ChannelAccount) -> bool:
    """Use an account again that a person has just seen let in; who was banned is let in as well, and stays refused."""
    rows = ChannelAccount.objects.filter(pk=account.pk, status=ChannelAccount.Status.REFUSED, status_reason__in=LET_IN)
    return bool(rows.update(status=ChannelAccount.Status.ACTIVE, status_reason=""))


def worked(account: ChannelAccount, api: str) -> None:
    """Take a refusal back: the platform has just let the account do it."""
    if api in refused(account):
        with _kept(account):
            RefusedRight.objects.filter(account=account, api=api).delete()


def ask_again(account: ChannelAccount, api: str = "") -> int:
    """Forget what was refused, or one call of it, so that the next one asks the platform; return how many it were."""
    rows = RefusedRight.objects.filter(account=account)
    gone, _by_model = (rows.filter(api=api) if api else rows).delete()
    _known.pop(account.pk, None)
    return gone


def refused(account: ChannelAccount) -> frozenset[str]:
    """Return the calls that an account may not make, as this process knows it."""
    held = _known.get(account.pk)
    if held is not None and held[0] > time.monotonic():
        return held[1]
    found: frozenset[str] = frozenset()
    with _kept(account):
        found = frozenset(RefusedRight.objects.filter(account=account).values_list("api", flat=True))
    _known[account.pk] = time.monotonic() + KNOWN_FOR, found
    return found


@contextmanager
def _kept(account: ChannelAccount) -> Iterator[None]:
    """Ask the database beside a call: what it refuses must not hide what the platform said."""
    own = connection.connection is None
    try:
        with transaction.atomic():
            yield
    except DatabaseError:
        log.exception("What the platform said of the channel account %s was not kept.", account.pk)
    finally:
        _known.pop(account.pk, None)
        if own and not connection.in_atomic_block:  # a thread that only calls providers keeps none
            connection.close()
