"""What an alarm says to whom it wakes: what was seen and what is usual, in the reader's language."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from campaigns.guarding import sequential
from campaigns.models import Alarm, Guardrail

Signal = Guardrail.Signal
SURE = 0.05  # of the interval that is shown


def said(alarm: Alarm) -> str:
    """Return in one sentence what left its band."""
    seen = alarm.seen
    if "account" in seen:
        return _("The provider refuses the account “%(name)s” (%(why)s).") % {
            "name": seen["name"], "why": seen["why"] or "–",
        }  # fmt: skip
    facts = _FACTS.get(alarm.signal, _rate)(seen)
    return _sentences()[alarm.signal] % facts


def expected(alarm: Alarm) -> str:
    """Return what would have been well."""
    seen = alarm.seen
    if "account" in seen:
        return _("An account that its provider accepts.")
    if alarm.signal == Signal.AUDIENCE:
        return _("%(expected)s people were approved; up to %(most)s would have gone on.") % {
            "expected": formats.number_format(seen["expected"], force_grouping=True),
            "most": formats.number_format(round(seen["expected"] * seen["worst"]), force_grouping=True),
        }
    if alarm.signal == Signal.DRIFT:
        return _("An index below %(worst)s; %(usual)s is usual.") % {"worst": seen["worst"], "usual": seen["usual"]}
    return _("%(usual)s or less is usual; %(worst)s is not to be borne.") % {
        "usual": share(seen["usual"]), "worst": share(seen["worst"]),
    }  # fmt: skip


def sample(alarm: Alarm) -> str:
    """Return of how many messages, since when, and how sure that is; empty where nothing was counted."""
    seen = alarm.seen
    if "of" not in seen:
        return ""
    low, high = sequential.interval(seen["count"], seen["of"], SURE)
    begun = timezone.localtime(datetime.fromisoformat(seen["from"]))
    return _(
        "%(count)s of %(of)s messages that left since %(since)s; 19 times in 20 the true rate lies between %(low)s and"
        " %(high)s. By chance alone this comes up once in %(odds)s times at most, however often one looks."
    ) % {
        "count": formats.number_format(seen["count"], force_grouping=True),
        "of": formats.number_format(seen["of"], force_grouping=True),
        "since": formats.date_format(begun, "DATETIME_FORMAT"),
        "low": share(low), "high": share(high),
        "odds": formats.number_format(seen["odds"], force_grouping=True),
    }  # fmt: skip


def share(value: float) -> str:
    """Return a share in per cent, with as many digits as it takes.

    >>> [share(value) for value in (0.5, 0.05, 0.0213, 0.003, 0.00012)]
    ['50%', '5%', '2.1%', '0.3%', '0.012%']
    """
    return f"{float(f'{100 * value:.2g}'):g}%"


def _sentences() -> Mapping[str, str]:
    return {
        Signal.BOUNCES: _("%(rate)s of its messages came back."),
        Signal.COMPLAINTS: _("%(rate)s of those who got it complained of it as spam."),
        Signal.UNSUBSCRIBES: _("%(rate)s of those who got it unsubscribed."),
        Signal.NEGATIVE_REPLIES: _("%(rate)s of those who got it replied angrily."),
        Signal.PROVIDER_ERRORS: _("The provider failed on %(rate)s of its messages."),
        Signal.AUDIENCE: _("It was planned for %(people)s people, %(times)s times as many as were approved."),
        Signal.DRIFT: _("The model “%(model)s” behind it has drifted: %(drift)s, most of all “%(feature)s”."),
    }


def _rate(seen: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"rate": share(seen["count"] / max(seen["of"], 1))}


def _audience(seen: Mapping[str, Any]) -> Mapping[str, Any]:
    times = seen["people"] / max(seen["expected"], 1)
    return {"people": formats.number_format(seen["people"], force_grouping=True), "times": f"{times:.3g}"}


_FACTS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    Signal.AUDIENCE: _audience,
    Signal.DRIFT: lambda seen: seen,
}
