"""One person at this moment, by one statement: what a model said, what she does now, where that leads, what she bought.

Each question of a web request costs it a wait, so what needs no other's answer is asked together; and the statements
are written out, for Django takes longer to build one than PostgreSQL to answer it. Who may not be profiled by the
switches on her profiles is not looked at: the statement itself finds nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models.base import ModelState

from crm import profiling
from crm.models import Item
from crm.prepared import Prepared
from mlengine import live, shelf, standing
from mlengine.models import PredictionRun
from mlengine.standing import Standing

SEEN: Final = """
WITH may (be) AS (
    SELECT count(*) = %(many)s AND {may_be_scored} FROM crm_profile WHERE id = ANY (%(profiles)s)
),
done AS (
    SELECT item_id, kind, occurred_at, id FROM crm_event
    WHERE profile_id = ANY (%(profiles)s) AND occurred_at > %(since)s AND occurred_at <= %(until)s
      AND kind IN %(kinds)s AND item_id IS NOT NULL AND (SELECT be FROM may)
    ORDER BY occurred_at DESC, id DESC LIMIT %(most)s
),
link AS (
    SELECT link.item_id, other_id, value, people FROM (SELECT DISTINCT item_id FROM done) AS item
    CROSS JOIN LATERAL (
        SELECT kind FROM unnest(%(preferred)s) WITH ORDINALITY AS known (kind, place)
        WHERE EXISTS (
            SELECT FROM mlengine_itemlink WHERE run_id = %(links)s AND item_id = item.item_id AND kind = known.kind
        )
        ORDER BY place LIMIT 1
    ) AS best
    JOIN mlengine_itemlink AS link
      ON link.run_id = %(links)s AND link.item_id = item.item_id AND link.kind = best.kind
),
bought AS (
    SELECT item_id, max(occurred_at) AS at FROM crm_event
    WHERE profile_id = ANY (%(profiles)s) AND occurred_at >= %(bought_since)s AND occurred_at <= %(now)s
      AND kind = 'purchase' AND item_id IS NOT NULL AND (SELECT be FROM may)
    GROUP BY item_id
)
SELECT json_build_object(
    'version', {version},
    'said', (SELECT json_agg(json_build_array(item_id, value, reason) ORDER BY rank) FROM mlengine_recommendation
             WHERE profile_id = %(person)s AND run_id = %(run)s AND (SELECT be FROM may)),
    'done', (SELECT json_agg(json_build_array(item_id, kind, occurred_at) ORDER BY occurred_at DESC, id DESC)
             FROM done),
    'links', (SELECT json_agg(json_build_array(item_id, other_id, value, people)) FROM link),
    'bought', (SELECT json_object_agg(item_id, at) FROM bought)
)::text
"""
TYPES: Final = {
    **dict.fromkeys(("many", "person", "run", "links"), "bigint"),
    **dict.fromkeys(("now", "since", "until", "bought_since"), "timestamptz"),
    "profiles": "bigint[]",
}
# All but the text, which may be long and is not shown, and the times of the row itself, of which there are two an item.
UNREAD: Final = {"body", "created_at", "updated_at"}
ITEM: Final = [field for field in Item._meta.concrete_fields if field.name not in UNREAD]
NAMES: Final = [str(field.attname) for field in ITEM]
# Those that are not as they are remembered: of another version, by the transaction that wrote the row and where it
# lies, or gone, or not remembered at all.
ITEMS: Final = Prepared(
    f"""
SELECT asked.id, item.id IS NOT NULL, concat_ws(' ', item.xmin, item.ctid),
       {", ".join(f"item.{field.column}" for field in ITEM)}
FROM unnest(%(items)s::bigint[], %(versions)s::text[]) AS asked (id, version)
LEFT JOIN crm_item AS item ON item.id = asked.id
WHERE item.id IS NULL OR asked.version IS DISTINCT FROM concat_ws(' ', item.xmin, item.ctid)
""",  # noqa: S608  # words of ours
    {"items": "bigint[]", "versions": "text[]"},
)
KEPT: Final = 10_000
_kept: Final[dict[int, tuple[str, Item]]] = {}  # items with their versions; read only, for threads share them


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of one person that may be used: nothing where she said no."""

    said: Sequence[live.Told] = ()  # best first
    done: Sequence[tuple[int, str, datetime]] = ()  # item, kind, when; the latest first
    links: Sequence[live.Link] = ()
    bought: Mapping[int, datetime] = field(default_factory=dict)  # when each item was bought last

    @property
    def is_empty(self) -> bool:
        return not (self.said or self.done or self.bought)


