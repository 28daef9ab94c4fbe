"""Rows to frames: the one way in which data reach the science.

Events come from the Parquet lake, people and items from PostgreSQL, all under surrogate ids. Here merges are followed,
and whoever was erased, has switched personalisation off, did not consent to be profiled or is under age is left out, of
training and of scoring alike.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import narwhals as nw
from django.conf import settings
from django.db import connection
from django.utils import timezone

from crm import lake, profiling
from crm.models import Profile
from mlengine import engines
from mlengine.columns import (
    AVAILABLE_FROM,
    AVAILABLE_TO,
    CATEGORY,
    CHANNEL,
    DISCOUNT,
    ITEM,
    KIND,
    OCCURRED_AT,
    QUANTITY,
    RECEIVED_AT,
    SESSION,
    USER,
    VALUE,
    Log,
)

if TYPE_CHECKING:  # web processes may load this module; Polars is loaded by whoever reads
    import polars as pl

EVENTS_IN_MEMORY = 10_000_000  # about 100 bytes each; a larger lake stays on disk and is scanned for each question

# A duplicate counts as the profile that was kept, however long the chain of merges. If any of a person's profiles has
# switched personalisation off, is restricted or under age, the whole person is.
PEOPLE = """
WITH RECURSIVE merged (duplicate, canonical, steps) AS (
    SELECT duplicate_id, canonical_id, 1 FROM crm_profilealias WHERE undone_at IS NULL
    UNION ALL
    SELECT duplicate, canonical_id, steps + 1 FROM merged
    JOIN crm_profilealias ON duplicate_id = canonical AND undone_at IS NULL AND canonical_id <> duplicate
    WHERE steps < 32
), last AS (SELECT DISTINCT ON (duplicate) duplicate, canonical FROM merged ORDER BY duplicate, steps DESC
), people AS (
    SELECT id, coalesce(canonical, id) AS person,
           bool_and(personalisation AND restricted_at IS NULL AND age_class NOT IN ('child', 'minor')) OVER person
           AND (%(unknown_may)s OR bool_or(age_class = 'adult') OVER person) AS allowed
    FROM crm_profile LEFT JOIN last ON duplicate = id WINDOW person AS (PARTITION BY coalesce(canonical, id))
)
SELECT id, person FROM people WHERE allowed
"""
ITEMS = """
SELECT id, kind, categories[1], categories[2], nullif(brand, ''), price,
       available_from AT TIME ZONE %(zone)s, available_to AT TIME ZONE %(zone)s
FROM crm_item
"""
PROFILES = """
SELECT id, nullif(age_band, ''), nullif(gender, ''), nullif(province, ''), nullif(city, ''), nullif(language, ''){more}
FROM crm_profile
"""


def wall_clock(at: datetime) -> datetime:
    """Return a moment as frames have it: without a zone, as the clock on the organisation's wall showed it."""
    return at.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)


def moment(wall: datetime) -> datetime:
    """Return the moment of a wall clock time."""
    return timezone.make_aware(wall, timezone.get_default_timezone())


def known_until(now: datetime) -> datetime | None:
    """Return the last midnight before ``now`` until which the lake is complete; None where it is empty.

    Silence after the last event may be an outage or an old data set. Taking it for people's silence would teach a
    churn model that everybody has left.
    """
    known = lake.manifest()
    ends = [datetime.fromisoformat(file.latest) for file in known.files] if known else []
    if not ends:
        return None
    end = min(max(ends), wall_clock(now))
    return moment(end.replace(hour=0, minute=0, second=0, microsecond=0))


def log(*, until: datetime) -> Log:
    """Return everything that had happened and had arrived before ``until``, of people who may be learned from."""
    people = _people()
    persons = people.select(USER).unique().join(_profiles(), on=USER, how="left")
    found = Log(
        events=_events(people),
        items=engines.table(_items(), "items"),
        profiles=engines.table(persons, "profiles"),
    )
    return found.until(wall_clock(until))


def _events(people: "pl.LazyFrame") -> nw.LazyFrame[Any]:
    """Return the events of the lake by person: an inner join follows merges and drops whom ``people`` lacks."""
    known = lake.manifest()
    if known is None or not known.files:
        import polars as pl  # noqa: PLC0415

        return engines.table(pl.LazyFrame(schema=_event_schema()), "no-events")
    renamed = people.rename({USER: "person", "profile": USER})
    joined = engines.scan(lake.paths()).join(engines.table(renamed, "people"), on=USER, how="inner")
    events = joined.with_columns(nw.col("person").alias(USER)).select(*_event_schema())
    return engines.kept(events) if known.rows <= EVENTS_IN_MEMORY else events


def _people() -> "pl.LazyFrame":
    import polars as pl  # noqa: PLC0415

    # As they stand today, also for a date in the past: a consent that was taken back covers no old data either.
    unknown_may = Profile.AgeClass.UNKNOWN.value in profiling.grown_up()
    people = table(PEOPLE, {"profile": pl.Int64(), USER: pl.Int64()}, {"unknown_may": unknown_may})
    refused = profiling.refused(timezone.now())
    return people.filter(~pl.col("profile").is_in(list(refused))) if refused else people


def _items() -> "pl.LazyFrame":
    import polars as pl  # noqa: PLC0415

    texts = dict.fromkeys((KIND, CATEGORY, "subcategory", "brand"), pl.String())
    times = dict.fromkeys((AVAILABLE_FROM, AVAILABLE_TO), pl.Datetime("us"))
    return table(ITEMS, {ITEM: pl.Int64(), **texts, "price": pl.Float64(), **times})


def _profiles() -> "pl.LazyFrame":
    """Return the coarse facts: plain columns, and those traits that the settings name; nothing else is ever read."""
    import polars as pl  # noqa: PLC0415

    names = [str(name) for name in settings.LEARNED_ATTRIBUTES]
    traits = {f"trait{n}": name for n, name in enumerate(names)}
    more = "".join(f", attributes ->> %({place})s" for place in traits)
    columns = ("age_band", "gender", "province", "city", "language", *names)
    schema = {USER: pl.Int64(), **dict.fromkeys(columns, pl.String())}
    return table(PROFILES.replace("{more}", more), schema, traits)


def _event_schema() -> dict[str, Any]:
    import polars as pl  # noqa: PLC0415

    schema: dict[str, Any] = {USER: pl.Int64(), ITEM: pl.Int64(), KIND: pl.String()}
    schema |= dict.fromkeys((OCCURRED_AT, RECEIVED_AT), pl.Datetime("us"))
    schema |= dict.fromkeys((VALUE, QUANTITY, DISCOUNT), pl.Float64())
    return schema | dict.fromkeys((SESSION, CHANNEL), pl.String())


def table(query: str, schema: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> "pl.LazyFrame":
    """Return the rows of a query, by COPY: a million in about a second."""
    import polars as pl  # noqa: PLC0415

    with NamedTemporaryFile(suffix=".csv") as spool, connection.cursor() as cursor:
        asked = cursor.mogrify(query, {"zone": settings.TIME_ZONE, **(values or {})}).decode()
        cursor.copy_expert(f"COPY ({asked}) TO STDOUT (FORMAT csv)", spool)
        spool.flush()
        if not Path(spool.name).stat().st_size:
            return pl.LazyFrame(schema=dict(schema))
        return pl.read_csv(spool.name, has_header=False, schema=dict(schema)).lazy()
