"""Forms that ask for consent elsewhere (a web page, a mini program): what they show, and what makes one unlawful.

A form has one control for each purpose, and nothing is ticked before the person ticks it. :func:`flaws` refuses the
rest: consent that a service is made to depend on (PIPL 16), separate consent under a control of something else
(PIPL 23, 25, 26, 29, 39), silence for a yes (PIPL 14). :func:`check_shown` holds what a form says that it showed
against the notice it names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from crm import merged
from crm.consent_checks import ConsentRefused, NewConsent
from crm.consent_rules import GRANTS
from crm.models import Notice, Purpose
from crm.preferences.choices import age_of, closed_to, has_choice, in_force
from crm.preferences.shown import LANGUAGES, Shown, shown

VERSION = "embed/1"


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control of a form: for which purposes, and whether it is ticked at first, or needed to go on."""

    purposes: tuple[str, ...]
    channel: str = ""
    ticked: bool = False
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """Why a form may not be shown: a code for programs, the purpose, and the reason in words."""

    code: str
    purpose: str
    reason: str


class Unlawful(ValueError):
    """A form that may not be shown."""

    def __init__(self, found: list[Flaw]) -> None:
        super().__init__(" ".join(flaw.reason for flaw in found))
        self.flaws = found


def controls(purposes: Iterable[str], channel: str = "", required: Iterable[str] = ()) -> list[Control]:
    """Return the controls of a form for these purposes: one each, nothing ticked; which are needed is told by others.

    >>> [control.purposes for control in controls(["offers", "abroad", "offers"])]
    [('offers',), ('abroad',)]
    """
    needed = set(required)
    return [Control(purposes=(code,), channel=channel, required=code in needed) for code in dict.fromkeys(purposes)]


def flaws(form: Iterable[Control], known: Mapping[str, Purpose], told: Iterable[str]) -> list[Flaw]:
    """Return what is unlawful in a form; ``known`` are the purposes by code, ``told`` those that a notice tells of."""
    told = frozenset(told)
    return [
        Flaw(code=code, purpose=purpose, reason=reason)
        for control in form
        for purpose in control.purposes
        for code, reason in _flaws(control, known.get(purpose), purpose in told)
    ]


def _flaws(control: Control, purpose: Purpose | None, told: bool) -> Iterable[tuple[str, str]]:
    if purpose is None or not purpose.is_active:
        yield "unknown", _("There is no such active purpose.")
        return
    if not has_choice(purpose):
        yield "no_choice", _("%(purpose)s needs no consent, so it must not ask for one.") % {"purpose": purpose}
    if control.required:
        yield (
            "bundled",
            _("Nobody may be refused a service for not agreeing to %(purpose)s (PIPL 16).") % {"purpose": purpose},
        )
    if control.ticked:
        yield "ticked", _("%(purpose)s is ticked before the person decides (PIPL 14).") % {"purpose": purpose}
    if purpose.separate and len(control.purposes) > 1:
        yield "separate", _("%(purpose)s needs a control of its own.") % {"purpose": purpose}
    if purpose.channel and control.channel not in ("", purpose.channel):
        yield "channel", _("%(purpose)s is for another channel.") % {"purpose": purpose}
    if not told:
        yield "no_notice", _("No published notice tells of %(purpose)s.") % {"purpose": purpose}


def lines(form: list[Control], language: str, now: datetime) -> list[tuple[Purpose, Shown]]:
    """Return what the form shows of each purpose, in the order of the form.

    Raises
    ------
    Unlawful
        With every reason why it may not be shown.
    """
    codes = {code for control in form for code in control.purposes}
    known = {purpose.code: purpose for purpose in Purpose.objects.filter(code__in=codes)}
    notices = in_force(now)
    if found := flaws(form, known, notices):
        raise Unlawful(found)
    return [
        (known[code], shown(known[code], notices[code], control.channel, language))
        for control in form
        for code in control.purposes
    ]


def check_shown(new: NewConsent) -> None:
    """Refuse a consent whose screen did not show what the notice it names says, or whose form does not tell.

    Raises
    ------
    ConsentRefused
        The digest is not that of our form for the purpose, channel, language and notice.
    """
    if new.state not in GRANTS:
        return  # a no is taken however it was asked
    notice = Notice.objects.filter(reference=new.notice).first()
    purpose = Purpose.objects.filter(code=new.purpose).first()
    if notice is None or purpose is None or new.language not in LANGUAGES:
        raise ConsentRefused("invalid", "notice", _("Say which notice was shown, in which of our languages."))
    if new.rendered_digest != shown(purpose, notice, new.channel, new.language).digest:
        raise ConsentRefused("forged", "rendered_digest", _("The form did not show what this notice says."))


def check_age(new: NewConsent, profile: int, now: datetime) -> None:
    """Refuse a yes in a form that somebody so young cannot give, to the day; a guardian is named on the own page.

    Raises
    ------
    ConsentRefused
    """
    person = merged.person(profile)
    purpose = Purpose.objects.filter(code=new.purpose).first()
    if new.state not in GRANTS or person is None or purpose is None:
        return
    closed = closed_to(purpose, age_of(person, now), guardian=False)
    if closed is not None:
        raise ConsentRefused("not_allowed", "purpose", str(closed.label))
