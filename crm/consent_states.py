"""What events come to: one row for each person, purpose and channel, written with them, and rebuilt from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from django.db import connection, transaction

from crm.consent_rules import QUESTIONS, REFUSALS, Held, counts_from, rank
from crm.copying import text_array
from crm.models import ConsentEvent, ConsentState, Profile

Key = tuple[int, str, str]  # profile, purpose, channel

COLUMNS = (
    *("profile_id", "purpose", "channel", "event_id", "state", "consent_kind", "method", "notice"),
    *("counts_from", "claimed_at", "received_at", "valid_until", "cooldown_until"),
)
FACTS = ("event_id", "state", "consent_kind", "method", "notice_id", *COLUMNS[8:])
PIECE = 2000  # profiles whose states are compared at once
# The greater of the two stays, whichever came first: the same whatever the order in which events arrive.
UPSERT = f"""
INSERT INTO crm_consentstate AS old ({", ".join(COLUMNS)})
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
ON CONFLICT (profile_id, purpose, channel) DO UPDATE
SET ({", ".join(COLUMNS[3:])}) = ROW ({", ".join(f"excluded.{name}" for name in COLUMNS[3:])})
WHERE (excluded.state <> ALL (%s::text[]), excluded.counts_from, excluded.state = ANY (%s::text[]), excluded.event_id)
    > (old.state <> ALL (%s::text[]), old.counts_from, old.state = ANY (%s::text[]), old.event_id)
"""  # noqa: S608  # only names of columns


def held_by(event: ConsentEvent) -> Held:
    """Return what an event makes of its purpose and channel, if it is the one that counts."""
    return Held(
        event_id=event.pk,
        state=event.state,
        consent_kind=event.consent_kind,
        method=event.method,
        notice=event.notice_id,
        counts_from=counts_from(event.state, event.claimed_at, event.received_at),
        claimed_at=event.claimed_at,
        received_at=event.received_at,
        valid_until=event.valid_until,
        cooldown_until=event.cooldown_until,
    )


def folded(events: Iterable[tuple[int, ConsentEvent]]) -> dict[Key, Held]:
    """Return the event that counts for each profile, purpose and channel."""
    found: dict[Key, Held] = {}
    for profile, event in events:
        key, held = (profile, event.purpose_id, event.channel), held_by(event)
        if key not in found or rank(held) > rank(found[key]):
            found[key] = held
    return found


def keep(events: Iterable[tuple[int, ConsentEvent]]) -> None:
    """Bring the states up to date with new events, in the caller's transaction."""
    insert(folded(events))


def insert(states: Mapping[Key, Held]) -> None:
    """Write states, where what stands there does not outrank them."""
    if not states:
        return
    rows = [(*key, *held) for key, held in sorted(states.items())]
    columns = [
        text_array(None if value is None else str(value) for value in column) for column in zip(*rows, strict=True)
    ]
    questions, refusals = text_array(QUESTIONS), text_array(REFUSALS)
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, [*columns, questions, refusals, questions, refusals])


def rebuild(profiles: Iterable[int] | None = None) -> int:
    """Write the states anew from the events, of some people or of all; return how many rows changed.

    Holds the profiles' locks meanwhile, a piece of them at a time, so that no event is missed.
    """
    changed = 0
    for piece in _pieces(profiles):
        with transaction.atomic():
            changed += _rebuild(piece)
    return changed


def differences(profiles: Iterable[int] | None = None) -> Iterator[tuple[Key, Held | None, Held | None]]:
    """Yield where the states are not what the events come to: the key, what stands there, and what should."""
    for piece in _pieces(profiles):
        stands, should = _standing(piece), _from_events(piece)
        for key in sorted(stands.keys() | should.keys()):
            if stands.get(key) != should.get(key):
                yield key, stands.get(key), should.get(key)


def _rebuild(piece: Sequence[int]) -> int:
    list(Profile.objects.filter(pk__in=piece).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    wrong = list(differences(piece))
    for (profile, purpose, channel), _stands, _should in wrong:
        ConsentState.objects.filter(profile=profile, purpose__code=purpose, channel=channel).delete()
    insert({key: should for key, _stands, should in wrong if should is not None})
    return len(wrong)


def _pieces(profiles: Iterable[int] | None) -> Iterator[list[int]]:
    if profiles is not None:
        yield sorted(set(profiles))
        return
    last = 0
    while piece := list(Profile.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PIECE]):
        yield piece
        last = piece[-1]


def _standing(piece: Sequence[int]) -> dict[Key, Held]:
    rows = ConsentState.objects.filter(profile_id__in=piece)
    return {
        (row[0], row[1], row[2]): Held(*row[3:])
        for row in rows.values_list("profile_id", "purpose_id", "channel", *FACTS)
    }


def _from_events(piece: Sequence[int]) -> dict[Key, Held]:
    events = ConsentEvent.objects.filter(person__profile_id__in=piece).select_related("person")
    return folded((event.person.profile_id, event) for event in events.iterator(chunk_size=5000))


def counting(events: Iterable[UUID]) -> set[UUID]:
    """Return those events that their purposes and channels stand by today."""
    return set(ConsentState.objects.filter(event_id__in=list(events)).values_list("event_id", flat=True))
