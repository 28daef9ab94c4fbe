"""Acquisition links (获客助手): made as ways of arrival, read with those of the console, and who came by each.

Our links bring their mark with each customer, as codes do. Of a link that was made in the console the platform tells
the customers in a list: who has no mark gets that of the link.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from campaigns.channels.wechat import wecom
from campaigns.channels.wechat.errors import Action
from campaigns.channels.wechat.transport import Refusal
from campaigns.models import AcquisitionQuota, ArrivalWay, ChannelAccount, StaffContact
from campaigns.wechat import arrival_ways
from campaigns.wechat.paging import Page, Place
from crm.encryption import possible_indexes
from crm.models import Identifier, JobRun

KIND = "wecom_links"
Kind = ArrivalWay.Kind
NONE = ("none",)
WROTE = 1  # of the platform's states of a customer


class Links:
    """All links of an account with what is left to buy; then the customers of each, a page at a time."""

    def __init__(self, account: ChannelAccount) -> None:
        self.account = account

    def fetch(self, place: Place, now: datetime) -> Page:
        """List the links first, and then a page of the customers of the one whose turn it is."""
        return self._customers(place) if "links" in place else self._links()

    def _links(self) -> Page:
        try:
            told = self._listed()
        except Refusal as error:
            if error.action is not Action.CAPABILITY:
                raise
            return Page(rows=NONE, then=None, size=0)  # a corporation without this product: nothing to read
        begun = {"links": sorted(told), "turn": 0, "cursor": "", "came": 0, "wrote": 0}
        rows = ("links", told, wecom.externalcontact_customer_acquisition_quota(self.account))
        return Page(rows=rows, then=begun if told else None, size=0)

    def _customers(self, place: Place) -> Page:
        link_id = place["links"][place["turn"]]
        told = wecom.externalcontact_link_customers(self.account, link_id, place["cursor"])
        came = list(told.get("customer_list") or ())
        counts = place["came"] + len(came), place["wrote"] + sum(one.get("chat_status") == WROTE for one in came)
        cursor = str(told.get("next_cursor") or "")
        rows = ("customers", link_id, came, None if cursor else counts)
        return Page(rows=rows, then=_then(place, cursor, counts), size=len(came))

    def write(self, page: Page, job: JobRun, now: datetime) -> None:
        """Keep a page."""
        if page.rows is NONE:
            return
        if page.rows[0] == "links":
            _, told, quota = page.rows
            keep_quota(self.account, quota, now)
            keep_links(self.account, told, now)
            return
        _, link_id, came, counts = page.rows
        keep_customers(self.account, link_id, came, counts, now)

    def _listed(self) -> dict[str, Mapping[str, Any]]:
        """Return the links there are; with what each is where we do not know it yet."""
        known = set(ArrivalWay.objects.filter(account=self.account, kind=Kind.LINK).values_list("config_id", flat=True))
        found: dict[str, Mapping[str, Any]] = {}
        cursor, seen = "", set[str]()
        while cursor not in seen:
            seen.add(cursor)
            told = wecom.externalcontact_list_link(self.account, cursor)
            for number in map(str, told.get("link_id_list") or ()):
                found[number] = {} if number in known else wecom.externalcontact_get_link(self.account, number)
            cursor = str(told.get("next_cursor") or "")
        return found


def _then(place: Place, cursor: str, counts: tuple[int, int]) -> Place | None:
    if cursor:
        return {**place, "cursor": cursor, "came": counts[0], "wrote": counts[1]}
    turn = place["turn"] + 1
    return {**place, "turn": turn, "cursor": "", "came": 0, "wrote": 0} if turn < len(place["links"]) else None


def keep_quota(account: ChannelAccount, told: Mapping[str, Any], now: datetime) -> None:
    """Keep what the platform told of how many may still come."""
    ends = [
        {"at": datetime.fromtimestamp(int(one["expire_date"]), UTC).isoformat(), "left": int(one.get("balance") or 0)}
        for one in told.get("quota_list") or ()
        if one.get("expire_date")
    ]
    facts = {"total": int(told.get("total") or 0), "balance": int(told.get("balance") or 0), "expiring": ends}
    AcquisitionQuota.objects.update_or_create(account=account, defaults={**facts, "asked_at": now})


def keep_links(account: ChannelAccount, told: Mapping[str, Mapping[str, Any]], now: datetime) -> None:
    """Write down links of the console; those that are not named any more lead nowhere."""
    ours = ArrivalWay.objects.filter(account=account, kind=Kind.LINK).exclude(config_id="")
    known = set(ours.values_list("config_id", flat=True))
    for number, about in told.items():
        link = about.get("link") or {}
        if number not in known and link:
            facts = {"name": str(link.get("link_name") or number)[:120], "url": str(link.get("url") or "")[:500]}
            facts |= {"config_id": number[:128], "state": arrival_ways.new_state()}
            made = ArrivalWay.objects.create(account=account, kind=Kind.LINK, created_at=now, **facts)
            users = [str(one) for one in (about.get("range") or {}).get("user_list") or ()]
            made.staff.set(account.staff.filter(userid__in=users))
    ours.filter(closed_at=None).exclude(config_id__in=list(told)).update(closed_at=now, synced_at=now)


def keep_customers(
    account: ChannelAccount,
    link_id: str,
    came: Sequence[Mapping[str, Any]],
    counts: tuple[int, int] | None,
    now: datetime,
) -> int:
    """Give the link's mark to those who came by it and have none; ``counts`` come with the last page."""
    way = ArrivalWay.objects.filter(account=account, kind=Kind.LINK, config_id=link_id).first()
    if way is None:
        return 0
    if counts is not None:
        ArrivalWay.objects.filter(pk=way.pk).update(told=counts[0], writing=counts[1], synced_at=now)
    names = {str(one.get("external_userid") or "")[:64] for one in came} - {""}
    digests = [digest for name in names for digest in possible_indexes("external_userid", name)]
    who = Identifier.objects.filter(type="external_userid", digest__in=digests)
    userids = {str(one.get("userid") or "") for one in came}
    rows = StaffContact.objects.filter(staff__account=account, staff__userid__in=userids, identifier__in=who, state="")
    return rows.update(state=way.state)
