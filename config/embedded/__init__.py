"""PostgreSQL and Valkey from wheels, for a machine that has neither.

Used where ``DATABASE_URL`` or ``BROKER_URL`` is not set. Any entry point calls :func:`join`: the first one starts the
servers under ``var/``, the others join them, and the last one to leave stops them. Who is here is counted by the
kernel: each process holds a shared lock on one file, so a killed process leaves no stale count behind.
"""

import atexit
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from config.embedded import postgres, valkey
from config.embedded.servers import EmbeddedError, Servers

__all__ = ["EmbeddedError", "Servers", "join", "leave", "stop"]

LEAST_FREE_BYTES = 300 * 2**20

_joined: dict[Servers, IO[str]] = {}


def join(servers: Servers) -> None:
    """Start the servers, or join those that run; they stop when the last process that joined has left.

    Raises
    ------
    EmbeddedError
        ``var`` cannot be written, the disk is full, or a server does not come up (with the end of its log).
    """
    if servers in _joined or not (servers.postgres or servers.valkey):
        return
    _prepare(servers)
    with _locked(servers):
        if servers.postgres:
            postgres.ensure(servers)
        if servers.valkey:
            valkey.ensure(servers)
        here = (servers.var / "in-use.lock").open("w")
        fcntl.flock(here, fcntl.LOCK_SH)
    _joined[servers] = here
    owner = os.getpid()
    # A forked child shares our lock until it exits; only the process that joined may stop the servers.
    atexit.register(lambda: leave(servers) if os.getpid() == owner else None)


def leave(servers: Servers) -> None:
    """Leave the servers, and stop them if nobody else is there."""
    here = _joined.pop(servers, None)
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
    """Stop the servers, whoever uses them."""
    if servers.postgres:
        postgres.stop(servers)
    if servers.valkey:
        valkey.stop(servers)


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
