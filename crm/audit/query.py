"""What a bundle is asked to hold. The same question gives the same bytes, so the size of the tree is part of it."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from crm.canonical import canonical, utc
from crm.checkpoints import verifier_keys
from crm.keyring import ring
from crm.models import Checkpoint, Profile, Purpose
from crm.signed_notes import NoteError, verify


class BadQuery(ValueError):
    """The question cannot be answered; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which people, purposes and days (in the organisation's time zone, both included) a bundle is about.

    Empty means all. ``compare`` are sizes of earlier checkpoints that somebody wants to hold against the bundle.
    """

    size: int
    begin: date | None = None
    end: date | None = None
    purposes: tuple[str, ...] = ()
    people: tuple[int, ...] = ()
    clear_text: bool = False
    approval: str = ""
    language: str = "en"
    compare: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.begin and self.end and self.end < self.begin:
            raise BadQuery(f"The period ends ({self.end}) before it begins ({self.begin}).")

    @property
    def is_whole(self) -> bool:
        """Whether every leaf of the tree is shown."""
        return not (self.begin or self.end or self.purposes or self.people)

    @property
    def moments(self) -> tuple[datetime | None, datetime | None]:
        """The period as moments: from the first, to before the second."""
        return midnight(self.begin), midnight(self.end + timedelta(days=1) if self.end else None)

    @property
    def period(self) -> tuple[str | None, str | None]:
        begin, end = self.moments
        return utc(begin) if begin else None, utc(end) if end else None

    def pseudonym_key(self) -> bytes:
        """Return the key of this bundle's tokens: another bundle names the same people otherwise."""
        asked = canonical(self.told([str(number) for number in self.people]) | {"size": self.size})
        return hmac.digest(ring().pseudonym, b"zhiyin/bundle/1\n" + asked, "sha256")

    def told(self, people: list[str]) -> dict[str, object]:
        """Return the question as the manifest tells it, with people by the names given."""
        return {
            "from": str(self.begin) if self.begin else None,
            "to": str(self.end) if self.end else None,
            "purposes": sorted(self.purposes),
            "people": sorted(people),
            "clear_text": self.clear_text,
            "approval": self.approval or None,
            "language": self.language,
            "compare": sorted(self.compare),
        }


def ask(
    *,
    begin: str = "",
    end: str = "",
    purposes: Iterable[str] = (),
    people: Iterable[int] = (),
    size: int | None = None,
    held: str = "",
    clear_text: bool = False,
    language: str = "en",
) -> Query:
    """Return the query that somebody put in words.

    Parameters
    ----------
    begin, end
        Days like ``2026-03-01`` in the organisation's time zone, or nothing.
    size
        Of a checkpoint; the newest unless given.
    held
        The signed checkpoint that the auditor holds, as text: the bundle will prove that the ledger goes on from it.

    Raises
    ------
    BadQuery
        Something in it is malformed, or does not exist.
    """
    checkpoint = checkpoint_of(size)
    codes, persons = sorted(set(purposes)), sorted(set(people))
    known = set(Purpose.objects.filter(code__in=codes).values_list("code", flat=True))
    if missing := [code for code in codes if code not in known]:
        raise BadQuery(f"There is no purpose {missing[0]!r}.")
    found = set(Profile.objects.filter(pk__in=persons).values_list("pk", flat=True))
    if nobody := [str(person) for person in persons if person not in found]:
        raise BadQuery(f"There is no person #{nobody[0]}.")
    return Query(
        size=checkpoint.size,
        begin=day(begin) if begin else None,
        end=day(end) if end else None,
        purposes=tuple(codes),
        people=tuple(persons),
        clear_text=clear_text,
        language=language,
        compare=_compared(held, checkpoint) if held else (),
    )


def _compared(held: str, checkpoint: Checkpoint) -> tuple[int, ...]:
    """Return the size of a checkpoint that an auditor holds, if it is one of ours and older than what is exported."""
    try:
        note = verify(held, verifier_keys())
    except NoteError as error:
        raise BadQuery(f"The checkpoint to compare with cannot be used: {error}") from error
    if note.size > checkpoint.size:
        raise BadQuery(f"The checkpoint to compare with is newer ({note.size} records) than this bundle.")
    ours = Checkpoint.objects.filter(size=note.size).first()
    if ours is None or ours.root != note.root:
        raise BadQuery("The ledger does not go on from that checkpoint. Run `manage.py ledger fsck` at once.")
    return (note.size,) if 0 < note.size < checkpoint.size else ()


def midnight(day: date | None) -> datetime | None:
    """Return when a day begins in the organisation's time zone."""
    return datetime.combine(day, time(), ZoneInfo(settings.TIME_ZONE)) if day else None


def day(text: str) -> date:
    """Return the day that somebody wrote as ``2026-03-01``."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise BadQuery(f"{text!r} is not a day; write it like 2026-03-01.") from None
    if str(found) != text or found.year < 1900:
        raise BadQuery(f"{text!r} is not a day; write it like 2026-03-01.")
    return found


def checkpoint_of(size: int | None) -> Checkpoint:
    """Return the checkpoint to be exported: the newest, or the one of a size."""
    if size is None:
        found = Checkpoint.objects.latest_first().first()
        if found is None:
            raise BadQuery("The ledger is empty: there is nothing to export yet.")
        return found
    try:
        return Checkpoint.objects.get(size=size)
    except Checkpoint.DoesNotExist:
        raise BadQuery(f"There is no checkpoint of exactly {size} records.") from None
