"""Rows of a file that claim consent: refused where a live claim would be, and never more than they claim. Loads Polars.

An import is nobody's own act: it lifts no suppression (``crm.consent_rules``), and it counts from the time it claims.
"""

from datetime import UTC, datetime

import polars as pl

from crm import idempotency
from crm.consent_checks import ConsentRefused, NewConsent
from crm.consent_rules import Method
from crm.consent_writing import Wanted, record_each
from crm.models import Source

TEXTS = {
    "purpose": 64,
    "state": 16,
    "channel": 16,
    "consent_kind": 16,
    "notice": 80,
    "language": 16,
    "jurisdiction": 16,
    "proof": 1000,
}
Refused = list[tuple[int, str]]  # line, reason


def write(rows: pl.DataFrame, profiles: pl.Series, source: Source, now: datetime) -> tuple[int, Refused]:
    """Record the rows, once however often the file is imported; return how many, and which were refused and why."""
    lines = rows["line"].to_list()
    named = zip(profiles, rows.select(*TEXTS, "claimed_at").iter_rows(named=True), strict=True)
    wanted = [Wanted(profile, _said(profile, row, source)) for profile, row in named]
    outcomes = record_each(wanted, source=source, now=now)
    refused = [
        (line, f"{outcome.field} {outcome.reason}")
        for line, outcome in zip(lines, outcomes, strict=True)
        if isinstance(outcome, ConsentRefused)
    ]
    return len(rows) - len(refused), refused


def _said(profile: int, row: dict[str, object], source: Source) -> NewConsent:
    told = {name: str(row[name]) for name in TEXTS if row[name] is not None and name != "proof"}
    claimed_at = row["claimed_at"]
    assert isinstance(claimed_at, datetime)  # noqa: S101  # required by the table
    parts = (source.pk, profile, told["purpose"], told.get("channel", ""), told["state"], claimed_at.isoformat())
    return NewConsent(
        **told,  # type: ignore[arg-type]
        method=Method.IMPORT.value,
        claimed_at=claimed_at.replace(tzinfo=UTC),
        proof={"file": row["proof"]} if row["proof"] else {},
        import_batch=source.name[:64],
        idempotency=idempotency.key_of("import", *parts),
    )
