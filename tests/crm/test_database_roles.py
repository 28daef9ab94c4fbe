"""The application's role cannot change what is written once; with one role for everything the triggers still refuse."""

from collections.abc import Iterator
from datetime import date

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from crm import partitions
from crm.database_roles import NoOwner, application_role, as_owner, grant
from crm.deploy_checks import owners_differ
from crm.insert_only import insert_only
from crm.models import Item, Profile
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = [
    "UPDATE written_once SET word = 'other'",
    "DELETE FROM written_once",
    "TRUNCATE written_once",
    "INSERT INTO written_once VALUES (1, 'other') ON CONFLICT (id) DO UPDATE SET word = 'other'",
    "MERGE INTO written_once USING (VALUES (1)) AS v(id) ON v.id = written_once.id WHEN MATCHED THEN DELETE",
    "SELECT * FROM written_once FOR UPDATE",
    "ALTER TABLE written_once DISABLE TRIGGER ALL",
    "ALTER TABLE written_once ADD COLUMN other text",
    "DROP TRIGGER written_once_insert_only ON written_once",
    "CREATE TRIGGER a BEFORE INSERT ON written_once FOR EACH ROW EXECUTE FUNCTION zhiyin_refuse_change()",
    "CREATE RULE a AS ON INSERT TO written_once DO INSTEAD NOTHING",
    "CREATE POLICY a ON written_once",
    "DROP TABLE written_once",
    "CREATE OR REPLACE FUNCTION zhiyin_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "DROP FUNCTION zhiyin_refuse_change() CASCADE",
    "GRANT DELETE ON written_once TO CURRENT_USER; DELETE FROM written_once",
    "SET session_replication_role = 'replica'",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "CREATE TABLE of_its_own (id int)",
    "CREATE ROLE another",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "COPY written_once TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')",
    "DELETE FROM django_migrations",
    "UPDATE crm_event SET value = 1",
]


@pytest.fixture
def written_once() -> Iterator[None]:
    """A table with one row that nobody may change, as migrations make them."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE written_once (id int PRIMARY KEY, word text)")
        cursor.execute(str(insert_only("written_once").sql))
        grant()
    run("INSERT INTO written_once VALUES (1, 'first')")
    yield
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE written_once")


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def words() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT word FROM written_once")
        return [word for (word,) in cursor.fetchall()]


def owner() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'crm_profile'")
        return str(cursor.fetchone()[0])


def test_the_tests_run_as_the_role_of_the_application_which_owns_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, session_user")
        assert cursor.fetchone() == (application_role(), application_role())
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles")
        assert (False, False, False, False, False) in cursor.fetchall()
    assert owner() != application_role()


@pytest.mark.usefixtures("written_once")
@pytest.mark.parametrize("lifted", [False, True], ids=["", "with zhiyin.flush on"])
@pytest.mark.parametrize("statement", REFUSED)
def test_the_application_cannot(statement: str, lifted: bool) -> None:
    if lifted:
        connection.cursor().execute("SET zhiyin.flush = 'on'")
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner|only ever added|not permitted"):
        run(statement.format(owner=owner()))
    assert words() == ["first"]


@pytest.mark.usefixtures("written_once")
@pytest.mark.parametrize(
    "verb", ["UPDATE written_once SET word = ''", "DELETE FROM written_once", "TRUNCATE written_once"]
)
def test_the_owner_changes_nothing_by_mistake(verb: str) -> None:
    with as_owner():
        for replication in ("origin", "replica"):
            run(f"SET session_replication_role = '{replication}'")
            with pytest.raises(ProgrammingError, match="written_once is only ever added to"):
                run(verb)
    assert words() == ["first"]


@pytest.mark.usefixtures("written_once")
def test_the_owner_can_lift_it_for_one_session() -> None:
    with as_owner():
        run("SET zhiyin.flush = 'on'")
        run("UPDATE written_once SET word = 'second'")
        assert words() == ["second"]
        run("DELETE FROM written_once")
        assert words() == []
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('zhiyin.flush', true)")
        assert cursor.fetchone() != ("on",)


@pytest.mark.usefixtures("written_once")
def test_with_one_role_for_everything_all_works_and_the_triggers_refuse() -> None:
    one = owner()
    with as_owner(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings.DATABASES["default"], "USER", one)
        patch.setattr(settings, "OWNER_DATABASE", {})
        call_command("migrate", verbosity=0)
        for verb in ("UPDATE written_once SET word = ''", "DELETE FROM written_once", "TRUNCATE written_once"):
            with pytest.raises(ProgrammingError, match="only ever added"):
                run(verb)
        assert words() == ["first"]
        partitions.ensure([date(1998, 1, 1)])
        assert partitions.drop(date(1998, 1, 1))
        factories.item()
        call_command("flush", verbosity=0, interactive=False)
        assert not Item.objects.exists()
        assert [check.id for check in owners_differ(None)] == ["zhiyin.W001"]


def test_flush_empties_every_table_and_the_application_goes_on() -> None:
    factories.item()
    call_command("flush", verbosity=0, interactive=False)
    assert not Item.objects.exists()
    factories.profile()
    assert Profile.objects.count() == 1


def test_no_other_role_is_taken_in_the_middle_of_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(NoOwner, match="outside a transaction"), as_owner():
        pass


def test_granting_twice_changes_nothing() -> None:
    before = rights()
    with as_owner():
        grant()
    assert rights() == before
    assert before["crm_event"] == "ard"
    assert before["crm_profile"] == "arwd"
    assert before["django_migrations"] == "r"


def rights() -> dict[str, str]:
    """Return what the application may do with each table, in the letters of PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, split_part(split_part(acl::text, '=', 2), '/', 1) FROM pg_class, unnest(relacl) AS acl"
            " WHERE relkind IN ('r', 'p') AND acl::text LIKE %s ORDER BY relname",
            [f"{application_role()}=%"],
        )
        return dict(cursor.fetchall())


def test_a_month_is_added_and_dropped_by_the_application_through_the_owner() -> None:
    assert partitions.drop(date(1998, 2, 1)) is False
    partitions.ensure([date(1998, 2, 1)])
    partitions.ensure([date(1998, 2, 1)])
    assert date(1998, 2, 1) in partitions.existing()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'crm_event_199802'")
        assert cursor.fetchone() == (owner(),)
    assert partitions.drop(date(1998, 2, 1)) is True
    assert date(1998, 2, 1) not in partitions.existing()


@pytest.mark.parametrize("day", ["1998-02-02", "10000-01-01", "0001-12-01 BC", "infinity"])
def test_what_is_no_month_gets_no_table(day: str) -> None:
    with pytest.raises(Exception, match=r"not the first day of a month|out of range|cannot"):
        run(f"SELECT crm_add_event_month('{day}')")


def test_a_name_of_the_callers_own_is_never_used_by_the_owners_functions() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE crm_event (LIKE crm_event)")
        cursor.execute("CREATE TEMP TABLE pg_inherits (inhrelid oid, inhparent oid)")
        cursor.execute("SET search_path = pg_temp, public, pg_catalog")
        cursor.execute("SELECT crm_add_event_month('1998-03-01')")
        cursor.execute("SET DateStyle = 'German'")
        cursor.execute("SELECT crm_add_event_month('1998-04-01')")
    connection.close()
    assert {date(1998, 3, 1), date(1998, 4, 1)} <= partitions.existing()
    assert partitions.drop(date(1998, 3, 1))
    assert partitions.drop(date(1998, 4, 1))
