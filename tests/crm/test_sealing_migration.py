"""A database that held values in the plain is migrated: they are sealed, read again, and found in no table."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from crm.database_roles import as_owner
from crm.models import Event, Identifier, JobRun, PersonKey, Profile, RejectedEvent
from tests.crm.canaries import tables

BEFORE = ("crm", "0014_sealed_proofs")


@pytest.fixture
def plain_database(django_db_blocker: Any) -> Iterator[None]:
    """A database of its own that stands where values were not sealed yet."""
    with django_db_blocker.unblock():
        real, name = connection.settings_dict["NAME"], "zhiyin_before_sealing"
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}"')
        connection.close()
        connection.settings_dict["NAME"] = name
        try:
            with as_owner():
                executor = MigrationExecutor(connection)
                leaves = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] not in {"crm", "mlengine"}]
                executor.migrate([BEFORE, *(leaf for leaf in leaves if leaf[0] in {"auth", "contenttypes"})])
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = real
            with as_owner(), connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            connection.close()


PLAIN = """
INSERT INTO crm_source (id, name, kind, write_key_hint, is_active, created_at)
VALUES (1, 'till', 'server', '', true, now());
INSERT INTO crm_profile (id, name, age_band, gender, province, city, language, attributes, personalisation, created_at,
    updated_at)
SELECT n, CASE WHEN n % 2 = 0 THEN '张三canary' || n ELSE '' END, CASE WHEN n % 3 = 0 THEN '14-17' ELSE '25-34' END, '',
    '', '', '', CASE WHEN n % 2 = 0 THEN '{"plan": "gold", "note": "notecanary"}'::jsonb ELSE '{"plan": "gold"}' END,
    true, now(), now() FROM generate_series(1, 4500) AS n;
INSERT INTO crm_identifier (type, value, profile_id, source_id, verified, created_at)
SELECT 'external_id', 'idcanary' || n, n, 1, false, now() FROM generate_series(1, 4500) AS n;
INSERT INTO crm_identifier (type, value, profile_id, source_id, verified, created_at)
VALUES ('phone', '+8613900001111', 1, 1, false, now()), ('phone', '13900001111', 2, 1, false, now());
CREATE TABLE crm_event_202601 PARTITION OF crm_event
FOR VALUES FROM ('2026-01-01T00:00:00Z') TO ('2026-02-01T00:00:00Z');
INSERT INTO crm_event (id, source_id, profile_id, kind, properties, occurred_at, received_at)
SELECT gen_random_uuid(), 1, n, 'track', '{"till": 3, "context": {"page": {"url": "urlcanary"}}}', '2026-01-05',
    '2026-01-05'
FROM generate_series(1, 4502) AS n;
INSERT INTO crm_rejectedevent (id, source_id, index, field, reason, payload, received_at)
VALUES (7, 1, 0, 'traits.birthday', '''daycanary'' is not a date in ISO 8601', '{"userId": "payloadcanary"}', now());
INSERT INTO crm_jobrun (kind, title, parameters, status, step, done, rejected, checkpoint, result, error, created_at)
VALUES ('import', 'x', '{}', 'failed', '', 0, 0, '{}', '{}', 'Key (value)=(errorcanary) already exists', now());
"""


@pytest.mark.nightly
def test_what_lay_open_is_sealed_and_reads_as_before(plain_database: None) -> None:
    with as_owner():
        with connection.cursor() as cursor:
            cursor.execute(PLAIN)
        call_command("migrate", verbosity=0)
    assert {one.pk: one.name for one in Profile.objects.all()} == {
        n: f"张三canary{n}" if n % 2 == 0 else "" for n in range(1, 4501)
    }
    second = Profile.objects.named("张三CANARY2").get()
    assert (second.pk, second.attributes, second.traits) == (2, {"plan": "gold"}, {"note": "notecanary"})
    assert Profile.objects.get(pk=3).age_class == "minor"
    assert Profile.objects.identified("external_id", "idcanary4500").get().pk == 4500
    assert Identifier.objects.filter(type="phone").get().profile_id == 1, "one number, two spellings: the first stays"
    events = {event.profile_id: (event.properties, event.sealed) for event in Event.objects.all()}
    visit = {"context": {"page": {"url": "urlcanary"}}}
    assert events == {n: ({"till": 3}, visit if n <= 4500 else {}) for n in range(1, 4503)}
    refused = RejectedEvent.objects.get()
    assert (refused.reason, json.loads(refused.payload)) == ("is not a date in ISO 8601", {"userId": "payloadcanary"})
    assert "canary" not in JobRun.objects.get().error
    assert PersonKey.objects.count() == 4500
    assert [name for name, data in tables() if b"canary" in data] == []
