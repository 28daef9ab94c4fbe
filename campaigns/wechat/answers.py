"""What an account answers to a word at once, in the platform's own request: rules that came with the account's row.

A rule is ``word = answer`` for who writes exactly this, ``word* = answer`` for what begins so, and ``*word* = answer``
for what it stands in. Exact rules are asked first, then beginnings, then words within; of each sort the longest, for it
says most, and of two that are as long the one that stands above.
"""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from campaigns.channels.wechat.inbound import Notice, text_of
from campaigns.models import ChannelAccount

LONGEST = 600  # signs of an answer: the platform takes 2048 bytes
EXACT, BEGINS, WITHIN = 0, 1, 2


class Rule(NamedTuple):
    """A rule, in the order in which rules are asked."""

    sort: int
    letters: int  # the longest first: negative
    line: int
    word: str
    said: str

    def fits(self, text: str) -> bool:
        match self.sort:
            case 0:
                return text == self.word
            case 1:
                return text.startswith(self.word)
        return self.word in text


def at_once(account: ChannelAccount, told: Notice) -> bytes:
    """Return a passive reply in XML, not yet encrypted; nothing where no rule of the account's fits.

    Only official accounts show one.
    """
    if account.provider != "wechat_official" or told.kind != "text":
        return b""
    said = answer(rules(str(account.settings.get("keyword_answers") or "")), text_of(told.fields, "Content"))
    if not said or not told.person:
        return b""
    to, us = escape(told.person), escape(text_of(told.fields, "ToUserName"))
    return (
        f"<xml><ToUserName>{to}</ToUserName><FromUserName>{us}</FromUserName>"
        f"<CreateTime>{int(told.happened_at.timestamp())}</CreateTime><MsgType>text</MsgType>"
        f"<Content>{escape(said)}</Content></xml>"
    ).encode()


def answer(known: Sequence[Rule], text: str) -> str:
    """Return what the first rule that fits says; empty where none does."""
    written = " ".join(text.casefold().split())
    return next((rule.said for rule in known if rule.fits(written)), "")


def rules(text: str) -> list[Rule]:
    """Read an account's rules, one a line, in the order in which they are asked; of one word the first counts.

    >>> known = rules("hours = We open at nine.\\nhours* = Which day?\\n*tea* = We have tea.\\n*green tea* = Green!")
    >>> [answer(known, said) for said in ("Hours", "hours on Sunday", "a green tea?", "tea", "coffee")]
    ['We open at nine.', 'Which day?', 'Green!', 'We have tea.', '']
    """
    found: dict[tuple[int, str], Rule] = {}
    for line, written in enumerate(text.splitlines()):
        word, _, said = written.partition("=")
        sort, word = _read(" ".join(word.casefold().split()))
        if word and said.strip():
            found.setdefault((sort, word), Rule(sort, -len(word), line, word, said.strip()[:LONGEST]))
    return sorted(found.values())


def _read(word: str) -> tuple[int, str]:
    """Return a rule's sort, and its word without stars."""
    if not word.endswith("*"):
        return EXACT, word
    bare = word.strip("*").strip()
    return (WITHIN if word.startswith("*") else BEGINS), bare
