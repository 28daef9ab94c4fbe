"""What holds for everything that is sent: read the one row, stop everything, let it go on."""

from datetime import datetime
from secrets import token_hex

from django.contrib.auth.models import User

from campaigns.models import SendingPolicy


def policy() -> SendingPolicy:
    """Return what holds, as it is now in the database."""
    found = SendingPolicy.objects.filter(pk=1).first()
    return found or SendingPolicy.objects.get_or_create(pk=1, defaults={"salt": token_hex(8)})[0]


def stop_everything(by: User | None, reason: str, now: datetime) -> None:
    """Let nothing leave any more, on any channel, from the next hand-off on; what has left has left."""
    policy()
    SendingPolicy.objects.filter(pk=1, stopped_at=None).update(stopped_at=now, stopped_by=by, stop_reason=reason[:300])


def go_on(by: User, now: datetime) -> None:
    """Lift the stop; campaigns that were paused stay paused."""
    SendingPolicy.objects.filter(pk=1).exclude(stopped_at=None).update(stopped_at=None, stopped_by=by, stop_reason="")
