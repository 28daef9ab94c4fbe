"""What the README promises of settings and commands exists, and what exists is in the README."""

import re
from pathlib import Path

from django.core.management import get_commands

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_setting_read_from_the_environment_is_in_the_table() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "config" / "settings.py").read_text()))
    rows = "\n".join(line.split("|")[1] for line in README.splitlines() if line.startswith("| `"))
    assert read <= set(re.findall(r"`([A-Z_]+)`", rows))
    assert len(read) > 20


def test_every_command_named_exists() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", README))
    assert named <= set(get_commands())
    assert {"up", "train", "migrate"} <= named


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README + (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_file_linked_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
