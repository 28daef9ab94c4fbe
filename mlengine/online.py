"""What a web request may ask of the models: stored rows, followed to the person that a profile now belongs to.

Nothing here loads Polars, scikit-learn or LightGBM. Somebody who has switched personalisation off has no answers,
whatever is still stored.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crm.models import Item, Profile, ProfileAlias
from mlengine.models import Cluster, ClusterMember, PredictionRun, Recommendation, Score
from mlengine.specs import SPECS, Spec


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """One item for one person, with why."""

    item: Item
    rank: int
    value: float
    reason: dict[str, object]
    run: PredictionRun


def person(profile: Profile) -> Profile:
    """Return the profile that answers are kept for: the one that the given one was merged into, if it was."""
    seen = {profile.pk}
    while alias := ProfileAlias.objects.filter(duplicate=profile, undone_at=None).select_related("canonical").first():
        profile = alias.canonical
        if profile.pk in seen:
            break
        seen.add(profile.pk)
    return profile


def latest_scores(profile: Profile) -> list[Score]:
    """Return the person's latest score of each model, with its run; in the order of ``SPECS``."""
    kept = person(profile)
    if not kept.personalisation:
        return []
    runs = _runs("score")
    found = {score.run_id: score for score in Score.objects.filter(profile=kept, run__in=runs).select_related("run")}
    return [found[run.pk] for run in runs if run.pk in found]


def score_history(profile: Profile, spec: str) -> list[Score]:
    """Return the person's scores of one model in all runs that are kept, the oldest first."""
    kept = person(profile)
    if not kept.personalisation:
        return []
    runs = PredictionRun.objects.finished().filter(spec=spec).order_by("cutoff", "pk")
    found = {score.run_id: score for score in Score.objects.filter(profile=kept, run__in=runs).select_related("run")}
    return [found[run.pk] for run in runs if run.pk in found]


def recommendations(profile: Profile, k: int, now: datetime, spec: str | None = None) -> list[Recommended]:
    """Return up to ``k`` items that are available now, best first; of the first recommending model if none is named."""
    kept = person(profile)
    runs = (
        _runs("recommendation") if spec is None else list(filter(None, [PredictionRun.objects.latest_finished(spec)]))
    )
    if not kept.personalisation or not runs:
        return []
    run = runs[0]
    rows = list(Recommendation.objects.filter(profile=kept, run=run).order_by("rank"))
    # Availability is asked again here: an item may have ended since the batch was made.
    items = Item.objects.available(now).in_bulk([row.item_id for row in rows])
    found = [row for row in rows if row.item_id in items][:k]
    return [
        Recommended(item=items[row.item_id], rank=rank, value=row.value, reason=row.reason, run=run)
        for rank, row in enumerate(found, start=1)
    ]


def clusters(profile: Profile) -> list[ClusterMember]:
    """Return the groups that the person belongs to, one of each model, with ``cluster`` and ``run``."""
    kept = person(profile)
    if not kept.personalisation:
        return []
    runs = _runs("cluster")
    members = ClusterMember.objects.filter(profile=kept, run__in=runs).select_related("cluster", "run")
    found = {member.run_id: member for member in members}
    return [found[run.pk] for run in runs if run.pk in found]


def cluster_sizes(spec: str) -> list[tuple[Cluster, int]]:
    """Return the groups of a model with their sizes in its latest run, by code."""
    run = PredictionRun.objects.latest_finished(spec)
    sizes = run.summary.get("sizes", {}) if run else {}
    return [
        (cluster, sizes.get(str(cluster.code), 0)) for cluster in Cluster.objects.filter(spec=spec).order_by("code")
    ]


def _runs(answers: str) -> list[PredictionRun]:
    """Return the run that readers use of each model that answers in this way."""
    return _latest(spec for spec in SPECS.values() if spec.answers == answers)


def _latest(specs: Iterable[Spec]) -> list[PredictionRun]:
    return [run for run in (PredictionRun.objects.latest_finished(spec.name) for spec in specs) if run]
