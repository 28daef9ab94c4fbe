"""What a press on the preference page does; each may be pressed twice, from two places at once, and does it once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from crm import consent, evidence, guardians
from crm.consent import ConsentRefused, Heard, NewConsent
from crm.consent_rules import GRANTS, PROFILING, Kind, Method, State
from crm.consent_writing import lock
from crm.erasers.rows import forget_answers
from crm.erasers.subject import Subject
from crm.keys import NAMESPACE
from crm.merged import Person
from crm.models import Channel, ConsentEvent, ConsentState, GuardianLink, Profile, Purpose
from crm.preferences.choices import (
    after,
    age_of,
    channels_for,
    channels_of,
    closed_to,
    has_choice,
    in_force,
    is_guardians,
    said,
)
from crm.preferences.shown import Shown, shown

FORM, GUARDIANS_FORM = "preference-page/1", "guardian-page/1"
ANSWERS = ("yes", "no")


class Refused(ValueError):
    """A press that does nothing; the code says which sentence the page shows for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Press:
    """A decision as a form sends it: for what, what was on the screen, and which event counted then."""

    purpose: str
    channel: str
    answer: str
    language: str
    digest: str
    after: str
    guardian: GuardianLink | None = None


def decide(person: Person, press: Press, now: datetime) -> ConsentEvent | None:
    """Record a yes or a no to one purpose on one channel; ``None`` where that was the answer already.

    Raises
    ------
    Refused
        There is no such control on this person's page, or the screen showed something that is no longer so.
    """
    purpose = Purpose.objects.active().filter(code=press.purpose).first()
    if (
        purpose is None
        or not has_choice(purpose)
        or press.answer not in ANSWERS
        or not _offered(person, purpose, press)
    ):
        raise Refused("unknown")
    lines = shown(
        purpose, in_force(now).get(purpose.code), press.channel, press.language, guardian=press.guardian is not None
    )
    if lines.digest != press.digest:
        raise Refused("changed")
    with transaction.atomic():
        lock(person.profile_ids)
        if _stands_already(person, purpose, press, now):
            return None
        if press.answer == "yes":
            _check_yes(person, purpose, press, now)
        try:
            event = consent.record(person.id, _told(person, purpose, press, lines), source=None, now=now)
        except ConsentRefused as refused:
            raise Refused("changed" if refused.code == "conflict" else "not_allowed") from None
        if press.answer == "no" and purpose.kind in PROFILING:
            _forget(person)
        return event


def _check_yes(person: Person, purpose: Purpose, press: Press, now: datetime) -> None:
    if press.after != str(_counts(person, purpose, press.channel, now) or ""):
        raise Refused("changed")  # a page that was opened before something else was said revives nothing
    if closed_to(purpose, age_of(person, now), guardian=press.guardian is not None):
        raise Refused("not_allowed")


def _told(person: Person, purpose: Purpose, press: Press, lines: Shown) -> NewConsent:
    kind = Kind.SEPARATE if purpose.separate else Kind.GENERAL
    return NewConsent(
        purpose=purpose.code,
        state=_state(person, purpose, press),
        method=Method.PREFERENCE_CENTRE.value,
        channel=press.channel,
        consent_kind=(Kind.GUARDIAN if press.guardian else kind).value,
        notice=lines.notice,
        notice_digest=lines.notice_digest,
        rendered_digest=lines.digest,
        language=lines.language,
        form_version=GUARDIANS_FORM if press.guardian else FORM,
        adm_optout=press.answer == "no" and purpose.kind in PROFILING,
        guardian=guardians.details(press.guardian) if press.guardian else {},
        idempotency=_key(person, press),
    )


def name_guardian(person: Person, relation: str, contact: str, language: str, now: datetime) -> None:
    """Have a link sent to whom a child names as parent or guardian."""
    try:
        guardians.ask(person, relation, contact, language, now)
    except guardians.GuardianRefused as refused:
        raise Refused(refused.code) from None


def withdraw_all(person: Person, now: datetime) -> int:
    """Take everything back, on every channel, and switch personalisation off; return how many answers that made."""
    with transaction.atomic():
        done = consent.withdraw(person.id, None, "", Method.PREFERENCE_CENTRE.value, now)
        switch(person, on=False, now=now)
    return len(done)


