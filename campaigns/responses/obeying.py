"""What providers tell that forbids further messages: a dead address, a complaint, a wish to get no more."""

from datetime import datetime
from uuid import uuid5

from campaigns.channels.base import Feedback
from campaigns.keys import NAMESPACE
from campaigns.models import Callback, Delivery
from campaigns.runs.planning import source
from crm import consent, replies, suppression
from crm.addresses import ADDRESSES
from crm.merging import members_of
from crm.models import Identifier, Suppression


def obey(row: Callback, feedback: Feedback, found: Delivery, now: datetime) -> None:
    """Write down what forbids further messages."""
    channel, profile, told = found.channel, found.profile_id, row.told
    if feedback == Feedback.BOUNCED and told.get("permanent"):
        _suppress(row, found, now)
    elif feedback == Feedback.COMPLAINED:
        suppression.suppress_people(members_of([profile])[profile], channel, Suppression.Why.COMPLAINED, now=now)
        consent.withdraw_marketing(profile, channel, "system", now, _heard(row))
    elif feedback == Feedback.UNSUBSCRIBED:
        consent.withdraw_marketing(profile, channel, "one_click", now, _heard(row))
    elif feedback == Feedback.REPLIED and replies.read_reply(told.get("text", "")):
        consent.withdraw_marketing(profile, channel, "sms_reply", now, _heard(row))


def obey_nobody(row: Callback, feedback: Feedback, now: datetime) -> None:
    """Obey what is told of an address, where nobody knows of which message."""
    told, channel = row.told, row.account.channel
    types = ADDRESSES.get(channel, ())
    if not told.get("address") or not types:
        return
    if feedback == Feedback.REPLIED and types[0] == "phone":
        replies.take_reply(
            told["address"], told.get("text", ""), source=source(), now=now, message_id=row.key, channel=channel
        )
    elif feedback in (Feedback.COMPLAINED, Feedback.UNSUBSCRIBED):
        suppression.suppress([(types[0], told["address"])], channel, feedback.value, now=now)
    elif feedback == Feedback.BOUNCED and told.get("permanent"):
        suppression.suppress([(types[0], told["address"])], channel, Suppression.Why.BOUNCED, now=now)


def _suppress(row: Callback, found: Delivery, now: datetime) -> None:
    """Let nothing more go to an address that is dead: the one that was told, or that the message went to; no other."""
    types = ADDRESSES.get(found.channel, ())
    if row.told.get("address") and types:
        suppression.suppress([(types[0], row.told["address"])], found.channel, Suppression.Why.BOUNCED, now=now)
    else:
        keys = Identifier.objects.filter(pk__in=[found.address_id or 0]).values_list("suppression_key", flat=True)
        suppression.suppress_keys([bytes(key) for key in keys], found.channel, Suppression.Why.BOUNCED, now=now)


def _heard(row: Callback) -> consent.Heard:
    key = uuid5(NAMESPACE, f"callback {row.account_id} {row.key}")
    return consent.Heard(source=source(), idempotency=key, proof={"callback": row.key})
