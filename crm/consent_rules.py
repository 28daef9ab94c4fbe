"""What a person's consents come to: pure rules, which the database's answers, the past and the tests' oracle share.

Which event counts
    Answers outrank questions. Among answers the latest claimed time counts; a refusal counts from up to a minute later
    (never later than it was received), because synchronised clocks differ by less, and wins ties. Claimed times are
    never in the future, so an old grant that is replayed can revive nothing.
Every channel, and one
    What was said of one channel and what was said of every channel are kept apart. A no of either kind counts from its
    time on. A yes for every channel never brings back a channel that was refused by name: only a yes that names the
    channel does. Of two grants the later is the one that allows.
Suppressed addresses
    A suppression outranks every consent but one: given (not imported, not entered by staff) by the person's own act
    after the suppression began. So an import revives nothing, and nobody is locked out for good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.consent import ConsentEvent
from crm.models.profiles import Profile
from crm.models.purposes import Purpose

CLOCKS_DIFFER = timedelta(minutes=1)

Age = Profile.AgeClass
State, Kind, Method = ConsentEvent.State, ConsentEvent.ConsentKind, ConsentEvent.Method
# Plain texts, for ten thousand people at once: an enumeration's value is a slow thing to ask for.
MARKETING, STORAGE = Purpose.Kind.MARKETING.value, Purpose.Kind.STORAGE.value
CONSENT = Purpose.Basis.CONSENT.value
EXPIRED, GENERAL, GUARDIAN = State.EXPIRED.value, Kind.GENERAL.value, Kind.GUARDIAN.value
UNKNOWN, CHILD, MINOR = Age.UNKNOWN.value, Age.CHILD.value, Age.MINOR.value
UNDER_AGE = frozenset({CHILD, MINOR})
QUESTIONS = frozenset({State.REQUESTED.value, State.DEFERRED.value})
GRANTS = frozenset({State.GIVEN.value, State.RENEWED.value})
# A person's or a controller's no; "expired" only says that a grant has ended by itself.
REFUSALS = frozenset({State.REFUSED.value, State.WITHDRAWN.value, State.REVOKED.value, State.INVALIDATED.value})
COOLING = frozenset({State.REFUSED.value, State.WITHDRAWN.value})  # after which a person is left in peace
# Acts of the person herself, as far as whoever reports them can be believed.
OWN_ACTS = frozenset(
    {
        *(Method.PREFERENCE_CENTRE.value, Method.FORM.value, Method.MINI_PROGRAM.value, Method.API.value),
        *(Method.DOUBLE_OPT_IN.value, Method.SMS_REPLY.value, Method.PHONE_CALL.value, Method.PAPER.value),
    }
)
PROFILING = frozenset({Purpose.Kind.PROFILING.value, Purpose.Kind.AUTOMATED_DECISIONS.value})
NOT_FOR_MINORS = PROFILING | {MARKETING}  # Minors Net Protection Regulation 24(3)
# The person cannot object to these, and PIPL 47 keeps storage even where everything else is restricted.
NO_CHOICE = frozenset(
    {Purpose.Basis.LEGAL_OBLIGATION.value, Purpose.Basis.VITAL_INTEREST.value, Purpose.Basis.PUBLIC_INTEREST.value}
)


class Reason(models.TextChoices):
    """Why something may not be done, for programs; the label is for people."""

    NO_CONSENT = "no_consent", _("has not consented")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrew the consent")
    REVOKED = "revoked", _("the consent was revoked by us")
    INVALIDATED = "invalidated", _("the consent was found invalid")
    EXPIRED = "expired", _("the consent has expired")
    STALE_NOTICE = "stale_notice", _("the notice has changed materially since")
    SUPPRESSED = "suppressed", _("the address is suppressed")
    MINOR = "minor", _("is under age")
    GUARDIAN_NEEDED = "guardian_needed", _("a guardian has to consent")
    AGE_UNKNOWN = "age_unknown", _("the age is not known")
    RESTRICTED = "restricted", _("the use of the data is restricted")
    PERSONALISATION_OFF = "personalisation_off", _("has switched personalisation off")
    COOLDOWN = "cooldown", _("refused lately and must not be asked again yet")
    PURPOSE_INACTIVE = "purpose_inactive", _("the purpose is not active")


NO = {
    "refused": Reason.REFUSED,
    "withdrawn": Reason.WITHDRAWN,
    "revoked": Reason.REVOKED,
    "invalidated": Reason.INVALIDATED,
}


class Basis(NamedTuple):
    """Whether something may be done now: the event that allows it (none where the basis is no consent), or why not."""

    allowed: bool
    event_id: UUID | None = None
    reason: Reason | None = None
    since: datetime | None = None
    valid_until: datetime | None = None
    cooldown_until: datetime | None = None

    def __bool__(self) -> bool:
        return self.allowed


class Held(NamedTuple):
    """The event that counts for one purpose and channel; see :class:`crm.models.ConsentState`."""

    event_id: UUID
    state: str
    consent_kind: str
    method: str
    notice: str | None
    counts_from: datetime
    claimed_at: datetime
    received_at: datetime
    valid_until: datetime | None
    cooldown_until: datetime | None


class Person(NamedTuple):
    """What else counts of a person, all of her profiles taken together."""

    restricted: bool = False
    personalisation: bool = True
    age: str = Age.UNKNOWN.value
    suppressed_since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """May data of a person be used for this purpose, now?

    ``material`` gives of each notice that tells of the purpose the latest material version and its time.
    """

    kind: str
    basis: str
    now: datetime
    is_active: bool = True
    separate: bool = False
    material: Mapping[str, tuple[int, datetime]]
    age_unknown_is: str = Age.ADULT.value


def counts_from(state: str, claimed_at: datetime, received_at: datetime) -> datetime:
    """Return the time by which an event is ordered among others on the same purpose and channel."""
    return min(received_at, claimed_at + CLOCKS_DIFFER) if state in REFUSALS else claimed_at


def rank(held: Held) -> tuple[bool, datetime, bool, bytes]:
    """Return what the greatest of is the event that counts; the id only settles what would otherwise be chance."""
    return held.state not in QUESTIONS, held.counts_from, held.state in REFUSALS, held.event_id.bytes


def decide(question: Question, person: Person, own: Held | None, every: Held | None) -> Basis:
    """Answer the question of one person.

    Parameters
    ----------
    own
        What was said of the channel that is asked for.
    every
        What was said of every channel; the same as ``own`` is ``None`` where no channel is asked for.
    """
    if (reason := _closed(question, person)) is not None:
        return Basis(False, reason=reason)
    if question.basis not in NO_CHOICE and (no := _refusal(own, every)) is not None:
        return Basis(False, no.event_id, NO[no.state], no.counts_from, None, no.cooldown_until)
    if (reason := _of_the_person(question, person)) is not None:
        return Basis(False, reason=reason)
    if question.basis == CONSENT:
        return _by_consent(question, person, [held for held in (own, every) if held is not None])
    suppressed = question.kind == MARKETING and person.suppressed_since is not None
    return Basis(False, reason=Reason.SUPPRESSED) if suppressed else Basis(True)


def _closed(question: Question, person: Person) -> Reason | None:
    if not question.is_active:
        return Reason.PURPOSE_INACTIVE
    return Reason.RESTRICTED if person.restricted and question.kind != STORAGE else None


def _refusal(own: Held | None, every: Held | None) -> Held | None:
    """Return the no that stands, if one does."""
    if own is not None and own.state in REFUSALS:
        return own
    if every is not None and every.state in REFUSALS and (own is None or rank(every) >= rank(own)):
        return every
    return None


def _of_the_person(question: Question, person: Person) -> Reason | None:
    """Return what about the person forbids it, whatever she said."""
    if question.kind in PROFILING and not person.personalisation:
        return Reason.PERSONALISATION_OFF
    if question.kind not in NOT_FOR_MINORS:
        return None
    if person.age in UNDER_AGE:
        return Reason.MINOR
    if person.age == UNKNOWN and question.age_unknown_is == MINOR:
        return Reason.AGE_UNKNOWN
    return None


def _by_consent(question: Question, person: Person, said: list[Held]) -> Basis:
    """Return the grant that allows it, or what it lacks: the later one, since a no may have ended the earlier."""
    last = max(said, key=rank, default=None)
    reason = Reason.NO_CONSENT if last is None else _lacks(question, person, last)
    if last is not None and reason is None:
        return Basis(True, last.event_id, None, last.counts_from, last.valid_until)
    if question.kind == MARKETING and person.suppressed_since is not None:
        return Basis(False, reason=Reason.SUPPRESSED)
    if last is None or reason == Reason.NO_CONSENT:
        return Basis(False, reason=Reason.NO_CONSENT)
    return Basis(False, last.event_id, reason, last.counts_from, last.valid_until)


def _lacks(question: Question, person: Person, held: Held) -> Reason | None:
    """Return what the event lacks to be a grant that allows it; the first of several."""
    if held.state == EXPIRED or (held.valid_until is not None and held.valid_until <= question.now):
        return Reason.EXPIRED
    if not _is_grant(question, held):
        return Reason.NO_CONSENT
    if question.material and is_stale(question.material, held.notice, held.claimed_at):
        return Reason.STALE_NOTICE
    if person.age == CHILD and held.consent_kind != GUARDIAN:
        return Reason.GUARDIAN_NEEDED
    is_suppressed = question.kind == MARKETING and not _lifts(held, person.suppressed_since)
    return Reason.SUPPRESSED if is_suppressed else None


def _is_grant(question: Question, held: Held) -> bool:
    if (
        held.state not in GRANTS or held.received_at > question.now
    ):  # its server's clock is ahead: not yet, for this one
        return False
    return not (question.separate and held.consent_kind == GENERAL)


def _lifts(held: Held, suppressed_since: datetime | None) -> bool:
    return suppressed_since is None or (held.method in OWN_ACTS and held.claimed_at > suppressed_since)


def is_stale(material: Mapping[str, tuple[int, datetime]], notice: str | None, claimed_at: datetime) -> bool:
    """Whether what the person was told has changed materially since.

    A grant that names no notice is stale as soon as any notice on the purpose changes after it was given.
    """
    if notice is None:
        return any(published_at > claimed_at for _, published_at in material.values())
    code, _, version = notice.rpartition("/")
    latest = material.get(code)
    return latest is not None and latest[0] > int(version)
