"""What comes next after what somebody has done until now, by the network of the model that answers.

A batch is of last night; the network reads her purchases and the session anew in each answer, so an event that has
arrived counts in the next one. It is a file of numbers and NumPy: a web process loads neither torch nor LightGBM.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

from django.db import connection

from crm.prepared import Prepared
from mlengine import registry
from mlengine.live import Session, Told
from mlengine.models import ModelVersion, PredictionRun
from mlengine.registry import ArtifactError

if TYPE_CHECKING:  # NumPy is loaded by the first answer that needs it
    from mlengine.estimators.next_items import NextItems

logger = logging.getLogger(__name__)

LIGHT: Final = "light"  # of a run's summary: how its model's network is asked, where it has one
MOST: Final = 20
SILENT: Final = 60.0  # seconds until files that could not be read are tried again: a disk may be back by then
BOUGHT: Final = """
SELECT occurred_at, session, item_id FROM crm_event
WHERE profile_id {of} AND kind = 'purchase' AND item_id IS NOT NULL AND occurred_at < %(began)s
ORDER BY occurred_at DESC, session DESC, item_id DESC LIMIT %(most)s
"""
ABOUT: Final = {"began": "timestamptz", "most": "bigint"}
# One id, not a list of one: only then the index gives the rows in their order, and no more are read than are asked for.
BOUGHT_BY_ONE: Final = Prepared(BOUGHT.format(of="= %(profiles)s"), {"profiles": "bigint"} | ABOUT)
BOUGHT_BY_ALL: Final = Prepared(BOUGHT.format(of="= ANY (%(profiles)s)"), {"profiles": "bigint[]"} | ABOUT)
_silent: Final[dict[int, float]] = {}  # until when, of versions


def leads_to(run: PredictionRun, profiles: Sequence[int], doing: Session) -> list[Told]:
    """Return the items that likely come next, with how strongly and why, the likeliest first.

    Of the likeliest those that something she did speaks for: what is told is why.

    None without a session that the network knows something of, for then the run's own answer is as new; none where the
    run's model has no network, or its files cannot be trusted. One query, and one more to read the files, once in a
    process and version.
    """
    if doing.began is None or LIGHT not in run.summary:
        return []
    network, now = _network(run.version_id), [item for item, _weight in doing.items]
    if network is None or not network.knows(now):
        return []
    history = [*_bought_before(doing, profiles, network.network.length), *reversed(now)]
    following = network.after(history, MOST, without=now)
    return [(one.item, one.chance, _reason(one.because, now)) for one in following if one.because is not None]


def _bought_before(doing: Session, profiles: Sequence[int], most: int) -> list[int]:
    """Return what a person bought before the session, the oldest first; once a basket, as the network learned it."""
    alone = len(profiles) == 1
    asked = {"profiles": profiles[0] if alone else list(profiles), "began": doing.began, "most": 2 * most}
    with connection.cursor() as cursor:
        (BOUGHT_BY_ONE if alone else BOUGHT_BY_ALL).ask(cursor, asked)
        found = cursor.fetchall()
    once = {(basket or at, item): item for at, basket, item in reversed(found)}
    return list(once.values())[-most:]


def _reason(item: int, now: Sequence[int]) -> dict[str, object]:
    return {"code": "next_of_session" if item in now else "because", "values": {"item": item}}


def _network(version: int) -> "NextItems | None":
    """Return the network of a version; None where it has none, and for a while where its files cannot be read."""
    if _silent.get(version, 0.0) > monotonic():
        return None
    try:
        return _read(version)
    except (ArtifactError, ModelVersion.DoesNotExist):  # what the batch says is still there to answer with
        logger.exception("The network of version #%s is not asked", version)
        _silent[version] = monotonic() + SILENT
        return None


@lru_cache(maxsize=4)
def _read(version: int) -> "NextItems | None":
    """Return the same, read; it raises `ArtifactError` whatever is wrong with the files."""
    from safetensors import SafetensorError  # noqa: PLC0415 (with NumPy)
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # noqa: PLC0415

    from mlengine.estimators.next_items import NextItems, files_of  # noqa: PLC0415

    found = ModelVersion.objects.get(pk=version)
    light = found.card.get(LIGHT)
    if not light:  # trained before cards told of it, or by a model without one
        return None
    # Small matrices: on a busy machine threads wait longer than they count. For good, since BLAS belongs to the whole
    # process: were each answer to give the threads back, of two at once the later would keep what the earlier had set.
    ThreadpoolController().limit(limits=1, user_api="blas")
    try:
        return NextItems.load(registry.checked(found, files_of(light)), light)
    except (OSError, ValueError, KeyError, BadZipFile, SafetensorError) as error:
        raise ArtifactError(f"The network of {found} cannot be read: {error!r}") from error
