"""Checked rows of a piece into the record: people and things resolved set by set, what is known left as it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl
from django.db import DataError, IntegrityError, transaction

from crm import catalogue, identity, ingest, people
from crm.copying import Keys
from crm.drafts import Ref
from crm.errors import cause_of
from crm.imports import consents
from crm.imports.mapping import REFS
from crm.keys import message_keys
from crm.models import Source

MOST_KNOWN = 2_000_000  # people or items whose numbers are kept in memory between pieces
EVENT_FACTS = (
    "kind",
    "name",
    "value",
    "currency",
    "quantity",
    "discount",
    "session",
    "channel",
    "properties",
    "personal",
)

Refused = list[tuple[int, str]]  # line, reason


@dataclass
class Writer:
    """Writes pieces of one file, remembering whom and what it has met."""

    source: Source
    now: datetime
    people: pl.DataFrame | None = None
    things: dict[str, int] = field(default_factory=dict)
    refused: Refused = field(default_factory=list)  # by the verbs that the rows were given to

    def prepare_events(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return event rows with their profile and item; unknown ones are created, each in a moment of its own.

        Not in the piece's transaction: others who meet the same people need not wait for its end.
        """
        rows = rows.with_columns(self._profiles(rows), self._items(rows), received_at="occurred_at")
        facts = [name for name in EVENT_FACTS if rows[name].null_count() < len(rows)]
        filled = [pl.col(name).fill_null("") for name in ("name", "currency", "session", "channel") if name in facts]
        return rows.with_columns(filled).select(
            "line", "key_hi", "key_lo", "profile_id", "item_id", "occurred_at", "received_at", *facts
        )

    def events(self, rows: pl.DataFrame) -> int:
        """Write prepared event rows, and return how many are new."""
        return ingest.record_frame(self.source, rows.drop("line"), now=self.now)

    def consents(self, rows: pl.DataFrame) -> int:
        """Record what people allowed, and return how many rows were taken; the others are in ``refused``."""
        taken, refused = consents.write(rows, self._profiles(rows), self.source, self.now)
        self.refused += refused
        return taken

    def taken_refusals(self) -> Refused:
        """Return what was refused since this was asked last."""
        refused, self.refused = self.refused, []
        return refused

    def profiles(self, rows: pl.DataFrame) -> int:
        """Create or change profiles; where rows mean the same person, the last that says something counts."""
        refs = [name for name in REFS if name in rows.columns]
        told = rows.with_columns(self._profiles(rows)).rename({"profile_id": "id"}).drop("line", *refs)
        return people.update_frame(_last(told, ["id"]), now=self.now)

    def items(self, rows: pl.DataFrame) -> int:
        """Create or change items; where rows mean the same one, the last that says something counts."""
        return catalogue.upsert_frame(_last(rows.drop("line"), ["kind", "code"]), now=self.now)

    def _profiles(self, rows: pl.DataFrame) -> pl.Series:
        refs = [name for name in REFS if name in rows.columns]
        asked = rows.select(refs)
        if self.people is None or len(self.people) > MOST_KNOWN:
            self.people = pl.DataFrame(schema=dict.fromkeys(refs, pl.String) | {"profile_id": pl.Int64})
        new = asked.unique(maintain_order=True).join(self.people, on=refs, how="anti", nulls_equal=True)
        if len(new):
            named = [_named(refs, values) for values in new.iter_rows()]
            ids = identity.resolve(named, source=self.source, now=self.now)
            self.people = pl.concat([self.people, new.with_columns(pl.Series("profile_id", ids, pl.Int64))])
        joined = asked.join(self.people, on=refs, how="left", nulls_equal=True, maintain_order="left")
        return joined["profile_id"]

    def _items(self, rows: pl.DataFrame) -> pl.Series:
        codes = rows["item"].unique().drop_nulls()
        if len(self.things) > MOST_KNOWN:
            self.things = {}
        new = [code for code in codes if code not in self.things]
        found = catalogue.resolve({("product", code): "" for code in new}, now=self.now)
        self.things |= {code: item for (_, code), item in found.items()}
        ids = pl.DataFrame(
            {"item": codes, "item_id": [self.things[code] for code in codes]}, {"item": pl.String, "item_id": pl.Int64}
        )
        return rows.select("item").join(ids, on="item", how="left", maintain_order="left")["item_id"]


def with_keys(rows: pl.DataFrame, source_id: int, repeats: "Repeats") -> tuple[pl.DataFrame, int]:
    """Return event rows with the key of each, the first of each key; and how many were the same again."""
    texts = rows["message_id"] if "message_id" in rows.columns else repeats.numbered(rows)
    keys: Keys = message_keys(source_id, texts)
    keyed = rows.with_columns(pl.Series("key_hi", keys[:, 0]), pl.Series("key_lo", keys[:, 1]))
    once = keyed.unique(["key_hi", "key_lo"], keep="first", maintain_order=True)
    return once, len(keyed) - len(once)


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """The rows of a file without message ids that say the same as an earlier one, and which repetition each is."""

    lines: np.ndarray
    number: np.ndarray

    @classmethod
    def of(cls, hashes: pl.Series, lines: pl.Series) -> "Repeats":
        """Return them, from a hash of what each row says."""
        seen = pl.DataFrame({"hash": hashes, "line": lines}).with_columns(
            number=pl.int_range(pl.len(), dtype=pl.Int64).over("hash")
        )
        again = seen.filter(pl.col("number") > 0).sort("line")
        return cls(lines=again["line"].to_numpy(), number=again["number"].to_numpy())

    def numbered(self, rows: pl.DataFrame) -> pl.Series:
        """Return what each row says with the number of its repetition: the same whenever the file is read."""
        lines = rows["line"].to_numpy()
        numbers = np.zeros(len(rows), np.int64)
        if len(self.lines):
            places = np.searchsorted(self.lines, lines).clip(max=len(self.lines) - 1)
            numbers = np.where(self.lines[places] == lines, self.number[places], 0)
        return rows.select(pl.format("{}\x1e{}", "content", pl.Series(numbers))).to_series()


def bisected(rows: pl.DataFrame, write: Callable[[pl.DataFrame], int]) -> tuple[int, Refused]:
    """Write rows; where the database refuses some value that our checks let through, all rows but its own."""
    try:
        with transaction.atomic():
            return write(rows), []
    except (DataError, IntegrityError) as error:
        if len(rows) == 1:
            return 0, [(rows["line"][0], f"cannot be stored: {cause_of(error)}")]
    half = len(rows) // 2
    first, refused = bisected(rows.head(half), write)
    second, more = bisected(rows.tail(-half), write)
    return first + second, refused + more


def _named(refs: list[str], values: tuple[str | None, ...]) -> list[Ref]:
    return [(name, value) for name, value in zip(refs, values, strict=True) if value]


def _last(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    if not rows.select(by).is_duplicated().any():
        return rows
    return rows.group_by(by, maintain_order=True).agg(pl.all().drop_nulls().last())
