"""May this person's data be used for this, now? Three SQL statements for one person or for ten thousand."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from crm.addresses import ADDRESSES
from crm.ages import age, age_class, today
from crm.consent_rules import QUESTIONS, REFUSALS, Age, Basis, Held, Person, Question, Reason, decide
from crm.copying import int_array, text_array
from crm.models import Notice, Profile, Purpose

YOUNGEST_FIRST = (Age.CHILD.value, Age.MINOR.value, Age.ADULT.value)


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
# Statements of their own: PostgreSQL guesses the length of an array that it is given, and not that of a recursion; it
# would read whole tables instead. Of a person's states on the channel and on all channels one decides
# (``crm.consent_rules.decide``): a no on the channel itself, or else the greatest.
ANSWERS = f"""
WITH member AS (SELECT * FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)),
held AS (
    SELECT DISTINCT ON (m.asked) m.asked, {HELD}
    FROM crm_consentstate s JOIN member m ON m.id = s.profile_id
    WHERE s.profile_id = ANY (%(members)s::bigint[]) AND s.purpose = %(purpose)s AND s.channel IN ('', %(channel)s)
    ORDER BY m.asked, s.channel = %(channel)s AND s.state = ANY (%(refusals)s::text[]) DESC,
             s.state <> ALL (%(questions)s::text[]) DESC, s.counts_from DESC,
             s.state = ANY (%(refusals)s::text[]) DESC, s.event_id DESC
),
person AS (
    SELECT m.asked, bool_or(p.restricted_at IS NOT NULL) AS restricted, bool_and(p.personalisation) AS personalisation,
           bool_and(p.age_class = 'adult') AS adult,
           array_agg(DISTINCT p.age_class) FILTER (WHERE p.birth_date IS NULL OR p.age_class = 'adult') AS classes,
           array_agg(p.id) FILTER (WHERE p.birth_date IS NOT NULL AND p.age_class <> 'adult') AS to_open
    FROM crm_profile p JOIN member m ON m.id = p.id WHERE p.id = ANY (%(members)s::bigint[]) GROUP BY m.asked
),
stopped AS (
    SELECT m.asked, max(s.since) AS since, bool_or(s.reason <> 'bounced') AS for_good
    FROM crm_identifier i JOIN member m ON m.id = i.profile_id
    JOIN crm_suppression s ON s.key = i.suppression_key AND s.channel IN ('', %(channel)s)
    WHERE i.profile_id = ANY (%(members)s::bigint[]) AND %(is_marketing)s GROUP BY m.asked
),
-- A bounced address counts only where the person has no other one for the channel.
suppressed AS (
    SELECT asked, since FROM stopped WHERE for_good OR NOT EXISTS (
        SELECT FROM crm_identifier i JOIN member m ON m.id = i.profile_id
        WHERE m.asked = stopped.asked AND i.type = ANY (%(addresses)s::text[]) AND NOT EXISTS (
            SELECT FROM crm_suppression s WHERE s.key = i.suppression_key AND s.channel IN ('', %(channel)s)
        )
    )
)
SELECT p.asked, CASE WHEN NOT p.adult THEN p.classes END, p.to_open, p.restricted, p.personalisation, suppressed.since,
       {", ".join(f"held.{name}" for name in HELD.split(", "))}
FROM person p
LEFT JOIN suppressed ON suppressed.asked = p.asked
LEFT JOIN held ON held.asked = p.asked
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
    for id_, person, held in _standing(asked, found, channel or found.channel, now):
        answers[id_] = decide(question, person, held, None)
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
    for asked, member in _pairs(_merged(found)):
        found[asked].add(member)
    return found


def _merged(profiles: Iterable[int]) -> set[int]:
    """Return those that a merge touches, which are few: only these need a recursion."""
    ids = int_array(profiles)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT duplicate_id FROM crm_profilealias WHERE undone_at IS NULL AND duplicate_id = ANY (%s::bigint[])"
            " UNION SELECT canonical_id FROM crm_profilealias WHERE undone_at IS NULL"
            " AND canonical_id = ANY (%s::bigint[])",
            [ids, ids],
        )
        return {profile for (profile,) in cursor.fetchall()}


def _pairs(profiles: Iterable[int]) -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{MEMBERS} SELECT asked, id FROM member", {"asked": int_array(profiles)})  # noqa: S608
        rows: list[tuple[int, int]] = cursor.fetchall()
    return rows


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


Standing = tuple[int, Person, Held | None]


def _standing(asked: set[int], purpose: Purpose, channel: str, now: datetime) -> list[Standing]:
    pairs = [(one, one) for one in asked] + [pair for pair in _pairs(_merged(asked)) if pair[0] != pair[1]]
    values: dict[str, str | bool] = {
        "asked": int_array(asked for asked, _ in pairs),
        "members": int_array(member for _, member in pairs),
        "purpose": purpose.code,
        "channel": channel,
        "questions": text_array(QUESTIONS),
        "refusals": text_array(REFUSALS),
        "addresses": text_array(ADDRESSES.get(channel, ())),
        "is_marketing": purpose.kind == Purpose.Kind.MARKETING.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, values)
        rows = cursor.fetchall()
    ages = _ages(rows, now)
    return [
        (asked, Person(restricted, personalisation, ages[asked], since), None if held[0] is None else Held(*held))
        for asked, _classes, _to_open, restricted, personalisation, since, *held in rows
    ]


def _ages(rows: list[tuple[Any, ...]], now: datetime) -> dict[int, str]:
    """Return the age class of each person on this day, to the day where a birth date is known; the youngest counts.

    Only birth dates of those who are not known as adults are opened.
    """
    minors = {profile for row in rows for profile in row[2] or ()}
    born = Profile.objects.filter(pk__in=minors).only("pk", "birth_date", "age_class") if minors else ()
    opened = {profile.pk: _class_of(profile, today(now)) for profile in born}
    found = {}
    for asked, classes, to_open, *_rest in rows:
        if classes is None and to_open is None:
            found[asked] = Age.ADULT.value
            continue
        known = {*(classes or ()), *(opened[profile] for profile in to_open or ())}
        found[asked] = next((one for one in YOUNGEST_FIRST if one in known), Age.UNKNOWN.value)
    return found


def _class_of(profile: Profile, day: date) -> str:
    born = profile.birth_date
    return age_class(age(born, day)) if born else profile.age_class
