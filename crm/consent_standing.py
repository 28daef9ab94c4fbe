"""How people stand to a purpose: what decides about them, read by one statement, those who are alike in it together."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from struct import unpack
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from crm.addresses import ADDRESSES
from crm.ages import age, age_class, today
from crm.consent_rules import QUESTIONS, REFUSALS, Age, Held, Person
from crm.copying import int_array, text_array
from crm.merging import merged_with
from crm.models import Profile, Purpose

YOUNGEST_FIRST = (Age.CHILD.value, Age.MINOR.value, Age.ADULT.value, Age.UNKNOWN.value)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # from which PostgreSQL counts its microseconds
NEVER = 2**63 - 1

# Of a person's states on the channel and on all channels one decides (``crm.consent_rules.decide``): a no on the
# channel itself, or else the greatest. A bounced address counts only where the person has no other for the channel.
#
# What decides is compared here and grouped: people who are alike in it come as one row, and are decided on once. What
# each of them is told besides comes packed, since a driver takes its time over ten thousand ids and moments. All
# aggregates of a row see its people in the same order; an empty moment is packed as infinity, for an aggregate of texts
# leaves a null out. Lists of people are constants of each statement, by whose length PostgreSQL chooses its plan.
ANSWERS = """
WITH {member}
held AS (
    SELECT DISTINCT ON (asked) *, state = ANY (%(refusals)s::text[]) AS is_no FROM ({states}) AS s
    WHERE profile_id = ANY (%(members)s::bigint[]) AND purpose = %(purpose)s AND channel IN ('', %(channel)s)
    ORDER BY asked, channel = %(channel)s AND state = ANY (%(refusals)s::text[]) DESC, {rank}
),
stopped AS (
    SELECT i.asked, max(s.since) AS since, bool_or(s.reason <> 'bounced') AS for_good
    FROM ({addresses}) AS i JOIN crm_suppression s ON s.key = i.suppression_key AND s.channel IN ('', %(channel)s)
    WHERE i.profile_id = ANY (%(members)s::bigint[]) AND %(is_marketing)s GROUP BY i.asked
),
suppressed AS (
    SELECT asked, since FROM stopped WHERE for_good OR NOT EXISTS (
        SELECT FROM ({addresses}) AS i
        WHERE i.asked = stopped.asked AND i.type = ANY (%(types)s::text[]) AND NOT EXISTS (
            SELECT FROM crm_suppression s WHERE s.key = i.suppression_key AND s.channel IN ('', %(channel)s)
        )
    )
),
person AS ({people})
SELECT p.restricted, p.personalisation, p.age, p.to_open, (array_agg(suppressed.since))[1],
       held.state, held.consent_kind, held.method, held.notice,
       (array_agg(held.claimed_at))[1], (array_agg(held.received_at))[1], (array_agg(held.valid_until))[1],
       string_agg(int8send(p.asked), ''), string_agg(uuid_send(held.event_id), ''),
       string_agg(timestamptz_send(held.counts_from), ''),
       string_agg(timestamptz_send(coalesce(CASE WHEN is_no THEN cooldown_until ELSE valid_until END, 'infinity')), '')
FROM person p
LEFT JOIN suppressed ON suppressed.asked = p.asked
LEFT JOIN held ON held.asked = p.asked
GROUP BY p.restricted, p.personalisation, p.age, p.to_open, suppressed.since IS NULL,
         held.claimed_at > suppressed.since, held.state, held.consent_kind, held.method, held.notice,
         held.valid_until <= %(now)s, held.received_at > %(now)s, held.notice IS NULL AND held.claimed_at < %(changed)s
