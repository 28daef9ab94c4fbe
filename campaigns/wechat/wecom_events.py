"""What follows of WeCom's callbacks about customers, groups and tags; ``campaigns.wechat.inbound`` calls these."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from campaigns.models import CustomerGroup, CustomerTag, Inbound, StaffContact
from campaigns.wechat import customers, handovers, welcoming

Handler = Callable[[Inbound, datetime], None]
EndedBy = StaffContact.EndedBy


def added(row: Inbound, now: datetime) -> None:
    """Note that somebody added a member of staff, and have her welcomed: within the platform's own request.

    Also where the member of staff has not accepted yet (``add_half_external_contact``): she wrote first.
    """
    if not _named(row):
        return
    told = row.told
    known = customers.Known(
        userid=_text(row, "UserID"),
        external_userid=_text(row, "ExternalUserID"),
        state=_text(row, "State"),
        added_at=min(row.happened_at, now),
    )
    contact = customers.arrived(row.account, known, now)
    welcoming.order(contact, str(told.get("WelcomeCode") or ""), row.happened_at, now)


def contact_changed(row: Inbound, now: datetime) -> None:
    """Work on what else happens between staff and customers; what means nothing to us is only kept."""
    work = CHANGES.get(str(row.told.get("ChangeType", "")))
    if work is not None and _named(row):
        work(row, now)


def _unfriended(row: Inbound, now: datetime) -> None:
    _parted(row, EndedBy.CUSTOMER, now)


def _dropped(row: Inbound, now: datetime) -> None:
    """The staff ended it, or a handover did: nobody's no."""
    handed = row.told.get("Source") == "DELETE_BY_TRANSFER"
    _parted(row, EndedBy.HANDOVER if handed else EndedBy.STAFF, now)


def _parted(row: Inbound, by: str, now: datetime) -> None:
    customers.parted(row.account, _text(row, "UserID"), _text(row, "ExternalUserID"), by, row.happened_at, now)


def _not_taken_over(row: Inbound, now: datetime) -> None:
    handovers.failed(row.account, _text(row, "UserID"), _text(row, "ExternalUserID"), _text(row, "FailReason"), now)


def chat_changed(row: Inbound, now: datetime) -> None:
    """Count who came to a group or left it, or note that it is gone; the next reading counts everybody anew."""
    groups = CustomerGroup.objects.filter(account=row.account, chat_id=_text(row, "ChatId"))
    if row.told.get("ChangeType") == "dismiss":
        groups.filter(dismissed_at=None).update(dismissed_at=row.happened_at, synced_at=now)
        return
    change = _number(row.told.get("MemChangeCnt"))
    sign = {"add_member": 1, "del_member": -1}.get(str(row.told.get("UpdateDetail", "")), 0)
    # What was counted after it happened has counted it.
    for group in groups.filter(synced_at__lt=row.happened_at).select_for_update() if change and sign else ():
        group.members = max(0, group.members + sign * change)
        group.save(update_fields=["members"])


def tag_changed(row: Inbound, now: datetime) -> None:
    """Mark a deleted tag as gone; new ones and new names are read with the next synchronisation."""
    if row.told.get("ChangeType") == "delete" and row.told.get("TagType", "tag") == "tag":
        tags = CustomerTag.objects.filter(account=row.account, tag_id=_text(row, "Id"), gone_at=None)
        tags.exclude(tag_id="").update(gone_at=row.happened_at)


def _named(row: Inbound) -> bool:
    return bool(_text(row, "UserID") and _text(row, "ExternalUserID"))


def _text(row: Inbound, name: str) -> str:
    found = row.told.get(name)
    return str(found)[:64] if found else ""


def _number(told: Any) -> int:
    return int(told) if str(told or "").isdecimal() and len(str(told)) < 9 else 0


CHANGES: Mapping[str, Handler] = {
    "del_follow_user": _unfriended,
    "del_external_contact": _dropped,
    "transfer_fail": _not_taken_over,
}
