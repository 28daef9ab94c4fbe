"""Customers in WeCom: who of the staff knows whom, heard by events and by reading all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import transaction

from campaigns.models import ArrivalWay, ChannelAccount, CustomerTag, Staff, StaffContact
from campaigns.runs.planning import source
from campaigns.wechat import joining
from crm import identity, ingest
from crm.encryption import possible_indexes
from crm.models import Event, Identifier

CHANNEL = "wecom"
EXTERNAL, UNIONID = "external_userid", "unionid"
EndedBy = StaffContact.EndedBy
ONE_ARRIVAL = timedelta(hours=1)  # the event and the list tell of it by two clocks


@dataclass(frozen=True, kw_only=True)
class Known:
    """One relation as the platform tells it."""

    userid: str
    external_userid: str
    unionid: str = ""
    state: str = ""
    add_way: int | None = None
    tags: tuple[str, ...] = ()
    added_at: datetime


def staff_of(account: ChannelAccount, userid: str, now: datetime) -> Staff:
    """Return a member of staff, who is made known if new."""
    made, _new = Staff.objects.get_or_create(
        account=account, userid=userid[:64], defaults={"synced_at": now, "active": True}
    )
    return made


def identified(people: Sequence[tuple[str, str]], now: datetime) -> dict[str, Identifier]:
    """Return the identifiers of customers, given as (external_userid, unionid or nothing); new ones are made known.

    A unionid joins what we know of a person from an official account or a mini program of the same open platform.
    """
    refs = [[*([(UNIONID, union)] if union else []), (EXTERNAL, external)] for external, union in people]
    identity.resolve(refs, source=source(), now=now)
    digests = {digest: external for external, _ in people for digest in possible_indexes(EXTERNAL, external)}
    rows = Identifier.objects.filter(type=EXTERNAL, digest__in=list(digests))
    found = {digests[bytes(row.digest)]: row for row in rows.select_related("profile")}
    _join(found, {external: union for external, union in people if union}, now)
    return found


def _join(found: Mapping[str, Identifier], unions: Mapping[str, str], now: datetime) -> None:
    """Join who became known apart: as a customer, and as a follower by the same unionid."""
    known = identity.known([(UNIONID, union) for union in unions.values()])
    for external, union in unions.items():
        theirs, mine = known.get((UNIONID, union)), found[external].profile_id
        if theirs is not None and theirs != mine:
            joining.join(mine, theirs, "WeChat told the same unionid", now)


def meet(account: ChannelAccount, relations: Sequence[Known], now: datetime) -> list[StaffContact]:
    """Write down who knows whom, as many as the platform told at once; told again, nothing changes but what changed."""
    if not relations:
        return []
    who = identified([(one.external_userid, one.unionid) for one in relations], now)
    staff = {userid: staff_of(account, userid, now) for userid in sorted({one.userid for one in relations})}
    marks = _marks(staff, who)
    rows = {
        (staff[one.userid].pk, who[one.external_userid].pk): StaffContact(
            staff=staff[one.userid],
            identifier=who[one.external_userid],
            state=one.state[:64] or _mark(marks.get((staff[one.userid].pk, who[one.external_userid].pk)), one),
            add_way=one.add_way,
            tags=sorted(one.tags),
            added_at=one.added_at,
            synced_at=now,
        )
        for one in relations
    }
    return StaffContact.objects.bulk_create(
        [rows[key] for key in sorted(rows)],
        update_conflicts=True,
        unique_fields=["staff", "identifier"],
        update_fields=["state", "add_way", "tags", "added_at", "ended_at", "ended_by", "synced_at"],
    )


Mark = tuple[str, datetime]  # of which way, and when she came


def _marks(staff: Mapping[str, Staff], who: Mapping[str, Identifier]) -> dict[tuple[int, int], Mark]:
    """Return the marks that relations have already."""
    pks = [one.pk for one in staff.values()], [one.pk for one in who.values()]
    rows = StaffContact.objects.filter(staff__in=pks[0], identifier__in=pks[1]).exclude(state="")
    return {(one.staff_id, one.identifier_id): (one.state, one.added_at) for one in rows}


def _mark(mark: Mark | None, one: Known) -> str:
    """Return the mark that a relation keeps where the platform names none: that of the same beginning, no other's.

    Who came by a link that was made in the console has it from the list of the link's customers.
    """
    return mark[0] if mark and abs(mark[1] - one.added_at) < ONE_ARRIVAL else ""


def arrived(account: ChannelAccount, one: Known, now: datetime) -> StaffContact:
    """Write down that somebody added a member of staff just now, with the way by which she came."""
    with transaction.atomic():
        rows = StaffContact.objects.select_related("staff__account", "identifier")
        mine = rows.filter(staff__account=account, staff__userid=one.userid)
        before = mine.filter(identifier__in=_rows(one.external_userid), ended_at__gte=one.added_at).first()
        if before is not None:  # told late, or again: it has ended since
            return before
        meet(account, [one], now)
        made = mine.get(identifier__in=_rows(one.external_userid))
        way = ArrivalWay.objects.filter(account=account, state=one.state).first() if one.state else None
        _tell(made, "WeCom Contact Added", one.added_at, now, way)
    return made


def parted(
    account: ChannelAccount, userid: str, external_userid: str, by: str, happened_at: datetime, now: datetime
) -> bool:
    """Write down that one of them ended it; what it means for consent is said where the callback is taken.

    False where it had ended before, or another beginning was told since.
    """
    with transaction.atomic():
        rows = StaffContact.objects.filter(
            staff__account=account, staff__userid=userid, identifier__in=_rows(external_userid)
        )
        open_ = rows.filter(ended_at=None, added_at__lte=happened_at).select_for_update(of=("self",))
        contact = open_.select_related("identifier").first()
        if contact is None:
            return False
        StaffContact.objects.filter(pk=contact.pk).update(ended_at=happened_at, ended_by=by, synced_at=now)
        if by != EndedBy.CUSTOMER:  # that is told to the log as a withdrawal
            _tell(contact, f"WeCom Contact Ended By {by.capitalize()}", happened_at, now)
    return True


def known_from(told: Mapping[str, Any], follow: Mapping[str, Any], now: datetime) -> Known:
    """Read one relation of the platform's answer (``external_contact`` and ``follow_info``)."""
    tags = follow.get("tag_id") or [tag["tag_id"] for tag in follow.get("tags") or [] if tag.get("tag_id")]
    return Known(
        userid=str(follow.get("userid", ""))[:64],
        external_userid=str(told.get("external_userid", ""))[:64],
        unionid=str(told.get("unionid") or "")[:64],
        state=str(follow.get("state") or "")[:64],
        add_way=_number(follow.get("add_way")),
        tags=tuple(str(tag)[:64] for tag in tags),
        added_at=moment(follow.get("createtime"), now),
    )


