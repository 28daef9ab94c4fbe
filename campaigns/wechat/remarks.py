"""What staff call a follower (备注): written to the platform and kept here, sealed; read with the followers' facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from campaigns.channels.wechat import limits, official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ChannelAccount, Follower, FollowerRemark
from campaigns.wechat.words import said
from crm.models import Identifier

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class NoRemark(ValueError):
    """The remark cannot be written; the message says why."""


def of(row: Follower) -> str:
    """Return what staff call a follower; empty where they call her nothing."""
    found = FollowerRemark.objects.filter(account=row.account_id, identifier=row.identifier_id).first()
    return str(found.text) if found else ""


def write(row: Follower, text: str, by: "AbstractBaseUser | None", now: datetime) -> None:
    """Call a follower something, at the platform first; nothing takes the remark away.

    Raises
    ------
    NoRemark
        It is too long, she does not follow any more, or the platform refuses.
    """
    text = " ".join(text.split())
    longest = limits.of(row.account, "remark_signs") or 29
    if len(text) > longest:
        raise NoRemark(_("A remark has %(signs)s signs at most.") % {"signs": longest})
    if not row.following:
        raise NoRemark(_("The person does not follow the account any more."))
    try:
        official.user_info_updateremark(row.account, str(row.identifier.value), text)
    except WeChatError as error:
        raise NoRemark(said(error)) from error
    _keep(row.account, row.identifier, text, by, now)


def take(account: ChannelAccount, told: Sequence[Mapping[str, Any]], numbers: Mapping[str, int], now: datetime) -> None:
    """Keep the remarks that the platform told with followers' facts; who has none any more loses hers here."""
    rows = FollowerRemark.objects.filter(account=account, identifier__in=numbers.values())
    held = {row.identifier_id: row for row in rows}
    texts = {numbers[one["openid"]]: str(one.get("remark") or "") for one in told if one["openid"] in numbers}
    changed = {pk: text for pk, text in texts.items() if text != (str(held[pk].text) if pk in held else "")}
    for person in Identifier.objects.filter(pk__in=changed):
        _keep(account, person, changed[person.pk], None, now)


def _keep(account: ChannelAccount, person: Identifier, text: str, by: "AbstractBaseUser | None", now: datetime) -> None:
    rows = FollowerRemark.objects.filter(account=account, identifier=person)
    if not text:
        rows.delete()
        return
    row = rows.first() or FollowerRemark(account=account, identifier=person, profile_id=person.profile_id)
    row.text, row.changed_by_id, row.changed_at = text, by.pk if by else None, now
    row.save()
