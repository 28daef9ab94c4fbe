"""Each message and event of a person becomes an event of the log: coarse facts open, what she wrote sealed.

The names are what segments and reports call them. No openid stands in any: the event belongs to her profile.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from campaigns.channels.wechat.inbound import Fields, many, text_of
from campaigns.models import Inbound
from campaigns.runs.planning import source
from campaigns.wechat import people
from crm import coarse, ingest, partitions
from crm.models import Event

TRACK, GONE = Event.Kind.TRACK.value, Event.Kind.UNSUBSCRIBED.value
# What people send, by the type of their message: the field that holds their own words or files.
OWN_WORDS = ("Content", "Recognition", "PicUrl", "MediaId", "Title", "Description", "Url", "Label", "Format")
PLACE = ("Location_X", "Location_Y", "Latitude", "Longitude", "Precision", "Label", "Scale")


class Line(NamedTuple):
    """How an event is told: its kind and name, what is said openly, what sealed."""

    kind: str
    name: str
    open: Callable[[Fields], Mapping[str, Any]] = lambda _fields: {}
    sealed: tuple[str, ...] = ()


def _entry(fields: Fields) -> Mapping[str, Any]:
    return {"entry": text_of(fields, "EventKey").removeprefix("qrscene_")}


def _menu_key(fields: Fields) -> Mapping[str, Any]:
    return {"key": text_of(fields, "EventKey")}


def _site(fields: Fields) -> Mapping[str, Any]:
    """Return where a link leads, without what may name the person: the site alone."""
    return {"site": urlsplit(text_of(fields, "EventKey")).hostname or ""}


def _answers(fields: Fields) -> Mapping[str, Any]:
    rows = many(fields, "SubscribeMsgPopupEvent", "List") or many(fields, "SubscribeMsgChangeEvent", "List")
    said = [text_of(one, "SubscribeStatusString") for one in rows]
    return {"accepted": said.count("accept"), "rejected": said.count("reject")}


def _revoked(fields: Fields) -> Mapping[str, Any]:
    return {"revoked": text_of(fields, "RevokeInfo")}


MESSAGE = Line(TRACK, "WeChat Message", sealed=OWN_WORDS + PLACE)
LINES: Mapping[str, Line] = {
    "subscribe": Line(TRACK, "WeChat Followed", _entry),
    "unsubscribe": Line(GONE, "WeChat Unfollowed"),
    "SCAN": Line(TRACK, "WeChat Code Scanned", _entry),
    "LOCATION": Line(TRACK, "WeChat Place Told", sealed=PLACE),
    "CLICK": Line(TRACK, "WeChat Menu Used", _menu_key),
    "VIEW": Line(TRACK, "WeChat Menu Link Followed", _site, sealed=("EventKey",)),
    "view_miniprogram": Line(TRACK, "WeChat Menu Link Followed", _menu_key),
    "scancode_push": Line(TRACK, "WeChat Menu Used", _menu_key),
    "scancode_waitmsg": Line(TRACK, "WeChat Menu Used", _menu_key),
    "subscribe_msg_popup_event": Line(TRACK, "WeChat Subscription Answered", _answers),
    "subscribe_msg_change_event": Line(TRACK, "WeChat Subscription Changed", _answers),
    "user_authorization_revoke": Line(GONE, "WeChat Authorization Revoked", _revoked),
    "user_info_modified": Line(TRACK, "WeChat Facts Changed"),
    "user_enter_tempsession": Line(TRACK, "WeChat Chat Entered"),
}
# What became of messages is told to the log by what is written down of each (campaigns.delivering.outbox), and what
# changes between staff and customers by who keeps that (campaigns.wechat.customers).
TOLD_ELSEWHERE = ("TEMPLATESENDJOBFINISH", "subscribe_msg_sent_event", "change_external_contact.")
# Who leaves as a stranger stays one.
LEAVES = frozenset({"unsubscribe", "user_authorization_revoke", "change_external_contact.del_follow_user"})


def tell(rows: Sequence[Inbound], now: datetime) -> None:
    """Find out whom callbacks are about, note it on each, and tell the log; told twice, each event is there once."""
    refs = {row.pk: ref for row in rows if (ref := people.ref(row))}
    known = people.identifiers(list(refs.values()))
    coming = [refs[row.pk] for row in rows if row.pk in refs and row.kind not in LEAVES]
    known |= people.resolved([ref for ref in coming if ref not in known], now)
    named = [row for row in rows if refs.get(row.pk) in known]
    for row in named:
        row.identifier = known[refs[row.pk]]
    Inbound.objects.bulk_update(named, ["identifier"])
    events = [
        _event(row, known[refs[row.pk]].profile_id, now) for row in named if not row.kind.startswith(TOLD_ELSEWHERE)
    ]
    partitions.ensure(partitions.months_of(event.occurred_at for event in events))
    if events:
        ingest.record_many(source(), events, now=now)


def _event(row: Inbound, profile: int, now: datetime) -> ingest.NewEvent:
    line = _line(row)
    told = {key: value for key, value in line.open(row.told).items() if value not in ("", None)}
    public, personal = coarse.split(told)
    personal |= {name: row.told[name] for name in line.sealed if row.told.get(name)}
    public |= {"through": row.account_id}
    return ingest.NewEvent(
        kind=line.kind,
        profile_id=profile,
        occurred_at=row.happened_at,
        received_at=now,
        message_id=f"inbound {row.account_id} {row.key}",
        name=line.name,
        channel=row.account.channel,
        properties=orjson.dumps(public).decode(),
        personal=orjson.dumps(personal).decode() if personal else "",
    )


def _line(row: Inbound) -> Line:
    head, _, sort = row.kind.partition(".")
    if head == "message":
        return MESSAGE._replace(open=lambda _fields: {"type": sort})
    return LINES.get(row.kind) or Line(TRACK, "WeChat Event", lambda _fields: {"event": row.kind})
