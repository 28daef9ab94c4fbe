"""A person's path: the steps that she left, in order, as the log has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.models import JourneyEntry
from crm.merging import members
from crm.models import Event

EARLIER = timedelta(days=1)  # a clock that was set back never hides a step


@dataclass(frozen=True, kw_only=True)
class Left:
    """A step that somebody left, what came of it, and where she came to; nowhere at the end of the journey."""

    at: datetime
    step: str
    outcome: str
    to: str


def of(entry: JourneyEntry) -> Iterator[Left]:
    """Yield the steps behind an entry, by whichever profile its person was read as at the time."""
    events = Event.objects.filter(
        profile__in=members(entry.profile_id),
        kind=Event.Kind.JOURNEY_STEP,
        session=str(entry.pk),
        occurred_at__gte=entry.entered_at - EARLIER,
    )
    for at, told in events.order_by("occurred_at", "id").values_list("occurred_at", "properties"):
        yield Left(at=at, **{name: str(told.get(name, "")) for name in ("step", "outcome", "to")})