def one_click(person: Person, channel: str, now: datetime) -> int:
    """Take the consent to all marketing on a channel back, or (empty) on every one: a mail program's button."""
    wanted = channel if channel in Channel.values else ""
    heard = Heard(proof={"header": "List-Unsubscribe-Post"})
    return len(consent.withdraw_marketing(person.id, wanted, Method.ONE_CLICK.value, now, heard))


def switch(person: Person, *, on: bool, now: datetime) -> bool:
    """Switch personalisation on or off for all of a person's profiles; False where it was so.

    Off is a refusal of every purpose that profiles, and what models said so far is deleted. On gives no consent: that
    is asked for each purpose by itself.
    """
    with transaction.atomic():
        lock(person.profile_ids)
        rows = Profile.objects.filter(pk__in=person.profile_ids, personalisation=not on)
        changed = bool(rows.update(personalisation=on, updated_at=now))
        if changed:
            facts = {"kind": "personalisation", "on": on, "by": "preference page"}
            evidence.note("request", f"personalisation {'on' if on else 'off'}", facts, now=now, profile=person.id)
        if not on:
            changed |= _refuse_profiling(person, now) > 0
            _forget(person)
    return changed


def _refuse_profiling(person: Person, now: datetime) -> int:
    """Say no to the purposes that profile and stand open or allowed; a no that stands is not said again."""
    said = ConsentState.objects.filter(profile__in=person.profile_ids, channel="")
    refused = set(said.exclude(state__in=[*GRANTS, "requested", "deferred"]).values_list("purpose__code", flat=True))
    chosen = [
        purpose
        for purpose in Purpose.objects.active().filter(kind__in=PROFILING).order_by("code")
        if has_choice(purpose) and purpose.code not in refused
    ]
    for purpose in chosen:
        consent.withdraw(person.id, purpose.code, "", Method.PREFERENCE_CENTRE.value, now)
    return len(chosen)


def _forget(person: Person) -> None:
    """Delete what models said of the person: nobody may read it any more."""
    forget_answers(Subject(profiles=person.profile_ids, names=frozenset()))


def _offered(person: Person, purpose: Purpose, press: Press) -> bool:
    if not has_choice(purpose) or (press.guardian and not is_guardians(purpose)):
        return False
    own = ConsentState.objects.filter(profile__in=person.profile_ids, purpose__code=purpose.code)
    return press.channel in channels_for(purpose, channels_of(person), own.values_list("channel", flat=True))


def _stands_already(person: Person, purpose: Purpose, press: Press, now: datetime) -> bool:
    basis = consent.basis_for(person.id, purpose, press.channel, now)
    if press.answer == "yes":
        return basis.allowed
    return basis.event_id is not None and not basis.allowed and _says_no(basis.event_id)


def _counts(person: Person, purpose: Purpose, channel: str, now: datetime) -> UUID | None:
    """Return the event that counts now, as the page names it (:class:`crm.preferences.choices.Control`)."""
    basis = consent.basis_for(person.id, purpose, channel, now)
    return after(basis, said(person).get((purpose.code, channel)))


def _says_no(event: UUID) -> bool:
    return ConsentState.objects.filter(event_id=event).exclude(state__in=GRANTS).exclude(state="expired").exists()


def _state(person: Person, purpose: Purpose, press: Press) -> str:
    """A no to what was allowed is a withdrawal, any other a refusal."""
    if press.answer == "yes":
        return State.GIVEN.value
    rows = ConsentState.objects.filter(
        profile__in=person.profile_ids, purpose__code=purpose.code, channel__in=["", press.channel]
    )
    return State.WITHDRAWN.value if rows.filter(state__in=GRANTS).exists() else State.REFUSED.value


def _key(person: Person, press: Press) -> UUID:
    """The same form says the same once, however often it is sent: also later, when something else counts."""
    guardian = press.guardian.reference if press.guardian else ""
    said = (person.id, press.purpose, press.channel, press.answer, press.after[:64], guardian)
    return uuid5(NAMESPACE, "\x1f".join(map(str, ("preferences", *said))))
