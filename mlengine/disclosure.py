"""What models say of a person, told to that person: which model, what it is for, why, and how to object."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.models import Item
from crm.portability import LANGUAGES, Section
from crm.preferences.tags import SegmentSource, Tag
from mlengine import reasons
from mlengine.estimators import recommendation_reasons
from mlengine.models import ClusterMember, PredictionRun, Recommendation, Repurchase, Score
from mlengine.specs import SPECS

Row = Mapping[str, Any]

OBJECTION = {
    "en": "You may switch personalisation off on your preference page, or ask for an objection: no model scores you"
    " then, and what is stored here is deleted.",
    "zh-hans": "您可以在偏好中心关闭个性化，或提出反对：此后任何模型都不会对您评分，此处保存的结果也将被删除。",
}


def scores(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield every score that is kept, its interval, the numbers beside it, and its reasons in both languages."""
    for score in Score.objects.filter(profile__in=profiles).select_related("run__version").order_by("run_id"):
        why = [
            {language: reasons.say(one["code"], one.get("values", {}), language) for language in LANGUAGES}
            for one in score.reasons or ()
            if one.get("code") in reasons.TEXTS
        ]
        bounds = {"value": score.value, "low": score.low, "high": score.high}
        beside = {"facts": _facts(score.run.spec, score.facts or {}), "why": why}
        yield _model(score.run) | bounds | beside | {"how_to_object": OBJECTION}


def memberships(profiles: Sequence[int]) -> Iterator[Row]:
    members = ClusterMember.objects.filter(profile__in=profiles).select_related("run__version", "cluster")
    for member in members.order_by("run_id"):
        cluster = member.cluster
        yield _model(member.run) | {"segment": cluster.name, "description": cluster.description}


def recommendations(profiles: Sequence[int]) -> Iterator[Row]:
    rows = Recommendation.objects.filter(profile__in=profiles).select_related("run__version", "item")
    for row in rows.order_by("run_id", "rank"):
        told = {"rank": row.rank, "item": row.item.title, "value": row.value, "why": row.reason}
        yield _model(row.run) | told | {"because": _because(row.reason)}


def repurchases(profiles: Sequence[int]) -> Iterator[Row]:
    rows = Repurchase.objects.filter(profile__in=profiles).select_related("run__version", "item")
    for row in rows.order_by("run_id", "rank"):
        thing = {"rank": row.rank, "item": row.item.title if row.item else "", "category": row.category}
        known = {"times": row.times, "last_on": row.last_on, "every_days": row.every_days}
        when = {"due_on": row.due_on, "due_from": row.due_from, "due_until": row.due_until}
        yield _model(row.run) | thing | known | when | {"probability": row.probability}


def _facts(spec: str, facts: Mapping[str, float | None]) -> list[Row]:
    """Return the numbers beside a score, each with its unit and what it is called in both languages."""
    known = SPECS[spec].facts if spec in SPECS else {}
    told: list[Row] = []
    for name, value in facts.items():
        fact = known.get(name)
        titles: dict[str, Any] = {}
        for language in LANGUAGES:
            with translation.override(language):
                titles[language] = gettext(fact.title) if fact else name
        told.append({"name": name, "value": value, "unit": fact.unit if fact else ""} | titles)
    return told


def _because(reason: Mapping[str, Any]) -> dict[str, str]:
    """Return why an item was recommended as sentences; none for a code that this release no longer knows."""
    code, values = str(reason.get("code", "")), dict(reason.get("values") or {})
    if "item" in values:
        values["item"] = Item.objects.filter(pk=values["item"]).values_list("title", flat=True).first() or "?"
    try:
        return {language: recommendation_reasons.say(code, values, language) for language in LANGUAGES}
    except KeyError:
        return {}


def segments(profiles: Sequence[int]) -> Iterator[Tag]:
    """Yield the segment that each model puts the person into, by the run that readers use; deleted by its name."""
    found = [spec.name for spec in SPECS.values() if spec.answers == "cluster"]
    runs = PredictionRun.objects.latest_of(found).values("pk")
    members = ClusterMember.objects.filter(profile__in=profiles, run__in=runs).select_related("run", "cluster")
    for member in {member.run.spec: member for member in members.order_by("run_id", "profile_id")}.values():
        cluster = member.cluster
        yield Tag(kind="segment", name=member.run.spec, title=cluster.name or str(cluster), text=cluster.description)


def forget_segment(profiles: Sequence[int], spec: str) -> int:
    """Delete a person's memberships in the segments of one model, of all its runs; return how many."""
    return ClusterMember.objects.filter(profile__in=profiles, run__spec=spec).delete()[0]


def _model(run: Any) -> dict[str, Any]:
    """Return which model it was, what it is for, and as of when, in both languages."""
    spec = SPECS.get(run.spec)
    told: dict[str, Any] = {"model": run.spec, "version": run.version.number, "as_of": run.cutoff}
    for language in LANGUAGES if spec else ():
        with translation.override(language):
            told[f"purpose_{language}"] = f"{gettext(spec.title)}: {gettext(spec.description)}" if spec else ""
    return told


SECTIONS = (
    Section(name="scores", title=_("What models expect of you"), rows=scores, given=False, learned=True),
    Section(name="segments", title=_("Groups you were put into"), rows=memberships, given=False, learned=True),
    Section(
        name="recommendations", title=_("What was chosen for you"), rows=recommendations, given=False, learned=True
    ),
    Section(name="repurchases", title=_("What you may need again"), rows=repurchases, given=False, learned=True),
)

SEGMENTS = SegmentSource(find=segments, forget=forget_segment)
