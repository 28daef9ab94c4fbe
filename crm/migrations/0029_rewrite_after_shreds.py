"""Dead rows leave the files of tables that erasures empty: what was deleted stays readable on the page until then."""

from django.db import migrations

# CLUSTER and not VACUUM: that frees the space and leaves the bytes in it; and it runs in no function, so that the
# application, which is not the owner, could not ask for it. The table is locked meanwhile; nobody waits for that long.
REWRITE = """
CREATE FUNCTION crm_rewrite_table(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    key regclass;
BEGIN
    IF name NOT IN ('crm_personkey', 'crm_jobrun', 'crm_personaldataaccess', 'django_admin_log') THEN
        RAISE EXCEPTION '% is not rewritten', name;
    END IF;
    SELECT indexrelid INTO STRICT key FROM pg_index WHERE indrelid = name::regclass AND indisprimary;
    EXECUTE format('CLUSTER %I USING %s', name, (SELECT quote_ident(relname) FROM pg_class WHERE oid = key));
END $$;
REVOKE ALL ON FUNCTION crm_rewrite_table(text) FROM PUBLIC;
ALTER FUNCTION crm_rewrite_table(text) SET lock_timeout = '2s';
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION crm_rewrite_table(text) SET search_path = %I, pg_temp', current_schema());
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0028_hindrances")]

    operations = [migrations.RunSQL(REWRITE, "DROP FUNCTION crm_rewrite_table(text)")]
