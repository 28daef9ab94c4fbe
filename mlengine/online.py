"""What a web request may ask of the models: stored rows, followed to the person that a profile now belongs to.

Nothing here loads Polars, scikit-learn or LightGBM. Who has switched personalisation off, is restricted or not of age
has no answers, whatever is still stored; any of a person's profiles may say so.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.timezone import localtime

from crm import profiling
from crm.models import Item, Profile, ProfileAlias
from mlengine.clicks import Parts, Reached, ranked, reached
from mlengine.models import Cluster, ClusterMember, ItemLink, PredictionRun, Recommendation, Repurchase, Score
from mlengine.specs import SPECS


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """One item for one person, with why."""

    item: Item
    rank: int
    value: float
    reason: dict[str, object]
    run: PredictionRun


MOST_POPULAR = 20
SPANS = (7, 14, 28)  # days ahead, for the count of people who need something again


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
    return scores_of(person(profile).pk)


def scores_of(profile_id: int) -> list[Score]:
    """Return the same for a profile that was not merged into another; one query."""
    scores = Score.objects.filter(**_of(profile_id), run__in=_latest_runs("score").values("pk"))
    return sorted(scores.select_related("run"), key=lambda score: _place(score.run))


def score_history(profile: Profile, spec: str) -> list[Score]:
    """Return the person's scores of one model in all runs that are kept, the oldest first."""
    hers = _of(person(profile).pk)
    runs = PredictionRun.objects.finished().filter(spec=spec).order_by("cutoff", "pk")
    found = {score.run_id: score for score in Score.objects.filter(**hers, run__in=runs).select_related("run")}
    return [found[run.pk] for run in runs if run.pk in found]


def recommendations(profile: Profile, k: int, now: datetime, spec: str | None = None) -> list[Recommended]:
    """Return up to ``k`` items that are available now, best first; of the first recommending model if none is named."""
    run = recommending_run(spec)
    return recommended_by(run, person(profile).pk, k, now) if run else []


def recommending_run(spec: str | None = None) -> PredictionRun | None:
    """Return the run that answers: the latest of a model or, where none is named, of the first that has one."""
    if spec:
        return PredictionRun.objects.latest_finished(spec)
    return min(_latest_runs("recommendation"), key=_place, default=None)


def recommended_by(run: PredictionRun, profile_id: int, k: int, now: datetime) -> list[Recommended]:
    """Return a run's items for a profile that was not merged into another; one query."""
    # Availability is asked again here: an item may have ended since the batch was made.
    rows = Recommendation.objects.filter(**_of(profile_id), run=run)
    found = rows.filter(item__in=Item.objects.available(now)).select_related("item").order_by("rank")[:k]
    return [
        Recommended(item=row.item, rank=rank, value=row.value, reason=row.reason, run=run)
        for rank, row in enumerate(found, start=1)
    ]


def repurchases_of(profile_id: int) -> list[Repurchase]:
    """Return what a person will likely want again, the likeliest first, with item and run; two queries."""
    run = PredictionRun.objects.latest_finished("repurchase")
    rows = Repurchase.objects.filter(**_of(profile_id), run=run)
    return list(rows.select_related("item", "run").order_by("rank")) if run else []


def due_by_category(run: PredictionRun) -> list[tuple[str, list[int]]]:
    """Return how many people will likely want something of a category within each of ``SPANS``, the most first.

    It reads all rows of the run: asked once when they are written, and kept in the run's summary.
    """
    since = localtime(run.cutoff).date()
    spans = {
        f"within_{days}": Count("profile_id", distinct=True, filter=Q(due_on__lte=since + timedelta(days=days)))
        for days in SPANS
    }
    rows = Repurchase.objects.filter(run=run, item=None).values("category").annotate(**spans)
    most: list[Any] = list(rows.order_by(f"-within_{SPANS[-1]}", "category")[:50])
    return [(row["category"], [row[name] for name in spans]) for row in most]