"""
# As crm.consent_rules.rank.
RANK = """state <> ALL (%(questions)s::text[]) DESC, counts_from DESC,
    state = ANY (%(refusals)s::text[]) DESC, event_id DESC"""
# Most people are one profile: no join and no grouping has to find out of whom a row is.
ALONE = ANSWERS.format(
    rank=RANK,
    member="",
    states="SELECT profile_id AS asked, c.* FROM crm_consentstate c",
    addresses="SELECT profile_id AS asked, a.* FROM crm_identifier a",
    people="""
    SELECT id AS asked, restricted_at IS NOT NULL AS restricted, personalisation,
           CASE WHEN age_class = 'adult' OR birth_date IS NULL THEN age_class END AS age,
           CASE WHEN age_class <> 'adult' AND birth_date IS NOT NULL THEN ARRAY[id] END AS to_open
    FROM crm_profile WHERE id = ANY (%(members)s::bigint[])""",
)
MERGED = ANSWERS.format(
    rank=RANK,
    member="member AS (SELECT * FROM unnest(%(asked)s::bigint[], %(members)s::bigint[]) AS m (asked, id)),",
    # What counts on each channel is found first: a no of one profile ends with a later yes that another one gave.
    states=f"""
    SELECT DISTINCT ON (asked, channel) asked, c.* FROM crm_consentstate c JOIN member m ON m.id = c.profile_id
    WHERE profile_id = ANY (%(members)s::bigint[]) AND purpose = %(purpose)s AND channel IN ('', %(channel)s)
    ORDER BY asked, channel, {RANK}""",  # noqa: S608  # words of ours
    addresses="SELECT asked, a.* FROM crm_identifier a JOIN member m ON m.id = a.profile_id",
    people="""
    SELECT asked, bool_or(restricted_at IS NOT NULL) AS restricted, bool_and(personalisation) AS personalisation,
           (%(ages)s::text[])[min(array_position(%(ages)s::text[], age_class::text))
                              FILTER (WHERE age_class = 'adult' OR birth_date IS NULL)] AS age,
           array_agg(p.id) FILTER (WHERE age_class <> 'adult' AND birth_date IS NOT NULL) AS to_open
    FROM crm_profile p JOIN member m ON m.id = p.id WHERE p.id = ANY (%(members)s::bigint[]) GROUP BY asked""",
)


class Alike(NamedTuple):
    """People about whom one decision holds: how they stand, and what each of them is told besides.

    ``held`` is the state that counts of the first of them. ``events``, ``since`` and ``until`` have an entry a person,
    in the order of ``ids``, or none where nobody said anything; ``until`` is the end of a grant, or that of the time of
    peace after a no. They stay packed until they are asked for: a plan wants only the decision.
    """

    person: Person
    held: Held | None
    ids: Sequence[int]
    packed: tuple[bytes, bytes, bytes]

    @property
    def events(self) -> Sequence[UUID]:
        return [UUID(bytes=self.packed[0][at : at + 16]) for at in range(0, len(self.packed[0]), 16)]

    @property
    def since(self) -> Sequence[datetime]:
        return [EPOCH + timedelta(microseconds=number) for number in _numbers(self.packed[1])]

    @property
    def until(self) -> Sequence[datetime | None]:
        return [_end(number) for number in _numbers(self.packed[2])]


def standing(
    profiles: set[int], purpose: Purpose, channel: str, now: datetime, changed: datetime | None
) -> Iterator[Alike]:
    """Yield everybody who is known, by how they stand; ``changed`` is when a notice on the purpose last did.

    What the decision compares with a time is compared by the statement too, so it must know all these times.
    """
    merged = {asked: members for asked, members in merged_with(profiles).items() if asked in profiles}
    values: dict[str, Any] = {
        "purpose": purpose.code,
        "channel": channel,
        "questions": text_array(QUESTIONS),
        "refusals": text_array(REFUSALS),
        "types": text_array(ADDRESSES.get(channel, ())),
        "ages": text_array(YOUNGEST_FIRST),
        "is_marketing": purpose.kind == Purpose.Kind.MARKETING.value,
        "now": now,
        "changed": changed,
    }
    if alone := sorted(profiles - merged.keys()):
        yield from _read(ALONE, values | {"members": int_array(alone)}, now)
    if pairs := [(asked, one) for asked, members in merged.items() for one in members]:
        asked, members = (int_array(pair[side] for pair in pairs) for side in (0, 1))
        yield from _read(MERGED, values | {"asked": asked, "members": members}, now)


def _read(statement: str, values: dict[str, Any], now: datetime) -> Iterator[Alike]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    opened = _opened({profile for row in rows for profile in row[3] or ()}, now)
    for restricted, personalisation, known, to_open, suppressed_since, *said, ids, events, since, until in rows:
        classes = {known, *(opened[profile] for profile in to_open or ())}
        youngest = next((one for one in YOUNGEST_FIRST if one in classes), Age.UNKNOWN.value)
        person = Person(restricted, personalisation, youngest, suppressed_since)
        yield _alike(person, said, ids, events, since, until)


def _alike(person: Person, said: list[Any], ids: bytes, *packed: bytes | None) -> Alike:
    state, consent_kind, method, notice, claimed_at, received_at, valid_until = said
    if state is None:
        return Alike(person, None, _numbers(ids), (b"", b"", b""))
    events, since, until = (bytes(column or b"") for column in packed)
    moment = EPOCH + timedelta(microseconds=_numbers(since[:8])[0])
    cooldown = _end(_numbers(until[:8])[0]) if state in REFUSALS else None
    words = (state, consent_kind, method, notice)
    held = Held(UUID(bytes=events[:16]), *words, moment, claimed_at, received_at, valid_until, cooldown)
    return Alike(person, held, _numbers(ids), (events, since, until))


def _end(microseconds: int) -> datetime | None:
    return None if microseconds == NEVER else EPOCH + timedelta(microseconds=microseconds)


def _numbers(packed: bytes) -> tuple[int, ...]:
    return unpack(f">{len(packed) // 8}q", packed)


def _opened(profiles: set[int], now: datetime) -> dict[int, str]:
    """Return the age class on this day of those whose birth date has to be opened: who are not known as adults."""
    born = Profile.objects.filter(pk__in=profiles).only("pk", "birth_date", "age_class") if profiles else ()
    return {profile.pk: _class_of(profile, today(now)) for profile in born}


def _class_of(profile: Profile, day: date) -> str:
    born = profile.birth_date
    return age_class(age(born, day)) if born else profile.age_class
