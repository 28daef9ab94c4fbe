"""Every column of every table is classified, and what the map says is what the models do."""

from django.db.models import CASCADE

from crm.classification import PERSONAL, Erasure, Kind, columns
from crm.encryption.rows import sealed_fields
from crm.models import Profile
from tests import tables


def test_every_column_is_classified_and_nothing_else() -> None:
    models = tables.models(include_auto_created=True)
    present = {(model._meta.label_lower, field.name) for model in models for field in model._meta.concrete_fields}
    known = set(columns())
    assert present - known == set(), "classify these in crm/data_map.py"
    assert known - present == set(), "these are gone: take them out of crm/data_map.py"


def test_what_is_sealed_is_identifying_and_shredded_or_the_rings() -> None:
    for model in tables.models():
        for field in sealed_fields(model):
            found = columns()[model._meta.label_lower, field.name]
            if found.kind == Kind.KEY:
                assert not field.person, found  # the house's own secrets, which the ring seals
                continue
            assert found.kind == Kind.IDENTIFYING, found
            assert found.erasure in {Erasure.SHRED, Erasure.NULL} if field.person else Erasure.DELETE, found


def test_no_identifying_text_of_people_lies_open() -> None:
    sealed = {(model._meta.label_lower, f.name) for model in tables.models() for f in sealed_fields(model)}
    open_ones = {key for key, column in columns().items() if column.kind == Kind.IDENTIFYING} - sealed
    # The admin's own log names rows by number; a request's journal entry holds suppression keys until it is written.
    assert open_ones == {
        ("admin.logentry", "object_repr"),
        ("admin.logentry", "change_message"),
        ("crm.privacyrequest", "unshredded"),
    }


def test_rows_that_go_with_the_person_are_said_to_go() -> None:
    for relation in Profile._meta.related_objects:
        if relation.on_delete is CASCADE:
            label, name = relation.related_model._meta.label_lower, relation.field.name
            assert columns()[label, name].erasure == Erasure.DELETE, (label, name)


def test_what_outlives_the_person_has_a_reason() -> None:
    kept = [column for column in columns().values() if column.erasure == Erasure.KEEP]
    assert all(column.reason for column in kept)
    telling = {column.table for column in kept if column.kind in PERSONAL}
    assert telling == {"crm.suppression", "crm.personaldataaccess", "crm.approval"}
