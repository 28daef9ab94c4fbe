"""What a process carries: the addresses of the project without any of the science, and threads that wait quietly."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("polars", "sklearn", "scipy", "lightgbm", "torch", "pyspark")
WEB = """
import sys, django
django.setup()
import config.urls, config.wsgi
from mlengine import network, online, recommending, training, prediction, monitoring, evaluation, registry, tasks
from mlengine.specs import SPECS
print(*[spec.title for spec in SPECS.values()])
print(sorted(set(sys.argv[1:]) & set(sys.modules)))
"""
SET_UP = """
import os, sys, django
django.setup()
print(os.environ["OMP_WAIT_POLICY"], sorted(set(sys.argv[1:]) & set(sys.modules)))
"""


def test_the_web_and_a_list_of_the_models_load_none_of_the_science() -> None:
    assert told_by(WEB) == "[]"


def test_a_process_has_its_threads_wait_without_spinning_before_the_science_is_loaded() -> None:
    assert told_by(SET_UP) == "passive []"
    assert told_by(SET_UP, OMP_WAIT_POLICY="active") == "active []"


def told_by(program: str, **environment: str) -> str:
    """Return the last line that a program writes, in a process of its own."""
    command = [sys.executable, "-c", program, *HEAVY]
    inherited = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    env = inherited | {"DJANGO_SETTINGS_MODULE": "config.settings"} | environment
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]
