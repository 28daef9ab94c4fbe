"""Who belongs to a segment, a page at a time, and a few of those whom a rule describes, masked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from campaigns.api.segment_shapes import SampleOut
from campaigns.api.shapes import TookTooLong
from campaigns.models import SegmentVersion
from campaigns.rules import sentences
from campaigns.rules.nodes import Rule
from campaigns.segmenting import counting, segments
from campaigns.segmenting.segments import Query
from campaigns.segmenting.statements import OutOfTime, limited
from crm.encryption import share_keys
from crm.models import Profile

PATIENCE = timedelta(seconds=10)
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Members:
    """A segment's members as pages ask for them: those after a number, in order, so many."""

    query: Query
    after: int = 0

    @classmethod
    def of(cls, version: SegmentVersion, at: datetime) -> "Members":
        return cls(query=segments.members(version, at))

    def filter(self, *_conditions: Q, id__gt: int) -> "Members":
        return Members(query=self.query, after=id__gt)

    def order_by(self, *_columns: str) -> "Members":
        return self

    def __getitem__(self, wanted: slice) -> list[dict[str, Any]]:
        values = self.query.params | {"page_after": self.after, "page_most": wanted.stop}
        whole = f"SELECT id FROM ({self.query.sql}) AS members"  # noqa: S608  # parameters only
        try:
            with limited(PATIENCE, everybody=self.query.everybody) as cursor:
                cursor.execute(f"{whole} WHERE id > %(page_after)s ORDER BY id LIMIT %(page_most)s", values)
                return [{"id": person} for (person,) in cursor.fetchall()]
        except OutOfTime as error:
            raise TookTooLong from error


def sample(rule: Rule, now: datetime) -> dict[str, Any]:
    """Return a rule in words and up to ten people whom it describes, the same ones each time."""
    people = list(Profile.objects.usable().filter(pk__in=counting.some(rule, now, SHOWN)).order_by("pk"))
    share_keys(people)
    return dict(SampleOut({"sentence": sentences.sentence(rule), "people": people}).data)
