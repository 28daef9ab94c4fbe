"""Customers handed over from one member of staff to another: asked of the platform, and who went along.

Who still works here hands over herself, in the platform's eyes; of who has left, the customers wait unassigned
(:mod:`campaigns.wechat.departures`) and are given away by calls of their own, which take no words to the customers.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.errors import LATER, Ambiguous, WeChatError
from campaigns.channels.wechat.transport import Json
from campaigns.models import ChannelAccount, HandedOver, Handover, Staff, StaffContact
from crm.encryption import possible_indexes
from crm.models import Identifier

Status = HandedOver.Status
AT_ONCE = 100  # customers a call
EVERY = timedelta(hours=1)
ASKED_FOR = timedelta(days=4)  # the platform lets a customer refuse for a day; then asking is of no use
RESULTS = {1: Status.DONE, 2: Status.WAITING, 3: Status.REFUSED, 4: Status.LIMIT, 5: Status.FAILED}
Ask = Callable[[ChannelAccount, Mapping[str, Any]], Json]
# By whether the one who hands over has left.
TRANSFER: Mapping[bool, Ask] = {
    False: wecom.externalcontact_transfer_customer,
    True: wecom.externalcontact_resigned_transfer_customer,
}
RESULT: Mapping[bool, Ask] = {
    False: wecom.externalcontact_transfer_result,
    True: wecom.externalcontact_resigned_transfer_result,
}
REASONS = {"customer_refused": Status.REFUSED, "customer_limit_exceed": Status.LIMIT}


def order(
    from_staff: Staff, to_staff: Staff, message: str, by: User | None, now: datetime, only: Sequence[int] = ()
) -> Handover:
    """Write down that all (or only these) customers of one are to be handed over to another."""
    contacts = StaffContact.objects.filter(staff=from_staff, ended_at=None)
    if only:
        contacts = contacts.filter(pk__in=only)
    with transaction.atomic():
        made = Handover.objects.create(
            account=from_staff.account,
            from_staff=from_staff,
            to_staff=to_staff,
            resigned=from_staff.left_at is not None,
            message="" if from_staff.left_at else message[:200],
            created_by=by,
            created_at=now,
            poll_at=now,
        )
        fill(made, contacts, now)
    return made


def fill(handover: Handover, contacts: QuerySet[StaffContact], now: datetime) -> int:
    """Put customers into a handover; who is in it already stays as she is."""
    rows = [HandedOver(handover=handover, contact=contact, changed_at=now) for contact in contacts.order_by("pk")]
    HandedOver.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def work(now: datetime) -> int:
    """Hand over what waits, and ask what came of the rest; return of how many handovers."""
    due = Handover.objects.filter(poll_at__lte=now).select_related("account", "from_staff", "to_staff")
    return sum(_work(one, now) for one in due.order_by("poll_at")[:10])


def _work(one: Handover, now: datetime) -> bool:
    if not Handover.objects.filter(pk=one.pk, poll_at=one.poll_at).update(poll_at=now + timedelta(minutes=5)):
        return False
    try:
        while _hand_over_some(one, now):
            pass
        _ask(one, now)
    except WeChatError:
        return True  # asked again in five minutes
    open_ = [Status.QUEUED, Status.CALLING, Status.WAITING, Status.UNKNOWN]
    left = HandedOver.objects.filter(handover=one, status__in=open_)
    over = not left.exists() or now - one.created_at > ASKED_FOR
    Handover.objects.filter(pk=one.pk).update(poll_at=None if over else now + EVERY)
    return True


def _hand_over_some(one: Handover, now: datetime) -> int:
    """Claim some, call, write down each answer; what was never answered is unknown until the result is asked for."""
    with transaction.atomic():
        waiting = HandedOver.objects.filter(handover=one, status=Status.QUEUED).order_by("pk")
        rows = list(waiting.select_for_update(skip_locked=True, of=("self",))[:AT_ONCE])
        HandedOver.objects.filter(pk__in=[row.pk for row in rows]).update(status=Status.CALLING, changed_at=now)
    if not rows:
        return 0
    contacts = StaffContact.objects.select_related("identifier").in_bulk([row.contact_id for row in rows])
    names = {contacts[row.contact_id].identifier.value: row for row in rows}
    mine = HandedOver.objects.filter(status=Status.CALLING)
    try:
        told = TRANSFER[one.resigned](one.account, _asked(one, list(names)))
    except Ambiguous:
        mine.filter(pk__in=[row.pk for row in rows]).update(status=Status.UNKNOWN, reason="no_answer", changed_at=now)
        return len(rows)
    except WeChatError as error:
        if error.action in LATER:
            mine.filter(pk__in=[row.pk for row in rows]).update(status=Status.QUEUED, changed_at=now)
            raise
        failed = {"status": Status.FAILED, "reason": str(error.code)[:64], "changed_at": now}
        mine.filter(pk__in=[row.pk for row in rows]).update(**failed)
        return len(rows)
    codes = {str(each["external_userid"]): int(each.get("errcode") or 0) for each in told.get("customer") or []}
    for name, row in names.items():
        code = codes.get(name, -1)
        status, reason = (Status.WAITING, "") if code == 0 else (Status.FAILED, str(code))
        mine.filter(pk=row.pk).update(status=status, reason=reason, changed_at=now)
    return len(rows)


def _between(one: Handover) -> dict[str, Any]:
    return {"handover_userid": one.from_staff.userid, "takeover_userid": one.to_staff.userid}


def _asked(one: Handover, names: list[str]) -> dict[str, Any]:
    words = {"transfer_success_msg": one.message} if one.message else {}
    return _between(one) | {"external_userid": names} | words


def _ask(one: Handover, now: datetime) -> None:
    """Ask for each customer's answer; the relation of who went along ends with the one and begins with the other."""
    open_ = HandedOver.objects.filter(handover=one, status__in=[Status.WAITING, Status.UNKNOWN, Status.CALLING])
    rows = {row.contact.identifier.value: row for row in open_.select_related("contact__identifier")}
    cursor = ""
    while rows:
        told = RESULT[one.resigned](one.account, _between(one) | {"cursor": cursor})
        for each in told.get("customer") or []:
            row = rows.get(str(each.get("external_userid")))
            if row is not None:
                _settle(one, row, RESULTS.get(int(each.get("status") or 0), Status.WAITING), now)
        cursor = str(told.get("next_cursor") or "")
        if not cursor:
            return


