"""What the pages of privacy requests say: names of steps, lines of the timeline, colours of states."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from crm.erasure import ERASERS
from crm.models import PrivacyRequest, RequestEntry, RequestStep

Status = PrivacyRequest.Status

TONES: Mapping[str, str] = {
    Status.RECEIVED: "accent",
    Status.IDENTITY: "warn",
    Status.VERIFIED: "accent",
    Status.EXECUTING: "accent",
    Status.CHECKING: "warn",
    Status.READY: "accent",
    Status.ANSWERED: "good",
    Status.REFUSED: "bad",
    Status.WITHDRAWN: "",
}
LABELS: Mapping[str, str] = {
    Status.RECEIVED: "info",
    Status.IDENTITY: "warning",
    Status.VERIFIED: "info",
    Status.EXECUTING: "primary",
    Status.CHECKING: "warning",
    Status.READY: "primary",
    Status.ANSWERED: "success",
    Status.REFUSED: "danger",
    Status.WITHDRAWN: "default",
}
STEPS: Mapping[str, Any] = {name: eraser.title for name, eraser in ERASERS.items()} | {
    "pack": _("reply pack"),
    "correction": _("correction of the profile"),
    "restriction": _("restriction of the profile"),
    "personalisation": _("personalisation switched off"),
    "marketing": _("marketing withdrawn"),
}
HAPPENED: Mapping[str, Any] = {
    "lifted": _("restriction ended"),
    "received": _("The request came in."),
    "identity_asked": _("The person was asked who she is; the clock stands still."),
    "identity_shown": _("The person showed who she is."),
    "identity_failed": _("What the person named is not what we hold."),
    "identity_confirmed": _("The identity is confirmed."),
    "begun": _("It was prepared."),
    "approved": _("A second person agreed."),
    "sent_back": _("The second person sent it back."),
    "scope_changed": _("Whom it means has changed: it has to be approved again."),
    "carried_out": _("It was carried out."),
    "alert": _("A warning was given."),
    "replayed": _("It was carried out again after a restore."),
    "answered": _("The person was answered."),
    "refused": _("It was refused."),
    "withdrawn": _("The person withdrew it."),
    "fetched": _("The reply pack was fetched."),
}
SHOWN_BY: Mapping[str, Any] = {
    "preference_link": _("link of the preference centre"),
    "account": _("log-in of the application"),
    "call_back": _("call back by staff"),
    "phone": _("phone named"),
    "email": _("e-mail named"),
    "external_id": _("external id named"),
}
FACTS: Mapping[str, Any] = {
    "deleted": _("deleted"),
    "changed": _("changed"),
    "searched": _("searched"),
    "kept": _("kept"),
    "left": _("left"),
    "profiles": _("profiles"),
    "relations": _("relations"),
    "written": _("written"),
    "withdrawn": _("withdrawn"),
    "rows": _("rows"),
    "bytes": _("bytes"),
}


def step_title(step: RequestStep) -> str:
    """Return the name of a store, in the reader's language."""
    return str(STEPS.get(step.store, step.store))


def receipt(step: RequestStep) -> str:
    """Return a step's receipt in one line: figures with their names, the models that held rows, nothing else."""
    told = {name: value for name, value in step.receipt.items() if isinstance(value, int)}
    if isinstance(step.receipt.get("rows"), dict):
        told["rows"] = sum(step.receipt["rows"].values())
    rows = {name.rpartition(".")[2]: value for name, value in told.items() if "." in name and value}
    plain = [f"{FACTS.get(name, name)}: {_amount(value)}" for name, value in told.items() if "." not in name]
    return ", ".join(plain + [f"{name}: {value}" for name, value in rows.items()])


def _amount(value: Any) -> str:
    return str(_("yes") if value is True else _("no") if value is False else value)


def entry_line(entry: RequestEntry) -> str:
    """Return a line of the timeline."""
    return str(HAPPENED.get(entry.what, entry.what))


def entry_facts(entry: RequestEntry) -> str:
    """Return what a line of the timeline adds: how the identity was shown, which per cent, why."""
    facts = entry.facts
    if by := facts.get("by"):
        return ", ".join(str(SHOWN_BY.get(one, one)) for one in by)
    if percent := facts.get("percent"):
        return f"{percent} %"
    if refusal := facts.get("refusal"):
        return str(PrivacyRequest.Refusal(refusal).label)
    return str(facts.get("why", ""))
