"""What the platform demands for a message is asked, and taken, in the transaction of its hand-off.

Whoever unfollowed, used up her acceptances or let her window close gets nothing; what is taken here nobody else takes,
for the person is locked. What definitely was not sent is given back; what the platform says of it is written down.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Sum

from campaigns.channels.base import Answer, Outcome
from campaigns.channels.wechat import limits
from campaigns.models import (
    ChannelAccount,
    Credit,
    Delivery,
    Follower,
    PlatformTemplate,
    ServiceWindow,
    StaffContact,
)
from campaigns.reach.audience import Reason
from campaigns.wechat import days, foreign_sends, ways
from campaigns.wechat.ways import Demand, Way
from crm.copying import int_array, text_array
from crm.models import Purpose

NO_CREDIT, WINDOW_GONE = frozenset({"43101"}), frozenset({"45015", "45047"})
GONE, SWITCHED_OFF = frozenset({"43004"}), frozenset({"48002", "43019"})
NOT_SENT = frozenset({Answer.REFUSED, Answer.BUSY})
# Two who change what one person has left wait for each other, in the order of the numbers.
ALONE = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended('credits of ' || id, 0) AS key FROM unnest(%s::bigint[]) AS id ORDER BY key
) AS ordered
"""
# What left through an account to each of some people, as one message to many; whichever of their profiles it went to.
HAD = """
SELECT m.person, count(*) FROM unnest(%(people)s::bigint[], %(members)s::bigint[]) AS m (person, id)
JOIN campaigns_delivery d ON d.profile_id = m.id
WHERE d.account_id = %(account)s AND d.job_id IS NOT NULL AND d.called_at >= %(since)s
  AND d.status = ANY (%(handed)s::text[])
GROUP BY m.person HAVING count(*) >= %(most)s
"""


class Asked(NamedTuple):
    """A message that may leave by all that is ours: to whom, through which account, in which way."""

    delivery: UUID
    person: int
    identifier: int
    way: Way


def refused(
    account: ChannelAccount,
    asked: Sequence[Asked],
    people: Mapping[int, Iterable[int]],
    purpose: Purpose,
    now: datetime,
) -> dict[UUID, str]:
    """Return why the platform would not let messages through, in the transaction that hands the others over."""
    found: dict[UUID, str] = {}
    for way in {one.way for one in asked}:
        alike = [one for one in asked if one.way == way]
        members = {one.person: people[one.person] for one in alike}
        places = {one.person: one.identifier for one in alike}
        told = reasons(account, way, places, members, purpose, now, locked=True)
        found |= {one.delivery: told[one.person] for one in alike if one.person in told}
    return found


def reasons(
    account: ChannelAccount,
    way: Way,
    places: Mapping[int, int],
    members: Mapping[int, Iterable[int]],
    purpose: Purpose,
    now: datetime,
    *,
    locked: bool = False,
) -> dict[int, str]:
    """Return why the platform would not let a message through to people at these places.

    Whoever hands messages over in this transaction holds (``locked``) what is counted; else nothing is held.
    """
    if ways.lacking(account, way):
        return dict.fromkeys(places, Reason.ACCOUNT_MAY_NOT.value)
    if forbidden(account, way, purpose):
        return dict.fromkeys(places, Reason.NOT_ALLOWED.value)
    there = _there(account, way, set(places.values()))
    found = {person: Reason.NOT_FOLLOWING.value for person, pk in places.items() if pk not in there}
    left = {person: pk for person, pk in places.items() if person not in found}
    if way.demand is Demand.CREDIT and _is_long_term(account, way):
        found |= dict.fromkeys(_switched_off(account, way.template_id, left), Reason.NO_CREDIT.value)
    elif way.demand is Demand.CREDIT:
        had = _balances(account, way.template_id, left.values(), locked=locked)
        found |= {person: Reason.NO_CREDIT.value for person, pk in left.items() if had[pk] <= 0}
    if way.demand is Demand.WINDOW:
        open_ = ServiceWindow.objects.open(now).filter(account=account, identifier__in=set(left.values()))
        rows = open_.select_for_update().order_by("pk") if locked else open_
        still = {row.identifier_id for row in rows}
        found |= {person: Reason.WINDOW_CLOSED.value for person, pk in left.items() if pk not in still}
    if way.demand in (Demand.MASS, Demand.CONTACT):
        over = over_cap(account, {person: members[person] for person in left}, now)
        found |= dict.fromkeys(over, Reason.CAPPED_BY_PLATFORM.value)
    return found