def _settle(one: Handover, row: HandedOver, status: str, now: datetime) -> None:
    if status == row.status:
        return
    with transaction.atomic():
        changed = HandedOver.objects.filter(pk=row.pk, status=row.status).update(status=status, changed_at=now)
        if not changed or status != Status.DONE:
            return
        old = row.contact
        ended = StaffContact.objects.filter(pk=old.pk, ended_at=None)
        ended.update(ended_at=now, ended_by=StaffContact.EndedBy.HANDOVER, synced_at=now)
        facts = {"state": old.state, "add_way": old.add_way, "tags": old.tags, "added_at": now, "synced_at": now}
        StaffContact.objects.update_or_create(
            staff=one.to_staff,
            identifier=old.identifier,
            defaults={**facts, "ended_at": None, "ended_by": ""},
        )


def failed(account: ChannelAccount, userid: str, external_userid: str, reason: str, now: datetime) -> int:
    """Write down that a customer refused, or found no room, as an event tells; ``userid`` is the new one."""
    who = Identifier.objects.filter(
        type="external_userid", digest__in=possible_indexes("external_userid", external_userid)
    )
    rows = HandedOver.objects.filter(
        handover__account=account,
        handover__to_staff__userid=userid,
        contact__identifier__in=who,
        status__in=[Status.CALLING, Status.WAITING, Status.UNKNOWN],
    )
    return rows.update(status=REASONS.get(reason, Status.FAILED), reason=reason[:64], changed_at=now)
