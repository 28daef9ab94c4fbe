import threading

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection

from crm import identity
from crm.merging import MergeRefused, alias_map, canonical_ids, members, merge, undo
from crm.models import Identifier, Profile, ProfileAlias, Source
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


@pytest.fixture
def user() -> AbstractBaseUser:
    return get_user_model().objects.create_user("ada")


def three() -> tuple[int, int, int]:
    first, second, third = (factories.profile(name).pk for name in "abc")
    return first, second, third


def test_a_merge_is_read_and_logged(user: AbstractBaseUser) -> None:
    a, b, c = three()
    alias = merge(a, b, user=user, reason="same phone", now=NOW)
    assert alias is not None
    assert (alias.duplicate_id, alias.canonical_id, alias.merged_by_id, alias.merged_at) == (a, b, user.pk, NOW)
    assert canonical_ids([a, b, c]) == {a: b, b: b, c: c}
    assert members(a) == members(b) == {a, b}


def test_chains_lead_to_their_end(user: AbstractBaseUser) -> None:
    a, b, c = three()
    merge(a, b, user=user, reason="", now=NOW)
    merge(b, c, user=user, reason="", now=NOW)
    assert alias_map() == {a: c, b: c}
    assert canonical_ids([a]) == {a: c}
    assert members(b) == {a, b, c}


def test_a_merge_back_changes_nothing(user: AbstractBaseUser) -> None:
    a, b, _ = three()
    merge(a, b, user=user, reason="", now=NOW)
    assert merge(b, a, user=user, reason="", now=NOW) is None
    assert alias_map() == {a: b}


def test_who_is_merged_already_takes_the_whole_person_along(user: AbstractBaseUser) -> None:
    a, b, c = three()
    merge(a, b, user=user, reason="", now=NOW)
    alias = merge(a, c, user=user, reason="", now=NOW)
    assert alias is not None
    assert (alias.duplicate_id, alias.canonical_id) == (b, c)


def test_undoing_parts_them_again_once(user: AbstractBaseUser) -> None:
    a, b, _ = three()
    alias = merge(a, b, user=user, reason="", now=NOW)
    assert alias is not None
    assert [undo(alias, now=NOW, user=user) for _ in range(2)] == [True, False]
    assert (alias.undone_at, alias.undone_by_id) == (NOW, user.pk)
    assert alias_map() == {}
    assert merge(a, b, user=user, reason="after all", now=NOW) is not None


def test_nobody_and_public_keys_may_not_merge(user: AbstractBaseUser) -> None:
    a, b, _ = three()
    browser = factories.source("web", kind=Source.Kind.BROWSER)
    for source in (None, browser):
        with pytest.raises(MergeRefused):
            merge(a, b, source=source, reason="", now=NOW)
    with pytest.raises(MergeRefused):
        merge(a, a, user=user, reason="", now=NOW)
    assert not ProfileAlias.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_merges_that_cross_make_no_ring() -> None:
    a, b, _ = three()
    source, start = factories.source("shop"), threading.Barrier(2)

    def cross(duplicate: int, canonical: int) -> None:
        start.wait()
        merge(duplicate, canonical, source=source, reason="", now=NOW)
        connection.close()

    threads = [threading.Thread(target=cross, args=pair) for pair in ((a, b), (b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ProfileAlias.objects.count() == 1


def test_any_known_identifier_finds_the_person() -> None:
    source = factories.source("shop")
    known, new = identity.resolve(
        [[("external_id", "u1"), ("email", "a@x.com")], [("openid", "o1")]], source=source, now=NOW
    )
    again = identity.resolve(
        [[("email", "a@x.com")], [("openid", "o1")], [("external_id", "u1")]], source=source, now=NOW
    )
    assert again == [known, new, known]
    assert Profile.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_racing_for_the_same_people_makes_each_once() -> None:
    source, start = factories.source("shop"), threading.Barrier(6)
    found: list[list[int]] = []

    def race(number: int) -> None:
        people = [[("external_id", f"u{n}"), ("anonymous_id", f"a{n}")] for n in range(200)]
        start.wait()
        places = identity.resolve(people if number % 2 else people[::-1], source=source, now=NOW)
        found.append(places if number % 2 else places[::-1])
        connection.close()

    threads = [threading.Thread(target=race, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(places == found[0] for places in found)
    assert (Profile.objects.count(), Identifier.objects.count()) == (200, 400)
