"""Who of a group may be reached now, on which channel; and why the others may not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from campaigns.models import ChannelAccount
from crm.addresses import ADDRESSES
from crm.consent import bases_for
from crm.copying import int_array, text_array
from crm.merging import members_of
from crm.models import Purpose


class Reason(models.TextChoices):
    """Why somebody does not get a message, besides those that consent gives (``crm.consent.Reason``)."""

    NO_ADDRESS = "no_address", _("has no address on the channel")
    NO_ACCOUNT = "no_account", _("no account of ours can send on the channel")
    PERMANENT_HOLDOUT = "permanent_holdout", _("belongs to the permanent holdout")
    CAPPED = "capped", _("has had as many messages as the caps allow")
    OUTRANKED = "outranked", _("gets a message of higher priority")
    QUIET = "quiet", _("quiet hours last until the message has expired")
    EXPIRED = "expired", _("the message expired before it could be sent")
    STOPPED = "stopped", _("sending was stopped")
    CANCELLED = "cancelled", _("the campaign was cancelled")
    TEMPLATE = "template", _("the message could not be written for this person")
    NEEDLESS = "needless", _("what it was about has been settled meanwhile")
    QUOTA = "quota", _("the provider's quota is used up until the message has expired")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """On which channel a person may be reached (``""``: on none, and why)."""

    channel: str
    reason: str = ""


ADDRESSED = """
SELECT DISTINCT m.asked FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)
JOIN crm_identifier i ON i.profile_id = m.id AND i.type = ANY (%(types)s::text[])
"""


def reach(profiles: Iterable[int], channels: Sequence[str], purpose: Purpose, now: datetime) -> Mapping[int, Reach]:
    """Answer for each profile the first channel, in the order given, on which a message may go out now.

    Somebody who cannot be reached on any gets the reason of the first channel that has an account.
    """
    left, found = set(profiles), dict[int, Reach]()
    refused: dict[int, str] = {}
    for channel in channels:
        if not left:
            break
        if not ChannelAccount.objects.working(channel).exists():
            continue
        bases = bases_for(left, purpose, channel, now)
        addressed = having_address(left, channel)
        for profile in left:
            basis = bases[profile]
            if basis.allowed and profile in addressed:
                found[profile] = Reach(channel=channel)
            else:
                why = Reason.NO_ADDRESS.value if basis.allowed or profile not in addressed else str(basis.reason)
                refused.setdefault(profile, why)
        left -= found.keys()
    for profile in left:
        found[profile] = Reach(channel="", reason=refused.get(profile, Reason.NO_ACCOUNT.value))
    return found


def having_address(profiles: Iterable[int], channel: str) -> set[int]:
    """Return who has an address on the channel; a channel without addresses of persons reaches everybody."""
    if channel not in ADDRESSES:
        return set(profiles)
    pairs = [(asked, member) for asked, members in members_of(profiles).items() for member in members]
    values = {
        "asked": int_array(asked for asked, _ in pairs),
        "members": int_array(member for _, member in pairs),
        "types": text_array(ADDRESSES[channel]),
    }
    with connection.cursor() as cursor:
        cursor.execute(ADDRESSED, values)
        return {profile for (profile,) in cursor.fetchall()}
