"""What the models say about one person: scores with reasons, segments, recommendations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.charts import Chart, Series
from crm.models import Profile
from mlengine.admin.words import because, in_language, spec_description, spec_title
from mlengine.models import Cluster, ClusterMember, PredictionRun, Recommendation, Score
from mlengine.specs import SPECS

SHOWN_ITEMS = 10


@dataclass(frozen=True, kw_only=True)
class Because:
    """One reason: the sentence, and how far it pulls, as a share of the strongest."""

    text: str
    contribution: float
    share: float

    @property
    def half(self) -> int:
        """The bar's length in percent of the whole box; it starts in the middle."""
        return round(self.share * 50)

    @property
    def raises(self) -> bool:
        return self.contribution > 0


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A score, why, and how it went."""

    spec: str
    title: str
    description: str
    value: float
    place: int
    run: PredictionRun
    at: datetime
    reasons: Sequence[Because]
    history: Chart


@dataclass(frozen=True, kw_only=True)
class Belongs:
    """A segment that a person is in."""

    title: str
    cluster: Cluster
    name: str
    description: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Suggested:
    """An item that a person is shown, and why."""

    rank: int
    item: Any
    value: float
    why: str


def about(profile: Profile, user: Any) -> dict[str, Any]:
    """Return what this reader may see of what was learned about a person."""
    runs = {spec: PredictionRun.objects.latest_finished(spec) for spec in SPECS}
    current = {run.pk: run for run in runs.values() if run is not None}
    found: dict[str, Any] = {"any_runs": bool(current)}
    if user.has_perm("mlengine.view_score"):
        found["scores"] = _scores(profile, current)
    if user.has_perm("mlengine.view_clustermember"):
        found["segments"] = _segments(profile, current)
    if user.has_perm("mlengine.view_recommendation"):
        found["recommendations"] = _recommendations(profile, current)
    return found


def _scores(profile: Profile, current: Mapping[int, PredictionRun]) -> list[Scored]:
    known = Score.objects.filter(profile=profile, run__finished_at__isnull=False).select_related("run")
    history: dict[str, list[Score]] = {}
    for score in known.order_by("run__cutoff", "run_id"):
        history.setdefault(score.run.spec, []).append(score)
    return [_scored(scores[-1], scores) for scores in history.values() if scores[-1].run_id in current]


def _scored(latest: Score, scores: Sequence[Score]) -> Scored:
    spec = latest.run.spec
    return Scored(
        spec=spec,
        title=spec_title(spec),
        description=spec_description(spec),
        value=latest.value,
        place=Score.objects.filter(run=latest.run, value__gt=latest.value).count() + 1,
        run=latest.run,
        at=latest.run.cutoff,
        reasons=explained(latest.reasons),
        history=Chart(
            id=f"history-{spec}",
            title=_("How the score went"),
            labels=[date_format(score.run.cutoff, "DATE_FORMAT") for score in scores],
            label_title=_("Date"),
            series=[Series(label=spec_title(spec), values=[s.value for s in scores], unit="percent", fill=True)],
            height=150,
        ),
    )


def explained(reasons: Any) -> list[Because]:
    """Return stored reasons as sentences with bars; none where the score has none."""
    stored = [reason for reason in reasons or [] if because(reason)]
    strongest = max((abs(reason.get("contribution") or 0.0) for reason in stored), default=0.0) or 1.0
    return [
        Because(
            text=because(reason),
            contribution=reason.get("contribution") or 0.0,
            share=abs(reason.get("contribution") or 0.0) / strongest,
        )
        for reason in stored
    ]


def _segments(profile: Profile, current: Mapping[int, PredictionRun]) -> list[Belongs]:
    members = ClusterMember.objects.filter(profile=profile, run__in=current).select_related("cluster", "run")
    return [
        Belongs(
            title=spec_title(member.run.spec),
            cluster=member.cluster,
            name=in_language(member.cluster.name) or str(member.cluster),
            description=in_language(member.cluster.description),
            at=member.run.cutoff,
        )
        for member in members.order_by("run__spec")
    ]


def _recommendations(profile: Profile, current: Mapping[int, PredictionRun]) -> list[Suggested]:
    found = Recommendation.objects.filter(profile=profile, run__in=current, rank__lte=SHOWN_ITEMS)
    return [
        Suggested(rank=one.rank, item=one.item, value=one.value, why=because(one.reason))
        for one in found.select_related("item").order_by("run_id", "rank")
    ]
