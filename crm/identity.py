"""Who is meant: profiles by any of their identifiers, the merging of two, and the undoing of it.

Events never move. A merge is a row that readers follow (:func:`canonical_ids`), so undoing it loses nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import connection, transaction

from crm import index_rotation, suppression
from crm.copying import bytes_array, int_array, text_array
from crm.drafts import Ref
from crm.encryption import Keys, aad, blind_indexes, indexes_by_generation, seal, suppression_keys
from crm.merging import merge
from crm.models import Identifier, Source
from crm.normal import normal

EXTERNAL, ANONYMOUS = Identifier.Type.EXTERNAL_ID.value, Identifier.Type.ANONYMOUS_ID.value
CONTACTS = frozenset({"openid", "unionid", "external_userid", "phone", "email"})
ATTEMPTS = 10


class LostRace(RuntimeError):
    """Another writer took an identifier first; what is planned upon the old state must be planned again."""


@dataclass
class Plan:
    """What must be written so that every reference leads to one profile; new profiles are negative numbers."""

    known: dict[Ref, int]
    has_external: set[int]
    attach: dict[Ref, int] = field(default_factory=dict)
    merges: set[tuple[int, int]] = field(default_factory=set)
    created: int = 0

    def place(self, refs: Sequence[Ref], *, may_merge: bool) -> int:
        """Return the profile that the references mean together, noting what this makes known."""
        profile = self._meant(refs)
        for ref in refs:
            if ref not in self.known:
                self._attach(ref, profile)
            elif ref[0] == ANONYMOUS and may_merge:
                self._note_merge(self.known[ref], profile)
        return profile

    def _meant(self, refs: Sequence[Ref]) -> int:
        strongest = refs[0]
        if strongest in self.known:
            return self.known[strongest]
        for ref in refs[1:]:
            # A visitor who logs in becomes the user; a user's device in other hands does not.
            if ref in self.known and not (strongest[0] == EXTERNAL and self.known[ref] in self.has_external):
                return self.known[ref]
        self.created += 1
        return -self.created

    def _attach(self, ref: Ref, profile: int) -> None:
        self.known[ref] = self.attach[ref] = profile
        if ref[0] == EXTERNAL:
            self.has_external.add(profile)

    def _note_merge(self, duplicate: int, canonical: int) -> None:
        if duplicate != canonical and duplicate not in self.has_external:
            self.merges.add((duplicate, canonical))


def known(refs: Iterable[Ref]) -> dict[Ref, int]:
    """Return the profiles of the references that are known, by each reference as it was spelled.

    An e-mail address or a phone that only a browser claimed counts as unknown: the key of such a source is public,
    and a stranger's claim must not catch the person's later events.
    """
    refs = list(refs)
    if not refs:
        return {}
    by_generation = indexes_by_generation(refs)
    digests, asked = list(chain.from_iterable(by_generation)), refs * len(by_generation)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT place, i.profile_id FROM unnest(%s::text[], %s::bytea[]) WITH ORDINALITY AS asked (type, digest,"
            " place) JOIN crm_identifier i USING (type, digest) LEFT JOIN crm_source s ON s.id = i.source_id"
            " WHERE i.verified OR i.type <> ALL (%s::text[]) OR s.kind IS DISTINCT FROM 'browser'",
            [text_array(type for type, _ in asked), bytes_array(digests), text_array(CONTACTS)],
        )
        return {asked[place - 1]: profile for place, profile in cursor.fetchall()}


def resolve(people: Sequence[Sequence[Ref]], *, source: Source, now: datetime) -> list[int]:
    """Return the profile of each person, given by references with the strongest first; unknown ones are created.

    Several references of one person become known together: an anonymous id that was new belongs to the user from now
    on. Two profiles that were known apart are merged only by a source that may, and only if the anonymous one has no
    external id of its own.

    Raises
    ------
    LostRace
        Other writers were faster every time.
    """
    people = [[(type_, normal(type_, value)) for type_, value in refs] for refs in people]
    for _ in range(ATTEMPTS):
        try:
            return _resolve(people, source, now)
        except LostRace:
            continue
    raise LostRace(f"{len(people)} people could not be resolved in {ATTEMPTS} attempts.")


def _resolve(people: Sequence[Sequence[Ref]], source: Source, now: datetime) -> list[int]:
    told = people if source.may_merge else [_without_contacts(refs) for refs in people]
    found = known({ref for refs in told for ref in refs})
    together = any(len(refs) > 1 for refs in told)
    plan = Plan(known=found, has_external=_with_external(set(found.values())) if together else set())
    places = [plan.place(refs, may_merge=source.may_merge) for refs in told]
    claims = {} if source.may_merge else _claims(people, places)
    if not plan.attach and not plan.merges and not claims:
        return places
    with transaction.atomic(), connection.cursor() as cursor:
        new = _new_ids(cursor, plan.created)
        keys = Keys()  # of this attempt: those that it makes are gone with it if another writer was faster
        keys.none_yet(new.values())
        attach = {ref: new.get(profile, profile) for ref, profile in plan.attach.items()}
        if _insert_identifiers(cursor, attach, keys, source, now) < len(attach):
            raise LostRace
        claimed = {ref: new.get(profile, profile) for ref, profile in claims.items()}
        _insert_identifiers(cursor, claimed, keys, source, now)
        _insert_profiles(cursor, new.values(), now)
        for duplicate, canonical in sorted((new.get(a, a), new.get(b, b)) for a, b in plan.merges):
            merge(duplicate, canonical, source=source, reason="identified", now=now)
    return [new.get(place, place) for place in places]


def _without_contacts(refs: Sequence[Ref]) -> list[Ref]:
    return [ref for ref in refs if ref[0] not in CONTACTS]


def _claims(people: Sequence[Sequence[Ref]], places: Sequence[int]) -> dict[Ref, int]:
    """Return what browsers say of people's contacts: kept where nobody has it, and never believed (:func:`known`)."""
    return {ref: place for refs, place in zip(people, places, strict=True) for ref in refs if ref[0] in CONTACTS}


