"""Answers to messages: who sends 退订, TD or STOP wants no more of them, however it is spelt."""

import re
import unicodedata
from datetime import datetime
from uuid import UUID

from crm import consent, identity, suppression
from crm.keys import message_key
from crm.models import ConsentEvent, Source, Suppression
from crm.models.purposes import Channel
from crm.normal import normal

# The whole message, in small letters and without signs: what operators and the law's practice know.
WORDS = frozenset(
    {
        *("t", "td", "n", "qx", "stop", "stopall", "unsubscribe", "unsub", "cancel", "end", "quit", "optout", "remove"),
        *("退", "退订", "取消", "取消订阅", "拒收", "拒绝", "不要", "不需要", "停止", "不再接收", "别发了", "不要再发"),
        *("不要再发了", "勿发", "勿扰", "退定", "退訂", "取消訂閱", "拒收短信"),
    }
)
# Anywhere in a message: it is about nothing else. A code before or after it ("R退订") is an operator's custom.
PHRASES = ("退订", "退訂", "拒收短信", "取消订阅", "取消訂閱", "不要再发", "别再发", "unsubscribe", "stopall", "optout")
NOT = re.compile("(?:不|没|沒|别|未|勿|没有|not|dont|never)(?:要|想|会|用)?(?:退订|退訂|取消|拒收|unsubscribe|stop)")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
LONGEST = 500  # of a reply; whoever writes more writes about something else too, and staff read it


def read_reply(text: str) -> bool:
    """Tell whether a reply takes the consent back.

    >>> [read_reply(text) for text in ("ＴＤ", " t. ", "【退订】", "Stop!", "请帮我退订，谢谢", "S T O P")]
    [True, True, True, True, True, True]
    >>> [read_reply(text) for text in ("", "Thanks", "不退订", "取消订单", "今天10点到", "don't stop")]
    [False, False, False, False, False, False]
    """
    if len(text) > LONGEST:
        return False
    plain = _plain(text)
    if plain in WORDS:
        return True
    return not NOT.search(plain) and any(phrase in plain for phrase in PHRASES)


def take_reply(
    phone: str, text: str, *, source: Source, now: datetime, message_id: str = "", channel: str = Channel.SMS.value
) -> list[ConsentEvent] | None:
    """Take an SMS that came in, once for each message id: a withdrawal of all marketing on the channel.

    Return the events; none where nobody has the number, which is suppressed all the same; ``None`` if the reply takes
    nothing back.
    """
    if not read_reply(text):
        return None
    found = identity.known([("phone", normal("phone", phone))])
    if not found:
        suppression.suppress([("phone", phone)], channel, Suppression.Why.UNSUBSCRIBED, now=now)
        return []
    key: UUID | None = message_key(source.pk, message_id) if message_id else None
    (profile,) = found.values()
    heard = consent.Heard(source=source, idempotency=key, proof={"reply": message_id} if message_id else {})
    return consent.withdraw(profile, None, channel, "sms_reply", now, heard)


def _plain(text: str) -> str:
    """Return letters and digits only, in one form: full-width as plain, without accents that hide a letter."""
    folded = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold()
    return "".join(sign for sign in folded if sign.isalnum())
