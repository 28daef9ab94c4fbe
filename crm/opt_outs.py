"""Events that come in and mean no: who unfollows, unsubscribes or complains there has withdrawn here."""

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from crm import suppression
from crm.consent_withdrawal import Heard, withdraw_marketing
from crm.consent_writing import lock
from crm.drafts import Draft
from crm.keys import message_key
from crm.merging import members_of
from crm.models import Source, Suppression
from crm.models.purposes import Channel

UNFOLLOWED, UNSUBSCRIBED, COMPLAINED, BOUNCED = "unfollowed", "unsubscribed", "complained", "bounced"
# Names of events, in small letters and without signs between the words.
NAMES = {
    **dict.fromkeys(("unfollow", "unfollowed", "取消关注", "取消關注", "取关"), UNFOLLOWED),
    **dict.fromkeys(("unsubscribe", "unsubscribed", "optout", "optedout", "退订", "退訂", "取消订阅"), UNSUBSCRIBED),
    **dict.fromkeys(("emailunsubscribe", "emailunsubscribed", "smsunsubscribe", "smsunsubscribed"), UNSUBSCRIBED),
    **dict.fromkeys(("complained", "complaint", "emailmarkedasspam", "spamreported"), COMPLAINED),
    **dict.fromkeys(("bounced", "emailbounced", "hardbounced"), BOUNCED),
}
# Where the event does not name one of our channels.
USUAL_CHANNEL = dict.fromkeys(("unfollow", "unfollowed", "取消关注", "取消關注", "取关"), "wechat") | {
    "emailunsubscribe": "email",
    "emailunsubscribed": "email",
    "smsunsubscribe": "sms",
    "smsunsubscribed": "sms",
    "emailmarkedasspam": "email",
    "emailbounced": "email",
}


class OptOut(NamedTuple):
    """What one event means for the consents of its person."""

    meaning: str
    channel: str
    occurred_at: datetime
    message_id: str


@lru_cache(maxsize=1024)
def _spelled(name: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", name).casefold() if sign.isalnum())


def read(draft: Draft) -> OptOut | None:
    """Return what an event means for consent, or nothing; an unknown channel means every channel."""
    if draft.kind != "track":
        return None
    name = _spelled(draft.name)
    meaning = NAMES.get(name)
    if meaning is None:
        return None
    properties = json.loads(draft.properties)
    if meaning == BOUNCED and str(properties.get("type", "")).lower() in {"soft", "transient"}:
        return None
    told = unicodedata.normalize("NFKC", str(properties.get("channel") or draft.channel)).strip().lower()
    channel = told if told in Channel.values else USUAL_CHANNEL.get(name, "")
    return OptOut(meaning, channel, draft.occurred_at, draft.message_id)


def take(found: Sequence[tuple[int, OptOut]], *, source: Source, now: datetime) -> None:
    """Withdraw for each (profile, opt-out), in the transaction that writes the events; a repetition changes nothing."""
    for profile, one in found:
        if one.meaning == BOUNCED:
            since = min(one.occurred_at, now)
            suppression.suppress_people([profile], one.channel, Suppression.Why.BOUNCED, now=now, since=since)
            continue
        key = message_key(source.pk, f"opt-out:{one.message_id}") if one.message_id else None
        heard = Heard(
            source=source,
            idempotency=key,
            claimed_at=min(one.occurred_at, now),
            proof={"event": one.message_id} if one.message_id else {},
        )
        withdraw_marketing(profile, one.channel, "unfollow", now, heard)
        if one.meaning == COMPLAINED:
            people = members_of([profile])[profile]
            since = min(one.occurred_at, now)
            suppression.suppress_people(people, one.channel, Suppression.Why.COMPLAINED, now=now, since=since)


def lock_first(found: Sequence[tuple[int, OptOut]], others: Sequence[int]) -> None:
    """Lock, in one order, everybody whom the batch will change: two batches must not wait for each other."""
    if found:
        people = members_of(profile for profile, _ in found)
        lock({member for members in people.values() for member in members} | set(others))
