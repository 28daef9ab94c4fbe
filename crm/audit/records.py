"""The ledger's records as a bundle shows them: read in the order of their numbers, a batch at a time."""

import hmac
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist

from crm import verify
from crm.audit import leaf_rows
from crm.audit.compose import Hidden, NotInTheLedger, Record
from crm.audit.leaf_rows import Told
from crm.canonical import canonical
from crm.evidence import EVIDENCE
from crm.ledger import cover, leaf_hash
from crm.merging import canonical_ids
from crm.models import Leaf, LedgerNote
from crm.models.ledger import Evidence, PersonalPart
from crm.tree import StoredTree

BATCH = 2000


class People:
    """Names people by tokens that only this bundle uses; profiles that are one person get one token."""

    def __init__(self, key: bytes) -> None:
        @lru_cache(maxsize=100_000)
        def token(person: int) -> str:
            return hmac.digest(key, str(person).encode(), "sha256")[:16].hex()

        self._token = token
        self.seen: set[int] = set()  # in clear text: whom the records shown are about

    def tokens(self, profiles: Iterable[int]) -> dict[int, str]:
        asked = set(profiles)
        return {profile: self._token(person) for profile, person in canonical_ids(asked).items()} if asked else {}


def records(numbers: Iterator[int], people: People, *, clear: bool) -> Iterator[Record]:
    """Yield the records with these numbers, each compared with what the tree holds of it.

    Raises
    ------
    NotInTheLedger
        A record is missing, or is not what was signed.
    """
    while batch := list(islice(numbers, BATCH)):
        # In clear text the personal halves are opened, which is the models' business.
        told = {} if clear else _matching(leaf_rows.read(batch))
        looked_at = _looked_at([number for number in batch if number not in told], people, clear=clear)
        tokens = people.tokens(one.profile for one, _ in told.values() if one.profile is not None)
        for number in batch:
            if number in told:
                one, line = told[number]
                yield Record(number, one.body, line, None if one.profile is None else tokens[one.profile])
            else:
                yield looked_at[number]


def _matching(told: dict[int, Told]) -> dict[int, tuple[Told, bytes]]:
    """Return what the database told and the tree confirms, with the bytes of each leaf."""
    found: dict[int, tuple[Told, bytes]] = {}
    for number, one in told.items():
        body, line = plain(one.body)
        if leaf_hash(line) == one.hash:
            found[number] = one if body is one.body else one._replace(body=body), line
    return found


def _looked_at(numbers: list[int], people: People, *, clear: bool) -> dict[int, Record]:
    """Return the records with these numbers by way of their models: all kinds, opened where they are to be clear."""
    found = {leaf.sequence: leaf for leaf in Leaf.objects.filter(sequence__in=numbers)}
    rows = _rows(found.values())
    parts = {leaf.sequence: _part(rows.get(leaf.record)) for leaf in found.values()}
    tokens = people.tokens(part.profile_id for part in parts.values() if part)
    people.seen.update(tokens if clear else ())
    made: dict[int, Record] = {}
    for number in numbers:
        leaf = found.get(number)
        row = rows.get(leaf.record) if leaf else None
        if leaf is None or row is None:
            raise NotInTheLedger(f"Record {number} is missing; `manage.py ledger fsck` says more.")
        body, line = plain(row.leaf_body())
        if leaf_hash(line) != leaf.hash:
            raise NotInTheLedger(f"Record {number} is not what was signed; `manage.py ledger fsck` says more.")
        made[number] = _record(number, body, line, parts[number], tokens, clear=clear)
    return made


def hidden(size: int, shown: Iterable[int]) -> Iterator[Hidden]:
    """Yield the subtrees that stand for what is not shown."""
    tree = StoredTree()
    for level, index in cover(size, shown):
        yield Hidden(level, index, tree(level, index))


def plain(body: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return a leaf as an outsider will read it, and its canonical bytes; ASCII, nearly everything, needs no look."""
    line = verify.canonical(body)
    if line.isascii():
        return body, line
    line = canonical(body)  # in NFC, as it was signed, whatever the database holds
    return json.loads(line), line


def _rows(leaves: Iterable[Leaf]) -> dict[UUID, Evidence]:
    """Return the evidence behind leaves, with the personal halves that are still there: one query for each kind."""
    wanted: dict[type[Evidence], list[UUID]] = {}
    for leaf in leaves:
        wanted.setdefault(_model(leaf.kind), []).append(leaf.record)
    found: dict[UUID, Evidence] = {}
    for model, keys in wanted.items():
        found |= {row.pk: row for row in model._default_manager.filter(pk__in=keys).select_related("person")}  # type: ignore[misc]
    return found


def _model(kind: str) -> type[Evidence]:
    """Return the model of a kind of leaf; notes of all kinds are of one."""
    return next((model for model in EVIDENCE if model.kind == kind), LedgerNote)


def _part(row: Evidence | None) -> PersonalPart | None:
    """Return the personal half of a record; none if it never had one, or was shredded."""
    try:
        part: PersonalPart | None = row.person if row else None  # type: ignore[attr-defined]
    except ObjectDoesNotExist:
        return None
    return part


def _record(
    number: int, body: dict[str, Any], line: bytes, part: PersonalPart | None, tokens: dict[int, str], *, clear: bool
) -> Record:
    if part is None:
        return Record(number, body, line, None)
    token = tokens[part.profile_id]
    return Record(number, body, line, token, part.personal(), part.salt) if clear else Record(number, body, line, token)
