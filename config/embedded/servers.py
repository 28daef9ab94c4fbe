"""Where the embedded servers keep their data and sockets, and what they say when they cannot start."""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

SOCKET_PATH_LIMIT = 100  # the kernel allows 107 bytes, and PostgreSQL appends its own name
START_SECONDS = 60


class EmbeddedError(RuntimeError):
    """An embedded server could not start; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where the embedded servers of one ``var`` directory keep their data and sockets."""

    var: Path
    postgres: bool = True
    valkey: bool = True
    owner_role: str = "zhiyin"  # owns the tables, and everything else
    application_role: str = "zhiyin_app"

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


def wait_until(done: Callable[[], bool], complaint: str, seconds: float = START_SECONDS) -> None:
    """Return once it is done; raise :class:`EmbeddedError` with the complaint when that takes too long."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise EmbeddedError(complaint)
        time.sleep(0.02)
