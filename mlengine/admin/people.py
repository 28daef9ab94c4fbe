"""What the models say about one person: scores with reasons, segments, recommendations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.charts import Chart, Series
from crm.models import Item, Profile
from mlengine import online
from mlengine.admin import amounts, levers, offers
from mlengine.admin.words import because, in_language, spec_description, spec_title
from mlengine.models import Cluster, ClusterMember, PredictionRun, Score
from mlengine.reasons import MONEY

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
    text: str
    between: str
    place: int
    run: PredictionRun
    at: datetime
    beside: Sequence[amounts.Beside]
    curve: Chart | None
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


def about(profile: Profile, user: Any, now: datetime) -> dict[str, Any]:
    """Return what this reader may see of what was learned about a person: what the API would answer, too."""
    found: dict[str, Any] = {"any_runs": PredictionRun.objects.finished().exists()}
    if user.has_perm("mlengine.view_score"):
        scores = online.latest_scores(profile)
        found["scores"] = [_scored(score, online.score_history(profile, score.run.spec)) for score in scores]
        found["levers"] = levers.of_person(scores)
    if user.has_perm("mlengine.view_clustermember"):
        found["segments"] = [_belongs(member) for member in online.clusters(profile)]
    if user.has_perm("mlengine.view_recommendation"):
        found["recommendations"] = _suggested(online.recommendations(profile, SHOWN_ITEMS, now))
    found["repurchases"] = offers.repurchases(profile, user)
    return found


def _suggested(recommended: Sequence[online.Recommended]) -> list[Suggested]:
    """Return recommendations with their reasons as sentences; items in those are stored by id, and shown by title."""
    values: list[Any] = [dict(one.reason.get("values") or {}) for one in recommended]  # type: ignore[call-overload]
    titles = Item.objects.in_bulk([said["item"] for said in values if "item" in said])
    told = [said | ({"item": titles.get(said["item"], "?")} if "item" in said else {}) for said in values]
    return [
        Suggested(rank=one.rank, item=one.item, value=one.value, why=because({**one.reason, "values": said}))
        for one, said in zip(recommended, told, strict=True)
    ]


def _scored(latest: Score, scores: Sequence[Score]) -> Scored:
    spec = latest.run.spec
    return Scored(
        spec=spec,
        title=spec_title(spec),
        description=spec_description(spec),
        text=amounts.amount(latest.value, amounts.unit_of(spec), amounts.currency_of(latest.run)),
        between=amounts.between(latest),
        place=Score.objects.filter(run=latest.run, value__gt=latest.value).count() + 1,
        run=latest.run,
        at=latest.run.cutoff,
        beside=amounts.beside(latest),
        curve=amounts.curve(latest),
        reasons=explained(latest.reasons, latest.run),
        history=Chart(
            id=f"history-{spec}",
            title=_("How the score went"),
            labels=[date_format(timezone.localtime(score.run.cutoff), "DATE_FORMAT") for score in scores],
            label_title=_("Date"),
            series=[Series(label=spec_title(spec), values=[s.value for s in scores], unit=_unit(spec), fill=True)],
            height=150,
        ),
    )


def _unit(spec: str) -> str:
    """Return how a chart writes a model's scores."""
    return {"probability": "percent", "effect": "percent", "money": "money"}.get(amounts.unit_of(spec), "decimal")


def explained(reasons: Any, run: PredictionRun) -> list[Because]:
    """Return the stored reasons for a score of a run as sentences with bars; none where the score has none."""
    stored = [reason for reason in reasons or [] if because(reason)]
    currency = run.currency if any(reason["code"] in MONEY for reason in stored) else ""
    strongest = max((abs(reason.get("contribution") or 0.0) for reason in stored), default=0.0) or 1.0
    return [
        Because(
            text=because(reason, currency),
            contribution=reason.get("contribution") or 0.0,
            share=abs(reason.get("contribution") or 0.0) / strongest,
        )
        for reason in stored
    ]


def _belongs(member: ClusterMember) -> Belongs:
    return Belongs(
        title=spec_title(member.run.spec),
        cluster=member.cluster,
        name=in_language(member.cluster.name) or str(member.cluster),
        description=in_language(member.cluster.description),
        at=member.run.cutoff,
    )
