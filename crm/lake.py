"""The event log as Parquet files by month, pseudonymous: what the science reads instead of the database.

A file holds surrogate ids only: no name, phone or free text; sessions are keyed hashes. Of the properties only those
are there that the house itself wrote of its messages, as numbers: which campaign and variant, how likely it was that
the person got it, and whether a machine clicked. Column names and types are those of ``mlengine.columns.Log``; times
are wall clock times in the organisation's zone. Rows keep the id of the profile they were written for: merges and
erasures are applied by whoever reads (:func:`people`), because both can happen, and be undone, long after the export.

``manifest.json`` names the files that count, and the database snapshot they were read in. The next export takes the
rows that this snapshot could not see. That is exact: numbers do not follow the order of commits, but a snapshot knows
which transactions were open, so a row committed late is neither lost nor taken twice.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from crm import partitions, watermarks
from crm.lake_manifest import (
    LakeError,
    LakeFile,
    Manifest,
    digest,
    directory,
    manifest,
    paths,
    publish,
    root,
    settle,
    sweep,
    verify,
)
from crm.locks import only_one
from crm.retention_past import LetGo, let_go

__all__ = ["LakeError", "LakeFile", "compact", "export", "manifest", "paths", "shred", "verify"]

LOCK = "the event lake"
LAYOUT = 3  # of the files' columns: files of another layout are not added to, the lake is written anew

EXPORT = """
COPY (
    SELECT profile_id, item_id, kind, occurred_at AT TIME ZONE %(zone)s, received_at AT TIME ZONE %(zone)s,
           value, quantity, discount,
           CASE WHEN session <> '' THEN left(encode(sha256(convert_to(%(key)s || session, 'UTF8')), 'hex'), 16) END,
           nullif(channel, ''),
           CASE WHEN ours AND properties->>'campaign' ~ '^[0-9]{1,18}$' THEN (properties->>'campaign')::bigint END,
           CASE WHEN ours AND properties->>'variant' ~ '^[0-9]{1,18}$' THEN (properties->>'variant')::bigint
                WHEN ours AND jsonb_typeof(properties->'variant') = 'null' THEN 0
                WHEN ours AND jsonb_typeof(properties->'variant') = 'string' THEN -1 END,
           CASE WHEN ours AND jsonb_typeof(properties->'propensity') = 'number'
                THEN (properties->>'propensity')::float8 END,
           CASE WHEN ours AND properties->'machine' = 'true' THEN 1 END,
           nullif(currency, '')
    FROM crm_event AS event
    CROSS JOIN LATERAL (SELECT source_id IN (SELECT id FROM crm_source WHERE kind = 'system') AS ours) AS whose
    WHERE occurred_at >= %(start)s AND occurred_at < %(end)s
      AND {new}
) TO STDOUT (FORMAT csv)
""".replace("{new}", watermarks.NEW_EVENTS)


@dataclass(frozen=True, kw_only=True)
class Export:
    """What one export did."""

    rows: int
    files: int
    anew: bool


def export(now: datetime, *, patience: float = 0.0) -> Export:
    """Add what happened since the last export, or everything where the lake does not continue this database.

    Raises
    ------
    crm.locks.Busy
        Another export or compaction runs, and has not ended within ``patience`` seconds.
    """
    with only_one(LOCK, patience=patience):
        here = _here()
        before = manifest()
        anew = before is None or not _can_go_on(before, here)
        known = here if before is None or anew else before
        if anew:
            _restamp()
        sweep(before, now)
        snapshot, files = _export_since(known.snapshot)
        retired = dict(before.retired) if before else {}
        if before and anew:
            retired |= {file.path: now.isoformat() for file in before.files}
        publish(
            replace(
                here,
                snapshot=snapshot,
                exported_at=now.isoformat(),
                files=(*known.files, *files),
                retired=retired,
            )
        )
    return Export(rows=sum(file.rows for file in files), files=len(files), anew=anew)


def compact(now: datetime) -> int:
    """Rewrite months that have several files, rows of erased people or past their time; return how many rows left.

    Months that retention has dropped from the record are dropped here too, and of others what it took. What was
    replaced stays for ``GRACE``, for readers that have begun, and is deleted by a later export or compaction.
    """
    with only_one(LOCK):
        known = manifest()
        if known is None or not known.continues(_here()):
            return 0
        return _compacted(known, now)


def _compacted(known: Manifest, now: datetime) -> int:
    sweep(known, now)
    months: dict[str, list[LakeFile]] = {}
    for file in known.files:
        months.setdefault(file.month, []).append(file)
    alive = {month.isoformat() for month in partitions.existing()}
    profiles, gone_by = _profile_ids(), let_go(now)
    kept = {month: _rewrite(files, profiles, gone_by) if month in alive else [] for month, files in months.items()}
    files = tuple(file for month in sorted(kept) for file in kept[month])
    gone = {file.path: now.isoformat() for file in known.files if file not in files}
    publish(replace(known, files=files, retired=known.retired | gone))
    return known.rows - sum(file.rows for file in files)


def shred(now: datetime, *, patience: float = 30.0) -> int:
    """Compact, and delete at once what was replaced: the rows of erased people; return how many rows left.

    The caller sees to it that no training reads just now. A lake that does not continue this database (it was restored)
    may hold anybody: it goes whole, and the next export makes it anew.
    """
    with only_one(LOCK, patience=patience):
        known = manifest()
        if known is None:
            sweep(None, now)
            return 0
        if not known.continues(_here()):
            (root() / "manifest.json").unlink()
            sweep(None, now)
            return known.rows
        left = _compacted(known, now)
        known = manifest()
        assert known is not None  # noqa: S101
        sweep(known, now, grace=timedelta(0))
        publish(known)
    return left


def _here() -> Manifest:
    """Return an empty manifest of this database; the timeline changes when one is restored to an earlier point."""
    with connection.cursor() as cursor:
        cluster = watermarks.database(cursor)
    return Manifest(cluster=cluster, zone=settings.TIME_ZONE, key=_layout_key())


def _layout_key() -> str:
    return sha256(f"{LAYOUT} {_session_key()}".encode()).hexdigest()[:16]


def _session_key() -> str:
    return sha256(b"event lake sessions" + settings.SECRET_KEY.encode()).hexdigest()


def _can_go_on(before: Manifest, here: Manifest) -> bool:
    return here.continues(before) and all((root() / file.path).exists() for file in before.files)


def _restamp() -> None:
    """Number rows anew that seem to come from the future: they were restored from a database that counted further."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_event SET xid = pg_current_xact_id() WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())"
        )


