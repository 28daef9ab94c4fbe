"""The admin's list of people, 50 rows with names and identifiers: sealed, against the same page over plain columns.

The yardstick is our own page, admin class and template over two tables that hold the same values as plain text. Pages
are asked for in turns, so that what else the machine does falls on both.
"""

import time
from statistics import median
from typing import Any

from tests.benchmarks.databases import fresh_database, set_up

PEOPLE, TURNS = 5_000, 60
MOST = 1.5


def run() -> list[dict[str, Any]]:
    """Return the milliseconds of the page and their ratio to the plain one's."""
    set_up()
    with fresh_database():
        pages = _prepared()
        client = _officer()
        times: dict[str, list[float]] = {name: [] for name in pages}
        for turn in range(TURNS):
            for name, path in pages.items():
                started = time.perf_counter()
                answer = client.get(path)
                seconds = time.perf_counter() - started
                assert answer.status_code == 200
                if turn >= 5:  # warm
                    times[name].append(seconds)
        shown = {name: _rows(client.get(path).content.decode()) for name, path in pages.items()}
    assert shown["sealed"] == shown["plain"]
    assert len(shown["sealed"]) == 50
    sealed, plain = (1000 * median(times[name]) for name in ("sealed", "plain"))
    ratio = round(sealed / plain, 2)
    assert ratio <= MOST, ratio
    return [
        {
            "name": "list of people, 50 rows, sealed",
            "value": round(sealed, 1),
            "unit": "ms",
            "yardstick": f"plain columns {plain:.1f} ms (at most {MOST} times)",
            "ratio": ratio,
        }
    ]


def _rows(page: str) -> list[str]:
    import re

    return re.findall(r"u\*+|[A-Z]\*+ [A-Z]\*+|138\*{4}\d{4}", page)[-50:]


def _prepared() -> dict[str, str]:
    """Fill both pairs of tables with the same people, and return the addresses of both lists."""
    from django.contrib import admin
    from django.db import connection
    from django.utils import timezone

    from crm.admin.profiles import ProfileAdmin
    from crm.database_roles import as_owner
    from crm.models import Identifier, Profile
    from tests.benchmarks.yardsticks.plain_people import PlainIdentifier, PlainProfile

    admin.site.register(PlainProfile, ProfileAdmin)
    with as_owner(), connection.schema_editor() as editor:
        editor.create_model(PlainProfile)
        editor.create_model(PlainIdentifier)
    with as_owner():
        from crm.database_roles import grant

        grant()
    now = timezone.now()
    pairs: list[tuple[Any, Any]] = [(Profile, Identifier), (PlainProfile, PlainIdentifier)]  # of the same columns
    for person, identifier in pairs:
        people = person._default_manager.bulk_create(
            person(name=f"Zhang Wei {n}", city="Hangzhou", created_at=now, updated_at=now) for n in range(PEOPLE)
        )
        identifier._default_manager.bulk_create(
            identifier(type=type_, value=value, profile=one, created_at=now)
            for n, one in enumerate(people)
            for type_, value in (("external_id", f"customer-{n}"), ("phone", f"1380013{n:04}"))
        )
    return {"sealed": "/admin/crm/profile/", "plain": "/admin/crm/plainprofile/"}


def _officer() -> Any:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("officer", "officer@example.org", "x"))
    return client


if __name__ == "__main__":
    for row in run():
        print(row)