def response_of(
    profile_id: int, hour: int | None = None, message: int | None = None, spec: str = "response"
) -> tuple[Score | None, list[Reached]]:
    """Return a person's score, and how likely she clicks on each channel that reached her, the likeliest first.

    With ``conversion`` as ``spec`` the same of an order after a message, with ``redemption`` of a coupon of it.

    ``hour`` is on the organisation's wall, ``message`` a variant's number; of one that the model has not seen it
    answers as of a new one. One query.
    """
    run = PredictionRun.objects.latest_of([spec]).values("pk")
    scores = Score.objects.filter(**_of(profile_id), run__in=run).select_related("run")
    score = scores.annotate(parts=F("run__version__card__parts")).first()
    return (score, reached(score.facts or {}, Parts.of(score.parts), hour, message)) if score else (None, [])


def best_hours(profile_ids: Collection[int]) -> dict[int, list[int]]:
    """Return the hours by day, on the organisation's wall, from the one at which each likeliest clicks to the least.

    Of those of whom it is known. Profiles are such as were not merged into another. Two queries.
    """
    found = PredictionRun.objects.latest_of(["response"]).values_list("pk", "version__card__parts").first()
    if found is None:
        return {}
    run, parts = found[0], Parts.of(found[1])
    rows = Score.objects.filter(profile__in=profiling.scored_of(profile_ids), run=run)
    scores = rows.values_list("profile_id", "facts")
    return {key: hours for key, facts in scores if (hours := ranked(facts or {}, parts))}


def links_of(item_id: int, kind: str, k: int, now: datetime) -> list[ItemLink]:
    """Return the items that go with one and are available now, the strongest first; two queries."""
    run = PredictionRun.objects.latest_finished("companions")
    if run is None:
        return []
    links = ItemLink.objects.filter(run=run, item=item_id, kind=kind, other__in=Item.objects.available(now))
    return list(links.select_related("other", "run").order_by("rank")[:k])


def popular(run: PredictionRun, k: int, now: datetime) -> list[Recommended]:
    """Return the items that a run gave to most people: for whoever it gave none, new or not wanting to be profiled."""
    people = dict(run.summary.get("top", []))
    rows = Item.objects.available(now).filter(pk__in=people).defer("body")
    items = sorted(rows, key=lambda item: (-people[item.pk], item.pk))
    everybody = run.summary.get("people") or 1
    return [
        Recommended(item=item, rank=rank, value=people[item.pk] / everybody, reason={"code": "popular"}, run=run)
        for rank, item in enumerate(items[:k], start=1)
    ]


def clusters(profile: Profile) -> list[ClusterMember]:
    """Return the groups that the person belongs to, one of each model, with ``cluster`` and ``run``."""
    return clusters_of(person(profile).pk)


def clusters_of(profile_id: int) -> list[ClusterMember]:
    """Return the same for a profile that was not merged into another; one query."""
    members = ClusterMember.objects.filter(**_of(profile_id), run__in=_latest_runs("cluster").values("pk"))
    return sorted(members.select_related("cluster", "run"), key=lambda member: _place(member.run))


def cluster_sizes(spec: str) -> list[tuple[Cluster, int]]:
    """Return the groups of a model with their sizes in its latest run, by code."""
    run = PredictionRun.objects.latest_finished(spec)
    sizes = run.summary.get("sizes", {}) if run else {}
    return [
        (cluster, sizes.get(str(cluster.code), 0)) for cluster in Cluster.objects.filter(spec=spec).order_by("code")
    ]


def _of(profile_id: int) -> dict[str, Any]:
    """Return whose answers are read, as conditions on them: those of a profile whose person may be scored."""
    return {"profile": profile_id, "profile__in": profiling.scored_of([profile_id])}


def _latest_runs(answers: str) -> QuerySet[PredictionRun]:
    """Return the run that readers use of each model that answers in this way."""
    specs = [spec.name for spec in SPECS.values() if spec.answers == answers]
    return PredictionRun.objects.latest_of(specs)


def _place(run: PredictionRun) -> int:
    return list(SPECS).index(run.spec)
