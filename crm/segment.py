"""Messages of the Segment HTTP API (https://segment.com/docs/connections/spec/) as events, facts and identities."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from crm import commerce, traits
from crm.checks import LIVE_PAST, Invalid, flaw, identifier, live, mapping, moment, text
from crm.coarse import is_coarse, open_text, split
from crm.drafts import Draft, Ref, Told
from crm.models import Event

TYPES = ("identify", "track", "page", "screen", "group", "alias")
ORIGIN = ("campaign", "page", "referrer")
TRACK = Event.Kind.TRACK.value
LARGEST_MESSAGE = 32 * 1024
LONGEST_MESSAGE_ID = 200


class TooDeep(ValueError):
    """A message is nested so deeply that it cannot even be kept for a person to look at."""


def shift_of(sent_at: Any, received_at: datetime) -> timedelta:
    """Return by how much the sender's clock is behind ours; nothing, if it does not say when it sent."""
    sent = moment(sent_at, "sentAt")
    return received_at - sent if sent else timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Reception:
    """When and how messages came in: ``shift`` corrects the sender's clock, ``past`` is how old they may be."""

    received_at: datetime
    shift: timedelta = timedelta(0)
    past: timedelta = LIVE_PAST
    exact: bool = True  # the parser has refused what JSON does not know (NaN, half characters)


def read(message: Any, reception: Reception) -> Told:
    """Return what a message tells.

    Raises
    ------
    Invalid
        The message cannot be taken; nothing of it is.
    TooDeep
        It cannot be kept either.
    """
    if not isinstance(message, dict):
        raise Invalid("", "is not an object")
    _check_whole(message, reception.exact)
    kind = message.get("type")
    if kind not in TYPES:
        raise Invalid("type", f"must be one of {', '.join(TYPES)}")
    refs = _refs(message)
    if kind == "alias":
        return Told(refs=refs, also=_previous(message))
    head = {
        "kind": kind,
        "refs": refs,
        "occurred_at": _occurred(message, reception),
        "message_id": text(message.get("messageId"), "messageId", LONGEST_MESSAGE_ID),
        "channel": _channel(message),
    }
    return READERS[kind](message, head, reception.received_at)


def _check_whole(message: dict[str, Any], exact: bool) -> None:
    try:
        size = orjson.dumps(message)
    except TypeError as error:  # half a character (a surrogate), a number beyond 64 bits, too deep
        if "ecursion" in str(error):
            raise TooDeep("A message is nested too deeply.") from None
        raise Invalid("", f"cannot be stored: {error}"[:200]) from None
    if len(size) > LARGEST_MESSAGE:
        raise Invalid("", f"is larger than {LARGEST_MESSAGE // 1024} kB")
    if (not exact or rb"\u0000" in size) and (found := flaw(message)):
        raise Invalid("", found)


def _refs(message: dict[str, Any]) -> tuple[Ref, ...]:
    user = identifier(message.get("userId"), "userId")
    anonymous = identifier(message.get("anonymousId"), "anonymousId")
    if user:
        return (("external_id", user), ("anonymous_id", anonymous)) if anonymous else (("external_id", user),)
    if not anonymous:
        raise Invalid("userId", "or anonymousId must be given")
    return (("anonymous_id", anonymous),)


def _previous(message: dict[str, Any]) -> str:
    if not message.get("userId"):
        raise Invalid("userId", "must be given")
    previous = identifier(message.get("previousId"), "previousId")
    if not previous:
        raise Invalid("previousId", "must be given")
    return previous


def _occurred(message: dict[str, Any], reception: Reception) -> datetime:
    told = moment(message.get("timestamp"), "timestamp")
    if told is None:
        return reception.received_at
    shift = shift_of(message["sentAt"], reception.received_at) if "sentAt" in message else reception.shift
    try:
        return live(told + shift, reception.received_at, "timestamp", reception.past)
    except OverflowError:
        raise Invalid("timestamp", "is not a time of this world") from None


# Each reader is given the fields that all drafts have, and makes its draft in one go: an event is read in the time
# that three copies of it would take.
def _identify(message: dict[str, Any], head: dict[str, Any], now: datetime) -> Told:
    told = mapping(message.get("traits"), "traits")
    context = mapping(message.get("context"), "context")
    language = str(context.get("locale") or "")[:16]
    head["refs"] += traits.contacts(told)
    # Only which traits were told: their values are the profile's, and are erased there.
    names = orjson.dumps({"traits": sorted(map(open_text, told))}).decode() if told else "{}"
    return Told(
        refs=head["refs"],
        events=(Draft(**head, properties=names),),
        facts=traits.facts(told, language, now),
    )


def _track(message: dict[str, Any], head: dict[str, Any], now: datetime) -> Told:
    name = text(message.get("event"), "event", 200)
    if not name:
        raise Invalid("event", "must be given")
    properties = mapping(message.get("properties"), "properties")
    head["kind"], head["name"] = commerce.KINDS.get(name, TRACK), open_text(name)
    head["properties"], head["personal"] = _parted(properties, message)
    return Told(refs=head["refs"], events=commerce.events(head, properties))


def _page(message: dict[str, Any], head: dict[str, Any], now: datetime) -> Told:
    name = text(message.get("name") or message.get("category"), "name", 200)
    return _named(name, mapping(message.get("properties"), "properties"), message, head)


def _group(message: dict[str, Any], head: dict[str, Any], now: datetime) -> Told:
    group = identifier(message.get("groupId"), "groupId")
    if not group:
        raise Invalid("groupId", "must be given")
    return _named(group[:200], mapping(message.get("traits"), "traits"), message, head)


def _named(name: str, properties: dict[str, Any], message: dict[str, Any], head: dict[str, Any]) -> Told:
    coarse, personal = _parted(properties, message)
    draft = Draft(**head, name=open_text(name), properties=coarse, personal=personal)
    return Told(refs=draft.refs, events=(draft,))


def _channel(message: dict[str, Any]) -> str:
    """Return the channel, if it is a word: it is exported for learning."""
    told = text(message.get("channel"), "channel", 16)
    return told if told and is_coarse("channel", told) else ""


def _parted(properties: dict[str, Any], message: dict[str, Any]) -> tuple[str, str]:
    """Return what an event says besides, as JSON: what is coarse, and what is to be sealed.

    To it belongs where the visit came from. Of the context no more: it holds addresses of machines, which nobody here
    needs.
    """
    context = mapping(message.get("context"), "context")
    if "products" in properties:
        properties = {key: value for key, value in properties.items() if key != "products"}
    coarse, personal = split(properties)
    if origin := {key: context[key] for key in ORIGIN if context.get(key)}:
        campaign = origin.get("campaign")
        if campaign and is_coarse("campaign", campaign):
            coarse["context"] = {"campaign": campaign}
        if len(origin) > ("context" in coarse):
            personal["context"] = origin
    return orjson.dumps(coarse).decode(), orjson.dumps(personal).decode() if personal else ""


READERS = {"identify": _identify, "track": _track, "page": _page, "screen": _page, "group": _group}
