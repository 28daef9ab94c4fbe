"""What hangs below a text in WeCom: a picture, a link, the card of a mini program; checked, as the platform asks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

Json = dict[str, Any]
# Bytes, as the platform's page on group messages and welcomes says.
TITLE_OF_LINK, ADDRESS, TITLE_OF_CARD = 128, 2048, 64


class BadAttachment(ValueError):
    """It cannot hang there; ``field`` names the input, the message says why, in the reader's language."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Attachments:
    """What hangs below one text; ``picture`` is a number of ours, and the card's cover where there is a card."""

    picture: int | None = None
    link_title: str = ""
    link_url: str = ""
    card_appid: str = ""
    card_page: str = ""
    card_title: str = ""

    def check(self) -> None:
        """Raise :class:`BadAttachment` where the platform would refuse it."""
        card = {"card_appid": self.card_appid, "card_page": self.card_page, "card_title": self.card_title}
        if any(card.values()):
            for field, said in card.items():
                if not said:
                    raise BadAttachment(field, _("A card has an AppID, a page and a title."))
            if self.picture is None:
                raise BadAttachment("picture", _("A card needs a picture as its cover."))
        for field, said, most in (
            ("card_title", self.card_title, TITLE_OF_CARD),
            ("link_title", self.link_title, TITLE_OF_LINK),
            ("link_url", self.link_url, ADDRESS),
        ):
            if len(said.encode()) > most:
                raise BadAttachment(field, _("At most %(most)d bytes; a Chinese character has three.") % {"most": most})

    def made(self, uploaded: Callable[[int], str]) -> list[Json]:
        """Return them as the platform asks; ``uploaded`` gives a picture's number there, or nothing to leave it out."""
        media_id = uploaded(self.picture) if self.picture is not None else ""
        made = []
        if self.link_url:
            title = (self.link_title or self.link_url).encode()[:TITLE_OF_LINK].decode(errors="ignore")
            link = {"title": title, "url": self.link_url}
            made.append({"msgtype": "link", "link": link})
        if self.card_appid and media_id:
            card = {"title": self.card_title, "appid": self.card_appid, "page": self.card_page}
            made.append({"msgtype": "miniprogram", "miniprogram": {**card, "pic_media_id": media_id}})
        elif self.picture is not None and media_id and not self.card_appid:
            made.append({"msgtype": "image", "image": {"media_id": media_id}})
        return made


def of_parts(parts: Any) -> Attachments:
    """Return what hangs below a message, by its parts."""
    told = {name: str(parts.get(name) or "") for name in ("card_appid", "card_page", "card_title")}
    picture = str(parts.get("picture") or "")
    url, title = str(parts.get("url") or ""), str(parts.get("title") or "")
    return Attachments(picture=int(picture) if picture.isdecimal() else None, link_title=title, link_url=url, **told)