def _with_external(profiles: set[int]) -> set[int]:
    rows = Identifier.objects.filter(type=EXTERNAL, profile_id__in=profiles) if profiles else Identifier.objects.none()
    return set(rows.values_list("profile_id", flat=True))


def _new_ids(cursor: Any, count: int) -> dict[int, int]:
    if not count:
        return {}
    cursor.execute("SELECT nextval(pg_get_serial_sequence('crm_profile', 'id')) FROM generate_series(1, %s)", [count])
    return {-number: new for number, (new,) in enumerate(cursor.fetchall(), start=1)}


def _insert_identifiers(cursor: Any, attach: dict[Ref, int], keys: Keys, source: Source, now: datetime) -> int:
    # Sorted, so that two writers of the same identifiers wait for each other in one direction only; before the
    # profiles, whose foreign keys are checked at commit, so that a lost race leaves no empty profile.
    if not attach:
        return 0
    refs = sorted(attach)
    index_rotation.renew(refs, now)
    digests = blind_indexes(refs)
    keys.make(attach.values())
    cursor.execute(
        "INSERT INTO crm_identifier AS old"
        " (type, value, digest, suppression_key, profile_id, source_id, verified, created_at)"
        " SELECT type, value, digest, suppressed, profile, %s, false, %s"
        " FROM unnest(%s::text[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bigint[])"
        " AS new (type, value, digest, suppressed, profile) ON CONFLICT (type, digest) DO UPDATE"
        " SET profile_id = excluded.profile_id, source_id = excluded.source_id, value = excluded.value"
        " WHERE %s AND NOT old.verified AND old.type = ANY (%s::text[])"
        " AND (SELECT kind FROM crm_source WHERE id = old.source_id) = 'browser'",
        [
            source.pk,
            now,
            text_array(type_ for type_, _ in refs),
            bytes_array(
                seal(keys.of(attach[type_, value]), value.encode(), aad("crm.identifier", "value", type_, digest))
                for (type_, value), digest in zip(refs, digests, strict=True)
            ),
            bytes_array(digests),
            bytes_array(suppression_keys(refs)),
            int_array(attach[ref] for ref in refs),
            source.may_merge,
            text_array(CONTACTS),
        ],
    )
    written = int(cursor.rowcount)
    suppression.recognise(refs)
    return written


def _insert_profiles(cursor: Any, ids: Iterable[int], now: datetime) -> None:
    cursor.execute(
        "INSERT INTO crm_profile (id, age_band, gender, province, city, language, attributes, personalisation,"
        " created_at, updated_at) SELECT id, '', '', '', '', '', '{}', true, %s, %s"
        " FROM unnest(%s::bigint[]) AS id",
        [now, now, int_array(ids)],
    )
