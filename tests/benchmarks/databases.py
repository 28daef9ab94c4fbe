"""A database of its own for benchmarks that write, beside the real one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def set_up() -> None:
    """Start Django with the embedded servers; harmless where it runs already."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.conf import settings

    from config import embedded

    embedded.join(settings.EMBEDDED)
    django.setup()


@contextmanager
def fresh_database() -> Iterator[None]:
    """Use an empty, migrated database until the end, then drop it and go back."""
    from django.db import connection

    set_up()
    from crm.database_roles import as_owner

    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"bench_{name}"  # tests that run meanwhile have one of their own
    with as_owner():
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        with as_owner():
            connection.creation.destroy_test_db(name, verbosity=0)
