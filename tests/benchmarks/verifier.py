"""A bundle of a million records, written and then verified by the bare verifier in a process of its own.

The yardsticks are promises: an auditor's laptop needs less than a minute and less than half a gigabyte.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from crm import verify
from crm.audit import compose
from crm.audit.compose import Record
from crm.canonical import canonical
from crm.ledger import Fold, leaf_hash
from tests import bundles

RECORDS = 1_000_000
SECONDS, MEGABYTES = 60, 500

VERIFY = """
import json, resource, runpy, sys, time
began, sys.argv = time.monotonic(), sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as ended:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"code": ended.code, "seconds": time.monotonic() - began, "cpu": time.process_time(), "megabytes": peak}
    print(json.dumps(told))
"""


def history(records: int) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Yield a lawful history in the order of the ledger, without holding it: consents, sends, and some withdrawals."""
    yield from bundles.everyday(0)
    random, made, person = Random(1), 2, 0
    while made < records:
        begin = 60 + person
        yield bundles.consent(0, person, seconds=begin), person
        yield bundles.hand_off(0, person, seconds=begin + 0.2), person
        yield bundles.hand_off(1, person, seconds=begin + 0.4), person
        if random.random() < 0.2:
            yield bundles.consent(1, person, "withdrawn", seconds=begin + 0.6), person
            made += 1
        made, person = made + 3, person + 1


def write(path: Path, records: int) -> float:
    """Write the bundle and return how long that took, without the making of the history."""
    fold, size = Fold(), 0
    for body, _ in history(records):
        fold.add(leaf_hash(canonical(body)))
        size += 1
    root = fold.root()

    def shown() -> Iterator[Record]:
        for number, (body, person) in enumerate(history(records)):
            who = None if person is None else bundles.token(person)
            yield Record(number, body, verify.canonical(body), who)

    small = bundles.content(bundles.everyday(0))
    note = bundles.SIGNER.sign(size, root)
    whole = replace(small, size=size, root=root, checkpoint=note, earlier=(), records=shown())
    began = time.monotonic()
    compose.write(path, whole)
    return time.monotonic() - began


def run() -> list[dict[str, Any]]:
    """Return how long writing and verifying take, and the verifier's peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        writing = write(path, RECORDS)
        alone = Path(folder) / "verify.py"
        alone.write_bytes(Path(verify.__file__).read_bytes())
        command = [sys.executable, "-I", "-c", VERIFY, str(alone), str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if found["code"] != 0:
            raise AssertionError(done.stdout)
        size = path.stat().st_size / 1e6
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = (
        ("bundle of 1 M records verified", found["seconds"], "s", SECONDS),
        ("verifier's own processor time", found["cpu"], "s", SECONDS),
        ("verifier's peak memory", found["megabytes"], "MB", MEGABYTES),
        ("bundle of 1 M records written", writing, "s", None),
        ("writer's peak memory", own, "MB", MEGABYTES),
        ("size of the bundle", size, "MB", None),
    )
    heads = ("name", "value", "unit", "yardstick")
    return [dict(zip(heads, row, strict=True)) | {"ratio": row[3] / row[1] if row[3] else None} for row in rows]
