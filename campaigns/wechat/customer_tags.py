"""Tags of customers, both ways: theirs are read, and a segment's people are given its tag, one call each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Case, When

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ChannelAccount, CustomerTag, StaffContact
from campaigns.segmenting import segments
from crm.merging import canonical_ids

MARKED_AT_ONCE = 500  # contacts of one run: each is a call; the next run goes on
EVERY = timedelta(hours=1)


def sync(account: ChannelAccount, now: datetime) -> int:
    """Read the tags there are; those that are not told any more are marked as gone, and keep what they led to."""
    told = _told(wecom.externalcontact_get_corp_tag_list(account))
    with transaction.atomic():
        known = {tag.tag_id: tag for tag in CustomerTag.objects.filter(account=account).exclude(tag_id="")}
        for tag_id, (group, name) in told.items():
            facts = {"group": group[:30], "name": name[:30], "synced_at": now, "gone_at": None}
            CustomerTag.objects.update_or_create(account=account, tag_id=tag_id, defaults=facts)
        gone = [tag.pk for tag_id, tag in known.items() if tag_id not in told and tag.gone_at is None]
        CustomerTag.objects.filter(pk__in=gone).update(gone_at=now)
    return len(told)


def make(tag: CustomerTag, now: datetime) -> CustomerTag:
    """Make a new tag at the platform, in the group of its name, and keep the number that it got there."""
    if tag.tag_id:
        return tag
    told = wecom.externalcontact_add_corp_tag(tag.account, {"group_name": tag.group, "tag": [{"name": tag.name}]})
    found = {str(one["name"]): str(one["id"]) for one in (told.get("tag_group") or {}).get("tag") or []}
    tag.tag_id, tag.synced_at = found[tag.name][:64], now
    tag.save(update_fields=["tag_id", "synced_at"])
    return tag


def apply(tag: CustomerTag, now: datetime, most: int = MARKED_AT_ONCE) -> tuple[int, int]:
    """Give the tag to those of its segment who lack it, and take it from those who left; return how many of each."""
    if tag.segment is None or not tag.tag_id or tag.gone_at is not None:
        return 0, 0
    open_ = StaffContact.objects.filter(staff__account=tag.account, staff__active=True, ended_at=None)
    bears = Case(When(tags__contains=[tag.tag_id], then=True), default=False, output_field=BooleanField())
    rows = list(open_.order_by("pk").values_list("pk", "identifier__profile", bears))
    who = canonical_ids(profile for _, profile, _ in rows)
    within = segments.among(segments.rule_of(tag.segment), set(who.values()), now)
    lacking = [pk for pk, profile, bears_it in rows if who[profile] in within and not bears_it]
    having = [pk for pk, profile, bears_it in rows if who[profile] not in within and bears_it]
    given = _mark(tag, _opened(lacking[:most]), add=True)
    return given, _mark(tag, _opened(having[: max(0, most - given)]), add=False)


def _opened(contacts: Sequence[int]) -> list[StaffContact]:
    """Return the contacts with whom something is done: only theirs are opened of many thousand sealed names."""
    rows = StaffContact.objects.filter(pk__in=contacts).select_related("staff", "identifier")
    return list(rows.order_by("pk"))


def _mark(tag: CustomerTag, rows: Sequence[StaffContact], *, add: bool) -> int:
    done = 0
    for row in rows:
        given, taken = ([tag.tag_id], []) if add else ([], [tag.tag_id])
        try:
            wecom.externalcontact_mark_tag(tag.account, row.staff.userid, row.identifier.value, given, taken)
        except WeChatError as error:
            if error.code not in GONE:
                raise
            continue
        _note(row, tag.tag_id, add=add)
        done += 1
    return done


GONE = frozenset({40096, 84061})  # no customer of theirs any more: the next reading ends the relation


def _note(row: StaffContact, tag_id: str, *, add: bool) -> None:
    with transaction.atomic():
        fresh = StaffContact.objects.select_for_update().get(pk=row.pk)
        fresh.tags = sorted({*fresh.tags, tag_id} if add else {*fresh.tags} - {tag_id})
        fresh.save(update_fields=["tags"])


def _told(answer: Any) -> dict[str, tuple[str, str]]:
    groups = answer.get("tag_group") or []
    return {
        str(tag["id"])[:64]: (str(group.get("group_name", "")), str(tag.get("name", "")))
        for group in groups
        if not group.get("deleted")
        for tag in group.get("tag") or []
        if not tag.get("deleted")
    }
