"""A dry run: who would get what when, and who not and why, without a row being written or a message leaving."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from campaigns.keys import run_id
from campaigns.models import Campaign, Delivery, Run
from campaigns.runs import deciding, experiments
from campaigns.runs.deciding import Decisions
from campaigns.wechat.allowances import Spread

SAMPLE = 20
Status = Delivery.Status


@dataclass(frozen=True)
class Planned:
    """What is decided of one person."""

    profile: int
    channel: str
    variant: int | None
    status: str
    reason: str
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a run would come to, were it planned now.

    ``reasons`` counts those who get nothing, by why; ``by_due`` counts messages by the moment from which they may
    leave; ``sample`` has some people of each kind. ``ends_at`` is when the last one leaves, where a rate is set.
    """

    audience: int
    sent: int
    held_out: int
    by_channel: dict[str, int]
    by_variant: dict[int, int]
    reasons: dict[str, int]
    by_due: dict[datetime, int]
    ends_at: datetime | None
    sample: list[Planned]


def rehearse(campaign: Campaign, now: datetime, audience: Iterable[Sequence[int]] | None = None) -> DryRun:
    """Say what planning the campaign now would decide of everybody; nothing is written.

    A once-only campaign is rehearsed with the salt it will be planned with only once it has begun: before, chance deals
    the groups anew, of the same sizes.
    """
    run = _run(campaign, now)
    counts: dict[str, Counter[object]] = {name: Counter() for name in ("channel", "variant", "reason", "due", "status")}
    sample: list[Planned] = []
    seen: Counter[tuple[str, str]] = Counter()
    spread = Spread(campaign, run.starts_at, now)
    for piece in deciding.audience(run, now) if audience is None else audience:
        decided = deciding.decide(run, piece, now, spread)
        _count(counts, decided)
        sample += [Planned(*row) for row in decided.at(_first(decided, seen)).rows()]
    return _told(campaign, counts, sample)


def _first(decided: Decisions, seen: Counter[tuple[str, str]]) -> NDArray[np.int64]:
    """Return where some people of each kind stand, until there are enough of them."""
    kinds = decided.statuses + " " + decided.reasons
    places: list[int] = []
    for kind in sorted(set(kinds.tolist())):
        status, _, reason = kind.partition(" ")
        found = np.flatnonzero(kinds == kind)[: SAMPLE - seen[status, reason]].tolist()
        seen[status, reason] += len(found)
        places += found
    return np.asarray(sorted(places), np.int64)


def _run(campaign: Campaign, now: datetime) -> Run:
    begun = campaign.runs.filter(status=Run.Status.PLANNING).first()
    return begun or Run(
        pk=run_id(campaign.pk, "rehearsal"),
        campaign=campaign,
        key="rehearsal",
        segment_version=campaign.segment.current,
        salt=f"rehearsal of {campaign.pk}",
        shares=experiments.shares(campaign).to_json(),
        starts_at=max(campaign.starts_at or now, now),
    )


def _count(counts: dict[str, Counter[object]], decided: Decisions) -> None:
    queued = decided.statuses == Status.QUEUED.value
    counts["status"].update(decided.statuses.tolist())
    counts["channel"].update(decided.channels[queued].tolist())
    counts["variant"].update(decided.variants[queued].tolist())
    counts["due"].update(decided.due[queued].tolist())
    counts["reason"].update(reason for reason in decided.reasons[~queued].tolist() if reason)


def _told(campaign: Campaign, counts: dict[str, Counter[object]], sample: list[Planned]) -> DryRun:
    due = {at.replace(tzinfo=UTC): number for at, number in counts["due"].items() if isinstance(at, datetime)}
    return DryRun(
        audience=counts["status"].total(),
        sent=counts["status"][Status.QUEUED.value],
        held_out=counts["status"][Status.HELD_OUT.value],
        by_channel={str(channel): number for channel, number in counts["channel"].items()},
        by_variant={int(str(variant)): number for variant, number in counts["variant"].items()},
        reasons={str(reason): number for reason, number in counts["reason"].most_common()},
        by_due=dict(sorted(due.items())),
        ends_at=_ends(due, campaign.send_rate),
        sample=sample,
    )


def _ends(due: dict[datetime, int], rate: int | None) -> datetime | None:
    """Return when the last message leaves at so many a minute, each group not before it may."""
    at: datetime | None = None
    for begins, number in sorted(due.items()):
        at = max(at or begins, begins) + timedelta(minutes=number / rate if rate else 0)
    return at
