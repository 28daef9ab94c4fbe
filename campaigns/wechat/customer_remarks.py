"""What staff note of a customer in WeCom: read from there to be looked at, written there, and never kept here.

A remark is mostly a name and what somebody said: personal data of which WeCom has the one copy.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from campaigns.channels.wechat import limits, wecom
from campaigns.models import StaffContact


class NoRemark(ValueError):
    """It cannot be written; the message says why, in the reader's language."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What a member of staff calls a customer, and notes of her."""

    name: str
    note: str


def read(contact: StaffContact) -> Remark:
    """Return what a member of staff noted; empty where WeCom tells nothing of the two."""
    found = wecom.externalcontact_get(contact.staff.account, str(contact.identifier.value))
    known: list[dict[str, Any]] = list(found.get("follow_user") or ())
    mine = next((one for one in known if one.get("userid") == contact.staff.userid), {})
    return Remark(name=str(mine.get("remark") or ""), note=str(mine.get("description") or ""))


def write(contact: StaffContact, remark: Remark) -> None:
    """Write it to WeCom, where staff see it; what is empty stays as it is there.

    Raises
    ------
    NoRemark
        The two do not know each other any more, there is nothing to write, or it is too long.
    campaigns.channels.wechat.errors.WeChatError
        The platform refused.
    """
    if contact.ended_at is not None:
        raise NoRemark(_("They are not in contact any more."))
    told = {"remark": remark.name.strip(), "description": remark.note.strip()}
    told = {name: text for name, text in told.items() if text}
    if not told:
        raise NoRemark(_("There is nothing to write."))
    account = contact.staff.account
    for name, text in told.items():
        most = limits.of(account, f"{name}_signs") or 0
        if len(text) > most:
            raise NoRemark(_("At most %(most)d characters; this has %(count)d.") % {"most": most, "count": len(text)})
    who = {"userid": contact.staff.userid, "external_userid": str(contact.identifier.value)}
    wecom.externalcontact_remark(account, {**who, **told})
