"""At least 500 hostile templates, in processes of their own: none reads a secret, none takes too long or too much."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.campaigns.hostile_templates import corpus
from tests.campaigns.hostile_worker import SECONDS  # of the processor: others share the machine

MEMORY = 64 * 2**20
PARTS = 2


def tried() -> list[dict[str, Any]]:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    command = [sys.executable, "-m", "tests.campaigns.hostile_worker"]
    workers = [
        subprocess.Popen([*command, str(part), str(PARTS)], stdout=subprocess.PIPE, env=environment)
        for part in range(PARTS)
    ]
    return [json.loads(worker.communicate(timeout=300)[0]) for worker in workers]


def test_no_hostile_template_reads_a_secret_or_takes_more_than_a_message_may() -> None:
    found = tried()
    told = [one for worker in found for one in worker["told"]]
    assert len(told) == len(list(corpus())) >= 500
    assert [one for one in told if one["bad"]] == []
    assert [one for one in told if one["seconds"] > SECONDS] == []
    assert max(worker["grown"] for worker in found) < MEMORY  # of all of them together, so of each