def seen(profiles: Sequence[int], person: int, now: datetime, spec: str | None = None) -> tuple[Standing, Seen]:
    """Return what is known of a person, of whom ``profiles`` are all profiles, and what holds for everybody.

    One statement; once after a run has finished or a marketer has changed a rule, six.
    """
    known = standing.remembered()
    found = _found(known, profiles, person, now, spec)
    if found["version"] != known.version:
        known = standing.renewed()
        found = _found(known, profiles, person, now, spec)
    bought = {int(item): datetime.fromisoformat(at) for item, at in (found["bought"] or {}).items()}
    done = [(item, kind, datetime.fromisoformat(at)) for item, kind, at in found["done"] or ()]
    return known, Seen(said=found["said"] or (), done=done, links=found["links"] or (), bought=bought)


def items(asked: Iterable[int]) -> dict[int, Item]:
    """Return items by their number, whether they are available or not, ``UNREAD`` left where it is; one statement.

    A process remembers what it read, for the same few are shown to many; the statement brings what has changed since,
    so that nothing is ever old.
    """
    numbers = list(asked)
    known = {pk: kept for pk in numbers if (kept := _kept.get(pk)) is not None}
    versions = [known[pk][0] if pk in known else "" for pk in numbers]
    with connection.cursor() as cursor:
        ITEMS.ask(cursor, {"items": _array(numbers), "versions": _array(versions)})
        rows = cursor.fetchall()
    for pk, is_there, version, *values in rows:
        known.pop(pk, None)
        if is_there:
            known[pk] = (version, _item(values))
    _remember(known)
    return {pk: item for pk, (_version, item) in known.items()}


def _array(values: Sequence[object]) -> str:
    """Return numbers and versions, in which there is nothing to quote, as one value: psycopg2 adapts a list one by one.

    >>> _array([7, "812 (0,3)"]), _array([])
    ('{"7","812 (0,3)"}', '{}')
    """
    return "{" + ",".join([f'"{value}"' for value in values]) + "}"


def _remember(read: Mapping[int, tuple[str, Item]]) -> None:
    if len(_kept) > KEPT:
        _kept.clear()
    _kept.update(read)


def _item(row: Sequence[Any]) -> Item:
    """Return a row as a model, made as unpickling makes one: ``Item.from_db`` takes ten times as long, for signals."""
    item = Item.__new__(Item)
    item.__dict__.update(zip(NAMES, row, strict=True))
    item.__dict__["attributes"] = orjson.loads(item.__dict__["attributes"])
    item._state = ModelState()
    item._state.adding, item._state.db = False, DEFAULT_DB_ALIAS
    return item


def _found(known: Standing, profiles: Sequence[int], person: int, now: datetime, spec: str | None) -> dict[str, Any]:
    statement = _statement(profiling.person_scored_sql())
    run, links = known.run(spec), known.runs.get(standing.LINKS)
    asked = {
        "profiles": list(profiles),
        "many": len(profiles),
        "person": person,
        "run": run and run.pk,
        "links": links and links.pk,
        "now": now,
        "since": now - live.SESSION,
        "until": now + live.CLOCKS_DIFFER,
        "bought_since": _bought_since(known, run, now),
    }
    with connection.cursor() as cursor:
        statement.ask(cursor, asked)
        found: dict[str, Any] = orjson.loads(cursor.fetchone()[0])
    return found


@lru_cache(maxsize=2)
def _statement(may_be_scored: str) -> Prepared:
    version, values = standing.version()
    constants = {
        "kinds": tuple(live.WEIGHTS),
        "preferred": list(live.PREFERRED),
        "most": live.MOST,
    }
    return Prepared(SEEN.format(version=version, may_be_scored=may_be_scored), TYPES, values | constants)


def _bought_since(known: Standing, run: PredictionRun | None, now: datetime) -> datetime | str:
    """Return from when on purchases are asked for: ever where only new items are shown, else as far as a rule looks."""
    if run is not None and standing.is_new_only(run):
        return "-infinity"
    return now - timedelta(days=shelf.asks_back(known.rules))
