"""Tables to which rows are only ever added: triggers for migrations, one line a table.

They hold for every role, the owner of the tables too, so they also protect an installation with one role only. The one
way round is meant for tests that flush: the owner, after ``SET zhiyin.flush = 'on'``. Who may do that can drop the
trigger as well; what such a person rewrites is what checkpoints held elsewhere show (``crm/fsck``).
"""

from django.db.migrations.operations import RunSQL

FUNCTION = """
CREATE OR REPLACE FUNCTION zhiyin_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('zhiyin.flush', true) = 'on' AND pg_has_role(
        current_user, (SELECT relowner FROM pg_catalog.pg_class WHERE oid = TG_RELID), 'USAGE'
    ) THEN
        IF TG_LEVEL = 'STATEMENT' THEN RETURN NULL; END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is only ever added to: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
NO_FUNCTION = "DROP FUNCTION zhiyin_refuse_change()"

# ALWAYS: a session that poses as a replica skips ordinary triggers.
TRIGGER = """
CREATE TRIGGER {name} BEFORE {event} ON {table} {each} EXECUTE FUNCTION zhiyin_refuse_change();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};
"""


def refusal() -> RunSQL:
    """Make the function that all triggers call."""
    return RunSQL(FUNCTION, NO_FUNCTION)


def insert_only(table: str) -> RunSQL:
    """Refuse every UPDATE, DELETE and TRUNCATE of a table, also where it would touch no row."""
    name = f"{table}_insert_only"
    make = TRIGGER.format(name=name, table=table, event="UPDATE OR DELETE OR TRUNCATE", each="FOR EACH STATEMENT")
    return RunSQL(make, f"DROP TRIGGER {name} ON {table}")


def frozen_when(table: str, condition: str) -> RunSQL:
    """Refuse UPDATE and DELETE of the rows for which the condition on ``OLD`` holds, and TRUNCATE of the table."""
    rows, whole = f"{table}_frozen", f"{table}_not_truncated"
    make = TRIGGER.format(
        name=rows, table=table, event="UPDATE OR DELETE", each=f"FOR EACH ROW WHEN ({condition})"
    ) + TRIGGER.format(name=whole, table=table, event="TRUNCATE", each="FOR EACH STATEMENT")
    return RunSQL(make, f"DROP TRIGGER {rows} ON {table}; DROP TRIGGER {whole} ON {table}")
