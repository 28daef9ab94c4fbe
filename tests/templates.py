"""A migrated database that test databases are copied from: a hundred migrations run once, not once a process.

It is named by a hash of what migrations are made of, so a change of one makes another; those before it are dropped.
"""

import os
import re
import subprocess
from collections.abc import Iterable
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.db import connection

from config import embedded
from config.embedded import Servers
from config.embedded.postgres import _program as program
from crm.database_roles import as_owner

NAMED = "zhiyin_migrated_"
OURS = re.compile(r"^\s*from ((?:crm|campaigns|mlengine|config)[\w.]*) import ([\w, ]+)", re.MULTILINE)


def use() -> None:
    """Let the test database be copied from the migrated one, made now if need be; the connection is the owner's."""
    name = NAMED + _digest()
    with Path(settings.VAR_DIR, "migrated.lock").open("w") as lock:
        flock(lock, LOCK_EX)  # of several test processes one migrates, the others wait and copy
        if name not in _there():
            _make(name)
    connection.settings_dict["TEST"]["TEMPLATE"] = name


def dumped() -> Path:
    """Return the migrated database as statements, for servers of a test's own; the connection is the owner's."""
    name, servers = NAMED + _digest(), settings.EMBEDDED
    path = Path(settings.VAR_DIR, f"{name}.sql")
    with Path(settings.VAR_DIR, "migrated.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not path.exists():
            for old in path.parent.glob(f"{NAMED}*.sql"):
                old.unlink()
            aside = path.with_suffix(".new")
            where = ["-h", str(servers.run), "-U", servers.owner_role, "-d", name]
            subprocess.run([str(program("pg_dump")), *where, "-f", str(aside)], check=True)
            aside.rename(path)
    return path


def lay_out(var: Path, dump: Path) -> None:
    """Make a cluster below ``var`` whose database is migrated: to start there takes seconds, not half a minute."""
    servers = Servers(var=var, valkey=False)
    embedded.join(servers)
    where = ["-h", str(servers.run), "-U", servers.owner_role, "-d", "zhiyin", "-v", "ON_ERROR_STOP=1"]
    subprocess.run([str(program("psql")), *where, "-X", "-q", "-1", "-o", "/dev/null", "-f", str(dump)], check=True)
    embedded.leave(servers)


def _make(name: str) -> None:
    before = connection.settings_dict["NAME"]
    made = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    connection.close()
    connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = before
    with connection._nodb_cursor() as cursor:
        for old in _there():
            cursor.execute(f"DROP DATABASE {connection.ops.quote_name(old)}")
        quoted = (connection.ops.quote_name(one) for one in (made, name))
        cursor.execute("ALTER DATABASE {} RENAME TO {}".format(*quoted))


def _there() -> list[str]:
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [NAMED.replace("_", r"\_") + "%"])
        return [name for (name,) in cursor.fetchall()]


def _digest() -> str:
    """Return a hash of every migration, and of the modules of ours that they run, wherever they lie."""
    found = sha256()
    files = {file for app in apps.get_app_configs() for file in Path(app.path, "migrations").glob("*.py")}
    texts = {file: file.read_bytes() for file in files}
    for file in _run_by(texts.values()):
        texts[file] = file.read_bytes()
    for text in sorted(texts.values()):
        found.update(text)
    return found.hexdigest()[:16]


def _run_by(migrations: Iterable[bytes]) -> set[Path]:
    imports = {found for text in migrations for found in OURS.findall(text.decode())}
    paths = {Path(settings.BASE_DIR, *module.split(".")) for module, _names in imports}
    paths |= {
        Path(settings.BASE_DIR, *module.split("."), name.strip())
        for module, names in imports
        for name in names.split(",")
    }
    files = {file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")}
    return {file for file in files if file.is_file()}


def main() -> None:
    """Make the migrated database while there is something else to do: ``make test`` calls this beside the types."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    embedded.join(settings.EMBEDDED)
    with as_owner():
        use()


if __name__ == "__main__":
    main()
