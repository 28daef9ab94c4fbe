"""Two million events from a CSV file: our importer against the best SQL script we can write by hand, in one run.

Both start from the same empty tables with the same indexes, know none of the people or products, must check every
value, keep each refused row with line, column and reason, and may be run again without changing anything. The script
is one transaction of set-wise SQL in PostgreSQL over an unlogged staging table; ours also saves a checkpoint every
hundred thousand rows and can be watched, paused, and resumed after a kill.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from tests.benchmarks.databases import fresh_database

ROWS = 2_000_000
BAD = 1000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = (
    "message_id text, user_id text, kind text, occurred_at text, item text, value text, quantity text, session text"
)

# Casts that do not fail (pg_input_is_valid, PostgreSQL 16) keep the script set-wise although some rows are bad.
CHECK = """
INSERT INTO crm_rejectedevent (source_id, "index", field, reason, payload, received_at)
SELECT {source}, line,
  CASE WHEN user_id = '' THEN 'user_id' WHEN NOT pg_input_is_valid(occurred_at, 'timestamptz') THEN 'occurred_at'
       ELSE 'value' END,
  CASE WHEN user_id = '' THEN 'is missing' WHEN NOT pg_input_is_valid(occurred_at, 'timestamptz') THEN 'is not a time'
       ELSE 'is not a number' END, convert_to(row_to_json(s)::text, 'UTF8'), '{now}'
FROM script_staging s
WHERE user_id IS NULL OR user_id = '' OR length(user_id) > 255 OR kind <> 'purchase' OR length(item) > 128
   OR NOT pg_input_is_valid(occurred_at, 'timestamptz') OR NOT pg_input_is_valid(value, 'numeric(14,2)')
   OR NOT pg_input_is_valid(quantity, 'numeric(14,3)')
"""
GOOD = """
CREATE UNLOGGED TABLE script_good AS
SELECT line, md5('{source}:' || message_id)::uuid AS key, user_id, kind, occurred_at::timestamptz AS occurred_at, item,
  value::numeric(14,2) AS value, quantity::numeric(14,3) AS quantity, session
FROM script_staging s
WHERE NOT EXISTS (SELECT FROM crm_rejectedevent r WHERE r.source_id = {source} AND r."index" = s.line)
"""
RESOLVE = """
WITH wanted AS (SELECT DISTINCT user_id FROM script_good g WHERE NOT EXISTS
    (SELECT FROM crm_identifier i WHERE i.type = 'external_id' AND i.digest = convert_to(g.user_id, 'UTF8'))),
  named AS (SELECT user_id, nextval(pg_get_serial_sequence('crm_profile', 'id')) AS id FROM wanted),
  made AS (INSERT INTO crm_profile (id, age_band, gender, province, city, language, attributes, personalisation,
    created_at, updated_at) SELECT id, '', '', '', '', '', '{{}}', true, '{now}', '{now}' FROM named)
INSERT INTO crm_identifier (type, value, digest, suppression_key, profile_id, source_id, verified, created_at)
SELECT 'external_id', convert_to(user_id, 'UTF8'), convert_to(user_id, 'UTF8'), '', id, {source}, false, '{now}'
FROM named ON CONFLICT DO NOTHING;
INSERT INTO crm_item (kind, code, title, body, categories, brand, currency, attributes, created_at, updated_at)
SELECT DISTINCT 'product', item, item, '', '{{}}'::text[], '', '', '{{}}'::jsonb, '{now}'::timestamptz,
  '{now}'::timestamptz FROM script_good ON CONFLICT (kind, code) DO NOTHING;
ANALYZE crm_identifier; ANALYZE crm_item; ANALYZE script_good;
"""
WRITE = """
WITH fresh AS (INSERT INTO crm_eventkey (key, received_at) SELECT key, '{now}' FROM script_good ORDER BY key
    ON CONFLICT DO NOTHING RETURNING key)
INSERT INTO crm_event (id, source_id, profile_id, item_id, kind, value, quantity, session, occurred_at, received_at)
SELECT uuidv7(), {source}, i.profile_id, t.id, g.kind, g.value, g.quantity, g.session, g.occurred_at,
  g.occurred_at
FROM script_good g JOIN fresh USING (key) JOIN crm_identifier i ON i.type = 'external_id'
  AND i.digest = convert_to(g.user_id, 'UTF8')
  LEFT JOIN crm_item t ON t.kind = 'product' AND t.code = g.item
