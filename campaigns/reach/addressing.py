"""To which address a message goes: of the person's own one that works, a confirmed one before others.

Some accounts reach only people who are their own: an openid belongs to one account, and a customer of WeCom is written
to by a member of staff who knows her. Whom such an account has lost it still knows, so that it can say why not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.models import ChannelAccount
from campaigns.wechat import ways
from crm import suppression
from crm.addresses import ADDRESSES
from crm.copying import int_array, text_array
from crm.merging import pairs_of
from crm.models import Identifier

STOPPED = "EXISTS (SELECT FROM crm_suppression s WHERE s.key = i.suppression_key AND s.channel IN ('', %(channel)s))"
CHOICE = f"""
SELECT DISTINCT ON (m.asked) m.asked, i.id
FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)
JOIN crm_identifier i ON i.profile_id = m.id AND i.type = ANY (%(types)s::text[])
ORDER BY m.asked, {STOPPED}, i.verified DESC, i.created_at DESC, i.id
"""  # noqa: S608  # words of ours
FOLLOWERS = f"""
SELECT DISTINCT ON (m.asked) m.asked, i.id, f.following AND f.receiving, ''
FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)
JOIN crm_identifier i ON i.profile_id = m.id AND i.type = ANY (%(types)s::text[])
JOIN campaigns_follower f ON f.identifier_id = i.id AND f.account_id = %(account)s
ORDER BY m.asked, {STOPPED}, NOT (f.following AND f.receiving), i.verified DESC, i.created_at DESC, i.id
"""  # noqa: S608
CONTACTS = f"""
SELECT DISTINCT ON (m.asked) m.asked, i.id, c.ended_at IS NULL AND s.active, s.userid
FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)
JOIN crm_identifier i ON i.profile_id = m.id AND i.type = ANY (%(types)s::text[])
JOIN campaigns_staffcontact c ON c.identifier_id = i.id
JOIN campaigns_staff s ON s.id = c.staff_id AND s.account_id = %(account)s
ORDER BY m.asked, {STOPPED}, NOT (c.ended_at IS NULL AND s.active), c.added_at, i.id
"""  # noqa: S608
USABLE = """
SELECT i.id, i.profile_id, max(s.since) FROM crm_identifier i
LEFT JOIN crm_suppression s ON s.key = i.suppression_key AND s.channel IN ('', %(channel)s)
WHERE i.id = ANY (%(ids)s::bigint[]) GROUP BY i.id, i.profile_id
"""


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address of a person, and the row that holds it.

    ``sender`` is the member of staff who would write. ``open`` is false where the account has lost the person.
    """

    identifier: int
    value: str
    sender: str = ""
    open: bool = True


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an account finds a person, before anything is opened."""

    identifier: int
    open: bool
    sender: str


def addresses(
    profiles: Iterable[int], channel: str, types: Iterable[str] = (), account: ChannelAccount | None = None
) -> Mapping[int, Address]:
    """Return the address of each person on the channel, of the given types or of all that the channel writes to.

    Through an account that reaches only people of its own (``ways.bound``) these are its people's.
    """
    if account is not None and ways.bound(account):
        return opened(places(profiles, account, types))
    with connection.cursor() as cursor:
        cursor.execute(CHOICE, _values(profiles, channel, types))
        chosen: dict[int, int] = dict(cursor.fetchall())
    return opened({one: Place(identifier=pk, open=True, sender="") for one, pk in chosen.items()})


def opened(found: Mapping[int, Place]) -> Mapping[int, Address]:
    """Return the addresses that stand at places."""
    rows = {row.pk: row for row in Identifier.objects.filter(pk__in={one.identifier for one in found.values()})}
    return {
        person: Address(
            identifier=one.identifier, value=str(rows[one.identifier].value), sender=one.sender, open=one.open
        )
        for person, one in found.items()
        if one.identifier in rows
    }


def places(profiles: Iterable[int], account: ChannelAccount, types: Iterable[str] = ()) -> dict[int, Place]:
    """Return where an account that reaches only people of its own finds each of some, lost ones too."""
    values = _values(profiles, account.channel, types) | {"account": account.pk}
    with connection.cursor() as cursor:
        cursor.execute(CONTACTS if account.provider == ways.WECOM else FOLLOWERS, values)
        return {asked: Place(identifier=pk, open=open_, sender=who) for asked, pk, open_, who in cursor.fetchall()}


def _values(profiles: Iterable[int], channel: str, types: Iterable[str]) -> dict[str, Any]:
    asked, members = pairs_of(profiles)
    return {
        "asked": int_array(asked),
        "members": int_array(members),
        "types": text_array(types or ADDRESSES.get(channel, ())),
        "channel": channel,
    }


def usable(identifiers: Iterable[int], channel: str) -> Mapping[int, int]:
    """Return whose each address is, of those that are nobody's wish or provider's word against.

    A wish or word that is older than what the person herself has allowed since is none any more.
    """
    wanted = set(identifiers)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(USABLE, {"ids": int_array(wanted), "channel": channel})
        rows: list[tuple[int, int, datetime | None]] = cursor.fetchall()
    said = suppression.allowed_since({profile for _, profile, since in rows if since}, channel)
    return {pk: profile for pk, profile, since in rows if since is None or said.get(profile, since) > since}
