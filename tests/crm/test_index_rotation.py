"""The secrets of the keyed hashes change, while people are found, stay suppressed and come in."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from crm import consent, identity, index_rotation, keyring, suppression
from crm.encryption import blind_index, possible_indexes, suppression_key
from crm.keyring import BadKeyRing, read_ring, ring, write_ring
from crm.models import Identifier, Profile, ProfileAlias, Suppression
from tests import factories
from tests.crm import consents
from tests.crm.requests import carried_out
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = ("phone", "+8613912345678")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "KEY_RING_FILE", str(tmp_path / "keys" / "ring.json"))


def person(number: int, *, of: str = "web") -> Profile:
    refs = [("external_id", f"u-{number}"), ("phone", f"+86139123{number:05}")]
    (pk,) = identity.resolve([refs], source=factories.source(of), now=NOW)
    made = Profile.objects.get(pk=pk)
    made.name = f"Name {number}"
    made.save(update_fields=["name"])
    return made


def is_found(number: int) -> set[int]:
    """Return whom every way of searching finds."""
    phone = f"+86139123{number:05}"
    by_name = Profile.objects.named(f"name {number}").values_list("pk", flat=True)
    by_phone = Profile.objects.identified("phone", phone).values_list("pk", flat=True)
    by_value = Identifier.objects.known_as(phone).values_list("profile_id", flat=True)
    return {*by_name, *by_phone, *by_value, *identity.known([("external_id", f"u-{number}")]).values()}


def left(secret: str, number: str = "1") -> int:
    return index_rotation.usage(secret)[number]


def reindexed(batch: int = 1000) -> int:
    return max(index_rotation.reindex(NOW, batch), default=0)


def test_everybody_is_found_before_while_and_after_the_secret_changes() -> None:
    people = [person(number) for number in range(9)]
    before = dict(Identifier.objects.values_list("pk", "digest"))
    assert index_rotation.rotate("index") == "2"
    newcomer = person(9)
    assert index_rotation.usage("index") == {"2": 3, "1": 27}
    steps = index_rotation.reindex(NOW, batch=5)
    next(steps)
    for number, one in enumerate([*people, newcomer]):
        assert is_found(number) == {one.pk}
        assert person(number).pk == one.pk  # known again, not made anew
    for _ in steps:
        pass
    assert index_rotation.usage("index") == {"2": 30, "1": 0}
    index_rotation.retire("index", "1")
    assert ring().others["index"] == {}
    for number, one in enumerate([*people, newcomer]):
        assert is_found(number) == {one.pk}
    assert Identifier.objects.count() == 20
    assert not any(
        bytes(before[pk]) == bytes(now) for pk, now in Identifier.objects.values_list("pk", "digest") if pk in before
    )
    assert {one.value for one in Identifier.objects.filter(type="external_id")} == {f"u-{n}" for n in range(10)}


def test_an_index_secret_that_rows_need_is_not_retired() -> None:
    person(1)
    index_rotation.rotate("index")
    with pytest.raises(CommandError, match="3 rows still need generation 1 of index"):
        call_command("keys", "retire-secret", "index", "1")
    with pytest.raises(CommandError, match="is in use"):
        call_command("keys", "retire-secret", "index", "2")
    call_command("keys", "reindex")
    call_command("keys", "retire-secret", "index", "1")
    with pytest.raises(CommandError, match="no generation '7'"):
        call_command("keys", "use-secret", "index", "7")


def test_in_two_steps_nobody_is_missed_by_a_machine_that_is_behind() -> None:
    """A generation is searched by first; then one machine writes by it, while the other still does by the old one."""
    number = index_rotation.add("index")
    behind = ring()
    first = person(1)
    index_rotation.use("index", number)
    ahead = ring()
    second = person(2)
    write_ring(behind)  # what the other machine has
    assert (is_found(1), is_found(2)) == ({first.pk}, {second.pk})
    assert person(2).pk == second.pk
    third = person(3)
    write_ring(ahead)
    assert person(3).pk == third.pk
    reindexed()
    assert left("index") == 0


def test_the_same_identifier_written_twice_in_a_rotation_becomes_one_person() -> None:
    (old,) = identity.resolve([[PHONE]], source=factories.source(), now=NOW)
    before = ring()
    index_rotation.rotate("index")
    both = ring()
    # A process that read the ring before the rotation does not know of the new row, nor the other of the old one.
    write_ring(read_ring(both.without_secret("index", "1").to_json()))
    (new,) = identity.resolve([[PHONE]], source=factories.source(), now=NOW)
    assert old != new
    write_ring(both)
    assert before.index == ring().others["index"]["1"]
    reindexed()
    [row] = Identifier.objects.all()
    assert (row.value, bytes(row.digest)) == (PHONE[1], blind_index(*PHONE))
    [alias] = ProfileAlias.objects.all()
    assert {alias.duplicate_id, alias.canonical_id} == {old, new}
    assert left("index") == 0


def test_what_a_browser_only_claimed_merges_nobody() -> None:
    page = factories.source("page", kind="browser")
    (visitor,) = identity.resolve([[("anonymous_id", "v-1"), PHONE]], source=page, now=NOW)
    index_rotation.rotate("index")
    (customer,) = identity.resolve([[PHONE]], source=factories.source(), now=NOW)
    reindexed()
    assert Identifier.objects.get(type="phone").profile_id == customer != visitor
    assert not ProfileAlias.objects.exists()


def allowed(profile: int) -> bool:
    return consent.basis_for(profile, "offers", "sms", NOW).allowed


def granted(number: int) -> Profile:
    one = person(number)
    consents.say(one, now=NOW)
    return one


def test_who_is_suppressed_stays_so_through_a_rotation() -> None:
    consents.purpose("offers")
    consents.notice("offers")
    people = [granted(number) for number in range(4)]
    suppression.suppress([("phone", "+8613912300000")], "sms", "complained", now=NOW)
    index_rotation.rotate("suppression")
    suppression.suppress([("phone", "+8613912300001")], "sms", "complained", now=NOW)
    suppression.suppress_people([people[2].pk], "sms", "complained", now=NOW)
    expected = [False, False, False, True]
    assert [allowed(one.pk) for one in people] == expected
    for _ in index_rotation.reindex(NOW, batch=2):
        assert [allowed(one.pk) for one in people] == expected
    assert index_rotation.usage("suppression") == {"2": 8 + 3, "1": 0}
    index_rotation.retire("suppression", "1")
    assert [allowed(one.pk) for one in people] == expected
    assert Suppression.objects.count() == 3


def test_an_erased_address_is_recognised_by_the_old_secret_which_therefore_stays() -> None:
    consents.purpose("offers")
    consents.notice("offers")
    gone = granted(5)
    carried_out("erasure", gone)
    index_rotation.rotate("suppression")
    reindexed()
    assert index_rotation.usage("suppression")["1"] == 2  # phone and external id
    with pytest.raises(BadKeyRing, match="2 rows still need generation 1"):
        index_rotation.retire("suppression", "1")
    (back,) = identity.resolve([[("phone", "+8613912300005")]], source=factories.source(), now=NOW)
    assert Suppression.objects.filter(key=suppression_key("phone", "+8613912300005"), reason="erased").exists()
    consents.say(Profile.objects.get(pk=back), method="import")
    assert not allowed(back)
    factories.profile("u-5")  # by another way in
    assert index_rotation.usage("suppression")["1"] == 0
    index_rotation.retire("suppression", "1")
    assert not allowed(back)


def test_a_suppression_whose_generation_nobody_knows_keeps_the_old_secret() -> None:
    index_rotation.rotate("suppression")
    suppression.suppress_keys([b"x" * 16], "", "erased", now=NOW)  # as a replayed journal does
    with pytest.raises(BadKeyRing, match="may need it"):
        index_rotation.retire("suppression", "1")


KILLED = """
import os, signal, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.conf import settings
from django.db import connection
from django.utils import timezone
settings.KEY_RING_FILE = sys.argv[1]
connection.settings_dict["NAME"] = sys.argv[2]
from crm import index_rotation
left = int(sys.argv[3])
def counted(execute, sql, params, many, context):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)
with connection.execute_wrapper(counted):
    for _ in index_rotation.reindex(timezone.now(), batch=4):
        pass
