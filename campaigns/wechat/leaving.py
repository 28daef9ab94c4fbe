"""Who unfollows, deletes us or takes an authorisation back has withdrawn: from this moment on, before anything else.

It is written in the platform's own request. What waits to be sent asks for consent again when it is handed over, so it
stops there; whoever commits first came first (``campaigns.delivering.handing_off``).
"""

from datetime import datetime, timedelta
from uuid import uuid5

from django.db.models import Q

from campaigns.channels.wechat.inbound import text_of
from campaigns.keys import NAMESPACE
from campaigns.models import Follower, Inbound
from campaigns.runs.planning import source
from campaigns.wechat import people
from crm import consent, suppression
from crm.models import Suppression

LATE = timedelta(minutes=1)


def left(row: Inbound, now: datetime) -> None:
    """Withdraw what a person allowed on this channel; of one whom nobody knows, suppress the address."""
    channel, ref = row.account.channel, people.ref(row)
    if ref is None:
        return
    found = people.identifiers([ref]).get(ref)
    if found is None:
        suppression.suppress([ref], channel, Suppression.Why.UNSUBSCRIBED, now=row.received_at)
        return
    heard = consent.Heard(
        source=source(),
        idempotency=uuid5(NAMESPACE, f"inbound {row.account_id} {row.key}"),
        # As it happens it wins over all that was said before, whatever the clocks say.
        claimed_at=row.happened_at if now - row.happened_at > LATE else None,
        proof={"callback": row.key, "event": text_of(row.told, "Event")},
    )
    consent.withdraw_marketing(found.profile_id, channel, "unfollow", now, heard)
    rows = Follower.objects.filter(account=row.account, identifier=found)
    # A second follow may have been told before this: the later one counts.
    rows = rows.filter(Q(followed_at=None) | Q(followed_at__lte=row.happened_at))
    rows.update(following=False, unfollowed_at=row.happened_at, synced_at=now, tags=[])
