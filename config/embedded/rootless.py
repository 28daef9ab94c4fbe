"""PostgreSQL refuses to run as root: in containers it runs in a user namespace, or else as nobody."""

import ctypes
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

NOBODY = 65534


def unprivileged() -> dict[str, Any]:
    """Return how to start PostgreSQL, which refuses to run as root: in a user namespace, or else as nobody."""
    if os.geteuid() != 0:
        return {}
    if can_unshare():
        return {"preexec_fn": _enter_user_namespace}
    return {"user": NOBODY, "group": NOBODY}


def own(path: Path) -> None:
    """Give a path to the user that PostgreSQL runs as."""
    if os.geteuid() == 0 and not can_unshare():
        os.chown(path, NOBODY, NOBODY)


@cache
def can_unshare() -> bool:
    """Tell whether this system lets us make a user namespace."""
    try:
        trial = subprocess.run([sys.executable, "-c", ""], check=False, preexec_fn=_enter_user_namespace)
    except subprocess.SubprocessError:
        return False
    return trial.returncode == 0


def hint(complaint: str) -> str:
    """Return what to do about a complaint of PostgreSQL's that has to do with permissions or space, or nothing."""
    if os.geteuid() == 0 and "Permission denied" in complaint:
        return (
            "\nPostgreSQL does not run as root, and user namespaces are not allowed here: it ran as nobody, who must be"
            " able to reach the project and VAR_DIR. Put both outside /root, or run as an ordinary user."
        )
    if "No space left" in complaint:
        return "\nThe disk is full: free some space, or set VAR_DIR to a larger one."
    return ""


def _enter_user_namespace() -> None:
    """Become an ordinary user in a namespace of our own, while files still see us as root."""
    uid, gid = os.geteuid(), os.getegid()
    clone_newuser = 0x10000000
    if ctypes.CDLL(None).unshare(clone_newuser) != 0:
        raise OSError("user namespaces are not allowed here")
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)
