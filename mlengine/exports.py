"""Rows about people on their way out of the house: refused while anybody stands alone in them, and written down.

The gate is for every file of rows that leaves. What has another basis of its own is exempt **by name**, and by no flag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import polars as pl
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from crm import access_log
from crm.models import RowExport
from crm.spreadsheets import MARK, line
from mlengine import figures
from mlengine.anonymity.hierarchies import HIERARCHIES
from mlengine.anonymity.rows import Anonymised, CannotAnonymise, Demand, Measured, generalise, measure

QUASI = tuple(reversed(list(HIERARCHIES)))  # what others may know of a person, too
FILTERS = ("gender", "age_band", "province", "city", "personalisation")

# What leaves without this gate, and why; a test holds the table to these three.
EXEMPT: Mapping[str, str] = {
    "audit bundle": "PIPL 54 and 64: evidence for auditors and regulators; pseudonymous, clear text needs two people",
    "portability pack": "PIPL 45: a person's own data, given to that person or whom they name",
    "hand-off to a channel provider": "PIPL 21 and 23: one message to one person, on a basis of its own",
}


class Refused(ValueError):
    """The rows stay; the message says why. ``record`` is what was written down about it."""

    def __init__(self, record: RowExport) -> None:
        self.record = record
        super().__init__(record.refused)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What rows are asked for: whose, which columns, what for and for whom, and whether they may be made coarser."""

    columns: Sequence[str]
    purpose: str
    recipient: str
    filters: Mapping[str, Any]
    generalised: bool = False

    def __post_init__(self) -> None:
        if unknown := set(self.columns) - set(columns()):
            raise ValueError(f"No such columns: {', '.join(sorted(unknown))}.")
        if unknown := set(self.filters) - set(FILTERS):
            raise ValueError(f"No such filters: {', '.join(sorted(unknown))}.")
        if not self.columns or not self.purpose.strip() or not self.recipient.strip():
            raise ValueError("An export has columns, a purpose and a recipient.")

    @property
    def quasi(self) -> list[str]:
        return [name for name in QUASI if name in self.columns]

    @property
    def sensitive(self) -> list[str]:
        return [name for name in self.columns if name not in QUASI]

    @property
    def demand(self) -> Demand:
        """Groups of five; of ten, each with two different values, where a column is somebody's business only."""
        return Demand(k=10, l=2) if self.sensitive else Demand(k=5)


def columns() -> tuple[str, ...]:
    """Return what may be exported: coarse facts, and the traits that models may see; never a name or identifier."""
    return (*QUASI, *settings.LEARNED_ATTRIBUTES)


def must_keep_groups(kind: str) -> bool:
    """Return whether rows of this kind have to pass the gate before they leave: all but those exempt by name."""
    return kind not in EXEMPT


def export(wanted: Wanted, *, by: User, now: datetime) -> tuple[bytes, RowExport]:
    """Return a CSV of people and the record of it.

    Raises
    ------
    Refused
        Somebody would stand alone; the refusal is on record too.
    """
    raw = _rows(wanted)
    found = measure(raw, wanted.quasi, wanted.sensitive)
    made = Anonymised(rows=raw.sort(raw.columns), measured=found, levels={}, whole=len(raw))
    if not found.keeps(wanted.demand):
        made = _coarser(raw, found, wanted, by=by, now=now)
    body = _csv(made.rows)
    digest = sha256(body).hexdigest()
    with transaction.atomic():
        record = _record(wanted, made, by=by, now=now, grade=RowExport.Grade.K_ANONYMOUS, sha256=digest)
        _note(record, by=by, now=now)
    return body, record


def _coarser(raw: pl.DataFrame, found: Measured, wanted: Wanted, *, by: User, now: datetime) -> Anonymised:
    try:
        if wanted.generalised:
            return generalise(raw, wanted.quasi, wanted.sensitive, demand=wanted.demand)
        why = _too_few(found, wanted.demand)
    except CannotAnonymise:
        why = _("Even without any detail these rows do not hide people well enough: there are too few of them.")
    as_is = Anonymised(rows=raw, measured=found, levels={}, whole=len(raw))
    record = _record(wanted, as_is, by=by, now=now, grade=RowExport.Grade.PSEUDONYMOUS, refused=why)
    raise Refused(record)


def _too_few(found: Measured, demand: Demand) -> str:
    if found.k < demand.k:
        return _(
            "In these rows somebody shares their facts with only %(k)d people; at least %(wanted)d are asked for."
        ) % {
            "k": found.k,
            "wanted": demand.k,
        }
    return _(
        "In these rows people who look alike share a secret: %(l)d different values, where %(wanted)d are asked for."
    ) % {
        "l": found.l,
        "wanted": demand.l,
    }


def _rows(wanted: Wanted) -> pl.DataFrame:
    """Return the rows as text, in no order that means anything; merged people once, restricted ones not at all."""
    facts = figures.people().filter(**wanted.filters).order_by()
    needed = [*wanted.quasi, *(["attributes"] if wanted.sensitive else [])]
    told: list[dict[str, str]] = []
    for row in facts.values(*needed).iterator(chunk_size=10_000):
        traits = row.pop("attributes", None) or {}
        told.append(
            {name: _text(row[name]) for name in wanted.quasi}
            | {name: _text(traits.get(name)) for name in wanted.sensitive}
        )
    return pl.DataFrame(told, schema=dict.fromkeys([*wanted.quasi, *wanted.sensitive], pl.String))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _csv(rows: pl.DataFrame) -> bytes:
    lines = [line(rows.columns), *(line(row) for row in rows.iter_rows())]
    return (MARK + "".join(lines)).encode()


def _record(wanted: Wanted, made: Anonymised, *, by: User, now: datetime, **facts: Any) -> RowExport:
    return RowExport.objects.create(
        asked_by=by.get_username()[:200],
        purpose=wanted.purpose.strip()[:300],
        recipient=wanted.recipient.strip()[:200],
        columns=list(wanted.columns),
        filters=dict(wanted.filters),
        levels={name: level for name, level in made.levels.items() if level},
        rows=made.measured.rows,
        left_out=made.suppressed,
        k=made.measured.k,
        l=made.measured.l,
        at=now,
        **facts,
    )


def _note(record: RowExport, *, by: User, now: datetime) -> None:
    """Write the export into the log of accesses, before the file is given."""
    diversity = "" if record.l is None else f", l={record.l}"
    what = f"rows: {', '.join(record.columns)} (k={record.k}{diversity})"
    reason = f"{record.purpose} → {record.recipient}"
    access_log.note("export", what, now=now, user=by, reason=reason, count=record.rows)
