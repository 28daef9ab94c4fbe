"""Ways by which customers come: made at the platform, whose number for each is kept, and closed there again."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from campaigns.channels.wechat import limits, wecom
from campaigns.channels.wechat.attachments import Attachments
from campaigns.models import ArrivalWay, ChannelAccount, StaffContact, Welcome

Kind = ArrivalWay.Kind


class NoWay(ValueError):
    """The way cannot be made; the message says why, in the reader's language."""


def new_state() -> str:
    """Return a mark that nobody can guess or mistake for another's: what comes back with it is counted for a campaign.

    >>> len(new_state())
    16
    """
    return token_hex(8)


def check(way: ArrivalWay, staff_count: int) -> None:
    """Raise :class:`NoWay` where the platform would refuse, or cut off, what is asked."""
    if way.kind in (Kind.STAFF, Kind.LINK) and not staff_count:
        raise NoWay(_("Choose the staff to whom the code leads."))
    most = limits.of(way.account, "staff_of_a_link" if way.kind == Kind.LINK else "staff_of_a_way") or 0
    if staff_count > most:
        raise NoWay(_("At most %(most)s members of staff share a code.") % {"most": most})
    if way.kind == Kind.GROUP and not 1 <= len(way.groups) <= 5:
        raise NoWay(_("Choose one to five groups."))
    if len(way.welcome.encode()) > 4000:
        raise NoWay(_("The welcome message is longer than 4,000 bytes (a Chinese character has three)."))
    below(way).check()


def below(way: ArrivalWay) -> Attachments:
    """Return what hangs below a way's welcome."""
    told = {name: getattr(way, name) for name in ("link_title", "link_url", "card_appid", "card_page", "card_title")}
    return Attachments(picture=way.picture_id, **told)


def make(way: ArrivalWay, now: datetime) -> ArrivalWay:
    """Make a saved way's code at the platform, unless it has one; its number there is kept at once.

    Raises
    ------
    NoWay
        What is asked makes no sense.
    campaigns.channels.wechat.errors.WeChatError
        The platform refused.
    """
    userids = list(way.staff.order_by("userid").values_list("userid", flat=True))
    check(way, len(userids))
    if way.config_id or way.kind == Kind.OTHERWISE:
        return way
    if not way.state:
        way.state = new_state()
        way.save(update_fields=["state"])
    if way.kind == Kind.LINK:
        asked = {"link_name": way.name[:30], "range": {"user_list": userids}, "skip_verify": way.skip_verify}
        link = wecom.externalcontact_create_link(way.account, asked)["link"]
        way.config_id = str(link["link_id"])[:128]
        way.url = f"{link['url']}{'&' if '?' in link['url'] else '?'}customer_channel={way.state}"[:500]
    elif way.kind == Kind.STAFF:
        told = wecom.externalcontact_add_contact_way(way.account, _of_staff(way, userids))
        way.config_id, way.qr_code = str(told["config_id"])[:128], str(told.get("qr_code", ""))[:500]
    else:
        asked = {
            "scene": 2,
            "state": way.state,
            "chat_id_list": way.groups,
            "auto_create_room": 0,
            "remark": way.name[:30],
        }
        way.config_id = str(wecom.externalcontact_groupchat_add_join_way(way.account, asked)["config_id"])[:128]
        way.save(update_fields=["config_id"])  # it can be listed nowhere: kept before anything else is asked
        told = wecom.externalcontact_groupchat_get_join_way(way.account, way.config_id)
        way.qr_code = str((told.get("join_way") or {}).get("qr_code", ""))[:500]
    way.save(update_fields=["config_id", "qr_code", "url"])
    return way


def _of_staff(way: ArrivalWay, userids: list[str]) -> dict[str, Any]:
    several = 2 if len(userids) > 1 else 1
    asked = {"type": several, "scene": 2, "state": way.state, "user": userids, "remark": way.name[:30]}
    return asked | {"skip_verify": way.skip_verify}


def close(way: ArrivalWay, now: datetime) -> bool:
    """Let a way lead nowhere any more; those who came by it keep its mark. False if it was closed before."""
    if way.closed_at is not None:
        return False
    if way.config_id and way.kind == Kind.STAFF:
        wecom.externalcontact_del_contact_way(way.account, way.config_id)
    elif way.config_id and way.kind == Kind.LINK:
        wecom.externalcontact_delete_link(way.account, way.config_id)
    elif way.config_id:
        wecom.externalcontact_groupchat_del_join_way(way.account, way.config_id)
    return ArrivalWay.objects.filter(pk=way.pk, closed_at=None).update(closed_at=now) == 1


@dataclass(frozen=True, kw_only=True)
class Came:
    """What became of those who came by a way."""

    came: int
    left: int
    welcomed: int
    not_welcomed: int


def came_by(way: ArrivalWay) -> Came:
    """Count who came by a way, who has left since, and who was welcomed."""
    with transaction.atomic():
        contacts = _contacts(way.account, way.state).aggregate(
            came=Count("pk"), left=Count("pk", filter=Q(ended_by=StaffContact.EndedBy.CUSTOMER))
        )
        good = [Welcome.Status.SENT, Welcome.Status.PRESUMED]
        told = Welcome.objects.filter(way=way).aggregate(
            welcomed=Count("pk", filter=Q(status__in=good)), not_welcomed=Count("pk", filter=~Q(status__in=good))
        )
    return Came(**contacts, **told)


def _contacts(account: ChannelAccount, state: str):  # type: ignore[no-untyped-def]
    rows = StaffContact.objects.filter(staff__account=account)
    return rows.filter(state=state) if state else rows.none()