def forbidden(account: ChannelAccount, way: Way, purpose: Purpose) -> bool:
    """Tell whether a message may not go by the platform's template: advertising never, others once it was allowed."""
    if way.demand not in ways.BY_TEMPLATE:
        return False
    return purpose.kind == Purpose.Kind.MARKETING or ways.allowed(account, way) is None


def _there(account: ChannelAccount, way: Way, identifiers: set[int]) -> set[int]:
    """Return to which of these the account may send at all."""
    if way.demand is Demand.CONTACT:
        known = StaffContact.objects.filter(staff__account=account, staff__active=True, ended_at=None)
        return set(known.filter(identifier__in=identifiers).values_list("identifier", flat=True))
    followers = Follower.objects.reachable().filter(account=account, identifier__in=identifiers)
    return set(followers.values_list("identifier", flat=True))


def _is_long_term(account: ChannelAccount, way: Way) -> bool:
    rows = PlatformTemplate.objects.filter(account=account, template_id=way.template_id)
    return rows.filter(kind=PlatformTemplate.Kind.LONG_TERM).exists()


def _switched_off(account: ChannelAccount, template_id: str, places: Mapping[int, int]) -> set[int]:
    """Return who said no to a template that lasts, and not yes again since."""
    rows = Credit.objects.filter(account=account, template_id=template_id, identifier__in=set(places.values()))
    said = rows.filter(source__in=[Credit.Source.POPUP, Credit.Source.REFUSED]).order_by("identifier", "-at", "-pk")
    last = dict(said.distinct("identifier").values_list("identifier", "source"))
    return {person for person, pk in places.items() if last.get(pk) == Credit.Source.REFUSED}


def _balances(account: ChannelAccount, template_id: str, identifiers: Iterable[int], *, locked: bool) -> Counter[int]:
    wanted = set(identifiers)
    if locked:
        with connection.cursor() as cursor:
            cursor.execute(ALONE, [int_array(wanted)])
    rows = Credit.objects.filter(account=account, template_id=template_id, identifier__in=wanted)
    return Counter(dict(rows.order_by().values_list("identifier").annotate(Sum("delta"))))


def over_cap(account: ChannelAccount, people: Mapping[int, Iterable[int]], now: datetime) -> set[int]:
    """Return who has had as many messages to many as the platform lets through in its day or month."""
    pairs = [(person, member) for person, members in people.items() for member in members]
    over = set[int]()
    for most, since in caps(account, now):
        left = most - foreign_sends.known(account, since).to_all
        if left <= 0:
            return set(people)
        values: dict[str, Any] = {
            "people": int_array(person for person, _ in pairs),
            "members": int_array(member for _, member in pairs),
            "account": account.pk,
            "since": since,
            "handed": text_array(Delivery.HANDED_OFF),
            "most": left,
        }
        with connection.cursor() as cursor:
            cursor.execute(HAD, values)
            over |= {person for person, _ in cursor.fetchall()}
    return over


def caps(account: ChannelAccount, now: datetime) -> list[tuple[int, datetime]]:
    """Return how many messages to many the platform lets through to one person, and since when they count."""
    told = [
        (limits.of(account, "mass_to_one_person_a_month"), days.month_begins(now)),
        (limits.of(account, "group_to_one_person_a_day"), days.day_begins(now)),
        (limits.of(account, "group_to_one_person_a_month"), days.month_begins(now)),
    ]
    return [(most, since) for most, since in told if most is not None]


