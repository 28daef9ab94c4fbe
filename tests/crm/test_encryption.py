"""Personal values at rest: sealed, found by keyed hashes, bound to their row, gone with their key."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import FieldError
from django.db import connection, transaction

from crm import identity, ingest, merging, people
from crm.encryption import Keys, Shredded, Tampered, blind_index, pseudonym, suppression_key
from crm.ingest import NewEvent
from crm.models import Event, Identifier, PersonKey, Profile, RejectedEvent, TagObjection
from tests import factories
from tests.crm.requests import officer
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def person(external_id: str = "u1", **facts: Any) -> Profile:
    told = {"name": "欧阳娜娜", "birth_date": date(1990, 5, 17), "traits": {"note": "likes oolong"}}
    return factories.profile(external_id, **told | facts)


def stored(table: str, column: str, pk: Any) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT "{column}" FROM "{table}" WHERE id = %s', [pk])
        return bytes(cursor.fetchone()[0])


def store(table: str, column: str, pk: Any, value: bytes) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s', [value, pk])


def test_a_value_is_stored_sealed_and_read_plain() -> None:
    pk = person().pk
    read = Profile.objects.get(pk=pk)
    assert (read.name, read.birth_date, read.traits) == ("欧阳娜娜", date(1990, 5, 17), {"note": "likes oolong"})
    sealed = stored("crm_profile", "name", pk)
    assert "欧阳".encode() not in sealed
    assert len(sealed) == 1 + 12 + len("欧阳娜娜".encode()) + 16


def test_the_same_value_is_never_sealed_twice_alike() -> None:
    assert stored("crm_profile", "name", person("a").pk) != stored("crm_profile", "name", person("b").pk)


SWAPS = {
    "another person's": ("crm_profile", "name", "name", False),
    "another field of the same row": ("crm_profile", "birth_date", "name", True),
    "another row of the same person": ("crm_identifier", "value", "value", True),
}


@pytest.mark.parametrize(("table", "given", "taken", "same"), SWAPS.values(), ids=SWAPS)
def test_a_ciphertext_moved_to_another_place_does_not_open(table: str, given: str, taken: str, same: bool) -> None:
    first, second = person("a"), person("b")
    Identifier.objects.create(type="phone", value="13800138000", profile=first, created_at=NOW)
    model: Any = Identifier if table == "crm_identifier" else Profile
    rows = list(Identifier.objects.filter(profile=first)) if table == "crm_identifier" else [first, second]
    source, target = rows[0], rows[0] if given != taken else rows[1]
    store(table, taken, target.pk, stored(table, given, source.pk))
    with pytest.raises(Tampered, match=f"{model._meta.label_lower}.{taken}"):
        getattr(model.objects.get(pk=target.pk), taken)


COPIED = """
INSERT INTO crm_event (id, source_id, profile_id, kind, sealed, occurred_at, received_at)
SELECT %s, source_id, %s, kind, sealed, occurred_at, received_at FROM crm_event WHERE id = %s
"""


def test_an_events_ciphertext_opens_in_no_other_event_and_for_no_other_person() -> None:
    one, other = person("a"), person("b")
    note = NewEvent("track", one.pk, NOW, NOW, personal='{"note": "call"}')
    assert ingest.record(factories.source(), note, now=NOW)
    first = Event.objects.get()
    assert first.sealed == {"note": "call"}
    for profile in (one, other):
        forged = uuid4()
        with connection.cursor() as cursor:
            cursor.execute(COPIED, [forged, profile.pk, first.pk])
        with pytest.raises(Tampered):
            _ = Event.objects.get(pk=forged).sealed


def test_an_event_without_a_personal_part_costs_no_cryptography() -> None:
    one, source = person(), factories.source()
    PersonKey.objects.filter(profile=one).update(wrapped=bytes(60))  # whoever unwraps it fails
    assert ingest.record(source, NewEvent("track", one.pk, NOW, NOW, properties='{"plan": "gold"}'), now=NOW)
    with pytest.raises(Tampered):
        ingest.record(source, NewEvent("track", one.pk, NOW, NOW, personal='{"note": "call"}'), now=NOW)


def test_a_key_moved_to_another_person_does_not_open() -> None:
    first, second = person("a"), person("b")
    keys = {key.profile_id: key for key in PersonKey.objects.all()}
    PersonKey.objects.filter(profile=second).update(wrapped=keys[first.pk].wrapped, key_id=keys[first.pk].key_id)
    with pytest.raises(Tampered, match=f"The key of profile #{second.pk}"):
        _ = Profile.objects.get(pk=second.pk).name


def test_every_changed_byte_of_a_sealed_value_is_noticed() -> None:
    pk = person().pk
    whole = stored("crm_profile", "name", pk)
    for place in range(len(whole)):
        store("crm_profile", "name", pk, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(Tampered):
            _ = Profile.objects.get(pk=pk).name
    for cut in (0, 1, 12, 13, len(whole) - 1):
        store("crm_profile", "name", pk, whole[:cut])
        with pytest.raises(Tampered):
            _ = Profile.objects.get(pk=pk).name


def test_without_its_key_a_value_reads_as_empty_and_stays_so() -> None:
    pk = person().pk
    PersonKey.objects.filter(profile=pk).delete()
    gone = Profile.objects.get(pk=pk)
    assert (gone.name, gone.birth_date, gone.traits) == ("", None, {})
    assert Identifier.objects.get(profile=pk).value == ""
    with pytest.raises(Shredded):
        Keys().of(pk)
    gone.save()
    assert Profile.objects.get(pk=pk).name == ""


def test_a_row_that_was_not_read_is_saved_as_it_came() -> None:
    pk = person().pk
    before = stored("crm_profile", "name", pk)
    quiet = Profile.objects.get(pk=pk)
    quiet.personalisation = False
    quiet.save()
    assert stored("crm_profile", "name", pk) == before


def test_a_new_name_is_found_and_the_old_one_is_not() -> None:
    changed = person()
    changed.name = "Zoë"
    changed.save(update_fields=["name"])
    assert Profile.objects.named("ZOË").get() == changed
    assert not Profile.objects.named("欧阳娜娜").exists()


def test_asking_for_a_sealed_value_is_refused() -> None:
    asked: dict[str, dict[str, Any]] = {"name": {"name": "Ada"}, "value": {"identifiers__value__startswith": "138"}}
    for field, wanted in asked.items():
        with pytest.raises(FieldError, match=f"{field} is sealed"):
            Profile.objects.filter(**wanted)
    with pytest.raises(TypeError, match="sealed row by row"), transaction.atomic():
        Profile.objects.update(**asked["name"])


def test_values_lists_show_nothing() -> None:
    person()
    assert repr(list(Profile.objects.values_list("name", "traits"))) == "[(<sealed>, <sealed>)]"


SPELLINGS = {
    "phone": [
        "+8613800138000",
        "138 0013 8000",
        "008613800138000",
        "１３８００１３８０００",
        "\u200f138\u200d00138000",
    ],
    "email": ["zhang@qq.com", "ZHANG@QQ.com ", "ｚｈａｎｇ@qq．com"],
    "external_id": ["U-1", "U-1\u200b", "Ｕ-1"],
    "openid": ["oX1z_-abc", " oX1z_-abc"],
}


@pytest.mark.parametrize(("type_", "spellings"), SPELLINGS.items())
def test_an_identifier_is_one_however_it_is_spelled(type_: str, spellings: list[str]) -> None:
    found = {identity.resolve([[(type_, one)]], source=factories.source(), now=NOW)[0] for one in spellings}
    assert len(found) == 1
    for one in spellings:
        assert identity.known([(type_, one)]) == {(type_, one): found.copy().pop()}
        assert Profile.objects.identified(type_, one).exists()
        assert Identifier.objects.known_as(one).exists()


NAMES = [
    ("欧阳娜娜", "欧阳　娜娜"),
    ("𠮷田太郎", "𠮷田 太郎"),
    ("买买提·阿不都热合曼", "买买提•阿不都热合曼"),
    ("Zhang Wei", " zhang\u200d  WEI"),
    ("王芳", "王\ufe00芳"),
]


@pytest.mark.parametrize(("name", "asked"), NAMES)
def test_a_rare_name_is_found_however_it_is_typed(name: str, asked: str) -> None:
    known = person(name=name)
    assert list(Profile.objects.named(asked)) == [known]
    assert Profile.objects.get(pk=known.pk).name == name


def test_capitals_part_the_ids_of_systems() -> None:
    first, second = identity.resolve(
        [[("external_id", "u1")], [("external_id", "U1")]], source=factories.source(), now=NOW
    )
    assert first != second


def test_the_keyed_hashes_have_nothing_in_common() -> None:
    ref = ("phone", "13800138000")
    told = {blind_index(*ref).hex(), suppression_key(*ref).hex(), pseudonym("a", *ref), pseudonym("b", *ref)}
    assert len(told) == 4
    assert blind_index("phone", "1") != blind_index("email", "1")


def test_what_is_personal_is_sealed_and_what_is_coarse_stays_open() -> None:
    one = factories.profile("u1")
    told = {"attributes": {"plan": "gold", "seats": 3}, "traits": {"note": "call 13800138000"}, "name": "Ada"}
    with transaction.atomic():
        assert people.update_many({one.pk: told}, now=NOW) == 1
        assert people.update_many({one.pk: told}, now=NOW) == 0
    known = Profile.objects.get(pk=one.pk)
    assert (known.attributes, known.traits) == ({"plan": "gold", "seats": 3}, {"note": "call 13800138000"})
    assert known.told == told["attributes"] | told["traits"]  # type: ignore[operator]


def test_a_trait_that_becomes_personal_leaves_the_open_ones() -> None:
    one = factories.profile("u1", attributes={"plan": "gold"})
    with transaction.atomic():
        people.update_many({one.pk: {"traits": {"plan": "ask 13800138000"}}}, now=NOW)
    known = Profile.objects.get(pk=one.pk)
    assert (known.attributes, known.traits) == ({}, {"plan": "ask 13800138000"})


def test_each_profile_keeps_its_own_key_through_merge_and_undo() -> None:
    first, second = person("a", name="Ada"), person("b", name="Bea")
    before = dict(PersonKey.objects.values_list("profile", "wrapped"))
    alias = merging.merge(second.pk, first.pk, now=NOW, reason="same", user=officer())
    assert alias is not None
    assert {one.value for one in Identifier.objects.all()} == {"a", "b"}
    merging.undo(alias, now=NOW, user=officer())
    assert dict(PersonKey.objects.values_list("profile", "wrapped")) == before
    assert [Profile.objects.get(pk=one.pk).name for one in (first, second)] == ["Ada", "Bea"]


def test_a_key_is_made_only_when_something_is_sealed() -> None:
    nobody = factories.profile()
    assert not PersonKey.objects.filter(profile=nobody).exists()
    nobody.name = "Ada"
    nobody.save()
    assert PersonKey.objects.filter(profile=nobody).exists()


def test_a_list_of_people_reads_all_keys_at_once(django_assert_num_queries: Any) -> None:
    for number in range(20):
        person(f"u{number}", name=f"Person {number}")
    with django_assert_num_queries(3):  # the people, their identifiers, all keys
        shown = [
            (one.name, *(i.value for i in one.identifiers.all()))
            for one in Profile.objects.order_by("pk").prefetch_related("identifiers")
        ]
    assert shown == [(f"Person {number}", f"u{number}") for number in range(20)]
    with django_assert_num_queries(2):
        assert len({one.name for one in Profile.objects.iterator()}) == 20


def test_many_rows_are_sealed_with_few_queries(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8):
        Profile.objects.bulk_create(
            Profile(name=f"Person {number}", created_at=NOW, updated_at=NOW) for number in range(50)
        )
    assert {one.name for one in Profile.objects.all()} == {f"Person {number}" for number in range(50)}


def test_a_refused_message_is_sealed_by_the_ring() -> None:
    rows = RejectedEvent.objects.bulk_create(
        RejectedEvent(source=factories.source(), index=n, reason="r", payload=f"13800138{n:03}", received_at=NOW)
        for n in range(2)
    )
    first, second = (row.pk for row in rows)
    assert RejectedEvent.objects.get(pk=first).payload == "13800138000"
    assert b"13800138" not in stored("crm_rejectedevent", "payload", first)
    store("crm_rejectedevent", "payload", second, stored("crm_rejectedevent", "payload", first))
    with pytest.raises(Tampered):
        _ = RejectedEvent.objects.get(pk=second).payload


def test_an_erased_persons_key_is_not_made_again(django_capture_on_commit_callbacks: Any) -> None:
    gone = person()
    with transaction.atomic():
        Profile.objects.filter(pk=gone.pk).delete()
    note = NewEvent("track", gone.pk, NOW, NOW, personal='{"note": "x"}')
    with pytest.raises(ingest.Erased):
        ingest.record(factories.source(), note, now=NOW)


def test_a_trait_that_a_person_deleted_is_not_told_again() -> None:
    one = factories.profile("u1")
    for name in ("plan", "note"):
        TagObjection.objects.create(profile=one, kind="trait", name=name, created_at=NOW)
    told = {"attributes": {"plan": "gold", "seats": 3}, "traits": {"note": "x", "remark": "y"}}
    with transaction.atomic():
        people.update_many({one.pk: told, factories.profile("u2").pk: told}, now=NOW)
    assert Profile.objects.get(pk=one.pk).told == {"seats": 3, "remark": "y"}
    assert len(factories.known_as("u2").told) == 4