def moment(told: Any, now: datetime) -> datetime:
    """Return a time of the platform's, in seconds, never in the future; now where it is none."""
    number = _number(told)
    return min(datetime.fromtimestamp(number, UTC), now) if number and 0 < number < 2**32 else now


def gone_since(staff: Staff, began: datetime, now: datetime) -> int:
    """End the relations that a whole reading did not name; who ended them nobody told, so it is nobody's no."""
    rows = StaffContact.objects.filter(staff=staff, ended_at=None, synced_at__lt=began)
    return rows.update(ended_at=now, ended_by="")


def tag_names(account: ChannelAccount) -> dict[str, str]:
    return {tag.tag_id: tag.name for tag in CustomerTag.objects.filter(account=account)}


def _rows(external_userid: str) -> list[int]:
    found = Identifier.objects.filter(type=EXTERNAL, digest__in=possible_indexes(EXTERNAL, external_userid))
    return list(found.values_list("pk", flat=True))


def _number(told: Any) -> int | None:
    try:
        return int(told)
    except (TypeError, ValueError):
        return None


def _tell(contact: StaffContact, name: str, at: datetime, now: datetime, way: ArrivalWay | None = None) -> None:
    facts = {
        "staff": contact.staff_id,
        "way": way.name if way else None,
        "campaign": way.campaign_id if way else None,
        "state": contact.state or None,
    }
    event = ingest.NewEvent(
        kind=Event.Kind.TRACK.value,
        profile_id=contact.identifier.profile_id,
        occurred_at=at,
        received_at=now,
        message_id=f"wecom:{contact.pk}:{name}:{int(at.timestamp())}",
        name=name,
        channel=CHANNEL,
        properties=orjson.dumps({key: value for key, value in facts.items() if value is not None}).decode(),
    )
    ingest.record(source(), event, now=now)