ORDER BY i.profile_id, g.occurred_at
"""


def run() -> list[dict[str, Any]]:
    """Return how many events a second each takes in, and their ratio."""
    with TemporaryDirectory() as directory, _database():
        path = _file(Path(directory) / "events.csv")
        script = _timed(_script, path)
        ours = _timed(_ours, path)
    return [
        {
            "name": "bulk import, 2 M events",
            "value": round(ROWS / ours),
            "unit": "events/s",
            "yardstick": f"hand-written SQL script {ROWS / script:.0f} events/s",
            "ratio": round(script / ours, 2),
        }
    ]


def _file(path: Path) -> Path:
    """Write two million purchases of 100,000 people and 50,000 products over a year, one in two thousand bad."""
    import numpy as np

    random = np.random.default_rng(7)
    at = np.datetime64("2025-01-01T00:00:00") + np.sort(random.integers(0, 365 * 86400, ROWS)).astype("timedelta64[s]")
    bad = random.choice(ROWS, BAD, replace=False)
    value = np.char.mod("%.2f", random.gamma(2, 20, ROWS))
    value[bad[: BAD // 2]] = "ten"
    stamp = np.datetime_as_string(at)
    stamp[bad[BAD // 2 :]] = "soon"
    pl.DataFrame(
        {
            "message_id": [f"till-{n:08d}-{n * 7919 % 9973}" for n in range(ROWS)],
            "user_id": [f"C{n}" for n in (100_000 * random.power(0.6, ROWS)).astype(int)],
            "kind": ["purchase"] * ROWS,
            "occurred_at": pl.Series(stamp.tolist()) + "+00:00",
            "item": [f"P{n}" for n in (50_000 * random.power(0.5, ROWS)).astype(int)],
            "value": value.tolist(),
            "quantity": random.integers(1, 5, ROWS),
            "session": [f"B{n // 7}" for n in range(ROWS)],
        }
    ).write_csv(path)
    return path


def _ours(path: Path) -> None:
    from crm import imports
    from crm.imports.job import run as run_job
    from crm.imports.mapping import Mapping, guess
    from crm.models import JobRun, Source

    names = [column.split()[0] for column in COLUMNS.split(", ")]
    mapping = Mapping(what="events", columns=guess("events", names))
    job: JobRun = imports.order(path, mapping, source=Source.objects.get(name="bench"), now=NOW)
    assert run_job(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert (job.status, job.done, job.rejected) == ("succeeded", ROWS, BAD), (job.status, job.error, job.rejected)


def _script(path: Path) -> None:
    from django.db import connection, transaction

    from crm.database_roles import as_owner
    from crm.models import Source

    facts = {"source": Source.objects.get(name="bench").pk, "now": NOW.isoformat()}
    with as_owner(), transaction.atomic(), connection.cursor() as cursor, path.open("rb") as file:
        cursor.execute(f"CREATE UNLOGGED TABLE script_staging (line bigint GENERATED ALWAYS AS IDENTITY, {COLUMNS})")
        names = ", ".join(column.split()[0] for column in COLUMNS.split(", "))
        cursor.copy_expert(f"COPY script_staging ({names}) FROM STDIN (FORMAT csv, HEADER)", file)
        for statement in (CHECK, GOOD, RESOLVE, WRITE):
            cursor.execute(statement.format(**facts))
        cursor.execute("DROP TABLE script_staging, script_good")


def _timed(load: Callable[[Path], None], path: Path) -> float:
    """Return the seconds a load takes into empty tables, and make sure that it took everything."""
    from django.db import connection

    from crm.database_roles import as_owner
    from crm.models import Event, RejectedEvent, Source

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET zhiyin.flush = 'on'")  # consents name sources: their tables are emptied, too
        cursor.execute(
            "TRUNCATE crm_event, crm_eventkey, crm_rejectedevent, crm_identifier, crm_profile, crm_item, crm_source,"
            " crm_jobrun CASCADE"
        )
        cursor.execute("CHECKPOINT")  # neither pays for what the other left to be written
    Source.objects.create(name="bench", kind="import")
    started = time.perf_counter()
    load(path)
    seconds = time.perf_counter() - started
    assert (Event.objects.count(), RejectedEvent.objects.count()) == (ROWS - BAD, BAD)
    return seconds


@contextmanager
def _database() -> Iterator[None]:
    """Use a database of its own beside the real one, with the year's partitions ready."""
    from datetime import date

    with fresh_database():
        from crm import partitions

        partitions.ensure(date(2025, month, 1) for month in range(1, 13))
        yield


if __name__ == "__main__":
    for row in run():
        print(row)
