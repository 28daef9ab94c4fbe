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
        *("t", "td", "n", "r", "qx", "stop", "stopall", "unsubscribe", "unsub", "cancel", "end", "quit", "optout"),
        *("remove", "revoke", "退", "退订", "取消", "取消订阅", "拒收", "拒绝", "不要", "不需要", "停止", "不再接收"),
        *("别发了", "不要再发", "不要再发了", "勿发", "勿扰", "退定", "退訂", "取消訂閱", "拒收短信"),
    }
)
# Said around such a word without changing it: an operator's own sentence ("回复TD"), and manners.
AROUND = "請|请|麻烦|你好|您好|回复|回覆|发送|回|谢谢|謝謝|谢了|感谢|吧|了|啊|please|thankyou|thanks|thx|now|hello|hi"
MANNERS = re.compile(f"^(?:{AROUND})+|(?:{AROUND})+$")
# Anywhere in a clause: it is about nothing else. A code before or after it ("R退订") is an operator's custom.
PHRASES = (
    *(
        "退订",
        "退訂",
        "拒收短信",
        "取消订阅",
        "取消訂閱",
        "不要再发",
        "不要再给我发",
        "别再发",
        "别给我发",
        "别再给我发",
    ),
    *("unsubscribe", "stopall", "optout", "optmeout", "removeme", "stopsending", "stoptexting", "stopmessaging"),
)
# What turns it into its opposite, or into a question why it was done: only words that leave no other sense between.
NOT = re.compile(
    "(?:不|没|沒|别|未|勿|not|dont|didnt|wont|never)"
    "(?:有|要|想|会|用|是|能|可以|打算|准备|需要|必|再|给我|帮我|收到|just|want|wish|need|going|to|me|ever|have|been|please)*"
    "(?:退订|退訂|取消|拒收|unsubscribe|stop|optout|optmeout|removeme)"
    "|(?:为什么|为何|为啥|怎么会|why)(?:你们|把|给|帮|要|会|被|我|did|do|have|has|you|was|were|am|been|i|me)*"
    "(?:退订|退訂|取消|unsubscribe)"
)
CLAUSE = re.compile(r"[,.;:!?\n、。]+")  # after NFKC, which makes the full-width signs plain
INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]")
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
    folded = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold()
    whole = _plain(folded)
    if whole in WORDS or MANNERS.sub("", whole) in WORDS:
        return True
    return any(_takes_back(_plain(clause)) for clause in CLAUSE.split(folded))


def _takes_back(clause: str) -> bool:
    return not NOT.search(clause) and any(phrase in clause for phrase in PHRASES)


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


def _plain(folded: str) -> str:
    """Return letters and digits only, without the marks that hide a letter."""
    return "".join(sign for sign in folded if sign.isalnum())
