"""What the page says after a press, by the code that the address carries: no text of an address is ever shown."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

DONE: Mapping[str, Any] = {
    "yes": _("Allowed. You can take it back here at any time."),
    "no": _("Done: this is not allowed any more."),
    "withdrawn": _("Done: everything you could take back is taken back, on every channel."),
    "personalisation_off": _("Personalisation is off. What our models said about you was deleted."),
    "personalisation_on": _("Personalisation is on. It only does what you allow below."),
    "one_click": _("You are unsubscribed."),
    "tag": _("Deleted. It will not come back."),
    "asked": _("Your request has reached us. Below you see how far it is."),
    "asked_before": _("You have asked for this already; your request is below."),
    "confirmed": _("Thank you. That is what we hold, too."),
    "cancelled": _("Your request was withdrawn."),
}
REFUSED: Mapping[str, Any] = {
    "unknown": _("That is not one of your choices. Nothing was changed."),
    "changed": _("Something has changed since you opened this page. Please read it again; nothing was changed."),
    "not_allowed": _("This cannot be allowed at present. Nothing was changed."),
    "not_confirmed": _("That is not what we hold. Nothing was changed."),
    "too_many": _("Too many attempts. Our staff will confirm who you are."),
    "correction": _("We could not read the correction. Please check the value."),
    "too_many_requests": _("You have many open requests. We will answer those first."),
}


def done_text(code: str) -> str:
    return str(DONE.get(code, ""))


def refused_text(code: str) -> str:
    return str(REFUSED[code])
