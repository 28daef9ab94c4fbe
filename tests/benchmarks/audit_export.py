"""An audit bundle of a million records out of a real database, and then verified by a bare Python.

What is exported lies in PostgreSQL as the application would have left it: consents, hand-offs and their personal
halves, leaves, tiles and signed checkpoints. Each export is the command that an officer runs, in a process of its own;
the first, a tenth as large, shows that memory does not grow with the ledger. ``EXPORTED=10000000`` exports ten million.
"""

import hmac
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zipfile import ZipFile

from tests.benchmarks.databases import fresh_database

RECORDS = int(os.environ.get("EXPORTED", "1000000"))
MEGABYTES, GROWTH = 300, 1.25
START = datetime(2026, 1, 1, tzinfo=UTC)
PIECE = 100_000
CONSENT, HAND_OFF, STATES = "consent", "hand_off", ("given", "withdrawn")
UNLAWFUL = 300  # seconds after the consent, and 200 after its withdrawal
WITHDRAW, WRITTEN_TO = 5, 200  # of so many people one withdraws; of so many of these one is written to all the same

STAGE = """
CREATE TEMP TABLE staged (sequence bigint, kind text, id uuid, thread uuid, profile bigint, commitment bytea,
    salt bytea, hash bytea, state text, at timestamptz)
"""
FILL = (
    """INSERT INTO crm_consentevent (id, commitment, recorded_at, thread, state, purpose, channel, channel_account,
        consent_kind, legal_basis, notice, notice_digest, rendered_digest, language, form_version, method, jurisdiction,
        recipient, pia, adm_optout, import_batch, claimed_at, received_at)
    SELECT s.id, s.commitment, s.at, s.thread, s.state, 'offers', '', '', 'general', 'consent', 'offers/1', n.digest,
        '', 'en', '', 'form', '', '', '', false, '', s.at, s.at
    FROM staged s, crm_notice n WHERE s.kind = 'consent' AND n.reference = 'offers/1'""",
    """INSERT INTO crm_consenteventperson (event_id, profile_id, salt)
    SELECT id, profile, salt FROM staged WHERE kind = 'consent'""",
    """INSERT INTO crm_handoff (id, commitment, recorded_at, delivery, allowed_by, basis, purpose, channel,
        handed_off_at)
    SELECT id, commitment, at, id, thread, 'consent', 'offers', 'sms', at FROM staged WHERE kind = 'hand_off'""",
    """INSERT INTO crm_handoffperson (hand_off_id, profile_id, salt)
    SELECT id, profile, salt FROM staged WHERE kind = 'hand_off'""",
    "INSERT INTO crm_leaf (sequence, record, kind, hash) SELECT sequence, id, kind, hash FROM staged",
    "TRUNCATE staged",
)
PEOPLE = """
INSERT INTO crm_profile (id, age_band, age_class, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '', 'adult', '', '', '', '', '{{}}', true, now(), now() FROM generate_series({first}, {last}) AS n
"""
# Not ru_maxrss, which a process inherits from the one that started it.
PEAK = """
def peak():
    with open("/proc/self/status") as facts:
        return next(int(line.split()[1]) for line in facts if line.startswith("VmHWM")) / 1024
"""
EXPORT = """
import sys, time
import django
django.setup()
from django.core.management import call_command
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
began = time.monotonic()
call_command("audit_bundle", sys.argv[2], "--tree-size", sys.argv[3])
print("measured", time.monotonic() - began, time.process_time(), peak())
"""
VERIFY = """
import runpy, sys, time
began, sys.argv = time.monotonic(), sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as ended:
    assert ended.code == 0, ended.code
    print("measured", time.monotonic() - began, time.process_time(), peak())
"""


class Measured(NamedTuple):
    """What a process took: seconds by the clock, its own processor time, megabytes at most, and what it printed."""

    seconds: float
    cpu: float
    megabytes: float
    told: str


class Step(NamedTuple):
    """One record of the history to be made."""

    kind: str
    person: int
    place: int
    state: str
    seconds: float


