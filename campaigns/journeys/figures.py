"""How many stand, failed and went which way at each step of a journey: what its canvas and its report show.

Who stands where is counted from the people's rows; who went which way was added up as they went
(``campaigns.models.Passage``), since the log of it may be a hundred million events.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, Sum

from campaigns.models import Journey, JourneyEntry, JourneyVersion, Passage

AT_ONCE, TURNS = 100_000, 20  # rows that are added up in one transaction, and transactions of one call

ADD_UP = """
WITH gone AS (
    DELETE FROM campaigns_passage WHERE id IN (
        SELECT id FROM campaigns_passage ORDER BY version_id, step, outcome, id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING version_id, step, outcome, number
), sums AS (
    INSERT INTO campaigns_passage (version_id, step, outcome, number)
    SELECT version_id, step, outcome, sum(number) FROM gone GROUP BY 1, 2, 3
)
SELECT count(*) FROM gone
"""


@dataclass(kw_only=True)
class Counts:
    """How many stand at a step, failed at it, and left it, by what came of it."""

    walking: int = 0
    failed: int = 0
    passed: Counter[str] = field(default_factory=Counter)

    @property
    def arrived(self) -> int:
        """Return how many times somebody came to the step; who was moved counts; who tried again, once."""
        return self.walking + self.failed + self.passed.total() - self.passed["retried"] - self.passed["parted"]


def counts(of: Journey | JourneyVersion, now: datetime) -> dict[str, Counts]:
    """Return the counts by step, of one version, or of all versions of a journey: a step's key means the same in each.

    Steps where nothing ever happened are left out. Who was erased is not counted among those who stand, but among
    those who passed: these are numbers that nobody is behind any more.
    """
    versions = [of.pk] if isinstance(of, JourneyVersion) else list(of.versions.values_list("pk", flat=True))
    found: dict[str, Counts] = defaultdict(Counts)
    for step, number in _people(versions, JourneyEntry.Status.WALKING):
        found[step].walking = number
    for step, number in _people(versions, JourneyEntry.Status.FAILED):
        found[step].failed = number
    rows = Passage.objects.filter(version__in=versions).values_list("step", "outcome")
    for step, outcome, number in rows.annotate(Sum("number")).order_by():
        found[step].passed[outcome] = number
    return dict(found)


def _people(versions: list[int], status: str) -> Iterable[tuple[str, int]]:
    rows = JourneyEntry.objects.filter(version__in=versions, status=status)
    return rows.values_list("step").annotate(Count("pk")).order_by()


def tally(moved: Mapping[tuple[int, str, str], int]) -> None:
    """Note how many left which step with what outcome, by version: in the transaction that moves them."""
    Passage.objects.bulk_create(
        Passage(version_id=version, step=step, outcome=outcome, number=number)
        for (version, step, outcome), number in sorted(moved.items())
    )


def add_up() -> int:
    """Make one row of the many of each step and outcome; return how many were read. The sums stay the same."""
    read = 0
    for _turn in range(TURNS):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(ADD_UP, [AT_ONCE])
            (gone,) = cursor.fetchone()
        read += gone
        if gone < AT_ONCE:
            break
    return read
