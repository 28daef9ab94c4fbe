"""What a sender told, checked but not resolved yet: whom and what it means is still in the sender's words."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

Ref = tuple[str, str]  # (Identifier.Type, value)
Code = tuple[str, str]  # (Item.Kind, code)


class Draft(NamedTuple):
    """An event whose profile and item are named, the strongest reference to the profile first."""

    kind: str
    refs: tuple[Ref, ...]
    occurred_at: datetime
    message_id: str = ""
    item: Code | None = None
    item_title: str = ""
    name: str = ""
    value: Decimal | None = None
    currency: str = ""
    quantity: Decimal | None = None
    discount: Decimal | None = None
    session: str = ""
    channel: str = ""
    properties: str = "{}"  # what is coarse of what the sender told, as JSON
    personal: str = ""  # the rest, to be sealed


class Told(NamedTuple):
    """One message: its events, what it tells about the person, and who else the person is."""

    refs: tuple[Ref, ...]
    events: tuple[Draft, ...] = ()
    facts: dict[str, Any] = {}  # read only
    also: str = ""  # an id that the person had before (alias)