def history(records: int) -> Iterator[Step]:
    """Yield what people say and are sent, in the order of the ledger: nearly all of it lawful."""
    person = made = 0
    while made < records:
        person += 1
        steps = [Step(CONSENT, person, 0, "given", 0), *(Step(HAND_OFF, person, n, "", 90 + n) for n in (1, 2))]
        if person % WITHDRAW == 0:
            steps.append(Step(CONSENT, person, 3, "withdrawn", 100))
            if person % (WITHDRAW * WRITTEN_TO) == 0:
                steps.append(Step(HAND_OFF, person, 4, "", UNLAWFUL))
        yield from steps[: records - made]
        made += len(steps)


def fill(records: int, signed: tuple[int, ...]) -> int:
    """Fill the ledger up to ``records`` leaves by COPY, and sign at the sizes given; return the unlawful sends."""
    from django.db import connection

    from crm.sequencer import _trusted_tree, copy_rows
    from crm.tree import TILE_LEVELS
    from tests.crm import consents

    consents.purpose()
    consents.notice("offers", code="offers", at=START - timedelta(days=1))
    begin = _number()
    tiles: list[tuple[int, int, bytes]] = []
    fold = _trusted_tree(tiles)
    unlawful, lines, line = 0, [], _line()
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE.format(first=1, last=records // 3 + 1))
        cursor.execute(STAGE)
        for number, step in enumerate(history(records - begin), begin):
            hash_, row = line(number, step)
            fold.add(hash_)
            lines.append(row)
            unlawful += step.seconds == UNLAWFUL
            if len(lines) == PIECE or fold.size in signed:
                _load(cursor, lines)
                copy_rows(cursor, "crm_tile (level, index, hash)", tiles)
                lines.clear()
                tiles.clear()
                if fold.size in signed:
                    _sign(fold.size, fold.root())
        assert all(level % TILE_LEVELS == 0 for level, _, _ in tiles)
        for table in ("crm_leaf", "crm_consentevent", "crm_handoff", "crm_consenteventperson", "crm_handoffperson"):
            cursor.execute(f"ANALYZE {table}")
    return unlawful


def _line() -> Callable[[int, Step], tuple[bytes, str]]:
    """Return what makes of a step its leaf's hash and its staged row; the leaf's form is taken from the models."""
    from crm.ledger import leaf_hash

    forms = {(kind, state): _form(kind, state) for kind, state in (*((CONSENT, one) for one in STATES), (HAND_OFF, ""))}

    def line(number: int, step: Step) -> tuple[bytes, str]:
        at = START + timedelta(seconds=step.person / 2 + step.seconds)
        thread = _id(step.person, 0)
        id_ = thread if step.state == "given" else _id(step.person, step.place)
        salt = sha256(b"salt%d" % number).digest()
        personal = b'{"details":{},"profile":%d}' if step.kind == CONSENT else b'{"profile":%d}'
        commitment = hmac.digest(salt, personal % step.person, "sha256").hex()
        told = {"id": id_, "thread": thread, "commitment": commitment, "at": at.isoformat(timespec="microseconds")[:-6]}
        hash_ = leaf_hash((forms[step.kind, step.state] % told).encode())
        cells = (number, step.kind, id_, thread, step.person, rf"\\x{commitment}", rf"\\x{salt.hex()}")
        return hash_, "\t".join(map(str, (*cells, rf"\\x{hash_.hex()}", step.state, at.isoformat()))) + "\n"

    return line


def _id(person: int, place: int) -> str:
    """Return an id that sorts by time, as ours do."""
    milliseconds = int(START.timestamp() * 1000) + person * 500 + place
    return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{place:03x}-8000-{person:012x}"


def _form(kind: str, state: str) -> str:
    """Return the canonical bytes of such a leaf as a form to be filled in, from what the model itself writes."""
    from crm.canonical import canonical
    from crm.models import ConsentEvent, HandOff, Notice

    own, thread, at = UUID(int=1), UUID(int=2), datetime(1999, 1, 1, tzinfo=UTC)
    common: dict[str, Any] = {"pk": own, "commitment": bytes(32), "recorded_at": at}
    if kind == HAND_OFF:
        made = HandOff(
            **common, delivery=own, allowed_by=thread, basis=CONSENT, purpose="offers", channel="sms", handed_off_at=at
        )
        text = canonical(made.leaf_body()).decode()
    else:
        shown = Notice.objects.get(reference="offers/1")
        words = {"state": state, "purpose_id": "offers", "consent_kind": "general", "legal_basis": CONSENT}
        times = {"claimed_at": at, "received_at": at}
        event = ConsentEvent(
            **common,
            **words,
            **times,
            thread=thread,
            notice=shown,
            notice_digest=shown.digest,
            language="en",
            method="form",
        )
        text = canonical(event.leaf_body()).decode()
    places = {
        str(own): "%(id)s",
        str(thread): "%(thread)s",
        "0" * 64: "%(commitment)s",
        "1999-01-01T00:00:00.000000": "%(at)s",
    }
    for found, place in places.items():
        text = text.replace(found, place)
    return text


def _number() -> int:
    """Let the sequencer number what is there, and return how many leaves there are."""
    from crm import sequencer
    from crm.checkpoints import latest

    sequencer.sequence(START)
    last = latest()
    return last.size if last else 0


def _load(cursor: Any, rows: list[str]) -> None:
    from io import StringIO

    from crm.copying import copy

    copy(cursor, "COPY staged FROM STDIN", StringIO("".join(rows)))
    for statement in FILL:
        cursor.execute(statement)


def _sign(size: int, root: bytes) -> None:
    from crm.checkpoints import signer
    from crm.models import Checkpoint

    note = signer().sign(size, root)
    Checkpoint.objects.create(size=size, root=root, note=note, leaves=size, waited_ms=0, created_at=START)


def exported(folder: Path, size: int) -> Measured:
    """Export the ledger at a size by the command, in a process of its own."""
    from django.db import connection

    return _measured(
        ["-c", PEAK + EXPORT, str(connection.settings_dict["NAME"]), str(folder / f"{size}.zip"), str(size)]
    )


def verified(path: Path) -> Measured:
    """Verify a bundle by the program that lies in it, with a Python that sees nothing else."""
    alone = path.with_name("verify.py")
    with ZipFile(path) as files:
        alone.write_bytes(files.read("verify.py"))
    return _measured(["-I", "-c", PEAK + VERIFY, str(alone), str(path)])


def _measured(arguments: list[str]) -> Measured:
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    *told, last = done.stdout.splitlines()
    seconds, cpu, megabytes = map(float, last.split()[1:])
    return Measured(seconds, cpu, megabytes, "\n".join(told))


def run(records: int = RECORDS) -> list[dict[str, Any]]:
    """Return how long the exports take and how much memory, and the same of the verifier."""
    sizes = (records // 10, records)
    with fresh_database(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unlawful = fill(records, sizes)
        small, large = (exported(folder, size) for size in sizes)
        told = verified(folder / f"{records}.zip")
        megabytes = (folder / f"{records}.zip").stat().st_size / 1e6
    sys.stderr.write(f"{large.told}\n{told.told}\n")
    if f"VIOLATIONS   {unlawful:,}" not in told.told or f", {unlawful:,} violations" not in large.told:
        raise AssertionError(f"{unlawful} sends were unlawful")
    rows = (
        (f"{records:,} records exported from the database", large.seconds, "s", None),
        ("exported in a second", records / large.seconds, "records", None),
        ("exported in a second of processor time", records / large.cpu, "records", None),
        (f"peak memory of exporting {sizes[0]:,}", small.megabytes, "MB", MEGABYTES),
        (f"peak memory of exporting {records:,}", large.megabytes, "MB", MEGABYTES),
        ("memory of ten times as many, in times", large.megabytes / small.megabytes, "", GROWTH),
        ("this bundle verified by a bare Python", told.seconds, "s", None),
        ("the verifier's own processor time", told.cpu, "s", None),
        ("the verifier's peak memory", told.megabytes, "MB", 500),
        ("size of the bundle", megabytes, "MB", None),
    )
    heads = ("name", "value", "unit", "yardstick")
    return [dict(zip(heads, row, strict=True)) | {"ratio": row[3] / row[1] if row[3] else None} for row in rows]


if __name__ == "__main__":
    for row in run():
        print(row)
