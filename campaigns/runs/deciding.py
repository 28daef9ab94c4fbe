"""What becomes of each person of a run: nothing is written here, so a rehearsal asks the same as a plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from campaigns.models import ChannelAccount, Delivery, Run, SendingPolicy
from campaigns.reach import caps, policies, quiet
from campaigns.reach.audience import Profiles, Reached, Reason, reach
from campaigns.reach.zones import zone_of
from campaigns.runs import experiments
from campaigns.runs.experiments import Shares
from campaigns.segmenting import segments
from campaigns.wechat import reaching
from campaigns.wechat.allowances import Spread
from crm.copying import int_array
from crm.merging import pairs_of

Status = Delivery.Status

# People by the clock on their wall: a few groups, however many people.
PLACED = """
SELECT attributes ->> 'time_zone', province, city, string_agg(int8send(id), '') FROM crm_profile
WHERE id = ANY (%s::bigint[]) GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What people are drawn into: by which salt and shares, and on which channels, the first that works."""

    salt: str
    shares: Shares
    channels: Sequence[str]

    @classmethod
    def of(cls, run: Run) -> "Draw":
        """Return what a whole run draws: its variants, and who is held out."""
        return cls(salt=run.salt, shares=Shares.from_json(run.shares), channels=run.campaign.channels)


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What is decided of each person, as columns of the same length: a million rows are no million objects.

    ``profiles`` are sorted, each once; ``variants`` are 0 where nothing is sent; ``due`` is in UTC, without zone.
    """

    profiles: Profiles
    channels: NDArray[np.object_]
    variants: NDArray[np.int64]
    statuses: NDArray[np.object_]
    reasons: NDArray[np.object_]
    due: NDArray[np.datetime64]

    def keep(self, profiles: Profiles) -> "Decisions":
        """Return what is decided of these people only."""
        if len(profiles) == len(self.profiles):
            return self
        return self.at(np.flatnonzero(np.isin(self.profiles, profiles)))

    def at(self, places: NDArray[np.int64]) -> "Decisions":
        """Return what is decided of the people at these places."""
        return Decisions(
            profiles=self.profiles[places],
            channels=self.channels[places],
            variants=self.variants[places],
            statuses=self.statuses[places],
            reasons=self.reasons[places],
            due=self.due[places],
        )

    def rows(self) -> Iterable[tuple[int, str, int | None, str, str, datetime]]:
        """Yield who, on which channel, which variant, what becomes of it, why, and when."""
        return zip(
            self.profiles.tolist(),
            self.channels.tolist(),
            (variant or None for variant in self.variants.tolist()),
            self.statuses.tolist(),
            self.reasons.tolist(),
            (at.replace(tzinfo=UTC) for at in self.due.tolist()),
            strict=True,
        )


def audience(run: Run, now: datetime) -> Iterable[Sequence[int]]:
    """Yield who belongs to the run's version of its segment, in pieces."""
    if run.segment_version is None:
        raise ValueError(f"The run {run} has no version of a segment.")
    return segments.audience(run.segment_version, now)


def decide(
    run: Run,
    profiles: Sequence[int] | Profiles,
    now: datetime,
    spread: Spread | None = None,
    draw: Draw | None = None,
) -> Decisions:
    """Return what becomes of each profile in this run: whom nothing may reach, who is held out, who gets what when.

    Who cannot be reached or has had enough is left out before chance decides, of those to be held out as of the others.
    Where a platform lets so many through in a day, ``spread`` says on which day each is served.
    """
    campaign, policy, draw = run.campaign, policies.policy(), draw or Draw.of(run)
    demanded = reaching.demands(campaign, draw.shares.variants)
    reached = reach(profiles, draw.channels, campaign.purpose, now, demanded)
    ids, reasons = reached.profiles, _with_caps(run, reached, now)
    may = reasons == ""
    kept = may & experiments.kept_from_all(policy.salt, float(policy.holdout), ids)
    reasons[kept] = Reason.PERMANENT_HOLDOUT.value
    variants = np.asarray([0, *draw.shares.variants], np.int64)[experiments.assign(draw.salt, draw.shares, ids)]
    variants[~may | kept] = 0
    statuses = np.full(len(ids), Status.HELD_OUT.value, object)
    statuses[~may], statuses[variants > 0] = Status.SUPPRESSED.value, Status.QUEUED.value
    channels = reached.channels.copy()
    channels[channels == ""] = draw.channels[0]
    decided = Decisions(
        profiles=ids,
        channels=channels,
        variants=variants,
        statuses=statuses,
        reasons=reasons,
        due=_due(ids, max(run.starts_at, now), policy),
    )
    if spread is not None and spread.room:
        _spread(run, decided, may & ~kept, spread, policy, now)
    return decided


def _spread(
    run: Run, decided: Decisions, may: NDArray[np.bool_], spread: Spread, policy: SendingPolicy, now: datetime
) -> None:
    """Move to later days whom the first ones have no room for, and to the next channel whom none has; in place."""
    for channel in run.campaign.channels:
        here = np.flatnonzero(may & (decided.channels == channel))
        served = spread.days(channel, decided.variants[here] > 0)
        if served is None:
            continue
        for day in np.unique(served[served > 0]).tolist():
            begins = quiet.allowed_from(spread.begins(day), zone_of(None, "", ""), policy)
            places = here[served == day]
            decided.due[places] = np.maximum(decided.due[places], _plain(begins))
        _left_out(run, decided, here[served < 0], channel, now)


def _left_out(run: Run, decided: Decisions, places: NDArray[np.int64], channel: str, now: datetime) -> None:
    """Let the channels that come after it take people for whom a channel has no room, held out or not."""
    campaign = run.campaign
    others = campaign.channels[campaign.channels.index(channel) + 1 :]
    if not len(places):
        return
    found = reach(decided.profiles[places], others, campaign.purpose, now, reaching.demands(campaign))
    also = found.channels != ""
    decided.channels[places[also]] = found.channels[also]
    rest = places[~also]
    decided.statuses[rest], decided.reasons[rest] = Status.SUPPRESSED.value, Reason.QUOTA.value
    decided.variants[rest] = 0


def _due(ids: Profiles, start: datetime, policy: SendingPolicy) -> NDArray[np.datetime64]:
    """Return when each person's message may leave at the earliest: not before her night is over."""
    with connection.cursor() as cursor:
        cursor.execute(PLACED, [int_array(ids.tolist())])
        groups = cursor.fetchall()
    usual = quiet.allowed_from(start, zone_of(None, "", ""), policy)
    due = np.full(len(ids), _plain(usual))
    for told, province, city, people in groups:
        own = quiet.allowed_from(start, zone_of(told, province, city), policy)
        if own != usual:
            due[np.searchsorted(ids, np.frombuffer(bytes(people), ">i8"))] = _plain(own)
    return due


def _plain(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _with_caps(run: Run, reached: Reached, now: datetime) -> NDArray[np.object_]:
    """Return the reasons, also of who has had, or will have had from greater campaigns, as many as the caps allow."""
    reasons = reached.reasons.copy()
    for channel in sorted(set(reached.channels.tolist()) - {""}):
        account = ChannelAccount.objects.working(channel).first()
        if limits := list(caps.limits(channel, account)):
            people = pairs_of(reached.profiles[reached.channels == channel].tolist())
            over = caps.reached(people, limits, run.campaign.priority, max(run.starts_at, now), now)
            reasons[np.searchsorted(reached.profiles, list(over))] = list(over.values())
    return reasons
