"""What a screen shows before somebody decides on a purpose, line by line, and the digest of exactly that.

The preference page and the form on somebody's web page show the same lines, each in an element of its own; the digest
of what was really shown can be had from either by joining the texts of these elements. So the consent event names not
what should have been shown, but what was.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from crm.models import Channel, Notice, Purpose
from crm.models.purposes import in_language

LANGUAGES = ("en", "zh-hans")
EDGES = re.compile(r"^[ \t\n]+|[ \t\n]+$")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The lines about one purpose (``about``) and about one control for it (``control``), in a language."""

    purpose: str
    channel: str
    language: str
    notice: str
    notice_digest: str
    name: str
    description: str
    separate: str
    title: str
    body: str
    facts: tuple[str, ...]
    withdraw: str
    where: str
    allow: str
    refuse: str
    declares: str = ""  # what a guardian says by pressing

    @property
    def about(self) -> tuple[str, ...]:
        texts = (self.name, self.description, self.separate, self.title, self.body, *self.facts, self.withdraw)
        return tuple(text for text in texts if text)

    @property
    def control(self) -> tuple[str, ...]:
        return tuple(text for text in (self.where, self.declares, self.allow, self.refuse) if text)

    @property
    def digest(self) -> str:
        return digest((*self.about, *self.control))


def digest(lines: Iterable[str]) -> str:
    r"""Return the SHA-256 of lines as they are shown: in Unicode's composed form, one a line, without blank edges.

    >>> digest([" Offers\r\n", "Allow"]) == sha256(b"Offers\nAllow").hexdigest()
    True
    """
    return sha256("\n".join(plain(line) for line in lines).encode()).hexdigest()


def plain(text: str) -> str:
    """Return a text as a browser has it that was given it as the content of an element."""
    joined = re.sub("\r\n?", "\n", unicodedata.normalize("NFC", text))
    return EDGES.sub("", joined)


def shown(purpose: Purpose, notice: Notice | None, channel: str, language: str, *, guardian: bool = False) -> Shown:
    """Return what is shown of a purpose, with the notice in force, before one decides for a channel; or a guardian."""
    with translation.override(language):
        said = _said(notice, language)
        return Shown(
            purpose=purpose.code,
            channel=channel,
            language=language,
            notice=notice.reference if notice else "",
            notice_digest=notice.digest if notice else "",
            name=plain(in_language(purpose.name, language) or purpose.code),
            description=plain(in_language(purpose.description, language)),
            separate=_("Asked for by itself: whatever else you allow does not include it.") if purpose.separate else "",
            title=said["title"],
            body=said["body"],
            facts=_facts(purpose, notice),
            withdraw=said["withdraw"],
            where=str(Channel(channel).label) if channel else "",
            allow=_("Allow"),
            refuse=_("Do not allow"),
            declares=_("By pressing I say that I am the child's parent or guardian.") if guardian else "",
        )


def _said(notice: Notice | None, language: str) -> Mapping[str, str]:
    texts: Mapping[str, Any] = notice.texts if notice else {}
    said: Mapping[str, Any] = (
        texts.get(language) or texts.get(language.partition("-")[0]) or next(iter(texts.values()), {})
    )
    return {name: plain(str(said.get(name, ""))) for name in ("title", "body", "withdraw")}


def _facts(purpose: Purpose, notice: Notice | None) -> tuple[str, ...]:
    """Return the list that PIPL 17 asks for: data, who else gets them, how long they are kept."""
    item = next((one for one in notice.items if one["purpose"] == purpose.code), None) if notice else None
    comma = _(", ")
    recipients = list(item.get("recipients", ())) if item else []
    if purpose.recipient and purpose.recipient not in recipients:
        recipients.insert(0, purpose.recipient)
    facts = [_("Data: %(types)s") % {"types": comma.join(item["data_types"])}] if item else []
    if recipients:
        facts.append(_("Who else receives them: %(recipients)s") % {"recipients": comma.join(recipients)})
    if item:
        facts.append(_("Kept for %(days)s days") % {"days": item["retention_days"]})
    return tuple(plain(fact) for fact in facts)
