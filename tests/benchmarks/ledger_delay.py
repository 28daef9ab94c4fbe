"""How long evidence waits from its append to a signed checkpoint, with the real bell, broker and worker.

Servers of its own and the worker as ``manage.py up`` starts it; appends come one by one at a fixed rate. The wait is
what the sequencer measures by the database's clock, a batch counting as slow as its slowest leaf.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
RATE, SECONDS = 40, 30
PROMISE_SECONDS = 5.0
WORKER = ("-m", "celery", "-A", "config", "worker", "-Q", "ledger", "-P", "solo", "-l", "WARNING")


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile of the waits, beside the promise."""
    with TemporaryDirectory() as var:
        environment = os.environ | {"VAR_DIR": var, "DJANGO_SETTINGS_MODULE": "config.settings"}
        program = [sys.executable, "-m", "tests.benchmarks.ledger_delay"]
        done = subprocess.run(program, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    counted = f"{found['leaves']:,} in {found['checkpoints']} batches"
    return [
        {
            "name": f"ledger, append to signature, {RATE}/s: p99 of {counted}",
            "value": found["p99"],
            "unit": "s",
            "yardstick": PROMISE_SECONDS,
            "ratio": round(found["p99"] / PROMISE_SECONDS, 3),
        }
    ]


def waits() -> dict[str, Any]:
    """Append at a fixed rate while a worker answers the bell, and return how long the appends waited."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.utils import timezone

    from crm import sequencer
    from crm.models import Checkpoint
    from tests import factories

    call_command("migrate", verbosity=0)
    person = factories.profile().pk
    worker = subprocess.Popen([sys.executable, *WORKER], cwd=ROOT)
    try:
        append(person)
        while sequencer.health(timezone.now()).waiting:  # until the worker is there
            time.sleep(0.2)
        started, begun = timezone.now(), time.monotonic()
        for number in range(RATE * SECONDS):
            time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
            append(person)
        while sequencer.health(timezone.now()).waiting:
            time.sleep(0.2)
    finally:
        worker.terminate()
        worker.wait(30)
    batches = Checkpoint.objects.filter(created_at__gt=started)
    p99 = sequencer.p99(batches)
    assert p99 is not None
    return {
        "p99": round(p99.total_seconds(), 2),
        "leaves": sum(batch.leaves for batch in batches),
        "checkpoints": len(batches),
    }


def append(person: int) -> None:
    from django.utils import timezone

    from crm import handoffs
    from tests.crm.mutations import hand_off

    now = timezone.now()
    handoffs.record([hand_off(person, now)], now)


if __name__ == "__main__":
    print(json.dumps(waits()))
