"""Which rows the groups of a model are: a code keeps its row from version to version, whatever it is called now."""

from datetime import datetime

from mlengine.models import Cluster
from mlengine.specs import Groups, Spec


def rows_for(spec: Spec, model: Groups, now: datetime, *, rename: bool = True) -> dict[int, int]:
    """Return the key of the row for each code of the model, made or (by what readers see only) renamed as needed.

    That a code means the same group as in the version before is settled in training (``Follows``).
    """
    found = {}
    for group in model.segments:
        words = {"name": dict(group.name), "description": dict(group.description)}
        row, _ = Cluster.objects.update_or_create(
            spec=spec.name,
            code=group.code,
            defaults=words if rename else {},
            create_defaults={**words, "first_seen_at": now},
        )
        found[group.code] = row.pk
    return found
