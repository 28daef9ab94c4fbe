"""Messages in, events out: what is good of a batch is written at once, what is not is kept with the reason."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import DataError, IntegrityError, connection, transaction

from crm import catalogue, identity, opt_outs, partitions, people
from crm.checks import Invalid, without_value
from crm.drafts import Draft, Ref, Told
from crm.encryption import Keys
from crm.errors import cause_of
from crm.ingest import Erased, NewEvent, record_many
from crm.merging import canonical_ids, merge
from crm.models import RejectedEvent, Source
from crm.segment import Reception, read

# A request waits this long for another writer of the same keys, and works this long, before it answers "later".
PATIENCE = "SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '10s'"


class Message(NamedTuple):
    """One message of a batch that could be read."""

    place: int
    told: Told


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """One message that was not taken, by its place in the batch."""

    index: int
    field: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a batch."""

    events: int
    duplicates: int
    rejected: tuple[Rejection, ...]


def take(source: Source, raw: Sequence[Any], reception: Reception) -> Taken:
    """Write what the messages tell, once, and keep what cannot be taken; all is on disk when this returns.

    Raises
    ------
    crm.segment.TooDeep
        A message cannot even be kept; nothing is written.
    """
    messages, rejected = read_all(raw, reception)
    # Before the transaction: others need not wait for its end to use a new month.
    partitions.ensure(partitions.months_of(event.occurred_at for message in messages for event in message.told.events))
    try:
        events, duplicates, refused = _taken(source, raw, messages, rejected, reception)
    except DataError:
        if len(raw) == 1:
            raise
        return _take_singly(source, raw, reception)
    return Taken(events=events, duplicates=duplicates, rejected=_in_order(rejected + refused))


def _taken(
    source: Source,
    raw: Sequence[Any],
    messages: Sequence[Message],
    rejected: list[Rejection],
    reception: Reception,
) -> tuple[int, int, list[Rejection]]:
    """Write it all; whoever was erased between being looked up and being written about is looked up again."""
    for _ in range(identity.ATTEMPTS):
        try:
            with transaction.atomic():
                events, duplicates, refused = _write(source, messages, reception.received_at)
                _keep(source, raw, rejected + refused, reception.received_at)
        except (Erased, partitions.Dropped, IntegrityError):  # the last, where they were about to get an identifier
            continue
        return events, duplicates, refused
    raise identity.LostRace(f"{len(messages)} messages could not be written in {identity.ATTEMPTS} attempts.")


def read_all(raw: Sequence[Any], reception: Reception) -> tuple[list[Message], list[Rejection]]:
    """Return the messages that can be read, and why the others cannot."""
    messages, rejected = [], []
    for index, message in enumerate(raw):
        try:
            messages.append(Message(index, read(message, reception)))
        except Invalid as invalid:
            rejected.append(_rejection(index, invalid))
    return messages, rejected


def replay(rejected: RejectedEvent, *, now: datetime) -> bool:
    """Take an event that was refused, now that the cause is gone; its age is vouched for by the person who asks.

    False if it was replayed before, or is refused again: then its reason is the new one.
    """
    with transaction.atomic():
        waiting = RejectedEvent.objects.select_for_update().filter(pk=rejected.pk, replayed_at__isnull=True).first()
        if waiting is None:
            return False
        reception = Reception(received_at=waiting.received_at, past=timedelta(days=36_500))
        messages, refused = read_all([json.loads(waiting.payload)], reception)
        if not refused:
            _, _, refused = _write(rejected.source, messages, now)
        facts: dict[str, Any] = {"replayed_at": now}
        if refused:
            facts = {"field": refused[0].field, "reason": without_value(refused[0].reason)}
        RejectedEvent.objects.filter(pk=rejected.pk).update(**facts)
    rejected.refresh_from_db()
    return not refused


def _take_singly(source: Source, raw: Sequence[Any], reception: Reception) -> Taken:
    """Take each message by itself: the database refuses a value that our checks let through."""
    events = duplicates = 0
    rejected: list[Rejection] = []
    for index, message in enumerate(raw):
        try:
            taken = take(source, [message], reception)
        except DataError as error:
            refused = Rejection(index=index, field="", reason=f"cannot be stored: {cause_of(error)}")
            _keep(source, raw, [refused], reception.received_at)
            rejected.append(refused)
            continue
        events, duplicates = events + taken.events, duplicates + taken.duplicates
        rejected += [Rejection(index=index, field=one.field, reason=one.reason) for one in taken.rejected]
    return Taken(events=events, duplicates=duplicates, rejected=tuple(rejected))


