"""How far the runs of a campaign are: one grouped query over an index, however many there are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count

from campaigns.models import Campaign, Delivery, Run

SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run and how many of its rows are in which state."""

    run: Run
    counts: Mapping[str, int]

    @property
    def people(self) -> int:
        return sum(self.counts.values())

    @property
    def waiting(self) -> int:
        return sum(self.counts.get(status, 0) for status in Delivery.OPEN)

    @property
    def meant(self) -> int:
        """Those who are to get a message, or got one, or could not."""
        return self.people - self.counts.get("suppressed", 0) - self.counts.get("held_out", 0)

    @property
    def percent(self) -> int:
        return round(100 * (self.meant - self.waiting) / self.meant) if self.meant else 0


def of(campaign: Campaign) -> Sequence[Progress]:
    """Return the last runs of a campaign, the newest first."""
    runs = list(campaign.runs.select_related("job", "segment_version").order_by("-starts_at")[:SHOWN])
    counts: defaultdict[object, dict[str, int]] = defaultdict(dict)
    grouped = Delivery.objects.filter(run__in=runs).order_by().values_list("run", "status").annotate(n=Count("pk"))
    for run, status, number in grouped:
        counts[run][status] = number
    return [Progress(run=run, counts=counts[run.pk]) for run in runs]
