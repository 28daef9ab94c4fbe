"""The pages of tables on the disk: what PostgreSQL deleted or changed stays on them until they are written anew.

The key of a person, wrapped, is the one value that would open all others again; a few texts of staff named her in the
clear. Their tables are rewritten without dead rows. Vacuuming would not do: it frees the space and leaves the bytes.

What this does not reach is said in SECURITY.md: the write-ahead log until it is recycled, archives of it, and backups.
"""

from collections.abc import Mapping
from typing import Any

from django.db import OperationalError, connection
from psycopg2.errorcodes import DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE

from crm.carrying_out import NotYet
from crm.models import PrivacyRequest

KEYS = "crm_personkey"
# Tables whose rows named the person in the clear, by the step that changed them, if it did.
CHANGED_BY = {"admin_log": "django_admin_log", "jobs": "crm_jobrun", "reasons": "crm_personaldataaccess"}
# A session that still sees the past keeps it on the page. Those of other roles and replicas are not seen from here.
WATCHED = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND age(backend_xmin) >= age(%s::xid8::xid)
)
"""


def rewrite(request: PrivacyRequest) -> Mapping[str, Any]:
    """Write anew the tables that this erasure changed; return which.

    Raises
    ------
    crm.carrying_out.NotYet
        Somebody reads or writes them just now, or still sees what was.
    """
    steps = {step.store: step.receipt for step in request.steps.all()}
    named = [table for store, table in CHANGED_BY.items() if any(steps.get(store, {}).values())]
    with connection.cursor() as cursor:
        cursor.execute(WATCHED, [steps["person"]["transaction"]])
        if cursor.fetchone()[0]:
            raise NotYet("somebody still sees the database as it was before")
        for table in (KEYS, *named):
            _rewrite(cursor, table)
    return {"tables": [KEYS, *named]}


def _rewrite(cursor: Any, table: str) -> None:
    try:
        cursor.execute("SELECT crm_rewrite_table(%s)", [table])
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") not in {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}:
            raise
        raise NotYet(f"{table} is being used") from None
