"""What a web process carries: the addresses of the project without any of the science."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_the_web_and_a_list_of_the_models_load_none_of_the_science() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WEB, *HEAVY]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
