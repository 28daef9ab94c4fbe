"""Groups of customers: which there are, whose, and how many are in each and came by which way. Nobody is named."""

from collections import Counter
from datetime import datetime
from typing import Any

from campaigns.channels.wechat import wecom
from campaigns.models import ChannelAccount, CustomerGroup
from campaigns.wechat import customers
from campaigns.wechat.paging import Page, Place
from crm.models import JobRun

KIND = "wecom_groups"
AT_ONCE = 50  # each is a call of its own
CUSTOMER = 2  # of the platform's two kinds of members


class Groups:
    """All groups, some at a time."""

    def __init__(self, account: ChannelAccount) -> None:
        self.account = account

    def fetch(self, place: Place, now: datetime) -> Page:
        began = place.get("began") or now.isoformat()
        told = wecom.externalcontact_groupchat_list(
            self.account, {"status_filter": 0, "cursor": place.get("cursor", ""), "limit": AT_ONCE}
        )
        ids = [str(one["chat_id"])[:64] for one in told.get("group_chat_list") or []]
        rows = {chat_id: wecom.externalcontact_groupchat_get(self.account, chat_id) for chat_id in ids}
        cursor = str(told.get("next_cursor") or "")
        then = {"cursor": cursor, "began": began} if cursor else None
        return Page(rows=rows, then=then, size=len(rows))

    def write(self, page: Page, job: JobRun, now: datetime) -> None:
        for chat_id, told in page.rows.items():
            keep(self.account, chat_id, told, now)
        if page.then is None and job.checkpoint.get("began"):
            began = datetime.fromisoformat(job.checkpoint["began"])
            gone = CustomerGroup.objects.filter(account=self.account, dismissed_at=None, synced_at__lt=began)
            gone.update(dismissed_at=now)


def keep(account: ChannelAccount, chat_id: str, told: Any, now: datetime) -> CustomerGroup:
    """Write down how many are in a group; of who they are, nothing."""
    group = told.get("group_chat") or told
    members = group.get("member_list") or []
    theirs = [one for one in members if one.get("type") == CUSTOMER]
    by_way = Counter(str(one["state"])[:30] for one in theirs if one.get("state"))
    owner = customers.staff_of(account, str(group["owner"]), now) if group.get("owner") else None
    facts = {
        "name": str(group.get("name") or "")[:120],
        "owner": owner,
        "members": len(members),
        "customers": len(theirs),
        "by_way": dict(by_way),
        "opened_at": customers.moment(group.get("create_time"), now),
        "synced_at": now,
        "dismissed_at": None,
    }
    return CustomerGroup.objects.update_or_create(account=account, chat_id=chat_id, defaults=facts)[0]
