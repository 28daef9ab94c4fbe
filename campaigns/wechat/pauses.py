"""A quota that is used up is one of the whole account: nothing leaves through it until the platform counts anew."""

from datetime import datetime, timedelta

from django.db.models import Q

from campaigns.channels.base import Outcome
from campaigns.models import AccountPause, ChannelAccount
from campaigns.wechat import ways

A_MINUTE = timedelta(minutes=1)


def pause(account: int, outcome: Outcome, now: datetime) -> None:
    """Let nothing leave through an account for as long as its platform said."""
    until, why = now + (outcome.again_after or A_MINUTE), (outcome.reason or outcome.code)[:64]
    AccountPause.objects.get_or_create(account_id=account, defaults={"until": until, "reason": why})
    AccountPause.objects.filter(Q(account_id=account), until__lt=until).update(until=until, reason=why)


def until(account: ChannelAccount, now: datetime) -> datetime | None:
    """Return until when nothing leaves through an account, if that is later than now."""
    if not ways.bound(account):
        return None
    row = AccountPause.objects.filter(account=account, until__gt=now).first()
    return row.until if row else None
