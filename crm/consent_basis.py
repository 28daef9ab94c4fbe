"""May this person's data be used for this, now? Four SQL statements for one person or for ten thousand."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import repeat

from django.conf import settings

from crm.consent_rules import REFUSALS, Basis, Question, Reason, decide
from crm.consent_standing import Alike, standing
from crm.models import Notice, Purpose


class UnknownPurpose(LookupError):
    """There is no purpose of this code."""


def basis_for(profile: int, purpose: str | Purpose, channel: str, now: datetime) -> Basis:
    """Answer whether a person's data may be used for a purpose (on a channel): by which event, or why not.

    Raises
    ------
    UnknownPurpose
        There is no such purpose: a misspelt code must not pass for "nobody consented".
    """
    return bases_for([profile], purpose, channel, now)[profile]


def bases_for(profiles: Iterable[int], purpose: str | Purpose, channel: str, now: datetime) -> dict[int, Basis]:
    """Answer it for many people at once, by the ids that were asked; who is unknown has not consented."""
    asked = set(profiles)
    answers = dict.fromkeys(asked, Basis(False, reason=Reason.NO_CONSENT))
    for people, basis in decided(asked, purpose_of(purpose), channel, now):
        answers.update(_told(people, basis))
    return answers


def decided(profiles: set[int], purpose: Purpose, channel: str, now: datetime) -> Iterator[tuple[Alike, Basis]]:
    """Yield what is decided, and of whom: of these all is true but what only the first is told (event and times).

    Who is in none has not consented.
    """
    if purpose.channel and channel not in ("", purpose.channel):
        return
    question = question_of(purpose, now)
    changed = max((at for _, at in question.material.values()), default=None)
    for people in standing(profiles, purpose, channel or purpose.channel, now, changed):
        yield people, decide(question, people.person, people.held, None)


def _told(people: Alike, basis: Basis) -> Iterable[tuple[int, Basis]]:
    """Give the answer of the first to all who are alike, each with the event and the times of their own."""
    if people.held is None or basis.event_id is None:
        return zip(people.ids, repeat(basis))
    nothing = repeat(None)
    ends = (nothing, people.until) if people.held.state in REFUSALS else (people.until, nothing)
    own = map(Basis, repeat(basis.allowed), people.events, repeat(basis.reason), people.since, *ends)
    return zip(people.ids, own, strict=True)


def may_ask(profile: int, purpose: str | Purpose, channel: str, now: datetime) -> Basis:
    """Answer whether a person may be asked for a consent: not while a refusal's time of peace lasts.

    The time belongs to the purpose (180 days or longer). Asking minors for what they may not consent to is refused too.
    """
    basis = basis_for(profile, purpose, channel, now)
    if basis.cooldown_until is not None and basis.cooldown_until > now:
        return basis._replace(reason=Reason.COOLDOWN)
    closed = (Reason.PURPOSE_INACTIVE, Reason.RESTRICTED, Reason.MINOR, Reason.AGE_UNKNOWN)
    return basis if basis.reason in closed else Basis(True)


def question_of(purpose: Purpose, now: datetime) -> Question:
    """Return what is asked of everybody alike."""
    return Question(
        kind=purpose.kind,
        basis=purpose.basis,
        now=now,
        is_active=purpose.is_active,
        separate=purpose.separate,
        material=material_versions(purpose.code, now),
        age_unknown_is=settings.AGE_UNKNOWN,
    )


def material_versions(purpose: str, now: datetime) -> dict[str, tuple[int, datetime]]:
    """Return of each notice on a purpose the latest version that changed materially, and when it was published."""
    changed = Notice.objects.published(now).covering(purpose).filter(is_material=True).order_by("version")
    rows = changed.values_list("code", "version", "published_at")
    return {code: (version, at) for code, version, at in rows if at is not None}


def purpose_of(purpose: str | Purpose) -> Purpose:
    """Return the purpose of a code, or the purpose itself."""
    if isinstance(purpose, Purpose):
        return purpose
    found = Purpose.objects.filter(code=purpose).first()
    if found is None:
        raise UnknownPurpose(f"There is no purpose {purpose!r}.")
    return found
