"""When a model learns again, and why: first of all, for a new recipe, after a week, or as it holds no longer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from mlengine import monitoring, recipes
from mlengine.cards import recipe
from mlengine.models import ModelVersion
from mlengine.specs import Spec

RETRAIN_AFTER: Final = timedelta(days=7)  # of new data
NOT_BEFORE: Final = timedelta(days=2)  # what a drift cannot be cured of by one training is not trained every night


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a spec learns again: a code, and what its sentence needs."""

    code: str  # first, recipe, schedule, drift, worse_than_backtest
    values: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return {"code": self.code, "values": dict(self.values)}


def cause(spec: Spec, end: datetime) -> Cause | None:
    """Return why a spec is to be trained now that the data reach to ``end``; None where it is not due."""
    last = ModelVersion.objects.filter(spec=spec.name).order_by("-cutoff", "-number").first()
    if last is None:
        return Cause(code="first")
    champion = ModelVersion.objects.champion(spec.name)
    if last.cutoff + RETRAIN_AFTER <= end:
        return Cause(code="schedule", values={"days": (end - last.cutoff).days})
    if champion is None or last.cutoff + NOT_BEFORE > end:
        return None
    return _unlike(spec, champion) or _recipe_changed(spec, last, champion)


def due_at(spec: Spec) -> datetime | None:
    """Return until when the data must reach for the next training by schedule; None where it never learned."""
    last = ModelVersion.objects.filter(spec=spec.name).order_by("-cutoff").first()
    return last.cutoff + RETRAIN_AFTER if last else None


def _unlike(spec: Spec, champion: ModelVersion) -> Cause | None:
    """Return that what serves is not what was promoted any more: the data moved, or it does worse."""
    if moved := monitoring.weighty(monitoring.latest_drifts(champion), champion):
        first = moved[0]
        return Cause(code="drift", values={"of": first.subject, "psi": round(first.value, 3)})
    fall = monitoring.fall(champion, spec.decided_by)
    if fall is not None and fall > monitoring.WORSE:
        return Cause(code="worse_than_backtest", values={"metric": spec.decided_by, "by": round(fall, 4)})
    return None


def _recipe_changed(spec: Spec, last: ModelVersion, champion: ModelVersion) -> Cause | None:
    """Return that the code's recipe is one that was never tried; a search's trials are no reason."""
    tried = {str(sorted(made.items())) for made in (last.card.get("recipe"), champion.card.get("recipe")) if made}
    asked = recipe(recipes.in_use(spec, champion))
    return Cause(code="recipe") if tried and str(sorted(asked.items())) not in tried else None
