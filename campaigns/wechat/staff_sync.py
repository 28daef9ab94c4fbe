"""Staff and their customers, read whole: after it was connected, every night, and when somebody asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ChannelAccount, Staff
from campaigns.wechat import customers, staff_names
from campaigns.wechat.paging import Page, Place
from crm.models import JobRun

KIND = "wecom_customers"
AT_ONCE = 100  # what the platform gives a page
NO_CUSTOMERS = 84061


def sync_staff(account: ChannelAccount, now: datetime) -> list[Staff]:
    """Read who of the staff may have customers; who is not named any more is no longer active."""
    told = wecom.externalcontact_get_follow_user_list(account).get("follow_user") or []
    userids = sorted({str(userid)[:64] for userid in told})
    with transaction.atomic():
        Staff.objects.bulk_create(
            [Staff(account=account, userid=userid, synced_at=now, active=True, left_at=None) for userid in userids],
            update_conflicts=True,
            unique_fields=["account", "userid"],
            update_fields=["active", "left_at", "synced_at"],
        )
        Staff.objects.filter(account=account, active=True).exclude(userid__in=userids).update(active=False)
    return list(Staff.objects.filter(account=account, active=True).order_by("userid"))


class Customers:
    """All relations of all staff, member by member and a hundred at a time."""

    def __init__(self, account: ChannelAccount) -> None:
        self.account = account

    def fetch(self, place: Place, now: datetime) -> Page:
        """Read the staff first, and then a page of the customers of the one whose turn it is."""
        if "staff" not in place:
            names = [one.userid for one in sync_staff(self.account, now)]
            staff_names.read(self.account)
            begun = {"staff": names, "turn": 0, "cursor": "", "began": now.isoformat()}
            return Page(rows=[], then=begun if names else None, size=0)
        userid = place["staff"][place["turn"]]
        try:
            told = wecom.externalcontact_batch_get_by_user(self.account, [userid], place["cursor"], AT_ONCE)
        except WeChatError as error:
            if error.code != NO_CUSTOMERS:
                raise
            told = {}
        return _page(userid, told, place, now)

    def write(self, page: Page, job: JobRun, now: datetime) -> None:
        """Keep a page; with a member's last one, relations that were not named any more are over."""
        if not page.rows:
            relations: Sequence[customers.Known] = ()
            done = None
        else:
            relations, done = page.rows
        customers.meet(self.account, relations, now)
        if done is not None:
            began = datetime.fromisoformat(job.checkpoint["began"])
            customers.gone_since(customers.staff_of(self.account, done, now), began, now)


def _page(userid: str, told: Any, place: Place, now: datetime) -> Page:
    rows = [
        customers.known_from(one.get("external_contact") or {}, one.get("follow_info") or {}, now)
        for one in told.get("external_contact_list") or []
    ]
    relations = [row for row in rows if row.external_userid and row.userid]
    cursor = str(told.get("next_cursor") or "")
    last = not cursor
    turn = place["turn"] + last
    then = {**place, "turn": turn, "cursor": cursor} if turn < len(place["staff"]) else None
    return Page(rows=(relations, userid if last else None), then=then, size=len(relations))
