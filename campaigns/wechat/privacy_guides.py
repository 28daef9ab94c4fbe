"""A mini program's privacy guide: what it says at the platform, against what we hold of its people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.channels.wechat import mini
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import ChannelAccount, Credit, Follower, PhoneCode, PrivacyGuide
from crm.models import Event, Identifier, Profile

# The platform's words for kinds of data (privacy_key), as people call them (open platform, "setPrivacySetting").
KINDS: Mapping[str, Any] = {
    "UserInfo": _("name and picture"),
    "PhoneNumber": _("phone number"),
    "Email": _("e-mail address"),
    "EXOrderInfo": _("orders"),
    "EXUserOpLog": _("what people do in it"),
    "Location": _("place"),
    "ChooseLocation": _("chosen place"),
    "Address": _("postal address"),
    "Invoice": _("invoices"),
    "LicensePlate": _("number plate"),
    "EXIDNumber": _("number of an identity card"),
    "EXUserPublishContent": _("what people publish"),
    "EXUserFollowAcct": _("accounts that people follow"),
    "Album": _("chosen pictures and films"),
    "AlbumWriteOnly": _("album, written to only"),
    "MessageFile": _("chosen files"),
    "Camera": _("camera"),
    "Record": _("microphone"),
    "Clipboard": _("clipboard"),
    "Contact": _("address book, written to only"),
    "CalendarWriteOnly": _("calendar, written to only"),
    "RunData": _("steps walked"),
    "DeviceInfo": _("device"),
    "BlueTooth": _("Bluetooth"),
    "Accelerometer": _("accelerometer"),
    "Compass": _("compass"),
    "DeviceMotion": _("movements of the device"),
    "Gyroscope": _("gyroscope"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One kind of data: whether we hold it, or the program's code reads it, and what the guide says of it.

    ``state`` is how that fits: good, missing or spare.
    """

    key: str
    words: Any
    held: bool
    used: bool
    said: str
    state: str


def check(account: ChannelAccount, now: datetime) -> PrivacyGuide:
    """Ask the platform what the guide says, and keep it; where it refuses, what it said before stays, with why."""
    try:
        told = mini.component_getprivacysetting(account)
    except WeChatError as error:
        return _keep(account, {"problem": str(error)[:200]}, now)
    said = {
        str(one.get("privacy_key"))[:64]: str(one.get("privacy_text") or "")[:500]
        for one in told.get("setting_list") or []
        if one.get("privacy_key")
    }
    owner = told.get("owner_setting") or {}
    contact = any(owner.get(name) for name in ("contact_email", "contact_phone", "contact_qq", "contact_weixin"))
    used = sorted({str(key)[:64] for key in told.get("privacy_list") or []})
    facts = {"declared": said, "used": used, "exists": bool(said), "contact": contact, "problem": ""}
    return _keep(account, facts, now)


def _keep(account: ChannelAccount, facts: Mapping[str, Any], now: datetime) -> PrivacyGuide:
    return PrivacyGuide.objects.update_or_create(account=account, defaults={**facts, "checked_at": now})[0]


def lines(account: ChannelAccount, guide: PrivacyGuide | None) -> list[Line]:
    """Return one line for each kind of data that we hold, that the program's code reads, or that the guide names."""
    said: Mapping[str, str] = guide.declared if guide else {}
    held = {key for key, holds in HELD.items() if holds(account)}
    used = set(guide.used) if guide else set()
    there = held | used | set(said)
    keys = [key for key in [*KINDS, *sorted(there - set(KINDS))] if key in there]
    return [
        Line(
            key=key,
            words=KINDS.get(key, key),
            held=key in held,
            used=key in used,
            said=said.get(key, ""),
            state="missing" if key not in said else "good" if key in held | used else "spare",
        )
        for key in keys
    ]


def _people(account: ChannelAccount) -> Any:
    return Follower.objects.filter(account=account).values("identifier__profile")


def _known_by(type_: str) -> Callable[[ChannelAccount], bool]:
    def holds(account: ChannelAccount) -> bool:
        return Identifier.objects.filter(type=type_, profile__in=_people(account)).exists()

    return holds


def _phones(account: ChannelAccount) -> bool:
    asked = PhoneCode.objects.filter(account=account, status=PhoneCode.Status.CHARGED).exists()
    return asked or _known_by("phone")(account)


def _names(account: ChannelAccount) -> bool:
    return Profile.objects.filter(pk__in=_people(account), name__isnull=False).exists()


def _orders(account: ChannelAccount) -> bool:
    return Event.objects.filter(profile__in=_people(account), kind=Event.Kind.PURCHASE).exists()


def _acts(account: ChannelAccount) -> bool:
    events = Event.objects.filter(profile__in=_people(account), channel="mini_program")
    return events.exists() or Credit.objects.filter(account=account).exists()


def _places(account: ChannelAccount) -> bool:
    return Profile.objects.filter(pk__in=_people(account)).exclude(city="", province="").exists()


HELD: Mapping[str, Callable[[ChannelAccount], bool]] = {
    "UserInfo": _names,
    "PhoneNumber": _phones,
    "Email": _known_by("email"),
    "EXOrderInfo": _orders,
    "EXUserOpLog": _acts,
    "Location": _places,
}
