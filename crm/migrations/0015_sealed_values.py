"""Seal what lies open: names, identifiers, personal traits and properties, refused messages.

Rows that an UPDATE replaced stay in the files until PostgreSQL reuses their space, and in the backups: after this
migration run VACUUM FULL on crm_profile, crm_identifier, crm_rejectedevent and the months of crm_event, and let old
backups expire.
"""

from typing import Any

import orjson
from django.db import migrations, models

import crm.encryption.fields
from crm.ages import class_of_band
from crm.coarse import split
from crm.copying import bytes_array, int_array, text_array
from crm.encryption import Keys, aad, blind_index, seal, seal_for_house, suppression_key

CHUNK = 2000


def _chunks(cursor: Any, query: str) -> Any:
    """Yield the rows of a query by chunks; ids are asked for from the last one on, so memory stays flat."""
    last = 0
    while True:
        cursor.execute(query, [last, CHUNK])
        rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def seal_profiles(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        query = "SELECT id, plain_name, attributes, age_band FROM crm_profile WHERE id > %s ORDER BY id LIMIT %s"
        for rows in _chunks(cursor, query):
            told = []
            for id_, name, attributes, band in rows:
                found = orjson.loads(attributes) if isinstance(attributes, str) else attributes
                told.append((id_, name, *split(found), class_of_band(band)))
            keys = Keys(using=schema_editor.connection.alias)
            keys.make(id_ for id_, name, _, personal, _ in told if name or personal)
            cursor.execute(
                "UPDATE crm_profile AS p SET name = new.name, name_index = new.name_index, traits = new.traits,"
                " attributes = new.attributes, age_class = new.age_class FROM unnest(%s::bigint[], %s::bytea[],"
                " %s::bytea[], %s::bytea[], %s::jsonb[], %s::text[])"
                " AS new (id, name, name_index, traits, attributes, age_class) WHERE p.id = new.id",
                [
                    int_array(id_ for id_, *_ in told),
                    bytes_array(_sealed(keys, id_, "name", name.encode()) for id_, name, *_ in told),
                    bytes_array(blind_index("name", name) if name else None for _, name, *_ in told),
                    bytes_array(
                        _sealed(keys, id_, "traits", orjson.dumps(personal) if personal else b"")
                        for id_, _, _, personal, _ in told
                    ),
                    text_array(orjson.dumps(coarse).decode() for _, _, coarse, _, _ in told),
                    text_array(age_class for *_, age_class in told),
                ],
            )


def _sealed(keys: Keys, profile: int, field: str, plain: bytes) -> bytes | None:
    return seal(keys.of(profile), plain, aad("crm.profile", field, profile)) if plain else None


def seal_identifiers(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        query = "SELECT id, type, plain_value, profile_id FROM crm_identifier WHERE id > %s ORDER BY id LIMIT %s"
        for rows in _chunks(cursor, query):
            keys = Keys(using=schema_editor.connection.alias)
            keys.make(profile for *_, profile in rows)
            digests = [blind_index(type_, value) for _, type_, value, _ in rows]
            cursor.execute(
                "UPDATE crm_identifier AS i SET value = new.value, digest = new.digest, suppression_key = new.suppressed"
                " FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[])"
                " AS new (id, value, digest, suppressed) WHERE i.id = new.id",
                [
                    int_array(id_ for id_, *_ in rows),
                    bytes_array(
                        seal(keys.of(profile), value.encode(), aad("crm.identifier", "value", type_, digest))
                        for (_, type_, value, profile), digest in zip(rows, digests, strict=True)
                    ),
                    bytes_array(digests),
                    bytes_array(suppression_key(type_, value) for _, type_, value, _ in rows),
                ],
            )
        # Two spellings of one number were two identifiers; the one that was known first is kept.
        cursor.execute(
            "DELETE FROM crm_identifier AS later USING crm_identifier AS first"
            " WHERE later.type = first.type AND later.digest = first.digest AND later.id > first.id"
        )


def seal_events(apps: Any, schema_editor: Any) -> None:
    connection = schema_editor.connection
    with connection.connection.cursor(name="events_to_seal") as rows, connection.cursor() as cursor:
        rows.execute("SELECT id, occurred_at, profile_id, properties::text FROM crm_event WHERE properties <> '{}'")
        while found := rows.fetchmany(CHUNK):
            changed = [
                (str(id_), str(at), profile, coarse, personal)
                for id_, at, profile, properties in found
                for coarse, personal in [split(orjson.loads(properties))]
                if personal
            ]
            if not changed:
                continue
            keys = Keys(using=connection.alias)
            cursor.execute(
                "SELECT id FROM crm_profile WHERE id = ANY (%s::bigint[])", [int_array({row[2] for row in changed})]
            )
            known = {profile for (profile,) in cursor.fetchall()}
            keys.make(known)
            cursor.execute(
                "UPDATE crm_event AS e SET properties = new.properties, sealed = new.sealed FROM unnest(%s::uuid[],"
                " %s::timestamptz[], %s::jsonb[], %s::bytea[]) AS new (id, occurred_at, properties, sealed)"
                " WHERE e.id = new.id AND e.occurred_at = new.occurred_at",
                [
                    text_array(row[0] for row in changed),
                    text_array(row[1] for row in changed),
                    text_array(orjson.dumps(row[3]).decode() for row in changed),
                    bytes_array(  # what is personal of somebody who is gone goes, too
                        seal(keys.of(profile), orjson.dumps(personal), aad("crm.event", "sealed", id_.replace("-", "")))
                        if profile in known
                        else None
                        for id_, _, profile, _, personal in changed
                    ),
                ],
            )


def seal_rejected(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        query = "SELECT id, plain_payload FROM crm_rejectedevent WHERE id > %s ORDER BY id LIMIT %s"
        for rows in _chunks(cursor, query):
            cursor.execute(
                "UPDATE crm_rejectedevent AS r SET payload = new.payload, reason = regexp_replace(regexp_replace("
                "reason, '''[^'']*'' ', ''), 'cannot be stored:.*', 'cannot be stored')"
                " FROM unnest(%s::bigint[], %s::bytea[]) AS new (id, payload) WHERE r.id = new.id",
                [
                    int_array(id_ for id_, _ in rows),
                    bytes_array(
                        seal_for_house(payload.encode(), aad("crm.rejectedevent", "payload", id_))
                        for id_, payload in rows
                    ),
                ],
            )
        # What a database or a parser said of a failed job may quote the values that it failed on.
        cursor.execute("UPDATE crm_jobrun SET error = 'failed before errors were kept without values' WHERE error <> ''")


def check_now(apps: Any, schema_editor: Any) -> None:
    """Check what would be checked at commit: a table with checks to come cannot be altered."""
    schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refuse(apps: Any, schema_editor: Any) -> None:
    raise migrations.exceptions.IrreversibleError("Sealed values are not laid open again.")


class Migration(migrations.Migration):
    dependencies = [("crm", "0014_sealed_proofs")]

    operations = [
        migrations.RemoveConstraint("identifier", "crm_identifier_means_one_profile"),
        migrations.RenameField("profile", "name", "plain_name"),
        migrations.RenameField("identifier", "value", "plain_value"),
        migrations.RenameField("rejectedevent", "payload", "plain_payload"),
        migrations.AddField(
            "profile",
            "name",
            crm.encryption.fields.EncryptedTextField(
                blank=True, max_length=200, null=True, person="pk", row=("pk",), verbose_name="name"
            ),
        ),
        migrations.AddField("profile", "name_index", models.BinaryField(null=True)),
        migrations.AddField(
            "profile",
            "birth_date",
            crm.encryption.fields.EncryptedDateField(
                blank=True, null=True, person="pk", row=("pk",), verbose_name="birth date"
            ),
        ),
        migrations.AddField(
            "profile",
            "traits",
            crm.encryption.fields.EncryptedJSONField(
                blank=True, editable=False, null=True, person="pk", row=("pk",), verbose_name="personal traits"
            ),
        ),
        migrations.AddField(
            "identifier",
            "value",
            crm.encryption.fields.EncryptedTextField(
                max_length=255, null=True, person="profile_id", row=("type", "digest"), verbose_name="value"
            ),
        ),
        migrations.AddField("identifier", "digest", models.BinaryField(null=True)),
        migrations.AddField("identifier", "suppression_key", models.BinaryField(null=True)),
        migrations.AddField(
            "rejectedevent",
            "payload",
            crm.encryption.fields.EncryptedTextField(
                blank=True, null=True, person=None, row=("pk",), verbose_name="payload"
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE crm_event ADD COLUMN sealed bytea", "ALTER TABLE crm_event DROP COLUMN sealed"
                )
            ],
            state_operations=[
                migrations.AddField(
                    "event",
                    "sealed",
                    crm.encryption.fields.EncryptedJSONField(
                        blank=True,
                        editable=False,
                        null=True,
                        person="profile_id",
                        row=("id",),
                        verbose_name="personal properties",
                    ),
                )
            ],
        ),
        migrations.RunPython(seal_profiles, refuse),
        migrations.RunPython(seal_identifiers, refuse),
        migrations.RunPython(seal_events, refuse),
        migrations.RunPython(seal_rejected, refuse),
        migrations.RunPython(check_now, migrations.RunPython.noop),
        migrations.RemoveField("profile", "plain_name"),
        migrations.RemoveField("identifier", "plain_value"),
        migrations.RemoveField("rejectedevent", "plain_payload"),
        migrations.AlterField("profile", "name_index", models.BinaryField(db_index=True, editable=False, null=True)),
        migrations.AlterField(
            "identifier",
            "value",
            crm.encryption.fields.EncryptedTextField(
                max_length=255, person="profile_id", row=("type", "digest"), verbose_name="value"
            ),
        ),
        migrations.AlterField("identifier", "digest", models.BinaryField(editable=False)),
        migrations.AlterField("identifier", "suppression_key", models.BinaryField(db_index=True, editable=False)),
        migrations.AddConstraint(
            "identifier",
            models.UniqueConstraint(fields=("type", "digest"), name="crm_identifier_means_one_profile"),
        ),
    ]
