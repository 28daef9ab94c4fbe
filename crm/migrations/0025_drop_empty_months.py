"""A month is dropped only if it is empty in the very moment: an event that comes between a look and a drop would go."""

from django.db import migrations

# The parent first, as writers lock: the other way round they and we would wait for each other. All writers wait while
# we do, so we do not wait long: retention tries again the next night.
DROP_EMPTY = """
CREATE FUNCTION crm_drop_empty_event_month(month date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    partition regclass;
    filled boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(7305198);
    LOCK TABLE ONLY crm_event IN ACCESS EXCLUSIVE MODE;
    partition := to_regclass('crm_event_' || to_char(month, 'YYYYMM'));
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = partition AND inhparent = 'crm_event'::regclass) THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', partition);
    EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', partition) INTO filled;
    IF filled THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %s', partition);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION crm_drop_empty_event_month(date) FROM PUBLIC;
ALTER FUNCTION crm_drop_empty_event_month(date) SET lock_timeout = '2s';
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION crm_drop_empty_event_month(date) SET search_path = %I, pg_temp', current_schema());
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0024_indexes_of_consent")]

    operations = [migrations.RunSQL(DROP_EMPTY, "DROP FUNCTION crm_drop_empty_event_month(date)")]
