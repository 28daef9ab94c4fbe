"""The door: every event comes in here, once, and is never changed afterwards."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction

from crm import copying, partitions
from crm.encryption import Keys, seal
from crm.identity import LostRace
from crm.keys import ascending_ids, message_keys
from crm.models import RejectedEvent, Source

if TYPE_CHECKING:  # web processes import this module and must not load Polars
    import polars as pl

COLUMNS = (
    *("id", "source_id", "profile_id", "item_id", "kind", "name", "value", "currency", "quantity", "discount"),
    *("session", "channel", "properties", "sealed", "occurred_at", "received_at"),
)
TEXTS = ("name", "currency", "session", "channel")
NULL = r"\N"
NEEDED = {"profile_id", "kind", "occurred_at", "received_at"}  # of a frame; all other columns have defaults


class Erased(LostRace):
    """Somebody in the batch was erased after they were looked up; looked up again, they are strangers."""


class NewEvent(NamedTuple):
    """An event to be written, its people and things resolved.

    ``message_id`` is the sender's; without one the event is taken as often as it is sent. ``properties`` is JSON text,
    open to everybody; ``personal`` is JSON text, too, and sealed with the person's key.
    """

    kind: str
    profile_id: int
    occurred_at: datetime
    received_at: datetime
    message_id: str = ""
    item_id: int | None = None
    name: str = ""
    value: Decimal | None = None
    currency: str = ""
    quantity: Decimal | None = None
    discount: Decimal | None = None
    session: str = ""
    channel: str = ""
    properties: str = "{}"
    personal: str = ""


def record(source: Source, event: NewEvent, *, now: datetime) -> bool:
    """Write one event; False if its message was taken before."""
    return record_many(source, [event], now=now) == 1


def record_many(source: Source, events: Sequence[NewEvent], *, now: datetime, keys: Keys | None = None) -> int:
    """Write the events whose messages were not taken before, all or none, and return how many they are.

    ``keys`` are those that the caller has read in the same transaction.

    Raises
    ------
    Erased
        Somebody they are about was erased meanwhile; nothing is written.
    crm.partitions.Dropped
        So was the month of one; nothing is written.
    """
    partitions.ensure(partitions.months_of(event.occurred_at for event in events))
    named = [event for event in events if event.message_id]
    free = [event for event in events if not event.message_id]
    messages = copying.hexed(message_keys(source.pk, (event.message_id for event in named)))
    keyed = dict(zip(messages, named, strict=True))
    keys = keys or Keys()
    # All or none also where a caller's transaction surrounds this one: an error ends that one too.
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        new = free + [keyed[key] for key in _take(cursor, sorted(keyed), now)]
        _refuse_erased(cursor, {event.profile_id for event in new}, keys)
        _copy(cursor, source.pk, new, now, keys)
    return len(new)


def _take(cursor: Any, keys: list[str], now: datetime) -> list[str]:
    """Return the keys that were not taken before, which are now; sorted, so that two writers cannot deadlock."""
    if not keys:
        return []
    cursor.execute(
        "INSERT INTO crm_eventkey (key, received_at) SELECT unnest(%s::uuid[]), %s"
        " ON CONFLICT DO NOTHING RETURNING encode(uuid_send(key), 'hex')",
        ["{" + ",".join(keys) + "}", now],
    )
    return [key for (key,) in cursor.fetchall()]


def _refuse_erased(cursor: Any, profiles: Collection[int], keys: Keys | None) -> None:
    """Raise ``Erased`` where one of the people is gone, by now and for good; ``keys``, if any, are read of the others.

    First the transaction gets its number, then it looks. So a writer that still saw somebody is among those that an
    erasure waits for (``crm.erasers.rows``), and neither holds a lock that the other would have to wait for.
    """
    if not profiles:
        return
    cursor.execute("SELECT pg_current_xact_id()")
    gone = _missing(cursor, profiles) if keys is None else len(keys.of_living(profiles))
    if gone:
        raise Erased(f"{gone} of the people were erased meanwhile.")


def _missing(cursor: Any, profiles: Collection[int]) -> int:
    cursor.execute(
        "SELECT count(*) FROM unnest(%s::bigint[]) AS told (id)"
        " WHERE NOT EXISTS (SELECT FROM crm_profile WHERE crm_profile.id = told.id)",
        [copying.int_array(profiles)],
    )
    return int(cursor.fetchone()[0])


def _copy(cursor: Any, source_id: int, events: Sequence[NewEvent], now: datetime, keys: Keys) -> None:
    if not events:
        return
    keys.make(event.profile_id for event in events if event.personal)
    rows = zip(
        events,
        copying.hexed(ascending_ids(now, len(events))),
        copying.moments(event.occurred_at for event in events),
        copying.moments(event.received_at for event in events),
        strict=True,
    )
    lines = [
        "\t".join(
            (
                f"{id_}\t{source_id}\t{event.profile_id}\t{_number(event.item_id)}\t{event.kind}",
                _escaped(event.name),
                _number(event.value),
                _escaped(event.currency),
                f"{_number(event.quantity)}\t{_number(event.discount)}",
                _escaped(event.session),
                _escaped(event.channel),
                _escaped(event.properties),
                rf"\\x{_sealed(keys, event.profile_id, id_, event.personal).hex()}" if event.personal else NULL,
                f"{occurred}\t{received}\n",
            )
        )
        for event, id_, occurred, received in rows
    ]
    with partitions.expected():
        copying.copy(cursor, f"COPY crm_event ({', '.join(COLUMNS)}) FROM STDIN", StringIO("".join(lines)))


def _number(value: int | Decimal | None) -> str:
    return NULL if value is None else str(value)


def _escaped(text: str) -> str:
    """Return a text as COPY reads it; a chain of replaces is several times faster than ``translate``."""
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        return text.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
    return text


def _sealed(keys: Keys, profile: int, id_: str, personal: str) -> bytes:
    return seal(keys.of(profile), personal.encode(), b"crm.event|sealed|" + id_.encode())


def replay(rejected: RejectedEvent, *, now: datetime) -> bool:
    """Take an event that was refused, now that the cause is gone; False if it is refused again, or was replayed."""
    # These read messages and files, and write them through this door.
    from crm import imports, intake  # noqa: PLC0415

    if rejected.job is not None:
        return imports.replay(rejected, rejected.job, now=now)
    return intake.replay(rejected, now=now)


def record_frame(source: Source, frame: "pl.DataFrame", *, now: datetime) -> int:
    """Write the rows of a frame whose keys were not taken before, all or none, and return how many they are.

    Columns are those of :data:`COLUMNS` (times in UTC, without zone), ``personal`` (JSON or null: it is sealed) and
    ``key_hi``, ``key_lo``: the halves of each message's key (``crm.keys.message_keys``), each key once.
    """
    import polars as pl  # noqa: PLC0415

    months = frame["occurred_at"].dt.truncate("1mo").unique().to_list()
    partitions.ensure(date(month.year, month.month, 1) for month in months)
    with transaction.atomic(), connection.cursor() as cursor:
        messages = frame.select("key_hi", "key_lo").to_numpy()
        fresh = copying.insert_keys(cursor, messages, now.isoformat())
        if len(fresh) < len(messages):
            taken_now = pl.DataFrame(fresh, schema={"key_hi": pl.UInt64, "key_lo": pl.UInt64})
            frame = frame.join(taken_now, on=["key_hi", "key_lo"], how="semi")
        keys = Keys() if "personal" in frame.columns else None
        _refuse_erased(cursor, frame["profile_id"].unique().to_list(), keys)
        # In the order of the index (profile, time) and with ascending ids, every index is written page after page; what
        # somebody did at one moment keeps its order.
        frame = frame.sort("profile_id", "occurred_at", maintain_order=True)
        ids = pl.Series("id", copying.hexed(ascending_ids(now, len(frame))), pl.String)
        rows = frame.with_columns(ids, source_id=pl.lit(source.pk))
        rows = rows if keys is None else _with_sealed(rows, keys)
        rows = rows.select(name for name in COLUMNS if name in rows.columns)
        texts = tuple(name for name in TEXTS if name in rows.columns)
        with partitions.expected():
            copying.copy_frame(cursor, "crm_event", rows, never_null=texts)
    return len(rows)


def _with_sealed(frame: "pl.DataFrame", keys: Keys) -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415

    told = frame.filter(pl.col("personal").is_not_null()).select("id", "profile_id", "personal")
    keys.make(told["profile_id"].unique())
    sealed = {id_: rf"\x{_sealed(keys, profile, id_, text).hex()}" for id_, profile, text in told.iter_rows()}
    return frame.with_columns(pl.Series("sealed", [sealed.get(id_) for id_ in frame["id"]], pl.String))
