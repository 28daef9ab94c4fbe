"""The long runs of ``make faults`` about sending, small: servers of their own, killed and raced for some seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import templates

pytestmark = pytest.mark.slow


def found(call: str, var: Path) -> Any:
    code = f"import json, sys; from tests.faults import {call.partition('.')[0]}; rows = {call}"
    code += "; open(sys.argv[1], 'w').write(json.dumps(rows))"
    told = var / "rows.json"
    environment = os.environ | {"VAR_DIR": str(var / "var"), "DJANGO_SETTINGS_MODULE": "config.settings"}
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(told)], cwd=root, env=environment, check=True, capture_output=True)
    (row,) = json.loads(told.read_text())
    return row


def test_whoever_is_killed_while_messages_leave_nothing_is_lost_or_repeated(tmp_path: Path, migrated: Path) -> None:
    templates.lay_out(tmp_path / "var", migrated)
    row = found("sending_kills.run(10, 120)", tmp_path)
    assert not any(row["wrong"].values()), row
    assert row["done"]["kills of workers"] > 2
    assert row["done"]["taken by the peer"] > 80


@pytest.mark.nightly
def test_no_hand_off_commits_after_the_withdrawal_that_it_races_with(tmp_path: Path) -> None:
    row = found("send_races.run(300)", tmp_path)
    assert not any(row["wrong"].values()), row
    assert row["done"]["handed over"] + row["done"]["refused"] == 300
