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
from mlengine import engines
from mlengine.columns import (
    ADDED_AT,
    ASSIGNED,
    AVAILABLE_FROM,
    AVAILABLE_TO,
    CAMPAIGN,
    CATEGORY,
    CHANNEL,
    CLICKED,
    CURRENCY,
    DISCOUNT,
    ITEM,
    KIND,
    MACHINE,
    OCCURRED_AT,
    OPENED,
    OTHER,
    PROPENSITY,
    QUANTITY,
    RECEIVED_AT,
    SENT,
    SESSION,
    TEXT,
    USER,
    VALUE,
    VARIANT,
    WEIGHT,
    Log,
)
from mlengine.money import of_one_currency

if TYPE_CHECKING:  # web processes may load this module; Polars is loaded by whoever reads
    import polars as pl

ITEM_TEXT = 2_000  # characters of an item's description that are read: what it is about stands at the beginning
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
           {may_be_scored} AS allowed
    FROM crm_profile LEFT JOIN last ON duplicate = id WINDOW person AS (PARTITION BY coalesce(canonical, id))
)
SELECT id, person FROM people WHERE allowed
"""
ITEMS = """
SELECT id, kind, categories[1], categories[2], nullif(brand, ''), price,
       available_from AT TIME ZONE %(zone)s, available_to AT TIME ZONE %(zone)s,
       concat_ws(E'\n', title, nullif(array_to_string(categories, ' '), ''), nullif(brand, ''),
                 nullif(left(body, %(most)s), '')),
       created_at AT TIME ZONE %(zone)s
FROM crm_item
"""
RELATIONS = """
SELECT from_profile_id, to_profile_id, kind, weight, created_at AT TIME ZONE %(zone)s FROM crm_relation
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


def known_until(now: datetime, *kinds: str) -> datetime | None:
    """Return the last midnight before ``now`` until which the lake is complete, by the last kind that is named, if any.

    Silence after the last event may be an outage or an old data set. Taking it for people's silence would teach a
    churn model that everybody has left. What a model foresees is of one kind: that a message was clicked yesterday
    does not say that yesterday's purchases have arrived. None where there is no event of one of the kinds.
    """
    ends = [_last(kind) for kind in kinds or ("",)]
    if ends[-1] is None or None in ends:
        return None
    end = min(ends[-1], wall_clock(now))
    return moment(end.replace(hour=0, minute=0, second=0, microsecond=0))


def _last(kind: str) -> datetime | None:
    known = lake.manifest()
    ends = [datetime.fromisoformat(told) for file in (known.files if known else ()) if (told := _latest(file, kind))]
    return max(ends, default=None)


def _latest(file: lake.LakeFile, kind: str) -> str:
    """Return the last time in a file; a file written by a release before does not know it by kind."""
    return file.latest_by_kind.get(kind, "") if kind and file.latest_by_kind else file.latest


def log(*, until: datetime) -> Log:
    """Return everything that had happened and had arrived before ``until``, of people who may be learned from."""
    people = _people()
    persons = people.select(USER).unique().join(_profiles(), on=USER, how="left")
    wall = wall_clock(until)
    events, currency, foreign = of_one_currency(_events(people), wall)
    found = Log(
        events=events,
        items=engines.table(_items(), "items"),
        profiles=engines.table(persons, "profiles"),
        offers=_offers(people),
        relations=engines.table(_relations(people), "relations"),
        currency=currency,
        foreign=foreign,
    )
    return found.until(wall)


def _events(people: "pl.LazyFrame") -> nw.LazyFrame[Any]:
    """Return the events of the lake by person: an inner join follows merges and drops whom ``people`` lacks."""
    known = lake.manifest()
    if known is None or not known.files:
        import polars as pl  # noqa: PLC0415

        return engines.table(pl.LazyFrame(schema=_event_schema()), "no-events")
    renamed = people.rename({USER: "person", "profile": USER})
    joined = engines.scan(lake.paths()).join(engines.table(renamed, "people"), on=USER, how="inner")
    there = joined.collect_schema().names()
    columns = [name for name in (*_event_schema(), CURRENCY) if name in there]  # an older lake knows no currency
    events = joined.with_columns(nw.col("person").alias(USER)).select(*columns)
    return engines.kept(events) if known.rows <= EVENTS_IN_MEMORY else events


def _offers(people: "pl.LazyFrame") -> nw.LazyFrame[Any] | None:
    """Return what the house told of its messages; it is read from the files for each question, being small there."""
    if not (files := lake.paths()):
        return None
    found = engines.scan(files)
    if not {CAMPAIGN, VARIANT, PROPENSITY, MACHINE} <= set(found.collect_schema().names()):
        return None  # written by a release before: the next export writes the lake anew
    ours = found.filter(nw.col(KIND).is_in([ASSIGNED, SENT, OPENED, CLICKED]) & ~nw.col(VARIANT).is_null())
    renamed = people.rename({USER: "person", "profile": USER})
    joined = ours.join(engines.table(renamed, "people"), on=USER, how="inner")
    return joined.with_columns(nw.col("person").alias(USER)).select(
        USER, KIND, OCCURRED_AT, RECEIVED_AT, SESSION, CHANNEL, CAMPAIGN, VARIANT, PROPENSITY, MACHINE
    )


def _people() -> "pl.LazyFrame":
    import polars as pl  # noqa: PLC0415

    # As they stand today, also for a date in the past: a consent that was taken back covers no old data either.
    statement = PEOPLE.format(may_be_scored=profiling.person_scored_sql("OVER person"))
    people = table(statement, {"profile": pl.Int64(), USER: pl.Int64()})
    refused = profiling.refused(timezone.now())
    return people.filter(~pl.col("profile").is_in(list(refused))) if refused else people


def _items() -> "pl.LazyFrame":
    import polars as pl  # noqa: PLC0415

    texts = dict.fromkeys((KIND, CATEGORY, "subcategory", "brand"), pl.String())
    times = dict.fromkeys((AVAILABLE_FROM, AVAILABLE_TO), pl.Datetime("us"))
    schema = {ITEM: pl.Int64(), **texts, "price": pl.Float64(), **times, TEXT: pl.String(), ADDED_AT: pl.Datetime("us")}
    return table(ITEMS, schema, {"most": ITEM_TEXT})


def _relations(people: "pl.LazyFrame") -> "pl.LazyFrame":
    """Return who knows whom, by person: nobody is learned about through those who want no personalisation."""
    import polars as pl  # noqa: PLC0415

    numbers = dict.fromkeys((USER, OTHER), pl.Int64())
    rows = table(RELATIONS, {**numbers, KIND: pl.String(), WEIGHT: pl.Float64(), OCCURRED_AT: pl.Datetime("us")})
    for end in (USER, OTHER):
        person = people.select(pl.col("profile").alias(end), pl.col(USER).alias("person"))
        rows = rows.join(person, on=end, how="inner").with_columns(pl.col("person").alias(end)).drop("person")
    return rows.filter(pl.col(USER) != pl.col(OTHER)).unique(maintain_order=True)


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
