"""An account's menu: checked as the platform would, saved in versions, published, and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.channels.wechat import limits, official
from campaigns.models import ChannelAccount, MenuVersion

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

# What a button does, and the fields that it then has.
TYPES: Mapping[str, tuple[str, ...]] = {
    "view": ("url",),
    "click": ("key",),
    "miniprogram": ("appid", "pagepath", "url"),
}
WORDS: Mapping[str, Any] = {
    "view": gettext_lazy("opens a page"),
    "click": gettext_lazy("tells us, and opens a window of a minute"),
    "miniprogram": gettext_lazy("opens a mini program"),
}
LONGEST = {"url": 1024, "key": 128, "appid": 32, "pagepath": 256}  # bytes, as the platform's page says


class BadMenu(ValueError):
    """The menu is not one that the platform takes; ``problems`` says where and why."""

    def __init__(self, problems: "Sequence[Problem]") -> None:
        super().__init__("; ".join(f"{one.where}: {one.why}" for one in problems))
        self.problems = problems


@dataclass(frozen=True)
class Problem:
    """What is wrong with a button: where (``2`` or ``2.3``, from one) and why."""

    where: str
    why: str


def width(name: str) -> int:
    """Return how wide a name is: a Chinese character counts two.

    >>> width("优惠 A")
    6
    """
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in name)


def most(account: ChannelAccount) -> dict[str, int]:
    """Return how many buttons and entries a menu has at most, and how wide their names are."""
    return {
        "buttons": limits.of(account, "menu_buttons") or 3,
        "entries": limits.of(account, "menu_entries_a_button") or 5,
        "button_width": limits.of(account, "menu_button_width") or 8,
        "entry_width": limits.of(account, "menu_entry_width") or 16,
    }


def check(account: ChannelAccount, buttons: object) -> list[Problem]:
    """Return what is wrong with a menu; nothing where the platform would take it."""
    most = limits.of(account, "menu_buttons") or 3
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= most:
        return [Problem("", _("A menu has one to %(most)s buttons.") % {"most": most})]
    return [problem for place, one in enumerate(buttons, 1) for problem in _of_button(account, str(place), one)]


def _of_button(account: ChannelAccount, where: str, button: object) -> list[Problem]:
    if not isinstance(button, dict):
        return [Problem(where, _("This is no button."))]
    found = _of_name(account, where, button.get("name"))
    below = button.get("sub_button")
    if not below:
        return found + _of_action(where, button)
    most = limits.of(account, "menu_entries_a_button") or 5
    if not isinstance(below, list) or len(below) > most:
        return [*found, Problem(where, _("At most %(most)s entries stand above a button.") % {"most": most})]
    for place, one in enumerate(below, 1):
        inner = f"{where}.{place}"
        if not isinstance(one, dict) or one.get("sub_button"):
            found.append(Problem(inner, _("A menu has two levels, not three.")))
            continue
        found += [*_of_name(account, inner, one.get("name")), *_of_action(inner, one)]
    return found


def _of_name(account: ChannelAccount, where: str, name: object) -> list[Problem]:
    if not isinstance(name, str) or not name.strip():
        return [Problem(where, _("A button needs a name."))]
    most = (
        (limits.of(account, "menu_entry_width") or 16)
        if "." in where
        else (limits.of(account, "menu_button_width") or 8)
    )
    if width(name) <= most:
        return []
    why = _("“%(name)s” is too long: %(most)s letters, or %(half)s Chinese characters, are shown.")
    return [Problem(where, why % {"name": name, "most": most, "half": most // 2})]


def _of_action(where: str, button: Mapping[str, Any]) -> list[Problem]:
    fields = TYPES.get(str(button.get("type")))
    if fields is None:
        return [Problem(where, _("Choose what the button does."))]
    found = []
    for name in fields:
        value = button.get(name)
        if not isinstance(value, str) or not value.strip():
            found.append(Problem(where, NEEDED[name]()))
        elif len(value.encode()) > LONGEST[name]:
            found.append(Problem(where, _("%(field)s is longer than %(most)s bytes.") % _named(name)))
        elif name == "url" and urlsplit(value).scheme not in ("http", "https"):
            found.append(Problem(where, _("An address begins with https:// or http://.")))
    return found


def _named(name: str) -> dict[str, object]:
    return {"field": name, "most": LONGEST[name]}


NEEDED: Mapping[str, Any] = {
    "url": lambda: _("An address is needed."),
    "key": lambda: _("A key is needed: by it we hear which button was tapped."),
    "appid": lambda: _("The AppID of the mini program is needed."),
    "pagepath": lambda: _("The page of the mini program is needed."),
}


def cleaned(buttons: object) -> object:
    """Return a menu with nothing in it but what the platform knows, empty places left out."""
    if not isinstance(buttons, list):
        return buttons
    return [_cleaned(one) for one in buttons if not isinstance(one, dict) or one.get("name") or one.get("sub_button")]


def _cleaned(button: object) -> object:
    if not isinstance(button, dict):
        return button
    name = button.get("name")
    kept: dict[str, Any] = {"name": name.strip() if isinstance(name, str) else name}
    if below := button.get("sub_button"):
        return kept | {"sub_button": cleaned(below)}
    fields = TYPES.get(str(button.get("type")), ())
    values = {field: button.get(field, "") for field in fields}
    return kept | {"type": button.get("type")} | {k: v.strip() if isinstance(v, str) else v for k, v in values.items()}


def save(
    account: ChannelAccount,
    buttons: object,
    by: "AbstractBaseUser | None",
    now: datetime,
    origin: str = MenuVersion.Origin.OURS,
) -> MenuVersion:
    """Keep a menu as the account's newest version; the same once more makes none.

    Raises
    ------
    BadMenu
        The platform would not take it. What is read from the platform is kept as it is.
    """
    told = cleaned(buttons) if origin == MenuVersion.Origin.OURS else buttons
    if origin == MenuVersion.Origin.OURS and (problems := check(account, told)):
        raise BadMenu(problems)
    with transaction.atomic():
        ChannelAccount.objects.select_for_update().get(pk=account.pk)
        before = latest(account)
        if before is not None and before.buttons == told:
            return before
        last = MenuVersion.objects.filter(account=account).aggregate(last=Max("number"))["last"] or 0
        made = MenuVersion(account=account, number=last + 1, buttons=told, origin=origin, made_at=now)
        made.made_by_id = by.pk if by else None
        made.save()
    return made


def latest(account: ChannelAccount) -> MenuVersion | None:
    return MenuVersion.objects.filter(account=account).order_by("-number").first()


def standing(account: ChannelAccount) -> MenuVersion | None:
    """Return the version that stands at the platform, as far as we know."""
    rows = MenuVersion.objects.filter(account=account, published_at__isnull=False)
    return rows.order_by("-published_at").first()


def publish(version: MenuVersion, now: datetime) -> None:
    """Let the platform show a version; followers see it within a day, or when they open the account anew.

    Raises
    ------
    BadMenu, campaigns.channels.wechat.errors.WeChatError
        It is not one that the platform takes, or it did not take it.
    """
    if problems := check(version.account, version.buttons):
        raise BadMenu(problems)
    official.menu_create(version.account, {"button": version.buttons})
    version.published_at = now
    version.save(update_fields=["published_at"])


def read_back(account: ChannelAccount, now: datetime) -> MenuVersion | None:
    """Read the menu that stands at the platform; where it is another than ours, it becomes a version of its own."""
    told = official.menu_get(account)
    buttons = [_read(one) for one in told.get("menu", {}).get("button", [])]
    if not buttons:
        return None
    made = save(account, buttons, None, now, MenuVersion.Origin.PLATFORM)
    if made.published_at is None:
        made.published_at = now
        made.save(update_fields=["published_at"])
    return made


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a button as we keep it: the platform adds empty lists."""
    below = [_read(one) for one in told.get("sub_button") or []]
    if below:
        return {"name": told["name"], "sub_button": below}
    return {name: value for name, value in told.items() if name != "sub_button"}