def _export_since(seen: str) -> tuple[str, list[LakeFile]]:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        snapshot = watermarks.snapshot(cursor)
        files = [_export_month(month, seen, snapshot) for month in sorted(partitions.existing())]
    return snapshot, [file for file in files if file is not None]


def _export_month(month: date, seen: str, snapshot: str) -> LakeFile | None:
    spool = directory() / f"{month:%Y-%m}.csv.part"
    bounds = [datetime.combine(day, time(), UTC) for day in (month, partitions.next_month(month))]
    values = {"zone": settings.TIME_ZONE, "key": _session_key(), "start": bounds[0], "end": bounds[1], "seen": seen}
    with connection.cursor() as cursor, spool.open("wb") as rows:
        cursor.copy_expert(cursor.mogrify(EXPORT, values), rows)
    try:
        if spool.stat().st_size == 0:
            return None
        name = f"{month:%Y-%m}-{sha256(f'{seen}>{snapshot}'.encode()).hexdigest()[:12]}.parquet"
        return _write(_read_csv(spool), month.isoformat(), name)
    finally:
        spool.unlink()


def _read_csv(spool: Path) -> Any:
    import polars as pl  # noqa: PLC0415 (this module may be loaded by a web process, the science may not)

    number, moment = pl.Float64(), pl.Datetime("us")
    schema: dict[str, Any] = {"user": pl.Int64(), "item": pl.Int64(), "kind": pl.String()}
    schema |= {"occurred_at": moment, "received_at": moment, "value": number, "quantity": number, "discount": number}
    schema |= {"session": pl.String(), "channel": pl.String()}
    schema |= {"campaign": pl.Int64(), "variant": pl.Int64(), "propensity": number, "machine": pl.Int64()}
    schema |= {"currency": pl.String()}
    return pl.scan_csv(spool, has_header=False, schema=schema)


def _write(frame: Any, month: str, name: str) -> LakeFile:
    """Stream a lazy frame to a file that appears whole or not at all."""
    import polars as pl  # noqa: PLC0415

    part, path = directory() / f"{name}.part", directory() / name
    frame.sink_parquet(part, compression="zstd")
    facts = pl.scan_parquet(part).group_by("kind").agg(pl.len(), latest=pl.col("occurred_at").max()).collect()
    settle(part, path)
    by_kind = {kind: str(latest) for kind, _rows, latest in facts.sort("kind").rows()}
    return LakeFile(
        path=str(path.relative_to(root())),
        month=month,
        rows=int(facts["len"].sum()),
        latest=max(by_kind.values(), default=""),
        sha256=digest(path),
        latest_by_kind=by_kind,
    )


def _rewrite(files: list[LakeFile], profiles: Any, gone_by: LetGo) -> list[LakeFile]:
    import polars as pl  # noqa: PLC0415

    frame = pl.scan_parquet([root() / file.path for file in files])
    kept = frame.join(profiles.lazy(), on="user", how="semi")
    if any(before > _begin(files[0].month) for before in gone_by.before.values()):
        kept = kept.filter(~_past(gone_by))
    count = kept.select(pl.len()).collect().item()
    if len(files) == 1 and count == files[0].rows:
        return files
    if count == 0:
        return []
    name = f"{files[0].month[:7]}-{sha256(''.join(file.sha256 for file in files).encode()).hexdigest()[:12]}-c.parquet"
    return [_write(kept, files[0].month, name)]


def _begin(month: str) -> datetime:
    return datetime.combine(date.fromisoformat(month), time(), UTC)


def _past(gone_by: LetGo) -> Any:
    """Return which rows retention has taken from the record.

    The files hold wall clock times. In the hour that a zone has twice, the later moment counts: a row may stay a day
    longer, and none goes that the record keeps.
    """
    import polars as pl  # noqa: PLC0415

    zoned = pl.col("occurred_at").dt.replace_time_zone(settings.TIME_ZONE, ambiguous="latest", non_existent="null")
    moment = zoned.dt.convert_time_zone("UTC")
    past = [(pl.col("kind") == kind) & (moment < pl.lit(before)) for kind, before in gone_by.before.items()]
    return pl.any_horizontal(past).fill_null(value=False) & ~pl.col("user").is_in(list(gone_by.held))


def _profile_ids() -> Any:
    import polars as pl  # noqa: PLC0415

    spool = directory() / "profiles.csv.part"
    with connection.cursor() as cursor, spool.open("w+b") as rows:
        cursor.copy_expert("COPY (SELECT id FROM crm_profile) TO STDOUT (FORMAT csv)", rows)
        rows.seek(0)
        text = rows.read()
    spool.unlink()
    return (
        pl.read_csv(text, has_header=False, schema={"user": pl.Int64()})
        if text
        else pl.DataFrame({"user": []}, {"user": pl.Int64()})
    )
