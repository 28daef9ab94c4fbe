"""One message to many in one call: to named followers, to those of a tag, or as a task that staff must confirm."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from campaigns.channels.base import Answer, Batch, BatchOutcome, Outcome
from campaigns.channels.wechat import attachments, limits, official, wecom
from campaigns.channels.wechat.errors import Action, WeChatError, outcome
from campaigns.channels.wechat.transport import Json, Refusal
from campaigns.models import ChannelAccount, EphemeralTag, UploadedPicture

GONE = "40007"  # the platform does not know the file (any more)
TAG = "crm:"  # by which our tags are known, and left out where tags are shown
FULL, NO_ROOM = 45059, 45056  # somebody bears as many tags as one may; the account has as many
NO_TAG = Outcome(answer=Answer.BUSY, code="no_tag", reason="no_tag", again_after=timedelta(minutes=10))


def mass(account: ChannelAccount, batch: Batch, key: UUID) -> BatchOutcome:
    """Send to followers; the platform takes lists of two people and more, and of some accounts none at all."""
    least = limits.of(account, "mass_least_people_a_call") or 1
    if account.settings.get("kind") == "subscription" or len(batch.to) < least:
        return by_tag(account, batch, key)
    return called(lambda: official.message_mass_send(account, batch.to, content(batch), key.hex))


def content(batch: Batch) -> Json:
    """Return the part of the call that says what is sent."""
    if media_id := batch.parts.get("media_id"):
        return {"msgtype": "mpnews", "mpnews": {"media_id": str(media_id)}, "send_ignore_reprint": 0}
    return {"msgtype": "text", "text": {"content": str(batch.parts["text"])}}


def by_tag(account: ChannelAccount, batch: Batch, key: UUID) -> BatchOutcome:
    """Send to a tag that stands for these people and for this call.

    Until the last of its calls nothing is sent: whatever goes wrong before is a definite no.
    """
    again = EphemeralTag.objects.filter(job=key).exists()
    try:
        tag = _tag(account, key)
        if tag is None:
            return BatchOutcome(outcome=NO_TAG)
        if again:
            _untag_others(account, tag, batch.to)
        refused = list(_each(official.tags_members_batchtagging, account, tag, batch.to))
        left = set(batch.still() if batch.still else batch.to)
        # To tag a hundred thousand people takes a while: who has withdrawn meanwhile gets nothing.
        list(_each(official.tags_members_batchuntagging, account, tag, [one for one in batch.to if one not in left]))
    except WeChatError as error:
        found = outcome(error, timezone.now())
        if found.answer == Answer.UNKNOWN:
            found = Outcome(answer=Answer.BUSY, code=found.code, reason=found.reason)
        return BatchOutcome(outcome=found)
    if not left.difference(refused):
        return BatchOutcome(outcome=Outcome(answer=Answer.REFUSED, reason="no_such_address"))
    told = called(lambda: official.message_mass_sendall(account, tag, content(batch), key.hex))
    return BatchOutcome(outcome=told.outcome, data_id=told.data_id, refused=refused)


def _tag(account: ChannelAccount, key: UUID) -> int | None:
    """Return the tag of a call, made now unless it was before; nothing where the account has no room for one."""
    row = EphemeralTag.objects.filter(job=key).first()
    if row is None:
        room = limits.of(account, "tags_reserved") or 0
        if EphemeralTag.objects.filter(account=account, gone_at=None).count() >= room:
            return None
        row, _made = EphemeralTag.objects.get_or_create(
            job_id=key, defaults={"account": account, "made_at": timezone.now()}
        )
    if row.tag_id is None:
        row.tag_id = _make(account, f"{TAG}{key.hex[:20]}")
        row.save(update_fields=["tag_id"])
    return row.tag_id


def _make(account: ChannelAccount, name: str) -> int | None:
    try:
        return int(official.tags_create(account, name)["tag"]["id"])
    except WeChatError as error:
        there = {one["name"]: one["id"] for one in official.tags_get(account).get("tags", [])}
        if name in there:  # made by who was lost before it could be written down
            return int(there[name])
        if error.code == NO_ROOM:
            return None
        raise error from None


def _untag_others(account: ChannelAccount, tag: int, people: Sequence[str]) -> None:
    """Take the tag from who bears it and is not named any more: she has withdrawn since the call was made first."""
    named, others, cursor = set(people), list[str](), ""
    while some := (page := official.user_tag_get(account, tag, cursor)).get("data", {}).get("openid", []):
        others += [one for one in some if one not in named]
        if not (cursor := page.get("next_openid", "")):
            break
    list(_each(official.tags_members_batchuntagging, account, tag, others))  # who is refused follows no more


Tagging = Callable[[ChannelAccount, int, Sequence[str]], Json]


def _each(call: Tagging, account: ChannelAccount, tag: int, people: Sequence[str]) -> Iterator[str]:
    """Give people a tag or take it from them, and yield with whom the platform does not do it."""
    at_once = limits.of(account, "tag_people_a_call") or 1
    for start in range(0, len(people), at_once):
        some = people[start : start + at_once]
        if not _done(call, account, tag, some):
            yield from some if len(some) == 1 else (one for one in some if not _done(call, account, tag, [one]))


def _done(call: Tagging, account: ChannelAccount, tag: int, people: Sequence[str]) -> bool:
    """Make a call about some; false where it was refused because of one of them, for all of them then."""
    try:
        call(account, tag, people)
    except WeChatError as error:
        if error.action is not Action.RECIPIENT and error.code != FULL:
            raise
        return False
    return True


def staff_task(account: ChannelAccount, batch: Batch, _key: UUID) -> BatchOutcome:
    """Ask one of the staff to send to her customers; the platform knows no key, so what is not answered is unknown."""
    told: Json = {"chat_type": "single", "external_userid": list(batch.to), "sender": batch.sender}
    found = called(lambda: wecom.externalcontact_add_msg_template(account, told | said_to_staff(account, batch)))
    if found.outcome.code != GONE or not batch.parts.get("media_id"):
        return found
    # The platform dropped the picture before its time: it is uploaded anew, and they go with another task.
    UploadedPicture.objects.filter(account=account, media_id=batch.parts["media_id"]).delete()
    return BatchOutcome(outcome=replace(found.outcome, answer=Answer.BUSY, again_after=timedelta(minutes=10)))


def said_to_staff(account: ChannelAccount, batch: Batch) -> Json:
    """Return the part of a task that says what is sent; its picture was uploaded before, or is left out."""
    uploaded = str(batch.parts.get("media_id") or "")
    below = attachments.of_parts(batch.parts).made(lambda _picture: uploaded)
    told: Json = {"text": {"content": str(batch.parts["text"])}}
    return {**told, "attachments": below} if below else told


def called(asked: Callable[[], Json]) -> BatchOutcome:
    """Make the call, and return what came of it; a repetition names the number of the first."""
    try:
        told: Any = asked()
    except WeChatError as error:
        found = outcome(error, timezone.now())
        if error.action is not Action.DONE or not isinstance(error, Refusal):
            return BatchOutcome(outcome=found)
        return _accepted(error.fields, found.code)
    return _accepted(told, "0")


def _accepted(told: Json, code: str) -> BatchOutcome:
    number = str(told.get("msg_id") or told.get("msgid") or "")[:200]
    return BatchOutcome(
        outcome=Outcome(answer=Answer.ACCEPTED, provider_id=number, code=code),
        data_id=str(told.get("msg_data_id") or "")[:64],
        refused=[str(one) for one in told.get("fail_list") or ()],
    )
