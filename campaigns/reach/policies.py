"""What holds for everything that is sent: read the one row, stop everything, let it go on."""

from datetime import datetime
from secrets import token_hex

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext

from campaigns import bell
from campaigns.models import SendingPolicy
from crm import evidence
from crm.finder import masked_text

RESTARTS = "campaigns.restart_sending"


def policy() -> SendingPolicy:
    """Return what holds, as it is now in the database."""
    found = SendingPolicy.objects.filter(pk=1).first()
    return found or SendingPolicy.objects.get_or_create(pk=1, defaults={"salt": token_hex(8)})[0]


def stop_everything(by: User | None, reason: str, now: datetime) -> bool:
    """Let nothing leave any more, on any channel, from the next hand-off on; what has left has left.

    One conditional UPDATE of one row on which no sender waits, so a stop is not held up by what it stops. False if
    everything was stopped already: whoever was first is named. ``by`` is nobody where a program pulls it.
    """
    policy()
    rows = SendingPolicy.objects.filter(pk=1, stopped_at=None)
    stopped = bool(rows.update(stopped_at=now, stopped_by=by, stop_reason=masked_text(reason.strip())[:300]))
    if stopped:  # and only then written into the ledger: whatever is wrong with that must not hold up the stop
        _note("stopped", by, now)
    return stopped


def go_on(by: User, reason: str, now: datetime) -> bool:
    """Lift the stop; campaigns that were paused stay paused. False if nothing was stopped.

    Raises
    ------
    PermissionDenied
        Who stops need not be who may let it go on.
    ValueError
        No reason is given.
    """
    if not by.has_perm(RESTARTS):
        raise PermissionDenied(gettext("You may stop everything, and not let it go on."))
    if not reason.strip():
        raise ValueError(gettext("Say why messages may leave again."))
    with transaction.atomic():
        rows = SendingPolicy.objects.filter(pk=1).exclude(stopped_at=None)
        lifted = bool(rows.update(stopped_at=None, stopped_by=None, stop_reason=""))
        if lifted:
            _note("went_on", by, now)
            transaction.on_commit(bell.ring, robust=True)
    return lifted


def _note(what: str, by: User | None, now: datetime) -> None:
    """Who stopped everything, and who let it go on, stands in the ledger: nobody can say later that it was not so."""
    evidence.note("approval", "sending", {"action": "sending", "what": what, "by": by.pk if by else None}, now=now)
