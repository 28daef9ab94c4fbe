"""Static lists: people named one by one, by a file of ids or by what a rule found once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction

from campaigns.models import ListMember, Segment, SegmentVersion
from campaigns.rules.nodes import Rule
from campaigns.segmenting import segments
from crm.copying import bytes_array, int_array
from crm.encryption import possible_indexes
from crm.models import Identifier, Profile

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

PIECE = 5000
MOST_LINES = 1_000_000
ADD = """
INSERT INTO campaigns_listmember (segment_id, profile_id, added_at)
SELECT %s, p.id, %s FROM crm_profile p WHERE p.id = ANY (%s::bigint[]) ON CONFLICT DO NOTHING
"""
FIND = """
SELECT w.place, i.profile_id FROM unnest(%s::int[], %s::bytea[]) AS w (place, digest)
JOIN crm_identifier i ON i.type = %s AND i.digest = w.digest
"""


class NoList(ValueError):
    """The segment is described by a rule: nobody can be put into it by hand."""


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """What became of the lines of a file: whom they named, and which of them named nobody (by number, from 1)."""

    lines: int
    added: int
    known: int
    unknown: tuple[int, ...]


def create(name: str, by: "AbstractBaseUser | None", now: datetime, description: str = "") -> Segment:
    """Return a new, empty list; its one version says that whoever stands in it belongs."""
    with transaction.atomic():
        made = Segment(name=name, description=description, kind=Segment.Kind.LIST, created_at=now)
        made.created_by_id = by.pk if by else None
        made.save()
        version = SegmentVersion(segment=made, number=1, rule={"segment": made.pk}, made_at=now)
        version.made_by_id = made.created_by_id
        version.save()
        made.current = version
        made.save(update_fields=["current"])
    return made


def add(segment: Segment, profiles: Iterable[int], now: datetime) -> int:
    """Put people into a list; who is in it already, or not known, changes nothing. Return how many came."""
    _check(segment)
    with connection.cursor() as cursor:
        cursor.execute(ADD, [segment.pk, now, int_array(set(profiles))])
        return int(cursor.rowcount)


def remove(segment: Segment, profiles: Iterable[int]) -> int:
    """Take people out of a list, under whichever of their numbers they were put there."""
    _check(segment)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM campaigns_listmember WHERE segment_id = %s AND profile_id = ANY (%s::bigint[])",
            [segment.pk, int_array(set(profiles))],
        )
        return int(cursor.rowcount)


def upload(segment: Segment, lines: Iterable[str], type_: str, now: datetime) -> Uploaded:
    """Put those into a list whom the lines of a file name: ``profile`` for our numbers, or a type of identifier.

    The file's lines are never kept. All of it is taken or nothing.

    Raises
    ------
    ValueError
        The type is none of ours, or there are more than a million lines.
    """
    _check(segment)
    if type_ != "profile" and type_ not in Identifier.Type.values:
        raise ValueError(f"{type_!r} is no type of identifier.")
    told = [line.strip().strip('"').strip() for line in lines]
    numbered = [(number, text) for number, text in enumerate(told, 1) if text]
    if len(numbered) > MOST_LINES:
        raise ValueError(f"There are {len(numbered)} lines; a list takes {MOST_LINES} at a time.")
    added, found, unknown = 0, 0, list[int]()
    with transaction.atomic():
        for start in range(0, len(numbered), PIECE):
            piece = numbered[start : start + PIECE]
            known = _by_number(piece) if type_ == "profile" else _by_identifier(piece, type_)
            added += add(segment, known.values(), now)
            found += len(known)
            unknown += [number for number, _text in piece if number not in known]
    return Uploaded(lines=len(numbered), added=added, known=found, unknown=tuple(unknown))


def keep(name: str, rule: Rule, by: "AbstractBaseUser | None", now: datetime) -> Segment:
    """Return a list of those whom a rule describes now, which stays as it is when they change."""
    with transaction.atomic():
        made = create(name, by, now)
        for piece in segments.pieces(segments.compile(rule, now)):
            add(made, piece, now)
    return made


def size(segment: Segment) -> int:
    """Return how many entries the list has; people who are merged or restricted since are among them."""
    return ListMember.objects.filter(segment=segment).count()


def _check(segment: Segment) -> None:
    if segment.kind != Segment.Kind.LIST:
        raise NoList(f"{segment} is described by a rule.")


def _by_number(piece: Sequence[tuple[int, str]]) -> dict[int, int]:
    asked = {number: int(text) for number, text in piece if text.isascii() and text.isdigit() and len(text) < 19}
    there = set(Profile.objects.filter(pk__in=set(asked.values())).values_list("pk", flat=True))
    return {number: pk for number, pk in asked.items() if pk in there}


def _by_identifier(piece: Sequence[tuple[int, str]], type_: str) -> dict[int, int]:
    """Return whom the lines name, found by keyed hashes of all generations of the key."""
    digests = [(number, bytes(index)) for number, text in piece for index in possible_indexes(type_, text[:255])]
    with connection.cursor() as cursor:
        values = [int_array(number for number, _ in digests), bytes_array(digest for _, digest in digests), type_]
        cursor.execute(FIND, values)
        return dict(cursor.fetchall())
