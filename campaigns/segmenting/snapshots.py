"""Who belonged to a segment when: a snapshot writes down who came and who left since the one before, and no more."""

from datetime import datetime, timedelta
from typing import Any

from campaigns.models import Segment, SegmentSnapshot
from campaigns.rules import RuleError
from campaigns.segmenting import segments
from campaigns.segmenting.statements import limited

LOCK = 7305205  # with the segment's number: two snapshots of one segment wait for each other
PAUSE = timedelta(hours=20)  # between two of the night's
NOW_IN = "CREATE TEMP TABLE now_in ON COMMIT DROP AS SELECT id FROM ({members}) AS members"
LEFT = """
UPDATE campaigns_segmentmember was SET left_at = %(now)s
WHERE was.segment_id = %(segment)s AND was.left_at IS NULL
  AND NOT EXISTS (SELECT FROM now_in WHERE now_in.id = was.profile_id)
"""
CAME = """
INSERT INTO campaigns_segmentmember (segment_id, profile_id, joined_at)
SELECT %(segment)s, now_in.id, %(now)s FROM now_in
WHERE NOT EXISTS (
    SELECT FROM campaigns_segmentmember was
    WHERE was.segment_id = %(segment)s AND was.profile_id = now_in.id AND was.left_at IS NULL
)
"""


def take(segment: Segment, now: datetime) -> SegmentSnapshot:
    """Write down who belongs now; three statements, whatever the size. The same moment twice is one snapshot.

    Raises
    ------
    RuleError
        The segment has no rule, or one that is not understood any more.
    """
    rule, version = segments.rule_of(segment), segment.current
    if version is None:  # rule_of has refused it
        raise RuleError("", str(segment))
    query = segments.compile(rule, now)
    values: dict[str, Any] = {"segment": segment.pk, "now": now}
    with limited(None, everybody=True) as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, segment.pk])
        if (taken := segment.snapshots.filter(taken_at__gte=now).order_by("taken_at").first()) is not None:
            return taken
        cursor.execute(NOW_IN.format(members=query.sql), query.params)
        cursor.execute("ANALYZE now_in")
        cursor.execute("SELECT count(*) FROM now_in")
        size = cursor.fetchone()[0]
        cursor.execute(LEFT, values)
        left = cursor.rowcount
        cursor.execute(CAME, values)
        came = cursor.rowcount
        cursor.execute("DROP TABLE now_in")
        return SegmentSnapshot.objects.create(
            segment=segment, version=version, size=size, joined=came, left=left, taken_at=now
        )


def take_due(now: datetime) -> int:
    """Take a snapshot of every segment that is offered and has had none for most of a day; return how many."""
    taken = 0
    for segment in Segment.objects.offered().select_related("current").order_by("pk"):
        if segment.snapshots.filter(taken_at__gt=now - PAUSE).exists():
            continue
        try:
            take(segment, now)
        except RuleError:
            continue  # its page says what is wrong with it
        taken += 1
    return taken
