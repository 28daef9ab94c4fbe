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
    "guardian": _("Thank you. A link goes to that address; whoever opens it can decide for you."),
}
REFUSED: Mapping[str, Any] = {
    "unknown": _("That is not one of your choices. Nothing was changed."),
    "changed": _("Something has changed since you opened this page. Please read it again; nothing was changed."),
    "not_allowed": _("This cannot be allowed at present. Nothing was changed."),
    "not_confirmed": _("That is not what we hold. Nothing was changed."),
    "too_many": _("Too many attempts. Our staff will confirm who you are."),
    "correction": _("We could not read the correction. Please check the value."),
    "guardian_contact": _("That is no e-mail address. Please check it."),
    "guardian_own": _("That is your own address. Please name one of your parent or guardian."),
    "guardian_often": _("We have written there already. Please ask your parent or guardian to look, or try tomorrow."),
    "guardian_unreachable": _("We cannot write to anybody at present. Your parent or guardian can write to us."),
    "too_many_requests": _("You have many open requests. We will answer those first."),
}
# What can be asked for: what it is called, what happens then.
KINDS: Mapping[str, tuple[Any, Any]] = {
    "copy": (_("A copy of my data"), _("All that we hold about you, to read and to keep.")),
    "portability": (_("My data to take elsewhere"), _("A file that other services can read, for you to pass on.")),
    "correction": (_("A correction"), _("Tell us which fact is wrong and what is right.")),
    "restriction": (_("A stop to all use"), _("We only store your data safely, until you say otherwise.")),
    "objection": (_("I object"), _("We stop all marketing and all profiling of you at once, and answer you.")),
    "explanation": (_("An explanation"), _("How a decision about you came about, and by which rules.")),
    "erasure": (_("Erasure of everything"), _("We delete you everywhere, and never write to you again.")),
}
FIELDS: Mapping[str, Any] = {
    "name": _("Name"),
    "gender": _("Gender"),
    "birthday": _("Birthday (2000-12-31)"),
    "province": _("Province"),
    "city": _("City"),
    "language": _("Language"),
}


def done_text(code: str) -> str:
    return str(DONE.get(code, ""))


def refused_text(code: str) -> str:
    return str(REFUSED[code])
