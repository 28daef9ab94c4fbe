"""What a bundle holds beside the ledger: who saw personal data, and in clear text who the people are."""

from collections import defaultdict
from collections.abc import Iterator

from crm import verify
from crm.audit.archive import Archive
from crm.audit.query import Query
from crm.audit.records import People
from crm.audit.selection import BEGINNING, END
from crm.canonical import utc
from crm.merging import canonical_ids, members
from crm.models import Checkpoint, Identifier, PersonalDataAccess, Profile

BATCH = 1000
ACCESS = ("at", "who", "action", "what", "reason", "people", "person")
PERSON = ("person", "profiles", "names", "identifiers")


def write(files: Archive, *, query: Query, checkpoint: Checkpoint, people: People) -> None:
    """Add the tables that do not follow from the ledger's records; the manifest's signature covers them."""
    accesses = files.part("accesses.csv")
    table = verify.Table(ACCESS, accesses.write)
    for row in _accesses(query, checkpoint, people):
        table.add(row)
    table.flush()
    accesses.rows = table.rows
    if query.clear_text:
        who = files.part("people.csv")
        table = verify.Table(PERSON, who.write)
        for row in _people(people):
            table.add(row)
        table.flush()
        who.rows = table.rows


def _accesses(query: Query, checkpoint: Checkpoint, people: People) -> Iterator[tuple[object, ...]]:
    """Yield who saw personal data in the period, up to the moment that the checkpoint was signed."""
    begin, end = query.moments
    rows = PersonalDataAccess.objects.filter(at__gte=begin or BEGINNING, at__lt=min(end or END, checkpoint.created_at))
    if query.people:
        rows = rows.filter(profile__in=[same for person in query.people for same in members(person)])
    for batch in _batches(rows.order_by("at", "pk").iterator(chunk_size=BATCH)):
        tokens = people.tokens(row.profile_id for row in batch if row.profile_id is not None)
        for row in batch:
            token = tokens.get(row.profile_id) if row.profile_id is not None else None
            yield utc(row.at), row.actor, row.action, row.what, row.reason, row.count, token


def _batches(rows: Iterator[PersonalDataAccess]) -> Iterator[list[PersonalDataAccess]]:
    batch: list[PersonalDataAccess] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _people(people: People) -> Iterator[tuple[str, str, str, str]]:
    """Yield who is meant by the tokens; in the order of the tokens, which tells nothing."""
    by_token = sorted((token, profile) for profile, token in people.tokens(people.seen).items())
    for start in range(0, len(by_token), BATCH):
        chunk = by_token[start : start + BATCH]
        yield from _named(chunk)


def _named(chunk: list[tuple[str, int]]) -> Iterator[tuple[str, str, str, str]]:
    profiles = {profile: members(profile) for profile in {canonical_ids([one])[one] for _, one in chunk}}
    everyone = {same for group in profiles.values() for same in group}
    names = {profile.pk: profile.name for profile in Profile.objects.filter(pk__in=everyone)}
    known: defaultdict[int, list[str]] = defaultdict(list)
    for identifier in Identifier.objects.filter(profile__in=everyone).order_by("pk"):
        known[identifier.profile_id].append(f"{identifier.type}: {identifier.value}")
    done: set[str] = set()
    for token, profile in chunk:
        if token in done:
            continue
        done.add(token)
        group = sorted(profiles[canonical_ids([profile])[profile]])
        called = [names[same] for same in group if names.get(same)]
        told = [one for same in group for one in known[same]]
        yield token, " ".join(map(str, group)), "; ".join(called), "; ".join(told)
