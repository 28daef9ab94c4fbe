"""What a person can decide on, and how it stands: one control for each purpose, and for each channel of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from crm import ages, consent
from crm.consent import Basis, Reason
from crm.consent_rules import GRANTS, NO_CHOICE, NOT_FOR_MINORS, UNDER_AGE
from crm.merged import Person
from crm.models import Channel, ConsentState, Identifier, Notice, Profile, Purpose
from crm.preferences.shown import Shown, shown

# On which channels a person can be reached who is known by such an identifier.
REACHED_BY: dict[str, tuple[str, ...]] = {
    Identifier.Type.OPENID: (Channel.WECHAT, Channel.MINI_PROGRAM),
    Identifier.Type.EXTERNAL_USERID: (Channel.WECOM,),
    Identifier.Type.EMAIL: (Channel.EMAIL,),
    Identifier.Type.PHONE: (Channel.SMS, Channel.PHONE),
}
NO = frozenset({Reason.REFUSED, Reason.WITHDRAWN, Reason.REVOKED, Reason.INVALIDATED})
AGAIN = frozenset({Reason.EXPIRED, Reason.STALE_NOTICE})
BLOCKED = frozenset({Reason.MINOR, Reason.GUARDIAN_NEEDED, Reason.AGE_UNKNOWN, Reason.RESTRICTED})


@dataclass(frozen=True, kw_only=True)
class Control:
    """One decision: what is shown of it, and how it stands."""

    shown: Shown
    state: str  # "yes", "no", "again" (a yes that no longer counts) or "open": nothing was said
    note: str
    since: datetime | None
    until: datetime | None
    may_allow: bool
    after: UUID | None  # the event that counts now: a form that is sent twice says so twice of the same

    @property
    def id(self) -> str:
        return f"{self.shown.purpose}-{self.shown.channel or 'every'}".replace(".", "_")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One purpose with its controls; none where the person has no choice, which is told."""

    purpose: Purpose
    shown: Shown
    controls: Sequence[Control]
    basis_note: str


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Who reads the page, and what decides what is on it."""

    person: Person
    language: str
    age: str
    guardian: bool
    now: datetime
    reachable: list[str]
    answers: dict[tuple[str, str], ConsentState]


def choices(person: Person, language: str, now: datetime, *, guardian: bool = False) -> list[Choice]:
    """Return what the page lists: what one can decide on first, what is done anyway last.

    A guardian's page lists what a guardian decides on only.
    """
    notices = in_force(now)
    reader = _Reader(
        person=person,
        language=language,
        age=age_of(person, now),
        guardian=guardian,
        now=now,
        reachable=channels_of(person),
        answers=said(person),
    )
    with translation.override(language):
        found = [
            _choice(purpose, notices.get(purpose.code), reader)
            for purpose in Purpose.objects.active().order_by("separate", "pk")
            if not guardian or is_guardians(purpose)
        ]
    return sorted(found, key=lambda one: not one.controls)


def age_of(person: Person, now: datetime) -> str:
    """Return the age class of a person today."""
    return ages.youngest(Profile.objects.filter(pk__in=person.profile_ids), now)


def is_guardians(purpose: Purpose) -> bool:
    """Tell whether a guardian may allow it for a child: what needs consent, and is not forbidden for minors anyhow."""
    return purpose.basis == Purpose.Basis.CONSENT and has_choice(purpose) and purpose.kind not in NOT_FOR_MINORS


def closed_to(purpose: Purpose, age: str, *, guardian: bool) -> Reason | None:
    """Return why somebody of an age may not say yes to a purpose, or hear it from a guardian; to the day."""
    if guardian and age != Profile.AgeClass.CHILD:
        return Reason.GUARDIAN_NEEDED  # none is: who is 14 decides alone
    if purpose.kind in NOT_FOR_MINORS:
        unknown = age == Profile.AgeClass.UNKNOWN and settings.AGE_UNKNOWN == Profile.AgeClass.MINOR
        return Reason.MINOR if age in UNDER_AGE else Reason.AGE_UNKNOWN if unknown else None
    needs = age == Profile.AgeClass.CHILD and is_guardians(purpose) and not guardian
    return Reason.GUARDIAN_NEEDED if needs else None


def in_force(now: datetime) -> dict[str, Notice]:
    """Return for each purpose the notice that tells of it today: the one that was published last."""
    found: dict[str, Notice] = {}
    latest: dict[str, Notice] = {}
    for notice in Notice.objects.published(now).order_by("version"):
        latest[notice.code] = notice
    for notice in sorted(latest.values(), key=lambda one: (one.published_at, one.pk)):
        found |= dict.fromkeys(notice.purposes, notice)
    return found


def channels_of(person: Person) -> list[str]:
    """Return the channels on which the person can be reached, in the order in which they are always listed."""
    types = set(Identifier.objects.filter(profile__in=person.profile_ids).values_list("type", flat=True))
    reached = {channel for type_ in types for channel in REACHED_BY.get(type_, ())}
    return [channel for channel in Channel.values if channel in reached]


def channels_for(purpose: Purpose, reachable: Iterable[str], said: Iterable[str] = ()) -> list[str]:
    """Return the channels that a purpose has a control for; an empty one where it has one control only."""
    if purpose.kind != Purpose.Kind.MARKETING or purpose.channel:
        return [purpose.channel]
    wanted = {*reachable, *said} - {""}
    return [channel for channel in Channel.values if channel in wanted] or [""]


def has_choice(purpose: Purpose) -> bool:
    """Tell whether a person may say yes or no: not where a contract or the law needs it."""
    fixed = (*NO_CHOICE, Purpose.Basis.CONTRACT.value)
    return purpose.basis not in fixed and purpose.kind != Purpose.Kind.STORAGE


def _choice(purpose: Purpose, notice: Notice | None, reader: _Reader) -> Choice:
    own = [channel for code, channel in reader.answers if code == purpose.code]
    channels = channels_for(purpose, reader.reachable, own) if has_choice(purpose) else []
    return Choice(
        purpose=purpose,
        shown=shown(purpose, notice, "", reader.language),
        controls=[
            _control(purpose, shown(purpose, notice, channel, reader.language, guardian=reader.guardian), reader)
            for channel in channels
        ],
        basis_note=_("Done because: %(basis)s.") % {"basis": purpose.get_basis_display()},
    )


def _control(purpose: Purpose, lines: Shown, reader: _Reader) -> Control:
    basis = consent.basis_for(reader.person.id, purpose, lines.channel, reader.now)
    state = reader.answers.get((purpose.code, lines.channel))
    stands, closed = _stands(basis, state), closed_to(purpose, reader.age, guardian=reader.guardian)
    return Control(
        shown=lines,
        state=stands,
        note=_note(purpose, basis, stands, closed),
        since=basis.since if stands in ("yes", "no") else None,
        until=basis.valid_until if stands == "yes" else None,
        may_allow=closed is None
        and basis.reason not in BLOCKED - {Reason.GUARDIAN_NEEDED}
        and not _by_default(purpose, basis),
        after=after(basis, state),
    )


def after(basis: Basis, state: ConsentState | None) -> UUID | None:
    """Return the event that counts now, if anything was said."""
    return basis.event_id or (state.event_id if state else None)


def _stands(basis: Basis, state: ConsentState | None) -> str:
    if basis.allowed:
        return "yes"
    if basis.reason in NO:
        return "no"
    if basis.reason in AGAIN:
        return "again"
    given = state is not None and state.state in GRANTS and basis.reason == Reason.PERSONALISATION_OFF
    return "yes" if given else "open"


def _by_default(purpose: Purpose, basis: Basis) -> bool:
    """Tell whether it is done without consent until the person objects: there is nothing to say yes to."""
    return purpose.basis != Purpose.Basis.CONSENT and basis.reason not in NO


def _note(purpose: Purpose, basis: Basis, stands: str, closed: Reason | None) -> str:
    notes = {
        Reason.EXPIRED: _("Your consent has expired."),
        Reason.STALE_NOTICE: _("What we tell you about it has changed since you agreed. Please decide again."),
        Reason.MINOR: _("Not allowed under 18, whatever anybody agrees to."),
        Reason.GUARDIAN_NEEDED: _("Under 14, a parent or guardian has to agree."),
        Reason.AGE_UNKNOWN: _("We do not know your age, so we do not do this."),
        Reason.RESTRICTED: _("The use of your data is restricted: nothing can be allowed until that ends."),
        Reason.PERSONALISATION_OFF: _("Not done while personalisation is off."),
        Reason.SUPPRESSED: _("We do not write to this address; if you allow it now, we may again."),
    }
    reason = closed if stands == "open" and closed is not None else basis.reason
    if reason in notes:
        return notes[reason]
    if _by_default(purpose, basis):
        return _("Done unless you object (%(basis)s).") % {"basis": purpose.get_basis_display()}
    return _("Not decided yet") if stands == "open" else ""


def said(person: Person) -> dict[tuple[str, str], ConsentState]:
    """Return what counts of what all profiles of the person said, by purpose and channel: the latest."""
    rows = ConsentState.objects.filter(profile__in=person.profile_ids).order_by("counts_from")
    return {(row.purpose_id, row.channel): row for row in rows}
