"""The embedded servers: started once, shared, stopped by the last one, and clear about what is wrong."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from config import embedded
from config.embedded import EmbeddedError, Servers

ROOT = Path(__file__).parents[2]
JOIN = """
import sys
from pathlib import Path
from config import embedded
servers = embedded.Servers(var=Path(sys.argv[1]))
embedded.join(servers)
print("joined", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(var=tmp_path / "var")
    yield made
    embedded.stop(made)


def joined(servers: Servers) -> subprocess.Popen[str]:
    """Return another process that has joined the servers, and leaves when its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", JOIN, str(servers.var)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    if process.stdout.readline() != "joined\n":
        process.communicate()
        pytest.fail("the process could not join, see its error above")
    return process


def left(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=300)


def is_running(servers: Servers) -> bool:
    try:
        psycopg2.connect(host=str(servers.run), user="zhiyin", dbname="zhiyin").close()
    except psycopg2.OperationalError:
        return False
    return servers.valkey_socket.exists()


def test_the_last_one_to_leave_stops_the_servers(servers: Servers) -> None:
    first, second = joined(servers), joined(servers)
    left(first)
    assert is_running(servers)
    left(second)
    assert not is_running(servers)


def test_a_killed_process_leaves_no_stale_count(servers: Servers) -> None:
    first, second = joined(servers), joined(servers)
    first.kill()
    first.communicate()
    left(second)
    assert not is_running(servers)


def test_servers_whose_every_user_was_killed_are_joined_again(servers: Servers) -> None:
    killed = joined(servers)
    killed.kill()
    killed.communicate()
    assert is_running(servers)
    left(joined(servers))
    assert not is_running(servers)


def test_a_killed_postgres_is_started_again(servers: Servers) -> None:
    killed = joined(servers)
    postmaster = int((servers.data / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    killed.kill()
    killed.communicate()
    again = joined(servers)
    assert is_running(servers)
    left(again)


def test_a_half_made_cluster_is_made_anew(servers: Servers) -> None:
    (servers.var / "postgres-18.new").mkdir(parents=True)
    (servers.var / "postgres-18.new" / "PG_VERSION").write_text("18")
    left(joined(servers))


def test_a_full_disk_is_said_in_words(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LEAST_FREE_BYTES", 2**60)
    with pytest.raises(EmbeddedError, match="MB are free"):
        embedded.join(servers)


def test_a_var_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be written"):
        embedded.join(Servers(var=tmp_path / "file" / "var"))


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    assert len(str(Servers(var=tmp_path / ("x" * 120)).run)) < 100
