"""May this person's data be used for this, now? One SQL statement for one person or for ten thousand."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from crm.consent_rules import QUESTIONS, REFUSALS, Basis, Held, Person, Question, Reason, decide
from crm.copying import int_array, text_array
from crm.models import Notice, Purpose


class UnknownPurpose(LookupError):
    """There is no purpose of this code."""


HELD = (
    "event_id, state, consent_kind, method, notice, counts_from, claimed_at, received_at, valid_until, cooldown_until"
)
# Who is meant by each id: up the merges to the profile that was kept, down to all that are read as it. UNION ends even
# a circle, which no constraint can forbid.
MEMBERS = """
WITH RECURSIVE
up (asked, id) AS (
    SELECT id, id FROM unnest(%(asked)s::bigint[]) AS id
    UNION
    SELECT up.asked, a.canonical_id FROM up
    JOIN crm_profilealias a ON a.duplicate_id = up.id AND a.undone_at IS NULL
),
member (asked, id) AS (
    SELECT up.asked, up.id FROM up
    UNION
    SELECT member.asked, a.duplicate_id FROM member
    JOIN crm_profilealias a ON a.canonical_id = member.id AND a.undone_at IS NULL
)"""
ANSWERS = f"""{MEMBERS},
held AS (
    SELECT DISTINCT ON (m.asked, s.channel = '') m.asked, s.channel = '' AS every, {HELD}
    FROM member m JOIN crm_consentstate s ON s.profile_id = m.id
    WHERE s.purpose = %(purpose)s AND s.channel IN ('', %(channel)s)
    ORDER BY m.asked, s.channel = '', s.state <> ALL (%(questions)s::text[]) DESC, s.counts_from DESC,
             s.state = ANY (%(refusals)s::text[]) DESC, s.event_id DESC
),
person AS (
    SELECT m.asked, bool_or(p.restricted_at IS NOT NULL) AS restricted, bool_and(p.personalisation) AS personalisation,
           bool_or(p.age_class = 'child') AS child, bool_or(p.age_class = 'minor') AS minor,
           bool_or(p.age_class = 'adult') AS adult
    FROM member m JOIN crm_profile p ON p.id = m.id GROUP BY m.asked
)
SELECT p.asked, p.restricted, p.personalisation,
       CASE WHEN p.child THEN 'child' WHEN p.minor THEN 'minor' WHEN p.adult THEN 'adult' ELSE 'unknown' END,
       {", ".join(f"own.{name}" for name in HELD.split(", "))},
       {", ".join(f"every.{name}" for name in HELD.split(", "))}
FROM person p
LEFT JOIN held own ON own.asked = p.asked AND NOT own.every
LEFT JOIN held every ON every.asked = p.asked AND every.every
"""  # noqa: S608  # only names of columns


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
    found = purpose_of(purpose)
    asked = set(profiles)
    if found.channel and channel not in ("", found.channel):
        return dict.fromkeys(asked, Basis(False, reason=Reason.NO_CONSENT))
    question = question_of(found, now)
    answers = dict.fromkeys(asked, Basis(False, reason=Reason.NO_CONSENT))
    for id_, person, own, every in _standing(asked, found, channel or found.channel, now):
        answers[id_] = decide(question, person, own, every)
    return answers


def may_ask(profile: int, purpose: str | Purpose, channel: str, now: datetime) -> Basis:
    """Answer whether a person may be asked for a consent: not while a refusal's time of peace lasts.

    The time belongs to the purpose (180 days or longer). Asking minors for what they may not consent to is refused too.
    """
    basis = basis_for(profile, purpose, channel, now)
    if basis.cooldown_until is not None and basis.cooldown_until > now:
        return basis._replace(reason=Reason.COOLDOWN)
    closed = (Reason.PURPOSE_INACTIVE, Reason.RESTRICTED, Reason.MINOR, Reason.AGE_UNKNOWN)
    return basis if basis.reason in closed else Basis(True)


def members_of(profiles: Iterable[int]) -> dict[int, set[int]]:
    """Return for each profile all that are read as the same person, itself included."""
    found: dict[int, set[int]] = {profile: {profile} for profile in profiles}
    with connection.cursor() as cursor:
        cursor.execute(f"{MEMBERS} SELECT asked, id FROM member", {"asked": int_array(found)})  # noqa: S608
        for asked, member in cursor.fetchall():
            found[asked].add(member)
    return found


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
    return {code: (version, at) for code, version, at in changed.values_list("code", "version", "published_at")}


def purpose_of(purpose: str | Purpose) -> Purpose:
    """Return the purpose of a code, or the purpose itself."""
    if isinstance(purpose, Purpose):
        return purpose
    found = Purpose.objects.filter(code=purpose).first()
    if found is None:
        raise UnknownPurpose(f"There is no purpose {purpose!r}.")
    return found


Standing = tuple[int, Person, Held | None, Held | None]


def _standing(asked: set[int], purpose: Purpose, channel: str, now: datetime) -> list[Standing]:
    values = {
        "asked": int_array(asked),
        "purpose": purpose.code,
        "channel": channel,
        "questions": text_array(QUESTIONS),
        "refusals": text_array(REFUSALS),
    }
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, values)
        rows = cursor.fetchall()
    return [(row[0], Person(*row[1:4]), _held(row[4:14]), _held(row[14:24])) for row in rows]


def _held(row: tuple[Any, ...]) -> Held | None:
    return None if row[0] is None else Held(*row)
