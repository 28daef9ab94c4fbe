"""What staff answer in a conversation, while the platform lets them: a text or a picture.

An answer to somebody who wrote is no campaign: no consent to marketing is asked for it, and no holdout keeps it back.
It is a hand-off all the same, so it stands in the ledger, and who is restricted gets none. The window is asked and one
of its messages taken in the transaction that records the hand-off; the platform is called after it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import Ambiguous, WeChatError
from campaigns.keys import NAMESPACE
from campaigns.models import ChannelAccount, ChatMessage, EntryCode, Follower, SendingPolicy, ServiceWindow
from campaigns.wechat import chat_files, chats
from campaigns.wechat.words import said
from crm import handoffs
from crm.handoffs import NewHandOff
from crm.merging import members
from crm.models import Identifier, Profile
from crm.models.purposes import Purpose

ANSWER = "direct-answer"  # the purpose that the ledger names: no row of ours, since nobody chooses it
LONGEST = 2048  # bytes of a text
PICTURES: Mapping[str, str] = {"image/jpeg": "picture.jpg", "image/png": "picture.png"}
CLOSED, USED_UP, NOT_FOLLOWING, RECEIVING_OFF = "45015", "45047", "43004", "48002"
Status = ChatMessage.Status


class NoAnswer(ValueError):
    """Nothing can be sent, or it was refused; the message says why, in the reader's language."""


def why(code: str) -> str:
    """Return what the platform's refusal means."""
    words = {
        CLOSED: _("The window is closed: 48 hours after a person's last message, or she does not follow any more."),
        USED_UP: _("The messages of this window are used up. It opens again when the person writes."),
        NOT_FOLLOWING: _("The person does not follow the account any more."),
        RECEIVING_OFF: _("The person has switched off the account's messages."),
    }
    return words.get(code) or _("The platform refuses it (%(code)s).") % {"code": code}


def greet(code: EntryCode, identifier: Identifier, key: str, now: datetime) -> ChatMessage | None:
    """Tell a newcomer a code's welcome text, once for the event of that ``key``; None where she cannot be told."""
    own = uuid5(NAMESPACE, f"welcome {code.pk} {identifier.pk} {key}")
    if ChatMessage.objects.filter(account=code.account_id, key=own.hex).exists():
        return None
    try:
        return answer(code.account, identifier, code.welcome, None, now, key=own)
    except NoAnswer:
        return None


def answer(
    account: ChannelAccount,
    identifier: Identifier,
    text: str,
    by: User | None,
    now: datetime,
    *,
    key: UUID | None = None,
) -> ChatMessage:
    """Send a person a text, and keep it with what came of it.

    Raises
    ------
    NoAnswer
        The window is closed or used up, the person is restricted, everything is stopped, or the platform refused; of
        what was given to the platform the message is kept.
    """
    text = text.strip()
    if not text:
        raise NoAnswer(_("There is no text."))
    if len(text.encode()) > LONGEST:
        raise NoAnswer(_("A text has 2,048 bytes at most, which is 682 Chinese characters."))
    message = ChatMessage(account=account, identifier=identifier, kind="text", text=text, sent_by=by)
    _hand_off(message, key or uuid4(), now)
    return _sent(message, {"msgtype": "text", "text": {"content": text}})


def answer_with_picture(
    account: ChannelAccount, identifier: Identifier, data: bytes, by: User | None, now: datetime
) -> ChatMessage:
    """Send a person a picture, and keep it as long as those that people send.

    It is uploaded before the hand-off, which a closed window makes needless: that is asked before both.

    Raises
    ------
    NoAnswer
        As :func:`answer`; or it is no picture that the platform takes, or too large.
    """
    mime = chat_files.kind_of(data)
    if mime not in PICTURES:
        raise NoAnswer(_("The platform takes pictures as JPEG or PNG only."))
    if len(data) > chat_files.LARGEST["image"]:
        raise NoAnswer(_("A picture has 5 MB at most."))
    found = chats.window(account, identifier.pk, now)
    if not found.open:
        raise NoAnswer(why(_closed(found, now)))
    try:
        told = official.media_upload(account, "image", PICTURES[mime], data, mime)
    except WeChatError as error:
        raise NoAnswer(said(error)) from error
    message = ChatMessage(account=account, identifier=identifier, kind="image", text="", sent_by=by)
    _hand_off(message, uuid4(), now)
    chat_files.keep(message, data, mime, now)
    return _sent(message, {"msgtype": "image", "image": {"media_id": str(told["media_id"])}})


def _sent(message: ChatMessage, told: Mapping[str, Any]) -> ChatMessage:
    """Give the platform a message that was handed off, and write down what it says."""
    account, identifier = message.account, message.identifier
    try:
        official.message_custom_send(account, str(identifier.value), told)
    except Ambiguous:
        _end(message, Status.UNKNOWN, "")
        raise NoAnswer(_("The platform did not answer: the message may have arrived. It is not sent again.")) from None
    except WeChatError as error:
        _refused(account, identifier, message, error)
        raise NoAnswer(why(str(error.code))) from error
    _end(message, Status.SENT, "")
    return message


def _closed(found: chats.Window, now: datetime) -> str:
    return USED_UP if found.expires_at and found.expires_at > now else CLOSED


def _hand_off(message: ChatMessage, key: UUID, now: datetime) -> None:
    """Take one message of the window, and record the hand-off, in one transaction."""
    account, identifier = message.account, message.identifier
    with transaction.atomic():
        people = Profile.objects.filter(pk__in=members(identifier.profile_id)).order_by("pk")
        hers = list(people.select_for_update(no_key=True))
        if not hers or any(one.restricted_at is not None for one in hers):
            raise NoAnswer(_("This person's data may only be stored: nothing may be sent."))
        if SendingPolicy.objects.filter(stopped_at__isnull=False).exists():
            raise NoAnswer(_("Everything that is sent was stopped."))
        rows = ServiceWindow.objects.filter(account=account, identifier=identifier).open(now)
        if not rows.update(remaining=F("remaining") - 1):
            raise NoAnswer(why(_closed(chats.window(account, identifier.pk, now), now)))
        leaf = NewHandOff(
            delivery=key,
            profile_id=identifier.profile_id,
            allowed_by=None,
            basis=Purpose.Basis.CONTRACT,
            purpose=ANSWER,
            channel=account.channel,
            handed_off_at=now,
        )
        handoffs.record([leaf], now)
        message.key, message.profile_id, message.happened_at = key.hex, identifier.profile_id, now
        message.direction, message.status = ChatMessage.Direction.OUT, Status.CALLING
        message.save()


def _refused(account: ChannelAccount, identifier: Identifier, message: ChatMessage, error: WeChatError) -> None:
    """Write down a refusal; the platform's word on the window is the truth."""
    code = str(error.code)
    _end(message, Status.REFUSED, code)
    rows = ServiceWindow.objects.filter(account=account, identifier=identifier)
    if code in (CLOSED, USED_UP, NOT_FOLLOWING):
        rows.update(remaining=0)
    elif code == RECEIVING_OFF:
        Follower.objects.filter(account=account, identifier=identifier).update(receiving=False)
    else:
        rows.update(remaining=F("remaining") + 1)  # it was not used


def _end(message: ChatMessage, status: str, code: str) -> None:
    message.status, message.code = status, code
    ChatMessage.objects.filter(pk=message.pk, status=Status.CALLING).update(status=status, code=code[:16])