"""


def test_a_rotation_that_is_killed_anywhere_goes_on_and_nobody_is_lost_meanwhile() -> None:
    people = [person(number) for number in range(10)]
    suppression.suppress([("phone", "+8613912300000")], "", "complained", now=NOW)
    for secret in ("index", "suppression"):
        index_rotation.rotate(secret)
    name = str(connection.settings_dict["NAME"])
    for statements in (3, 8, 14, 23):
        command = [sys.executable, "-c", KILLED, settings.KEY_RING_FILE, name, str(statements)]
        assert subprocess.run(command, check=False, cwd=ROOT).returncode == -9
        assert [is_found(number) for number in range(10)] == [{one.pk} for one in people]
        key = bytes(Identifier.objects.get(profile=people[0], type="phone").suppression_key)
        assert Suppression.objects.filter(key=key).count() == 1
    assert 0 < left("index") < 30  # some of it was done
    reindexed()
    for secret in ("index", "suppression"):
        index_rotation.retire(secret, "1")
    assert [is_found(number) for number in range(10)] == [{one.pk} for one in people]


class Load:
    """Writers who make people, and look each time for the latest of all; what went wrong is kept."""

    def __init__(self) -> None:
        self.source, self.over, self.lock = factories.source(), threading.Event(), threading.Lock()
        self.known: dict[str, int] = {}
        self.wrong: list[Any] = []

    def work(self, worker: int) -> None:
        try:
            for count in itertools.takewhile(lambda _: not self.over.is_set(), itertools.count()):
                self.once(f"w{worker}-{count}")
        except BaseException as error:  # whatever it is, it must be seen
            self.wrong.append(error)
        finally:
            connection.close()

    def once(self, name: str) -> None:
        (made,) = identity.resolve([[("external_id", name)]], source=self.source, now=NOW)
        with self.lock:
            self.known[name] = made
            asked = dict(list(self.known.items())[-20:])
        refs = [("external_id", one) for one in asked]
        found = {value: profile for (_, value), profile in identity.known(refs).items()}
        again = identity.resolve([[ref] for ref in refs], source=self.source, now=NOW)
        if found != asked or again != list(asked.values()):
            self.wrong.append((asked, found, again))


def test_rotation_under_load_finds_everybody_every_time() -> None:
    """Writers make people, and look for them and for the others, while both secrets change twice."""
    load = Load()
    with ThreadPoolExecutor(4) as pool:
        for worker in range(3):
            pool.submit(load.work, worker)
        for secret in ("index", "suppression") * 2:
            load.over.wait(0.5)
            index_rotation.rotate(secret)
            reindexed(batch=50)
        load.over.set()
    assert load.wrong == []
    reindexed()
    for secret, number in itertools.product(("index", "suppression"), ("1", "2")):
        index_rotation.retire(secret, number)
    assert Profile.objects.count() == len(load.known) == Identifier.objects.count()
    assert not ProfileAlias.objects.exists()


def test_a_ring_of_before_generations_is_read_and_written() -> None:
    import json

    told = json.loads(keyring.new_ring(NOW).to_json())
    old = read_ring(json.dumps({name: told[name] for name in told if name not in {"versions", "others"}}))
    assert old.generations("index") == {"1": old.index}
    grown, number = old.with_secret("index")
    assert read_ring(grown.using_secret("index", number).to_json()).generations("index") == {
        "2": grown.others["index"]["2"],
        "1": old.index,
    }
    assert old.index.hex() not in repr(grown.using_secret("index", "2"))
    for broken in ({"others": {"pseudonym": {"2": told["index"]}}}, {"others": {"index": {"1": told["index"]}}}):
        with pytest.raises(BadKeyRing):
            read_ring(json.dumps(told | broken))
    assert len(possible_indexes("phone", "1")) == 1


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    yield
    connection.close()
