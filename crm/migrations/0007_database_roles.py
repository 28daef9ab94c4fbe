"""What the application's role, which owns no table, needs from the owner: months of the log."""

from django.db import migrations

# Whoever changes a table must not choose what the names in the function that refuses it mean.
PIN = "ALTER FUNCTION zhiyin_refuse_change() SET search_path = pg_catalog, pg_temp"

# ATTACH lets readers and writers of other months go on; CREATE ... PARTITION OF would stop them all. The lock: two
# writers that meet the first event of a month would deadlock on the parent table.
MONTHS = """
CREATE FUNCTION crm_add_event_month(month date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    partition text := 'crm_event_' || to_char(month, 'YYYYMM');
BEGIN
    IF extract(day FROM month) <> 1 OR month NOT BETWEEN '0001-01-01' AND '9999-12-01' THEN
        RAISE EXCEPTION '% is not the first day of a month', month;
    END IF;
    PERFORM pg_advisory_xact_lock(7305198);
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE crm_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE format(
        'ALTER TABLE crm_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, month || 'T00:00:00Z', (month + interval '1 month')::date || 'T00:00:00Z'
    );
    RETURN true;
END $$;
CREATE FUNCTION crm_drop_event_month(month date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    partition regclass := to_regclass('crm_event_' || to_char(month, 'YYYYMM'));
BEGIN
    PERFORM pg_advisory_xact_lock(7305198);
    IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = partition AND inhparent = 'crm_event'::regclass) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE %s', partition);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION crm_add_event_month(date), crm_drop_event_month(date) FROM PUBLIC;
DO $$
BEGIN
    -- They run as the owner: whoever calls them must not choose what their names mean. (pg_catalog comes first, unsaid;
    -- said, it would be where tables are made.) DateStyle: dates are written into statements.
    EXECUTE format('ALTER FUNCTION crm_add_event_month(date) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION crm_drop_event_month(date) SET search_path = %I, pg_temp', current_schema());
    ALTER FUNCTION crm_add_event_month(date) SET "DateStyle" = 'ISO';
END $$;
"""
NO_MONTHS = "DROP FUNCTION crm_add_event_month(date); DROP FUNCTION crm_drop_event_month(date);"


class Migration(migrations.Migration):
    dependencies = [("crm", "0006_impact_assessments")]

    operations = [
        migrations.RunSQL(PIN, "ALTER FUNCTION zhiyin_refuse_change() RESET search_path"),
        migrations.RunSQL(MONTHS, NO_MONTHS),
    ]
