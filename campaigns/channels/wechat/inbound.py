"""What the platforms call us with, read: XML or JSON becomes one :class:`Notice`, whatever spelling it came in."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MOST_BYTES = 64 * 2**10
DEEPEST = 12
STALE = timedelta(days=7)  # the platform tries for seconds; what claims to be older tells a wrong time
# By what an event is known that carries no number of its own: two of one person may come in one second.
IDENTITY = (
    *("FromUserName", "CreateTime", "Event", "ChangeType", "EventKey", "MsgID", "MsgId", "UserID", "ExternalUserID"),
    *("ChatId", "UpdateDetail", "TagType", "Id", "OpenID", "AppID", "publish_id", "FailReason", "WelcomeCode"),
)
Fields = dict[str, Any]


class Unreadable(ValueError):
    """No message: not XML, not JSON, or with what no message of the platform has."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message or event. ``kind`` is its type, or the event's name; ``fields`` are the platform's own, untouched.

    ``person`` is an openid, or WeCom's external_userid; empty where it is about nobody.
    """

    key: str
    kind: str
    is_event: bool
    person: str
    happened_at: datetime
    fields: Fields


def fields_of(body: bytes) -> Fields:
    """Return the fields of a message in XML or JSON; elements that repeat are a list.

    Raises
    ------
    Unreadable
        It is neither, or declares entities or a document type.
    """
    text = body.lstrip()
    if len(body) > MOST_BYTES:
        raise Unreadable("too long")
    found = _of_json(text) if text[:1] == b"{" else _of_xml(text)
    if not isinstance(found, dict):
        raise Unreadable("no fields")
    return found


def _of_json(text: bytes) -> Any:
    try:
        if b"\\u0000" in text:
            raise Unreadable("nothing that a database keeps")
        found = json.loads(text)
        _shallow(found, 0)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair can be read, and never written
    except (ValueError, RecursionError) as error:
        raise Unreadable("json") from error
    return found


def _shallow(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise Unreadable("too deep")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _shallow(one, depth + 1)


def _of_xml(text: bytes) -> Any:
    try:
        root = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Unreadable("xml") from error
    return _value(root, 0)


def _value(element: Element, depth: int) -> Any:
    if depth > DEEPEST:
        raise Unreadable("too deep")
    if not len(element):
        return element.text or ""
    found: Fields = {}
    for child in element:
        value = _value(child, depth + 1)
        if child.tag not in found:
            found[child.tag] = value
        elif isinstance(found[child.tag], list):
            found[child.tag].append(value)
        else:
            found[child.tag] = [found[child.tag], value]
    return found


def notice(fields: Fields, now: datetime) -> Notice:
    """Read a message's fields.

    Raises
    ------
    Unreadable
        It does not say what it is.
    """
    sort, event = _text(fields, "MsgType"), _text(fields, "Event")
    is_event = sort == "event" or bool(event and not sort)
    kind = _event_name(event, fields) if is_event else sort
    if not kind or len(kind) > 64:
        raise Unreadable("no kind")
    number = _text(fields, "MsgId")
    return Notice(
        key=f"msg:{number}"[:128] if number and not is_event else f"event:{_digest(fields)}",
        kind=kind,
        is_event=is_event,
        person=person_of(fields),
        happened_at=_moment(_text(fields, "CreateTime"), now),
        fields=fields,
    )


def many(fields: Mapping[str, Any], *names: str) -> list[Fields]:
    """Return a list of the platform's, which is an object where it holds one; ``names`` lead down to it.

    Where the outer ones are missing, as in JSON, the last is looked for at the top.

    >>> many({"List": {"TemplateId": "a"}}, "SubscribeMsgPopupEvent", "List")
    [{'TemplateId': 'a'}]
    """
    place: Any = fields
    for name in names[:-1]:
        place = place.get(name, place) if isinstance(place, dict) else place
    found = place.get(names[-1]) if isinstance(place, dict) else place
    found = found if isinstance(found, list) else [found]
    return [one for one in found if isinstance(one, dict)]


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """Return a field as text; numbers come as either."""
    return _text(fields, name)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return str(value).strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _event_name(event: str, fields: Mapping[str, Any]) -> str:
    """Return the event's name; of WeCom's families the change is the name's second part."""
    change = _text(fields, "ChangeType")
    return f"{event}.{change}" if change else event


def person_of(fields: Mapping[str, Any]) -> str:
    """Return whom a message is about: an openid or external_userid; empty where it is nobody."""
    person = _text(fields, "ExternalUserID") or _text(fields, "OpenID") or _text(fields, "FromUserName")
    return "" if person == "sys" or len(person) > 128 else person


def _digest(fields: Mapping[str, Any]) -> str:
    told = {name: _text(fields, name) for name in IDENTITY if _text(fields, name)}
    lists = {name: value for name, value in fields.items() if isinstance(value, (list, dict))}
    spelled = json.dumps([told, lists], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(spelled.encode()).hexdigest()


def _moment(seconds: str, now: datetime) -> datetime:
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        return now
    try:
        told = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return min(told, now) if told > now - STALE else now
