"""What the dashboard shows of a batch of answers: distributions, sizes, and who moved since the batch before."""

from typing import Any

import narwhals as nw
import numpy as np
from django.db import connection
from django.db.models import Count
from django.utils import timezone
from numpy.typing import NDArray

from mlengine.columns import ITEM, SCORE, USER
from mlengine.models import ClusterMember, PredictionRun
from mlengine.specs import SPECS

BINS = 20
BANDS = (0.2, 0.5)  # low, medium and high probabilities, for the count of people who moved between them

SCORES_MOVED = """
SELECT width_bucket(former.value, %(bands)s::float8[]), width_bucket(latter.value, %(bands)s::float8[]), count(*)
FROM mlengine_score AS former JOIN mlengine_score AS latter USING (profile_id)
WHERE former.run_id = %(former)s AND latter.run_id = %(latter)s GROUP BY 1, 2 ORDER BY 1, 2
"""
MEMBERS_MOVED = """
SELECT one.code, two.code, count(*)
FROM mlengine_clustermember AS former JOIN mlengine_clustermember AS latter USING (profile_id)
JOIN mlengine_cluster AS one ON one.id = former.cluster_id JOIN mlengine_cluster AS two ON two.id = latter.cluster_id
WHERE former.run_id = %(former)s AND latter.run_id = %(latter)s GROUP BY 1, 2 ORDER BY 1, 2
"""


def of_scores(answers: nw.DataFrame[Any], run: PredictionRun, previous: PredictionRun | None) -> dict[str, Any]:
    """Return count, mean, quantiles and histogram, and how many moved between low, medium and high."""
    values = answers[SCORE].to_numpy()
    if not len(values):
        return {"count": 0}
    is_amount = run.spec in SPECS and SPECS[run.spec].unit != "probability"
    low, high = _range(values, is_amount=is_amount)
    counts, edges = np.histogram(np.clip(values, low, high), bins=BINS, range=(low, high))
    quantiles = {str(q): round(float(np.quantile(values, q)), 6) for q in (0.1, 0.25, 0.5, 0.75, 0.9)}
    found: dict[str, Any] = {
        "count": len(values),
        "mean": round(float(values.mean()), 6),
        "quantiles": quantiles,
        "histogram": {
            "edges": [round(float(edge), 6) for edge in edges],
            "counts": counts.tolist(),
            "open": bool(values.max() > high),  # the last pile holds all above, too
        },
    }
    if is_amount:
        return found  # what is low or high of money or days is each shop's to say
    found["bands"] = {"edges": list(BANDS), "counts": np.bincount(np.digitize(values, BANDS), minlength=3).tolist()}
    return found | _moved(SCORES_MOVED, run, previous, bands=list(BANDS))


def _range(values: NDArray[Any], *, is_amount: bool) -> tuple[float, float]:
    """Return where a histogram begins and ends: a few who spend most would push all others into its first pile."""
    if not is_amount and values.min() >= 0 and values.max() <= 1:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if not is_amount:
        return low, high
    most = float(np.quantile(values, 0.99))
    return min(low, 0.0), most if most > max(low, 0.0) else high


def of_members(run: PredictionRun, previous: PredictionRun | None) -> dict[str, Any]:
    """Return the size of each cluster by code, and how many moved from which to which."""
    sizes = ClusterMember.objects.filter(run=run).values_list("cluster__code").annotate(size=Count("profile_id"))
    by_code = {str(code): size for code, size in sizes.order_by("cluster__code")}
    return {"count": sum(by_code.values()), "sizes": by_code} | _moved(MEMBERS_MOVED, run, previous)


def of_recommendations(answers: nw.DataFrame[Any]) -> dict[str, Any]:
    """Return how many people and items there are, and the thirty items most often recommended."""
    items, people = np.unique(answers[ITEM].to_numpy(), return_counts=True)
    most = np.argsort(-people, kind="stable")[:30]
    return {
        "count": len(answers),
        "people": int(answers[USER].n_unique()),
        "items": len(items),
        "top": [[int(items[place]), int(people[place])] for place in most],
    }


def _moved(query: str, run: PredictionRun, previous: PredictionRun | None, **values: Any) -> dict[str, Any]:
    if previous is None:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(query, {"former": previous.pk, "latter": run.pk, **values})
        moved = [list(row) for row in cursor.fetchall()]
    return {"previous": previous.pk, "since": f"{timezone.localtime(previous.cutoff):%Y-%m-%d}", "moved": moved}
