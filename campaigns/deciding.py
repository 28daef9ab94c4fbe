"""What becomes of each person of a run: nothing is written here, so a rehearsal asks the same as a plan."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.db import connection

from campaigns import caps, experiments, policies, quiet, segments
from campaigns.audience import Reach, Reason, reach
from campaigns.models import ChannelAccount, Delivery, Run, SendingPolicy
from campaigns.zones import zone_of
from crm.copying import int_array
from crm.merging import members_of

Status = Delivery.Status

# People by the clock on their wall: a few groups, however many people.
PLACED = """
SELECT attributes ->> 'time_zone', province, city, array_agg(id) FROM crm_profile
WHERE id = ANY (%s::bigint[]) GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """Of each person what is decided, as columns of the same length: a million rows are no million objects."""

    profiles: list[int]
    channels: list[str]
    variants: list[int | None]
    statuses: list[str]
    reasons: list[str]
    due: list[datetime]

    def keep(self, profiles: set[int]) -> "Decisions":
        """Return what is decided of these people only."""
        if len(profiles) == len(self.profiles):
            return self
        rows = [row for row in self.rows() if row[0] in profiles]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(6)]
        names = ("profiles", "channels", "variants", "statuses", "reasons", "due")
        return Decisions(**dict(zip(names, columns, strict=True)))

    def rows(self) -> Iterable[tuple[int, str, int | None, str, str, datetime]]:
        """Yield who, on which channel, which variant, what becomes of it, why, and when."""
        return zip(self.profiles, self.channels, self.variants, self.statuses, self.reasons, self.due, strict=True)


def audience(run: Run, now: datetime) -> Iterable[Sequence[int]]:
    """Yield who belongs to the run's version of its segment, in pieces."""
    if run.segment_version is None:
        raise ValueError(f"The run {run} has no version of a segment.")
    return segments.audience(run.segment_version, now)


def decide(run: Run, profiles: Sequence[int], now: datetime) -> Decisions:
    """Return what becomes of each profile in this run: whom nothing may reach, who is held out, who gets what when.

    Who cannot be reached or has had enough is left out before chance decides, of those to be held out as of the others.
    """
    campaign, policy = run.campaign, policies.policy()
    reached = reach(profiles, campaign.channels, campaign.purpose, now)
    due = _due(profiles, max(run.starts_at, now), policy)
    refused = {profile: found.reason for profile, found in reached.items() if not found.channel}
    refused |= _over(run, reached, now)
    ids = np.asarray(profiles, np.int64)
    kept = set(ids[experiments.kept_from_all(policy.salt, float(policy.holdout), ids)].tolist())
    shares = experiments.Shares.from_json(run.shares)
    places = experiments.assign(run.salt, shares, ids).tolist()
    variants: list[int | None] = [None, *shares.variants]
    statuses, reasons, chosen = [], [], []
    for profile, place in zip(profiles, places, strict=True):
        status, reason, variant = _fate(refused.get(profile, ""), permanent=profile in kept, variant=variants[place])
        statuses.append(status)
        reasons.append(reason)
        chosen.append(variant)
    return Decisions(
        profiles=list(profiles),
        channels=[reached[profile].channel or campaign.channels[0] for profile in profiles],
        variants=chosen,
        statuses=statuses,
        reasons=reasons,
        due=due,
    )


def _fate(refused: str, *, permanent: bool, variant: int | None) -> tuple[str, str, int | None]:
    if refused:
        return Status.SUPPRESSED.value, refused, None
    if permanent:
        return Status.HELD_OUT.value, Reason.PERMANENT_HOLDOUT.value, None
    if variant is None:
        return Status.HELD_OUT.value, "", None
    return Status.QUEUED.value, "", variant


def _due(profiles: Sequence[int], start: datetime, policy: SendingPolicy) -> list[datetime]:
    """Return when each person's message may leave at the earliest, in UTC: not before her night is over."""
    with connection.cursor() as cursor:
        cursor.execute(PLACED, [int_array(profiles)])
        groups = cursor.fetchall()
    usual = quiet.allowed_from(start, zone_of(None, "", ""), policy).astimezone(UTC)
    other: dict[int, datetime] = {}
    for told, province, city, people in groups:
        due = quiet.allowed_from(start, zone_of(told, province, city), policy).astimezone(UTC)
        if due != usual:
            other |= dict.fromkeys(people, due)
    return [other.get(profile, usual) for profile in profiles] if other else [usual] * len(profiles)


def _over(run: Run, reached: Mapping[int, Reach], now: datetime) -> dict[int, str]:
    """Return who has had, or will have had from greater campaigns, as many messages as the caps allow."""
    found: dict[int, str] = {}
    for channel in {one.channel for one in reached.values()} - {""}:
        account = ChannelAccount.objects.working(channel).first()
        limits = list(caps.limits(channel, account))
        if limits:
            people = members_of(profile for profile, one in reached.items() if one.channel == channel)
            found |= caps.reached(people, limits, run.campaign.priority, max(run.starts_at, now), now)
    return found
