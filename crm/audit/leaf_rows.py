"""Leaves as the database tells them: the two kinds of which there are millions, a batch in one statement each.

The same facts as the models' ``leaf_body``, but with times and ids written by PostgreSQL: that is six times as fast as
to make and unmake objects of them. Nothing rests on the two being the same: each body is compared with the hash that
was signed, and what differs is looked at again by way of its model, whose word counts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection

from crm.copying import int_array
from crm.models.consent import DPV_STATES
from crm.models.ledger import SCHEMA


class Told(NamedTuple):
    """A leaf as its table tells it: its hash in the tree, the profile of its personal half, and its facts."""

    hash: bytes
    profile: int | None
    body: dict[str, Any]


def _time(column: str) -> str:
    return f"""to_char(row.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _statement(kind: str, table: str, part: str, facts: dict[str, str]) -> tuple[str, list[str]]:
    """Return the statement for a kind of leaf, and the names of the facts that it yields, as sorted when written."""
    common = {"schema": f"'{SCHEMA}'", "kind": f"'{kind}'", "id": "row.id::text"}
    common |= {"commitment": "encode(row.commitment, 'hex')", "recorded_at": _time("recorded_at")}
    told = dict(sorted((common | facts).items()))
    statement = f"""
        SELECT leaf.sequence, leaf.hash, part.profile_id, {", ".join(told.values())}
          FROM crm_leaf leaf JOIN {table} row ON row.id = leaf.record LEFT JOIN {part} = row.id
         WHERE leaf.kind = '{kind}' AND leaf.sequence BETWEEN %(first)s AND %(last)s
           AND (%(every)s OR leaf.sequence = ANY (%(numbers)s::bigint[]))
    """  # noqa: S608  # only names of columns
    return statement, list(told)


_STATE = " ".join(f"WHEN '{state}' THEN '{term}'" for state, term in DPV_STATES.items())
CONSENT = {
    **{name: f"row.{name}" for name in ("purpose", "legal_basis", "consent_kind", "channel", "channel_account")},
    **{name: f"row.{name}" for name in ("notice", "language", "form_version", "jurisdiction", "recipient")},
    "thread": "row.thread::text",
    "event_state": f"CASE row.state {_STATE} END",
    "event_time": _time("claimed_at"),
    "received_time": _time("received_at"),
    "valid_until": _time("valid_until"),
    "ask_cooldown_until": _time("cooldown_until"),
    "notice_hash": "row.notice_digest",
    "rendered_hash": "row.rendered_digest",
    "collection_method": "row.method",
    "pia_id": "row.pia",
    "adm_optout": "row.adm_optout",
    "source": "row.source_id",
    "source_import_batch": "row.import_batch",
    "idempotency_key": "row.idempotency::text",
}
HAND_OFF = {
    **{name: f"row.{name}" for name in ("basis", "purpose", "channel")},
    **{name: f"row.{name}::text" for name in ("delivery", "allowed_by")},
    "handed_off_at": _time("handed_off_at"),
}
STATEMENTS = (
    _statement("consent", "crm_consentevent", "crm_consenteventperson part ON part.event_id", CONSENT),
    _statement("hand_off", "crm_handoff", "crm_handoffperson part ON part.hand_off_id", HAND_OFF),
)


def read(numbers: Sequence[int]) -> dict[int, Told]:
    """Return those of the leaves with these numbers (in order) that are of one of the two kinds."""
    first, last = numbers[0], numbers[-1]
    every = last - first == len(numbers) - 1
    asked: dict[str, int | bool | str] = {
        "first": first,
        "last": last,
        "every": every,
        "numbers": int_array(() if every else numbers),
    }
    found: dict[int, Told] = {}
    with connection.cursor() as cursor:
        for statement, names in STATEMENTS:
            cursor.execute(statement, asked)
            for sequence, hash_, profile, *facts in cursor.fetchall():
                found[sequence] = Told(bytes(hash_), profile, dict(zip(names, facts, strict=True)))
    return found
