"""What the platforms' error codes mean: one table drives what the client does, and what a message comes to.

A code of which the table says nothing is an end: it is kept with the platform's ``rid``, by which its staff find the
request for seven days. The codes are those of the platforms' public lists; they judge, never the words beside them.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from campaigns.channels.base import Answer, Outcome

SHANGHAI = ZoneInfo("Asia/Shanghai")  # by whose midnight the platforms count days
RID = re.compile(r"rid:\s*([0-9a-zA-Z-]{8,64})")
TOKEN = re.compile(r"(access_token|secret|corpsecret|js_code|key)=[^&\s]+")


class Action(StrEnum):
    """What to do after an error."""

    TRANSIENT = "transient"  # nothing was done: once more, a little later
    AMBIGUOUS = "ambiguous"  # no answer: nobody knows whether it was done
    TOKEN = "token"  # noqa: S105  # of another token, once more
    AUTH = "auth"  # the account itself is not let in
    CAPABILITY = "capability"  # this account may not do this
    BANNED = "banned"
    QUOTA = "quota"  # of a day or month: after the platform's midnight
    RATE = "rate"  # of a minute
    RECIPIENT = "recipient"  # this person cannot be reached so
    DONE = "done"  # a repetition of what was done before
    CONTENT = "content"
    CONFIG = "config"  # a bug, or housekeeping
    UNKNOWN = "unknown"


# Says nothing of what was asked for: a little later it may well be answered.
LATER = frozenset({Action.TRANSIENT, Action.AMBIGUOUS, Action.TOKEN, Action.AUTH, Action.QUOTA, Action.RATE})


class Meaning(NamedTuple):
    """What a code means: what to do, and our word for it."""

    action: Action
    reason: str


def _all(action: Action, **words: tuple[int, ...]) -> dict[int, Meaning]:
    return {code: Meaning(action, reason) for reason, codes in words.items() for code in codes}


MEANINGS: Mapping[int, Meaning] = {
    **_all(Action.TRANSIENT, busy=(-1,)),
    **_all(Action.TOKEN, token=(40001, 40014, 42001, 41001)),
    **_all(
        Action.AUTH,
        account=(40125, 40013, 40002, 41002, 41004, 50002, 61007),
        server_address=(40164, 61004),
    ),
    **_all(
        Action.CAPABILITY,
        not_allowed=(48001, 48003, 48008, 43016, 43104),
        offline=(47009,),
    ),
    **_all(Action.BANNED, banned=(48004, 45087, 43106, 43107)),
    **_all(Action.QUOTA, quota=(45009, 45028, 45040, 44993)),
    **_all(Action.RATE, busy=(45011, 45033, 45066, 43108, 44990)),
    **_all(
        Action.RECIPIENT,
        not_following=(43004,),
        no_credit=(43101,),
        receiving_off=(48002,),
        blacklisted=(43019,),
        window_closed=(45015,),
        window_used_up=(45047,),
        no_such_address=(40003, 46004, 49003, 50005),
    ),
    **_all(Action.DONE, repeated=(45065, 44007)),
    **_all(
        Action.CONTENT,
        malformed=(47001, 47003, 40033, 40035, 41030, 40165, 40169, 40212, 85401, 40039, 40066, 44004, 40008),
        too_big=(45002, 45003, 45004, 45005, 45006, 45007, 45008),
        template=(40037, 40036, 40038),
        media_expired=(40007,),
        content=(45166, 87014, 45168),
    ),
    **_all(
        Action.CONFIG,
        configuration=(45056, 45057, 45058, 45059, 45157, 45158, 45159, 40130, 40032, 45019, 45026, 43100, 45067),
    ),
}
# Where WeCom means something else by a code, and its own.
OF_WECOM: Mapping[int, Meaning] = {
    **MEANINGS,
    **_all(Action.TOKEN, token=(40014, 42001, 41001)),
    **_all(Action.AUTH, account=(40001, 40013, 40082), server_address=(60020,)),
    **_all(Action.CAPABILITY, not_allowed=(48002, 60011, 84074, 301002)),
    **_all(
        Action.RECIPIENT,
        no_such_address=(40096, 60111, 81013, 84061),
        welcomed_already=(41051,),
        welcome_expired=(41050,),
    ),
    **_all(Action.CONTENT, malformed=(40058, 90207)),
    **_all(Action.RATE, busy=(45009, 45011, 45033)),  # its quotas last a minute or an hour, not until midnight
}


class WeChatError(Exception):
    """The platform refused; the message names code, our word and ``rid``, never a token, a secret or an address."""

    def __init__(self, action: Action, code: int | str, *, reason: str = "", rid: str = "", told: str = "") -> None:
        self.action, self.code, self.reason, self.rid = action, code, reason or action.value, rid
        self.told = masked(told)
        super().__init__(" ".join(filter(None, [str(code), self.reason, f"rid: {rid}" if rid else ""])))


class Ambiguous(WeChatError):
    """The request left and no answer can be read: what it asked for may have been done."""

    def __init__(self, code: int | str) -> None:
        super().__init__(Action.AMBIGUOUS, code, reason="no_answer")


def masked(text: str) -> str:
    """Return a text without the tokens and secrets that stand in addresses.

    >>> masked("https://api/x?access_token=85_abc&lang=en")
    'https://api/x?access_token=…&lang=en'
    """
    return TOKEN.sub(lambda found: f"{found[1]}=…", text)[:500]


def error_of(code: int, told: str, *, wecom: bool = False) -> WeChatError:
    """Return the error of a code that is not zero."""
    meaning = (OF_WECOM if wecom else MEANINGS).get(code, Meaning(Action.UNKNOWN, "refused"))
    found = RID.search(told)
    return WeChatError(meaning.action, code, reason=meaning.reason, rid=found[1] if found else "", told=told)


def midnight_after(now: datetime) -> datetime:
    """Return when the platforms' next day begins: in Shanghai, where no clock is ever put forward."""
    here = now.astimezone(SHANGHAI)
    return datetime.combine(here.date() + timedelta(days=1), time(), SHANGHAI)


OF_ALL = frozenset({"45009", "45011", "45033"})  # rates of the account; the others are one person's, or one key's
BUSY = Outcome(answer=Answer.BUSY, again_after=timedelta(minutes=1))
REFUSED = Outcome(answer=Answer.REFUSED)
OUTCOMES: Mapping[Action, Outcome] = {
    Action.TRANSIENT: BUSY,
    Action.AMBIGUOUS: Outcome(answer=Answer.UNKNOWN),
    Action.TOKEN: replace(BUSY, account_refused=True),  # a second token was refused as well
    Action.AUTH: replace(BUSY, account_refused=True),
    Action.BANNED: replace(BUSY, account_refused=True),
    Action.CAPABILITY: REFUSED,
    Action.QUOTA: replace(BUSY, account_waits=True),
    Action.RATE: BUSY,
    Action.RECIPIENT: REFUSED,
    Action.DONE: Outcome(answer=Answer.ACCEPTED),
    Action.CONTENT: REFUSED,
    Action.CONFIG: REFUSED,
    Action.UNKNOWN: REFUSED,
}


def outcome(error: WeChatError, now: datetime) -> Outcome:
    """Return what a message comes to after an error; a spent quota waits for the platform's midnight."""
    found = replace(OUTCOMES[error.action], code=str(error.code)[:64], reason=error.reason)
    if error.action is Action.QUOTA:
        return replace(found, again_after=midnight_after(now) - now + timedelta(minutes=1))
    return replace(found, account_waits=True) if found.code in OF_ALL else found