def take(account: ChannelAccount, asked: Sequence[tuple[Asked, UUID]], now: datetime) -> None:
    """Take what messages use up, each by its hand-off's number; all were asked for in this transaction."""
    credits_ = [(one, call) for one, call in asked if one.way.demand is Demand.CREDIT]
    long_term = {way for way in {one.way for one, _ in credits_} if _is_long_term(account, way)}
    Credit.objects.bulk_create(
        Credit(
            account=account, identifier_id=one.identifier, template_id=one.way.template_id, delta=-1,
            source=Credit.Source.SENT, key=f"sent {call}", delivery_id=one.delivery, at=now,
        )
        for one, call in credits_
        if one.way not in long_term
    )  # fmt: skip
    windows = [one.identifier for one, _ in asked if one.way.demand is Demand.WINDOW]
    if windows:
        rows = ServiceWindow.objects.filter(account=account, identifier__in=windows)
        rows.filter(remaining__gt=0).update(remaining=F("remaining") - 1)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call ended that may have used something up."""

    delivery: UUID
    call: UUID
    account: int
    identifier: int
    outcome: Outcome


def settle(ended: Sequence[Ended], now: datetime) -> None:
    """Give back what definitely was not sent; empty what the platform says is empty, and close what it closed."""
    failed = [one for one in ended if one.outcome.answer in NOT_SENT]
    if not failed:
        return
    with connection.cursor() as cursor:
        cursor.execute(ALONE, [int_array(one.identifier for one in failed)])
    taken = {row.key: row for row in Credit.objects.filter(key__in=[f"sent {one.call}" for one in failed])}
    for one in failed:
        if row := taken.get(f"sent {one.call}"):
            _return_credit(row, one, now)
        if one.outcome.code in WINDOW_GONE:
            ServiceWindow.objects.filter(account=one.account, identifier=one.identifier).update(remaining=0)
        elif row is None and one.outcome.code not in GONE:
            _return_to_window(one)
        _mark(one, now)


def _return_credit(row: Credit, one: Ended, now: datetime) -> None:
    facts: dict[str, Any] = {"account_id": row.account_id, "identifier_id": row.identifier_id, "at": now}
    facts |= {"template_id": row.template_id, "delivery_id": one.delivery}
    if one.outcome.code not in NO_CREDIT:
        Credit.objects.get_or_create(
            key=f"returned {one.call}", defaults=facts | {"delta": 1, "source": Credit.Source.RETURNED}
        )
        return
    rows = Credit.objects.filter(account=row.account_id, identifier=row.identifier_id, template_id=row.template_id)
    balance = rows.aggregate(all=Sum("delta"))["all"] or 0
    if balance > 0:
        empty = facts | {"delta": -balance, "source": Credit.Source.REFUSED}
        Credit.objects.get_or_create(key=f"refused {one.call}", defaults=empty)


def _return_to_window(one: Ended) -> None:
    """Give a place in a window back, if the message took one and the window has not been opened anew since."""
    row = Delivery.objects.filter(pk=one.delivery).select_related("variant__template").first()
    if row is None or row.variant is None or row.called_at is None:
        return
    way = ways.of_form(row.channel, row.variant.template.forms.get(row.channel))
    if way is not None and way.demand is Demand.WINDOW:
        windows = ServiceWindow.objects.filter(account=one.account, identifier=one.identifier)
        windows.filter(opened_at__lte=row.called_at).update(remaining=F("remaining") + 1)


def _mark(one: Ended, now: datetime) -> None:
    """Believe the platform that somebody has gone, or gets no messages, before its event has come."""
    rows = Follower.objects.filter(account=one.account, identifier=one.identifier)
    if one.outcome.code in GONE and (
        row := rows.filter(following=True).select_related("identifier", "account").first()
    ):
        from campaigns.wechat import followers  # noqa: PLC0415 (it plans, which asks here)

        # A withdrawal locks the person, which must come before her deliveries: those are held here.
        transaction.on_commit(partial(followers.leave, row, now), robust=True)
    elif one.outcome.code in SWITCHED_OFF:
        rows.update(receiving=False)
