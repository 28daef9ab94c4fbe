"""Staff who left: whose customers wait for somebody else, read from the platform's list of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from campaigns.channels.wechat import wecom
from campaigns.models import ChannelAccount, HandedOver, Staff, StaffContact
from campaigns.wechat import customers
from campaigns.wechat.paging import Page, Place
from crm.models import JobRun

KIND = "wecom_departures"
Told = Sequence[tuple[str, str, datetime]]  # who left, the customer, and when


class Departures:
    """The customers of staff who left, a thousand at a time."""

    def __init__(self, account: ChannelAccount) -> None:
        self.account = account

    def fetch(self, place: Place, now: datetime) -> Page:
        """Ask for a page of the list."""
        told = wecom.externalcontact_get_unassigned_list(self.account, str(place.get("cursor") or ""))
        rows = [_told(one, now) for one in told.get("info") or ()]
        cursor = str(told.get("next_cursor") or "")
        then = {"cursor": cursor} if cursor and not told.get("is_last") else None
        return Page(rows=[row for row in rows if row[0] and row[1]], then=then, size=len(rows))

    def write(self, page: Page, job: JobRun, now: datetime) -> None:
        """Keep who left and whom she knew; nobody is told of it, and nobody's consent changes."""
        keep(self.account, page.rows, now)


def _told(one: Mapping[str, Any], now: datetime) -> tuple[str, str, datetime]:
    who, customer = str(one.get("handover_userid") or "")[:64], str(one.get("external_userid") or "")[:64]
    return who, customer, customers.moment(one.get("dimission_time"), now)


def keep(account: ChannelAccount, rows: Told, now: datetime) -> None:
    """Mark staff as having left, and hold each relation open: it waits, and ends only when somebody else takes over."""
    if not rows:
        return
    left = {userid: at for userid, _customer, at in rows}
    staff = {userid: customers.staff_of(account, userid, now) for userid in sorted(left)}
    for userid, one in staff.items():
        Staff.objects.filter(pk=one.pk).update(left_at=left[userid], active=False, synced_at=now)
    who = customers.identified([(customer, "") for _userid, customer, _at in rows], now)
    known = [
        StaffContact(staff=staff[userid], identifier=who[customer], added_at=left[userid], synced_at=now)
        for userid, customer, _at in rows
    ]
    StaffContact.objects.bulk_create(known, ignore_conflicts=True)
    # A reading of all customers does not name them any more; whom a customer deleted is not on this list.
    ended = StaffContact.objects.filter(staff__in=staff.values(), identifier__in=who.values(), ended_by="")
    ended.exclude(ended_at=None).update(ended_at=None, synced_at=now)


def waiting() -> QuerySet[Staff]:
    """Return who has left and still has customers whom nobody was asked to take over, with how many (``waiting``)."""
    asked = HandedOver.objects.exclude(status__in=[HandedOver.Status.FAILED, HandedOver.Status.REFUSED])
    open_ = Q(~Exists(asked.filter(contact=OuterRef("contacts__pk"))), contacts__ended_at=None)
    left = Staff.objects.exclude(left_at=None).select_related("account")
    return left.annotate(waiting=Count("contacts", filter=open_)).filter(waiting__gt=0).order_by("-left_at")