def _write(source: Source, messages: Sequence[Message], now: datetime) -> tuple[int, int, list[Rejection]]:
    with connection.cursor() as cursor:
        cursor.execute(PATIENCE)
    messages, refused, merges = _join_aliases(source, messages)
    # The order in which rows are locked is the same for all writers: identifiers, profiles, items, keys.
    profiles = identity.resolve([message.told.refs for message in messages], source=source, now=now)
    for previous, user in merges:
        merge(previous, user, source=source, reason="alias", now=now)
    keys = Keys()
    keys.want(profiles)
    _opt_out(source, messages, profiles, now)
    _tell(messages, profiles, keys, now)
    drafts = [event for message in messages for event in message.told.events]
    items = catalogue.resolve({draft.item: draft.item_title for draft in drafts if draft.item}, now=now)
    events = [
        _event(draft, profile, items, now)
        for message, profile in zip(messages, profiles, strict=True)
        for draft in message.told.events
    ]
    written = record_many(source, events, now=now, keys=keys)
    return written, len(events) - written, refused


def _opt_out(source: Source, messages: Sequence[Message], profiles: Sequence[int], now: datetime) -> None:
    """Take what means no for a withdrawal; not from a source whose key is public, where anybody could say it."""
    if not source.may_merge:
        return
    found = [
        (profile, meant)
        for message, profile in zip(messages, profiles, strict=True)
        for draft in message.told.events
        if (meant := opt_outs.read(draft)) is not None
    ]
    opt_outs.lock_first(found, profiles)
    opt_outs.take(found, source=source, now=now)


def _event(draft: Draft, profile: int, items: dict[tuple[str, str], int], now: datetime) -> NewEvent:
    item = items[draft.item] if draft.item else None
    # By place, which is twice as fast: from the name on, a draft has the fields that an event has.
    return NewEvent(draft.kind, profile, draft.occurred_at, now, draft.message_id, item, *draft[6:])


def _tell(messages: Sequence[Message], profiles: Sequence[int], keys: Keys, now: datetime) -> None:
    told: dict[int, dict[str, Any]] = {}
    facts = [(profile, m.told.facts) for m, profile in zip(messages, profiles, strict=True) if m.told.facts]
    if not facts:
        return
    kept = canonical_ids(profile for profile, _ in facts)
    for profile, new in facts:
        old = told.setdefault(kept[profile], {})
        told_before = {name: old.get(name, {}) for name in people.JOINED}
        old |= new | {name: known | new.get(name, {}) for name, known in told_before.items()}
    people.update_many(told, now=now, keys=keys)


def _join_aliases(
    source: Source, messages: Sequence[Message]
) -> tuple[list[Message], list[Rejection], list[tuple[int, int]]]:
    """Return the messages with each alias made another name of the person, who may not, and which people to merge."""
    asked = [message.told for message in messages if message.told.also]
    if not asked:
        return list(messages), [], []
    known = identity.known({ref for told in asked for ref in (told.refs[0], *_previous(told))})
    joined, refused, merges = [], [], []
    for message in messages:
        try:
            told, pair = _aliased(message.told, known, source)
        except Invalid as invalid:
            refused.append(_rejection(message.place, invalid))
            continue
        joined.append(message._replace(told=told))
        merges += pair
    return joined, refused, merges


def _previous(told: Told) -> tuple[Ref, Ref]:
    return (identity.EXTERNAL, told.also), (identity.ANONYMOUS, told.also)


def _aliased(told: Told, known: dict[Ref, int], source: Source) -> tuple[Told, list[tuple[int, int]]]:
    if not told.also:
        return told, []
    external, anonymous = _previous(told)
    previous = known.get(external) or known.get(anonymous)
    user = known.get(told.refs[0])
    if previous is None or user is None:  # one of them is new: it becomes another name of the other
        return told._replace(refs=(*told.refs, external if external in known else anonymous)), []
    if previous == user:
        return told, []
    if not source.may_merge:
        raise Invalid("previousId", "is another known person; a source whose key is public may not merge them")
    return told, [(previous, user)]


def _keep(source: Source, raw: Sequence[Any], rejected: Sequence[Rejection], now: datetime) -> None:
    RejectedEvent.objects.bulk_create(
        RejectedEvent(
            source=source,
            index=one.index,
            field=one.field,
            reason=without_value(one.reason),
            payload=json.dumps(raw[one.index]),  # in ASCII: NULs and half characters are escaped
            received_at=now,
        )
        for one in rejected
    )


def _rejection(index: int, invalid: Invalid) -> Rejection:
    return Rejection(index=index, field=invalid.field[:100], reason=invalid.reason[:300])


def _in_order(rejected: list[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejected, key=lambda one: one.index))
