"""The key ring: where it comes from, and its rotation while everybody goes on."""

import itertools
import json
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from crm import identity, key_rotation, keyring
from crm.encryption import blind_index
from crm.ingest import NewEvent, record
from crm.keyring import BadKeyRing, UnknownKey, new_ring, read_ring, ring
from crm.models import Event, Identifier, PersonKey, Profile, RejectedEvent
from tests import factories
from tests.factories import NOW

HELD: dict[str, str] = {}


def from_kms() -> str:
    """Stand for a function that lets a KMS unwrap the ring."""
    HELD["asked"] = str(int(HELD.get("asked", "0")) + 1)
    return HELD["ring"]


@pytest.fixture(autouse=True)
def own_ring(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """Give each test a ring of its own, in a file that does not exist yet."""
    settings.KEY_RING_FILE = str(tmp_path / "keys" / "ring.json")
    yield Path(settings.KEY_RING_FILE)
    HELD.clear()
    keyring._hooked.cache_clear()


def test_the_first_start_makes_a_ring_that_only_its_owner_can_read(own_ring: Path) -> None:
    assert ring().current == "k1"
    assert stat.S_IMODE(own_ring.stat().st_mode) == 0o600
    assert stat.S_IMODE(own_ring.parent.stat().st_mode) == 0o700
    assert ring() is ring()


def test_processes_that_start_at_once_agree_on_one_ring(own_ring: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = {json.dumps(sorted(one.wrapping)) + one.index.hex() for one in pool.map(lambda _: ring(), range(64))}
    assert len(found) == 1
    assert [path.name for path in own_ring.parent.iterdir()] == ["ring.json"]


def test_a_ring_shows_no_key(own_ring: Path) -> None:
    assert "wrapping" not in repr(ring())
    assert ring().index.hex() not in repr(ring())
    assert repr(ring().index) not in repr(ring())


BAD = {
    "no JSON": "{",
    "no object": "[]",
    "no secrets": '{"current": "k1", "wrapping": {}}',
    "not base64": new_ring(NOW).to_json().replace('"index": "', '"index": "!'),
    "no current": new_ring(NOW).to_json().replace('"current": "k1"', '"current": "k9"'),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_broken_ring_is_refused_without_showing_it(text: str, settings: Any) -> None:
    settings.KEY_RING = text
    with pytest.raises(BadKeyRing) as raised:
        ring()
    assert text not in str(raised.value) or len(text) < 3


def test_two_equal_keys_and_short_keys_are_refused() -> None:
    told = json.loads(new_ring(NOW).to_json())
    for changed in (told | {"index": told["suppression"]}, told | {"index": "c2hvcnQ="}):
        with pytest.raises(BadKeyRing):
            read_ring(json.dumps(changed))


def test_the_ring_may_come_from_the_environment_and_is_then_not_ours_to_change(settings: Any) -> None:
    settings.KEY_RING = new_ring(NOW).to_json()
    assert ring().index == read_ring(settings.KEY_RING).index
    with pytest.raises(BadKeyRing, match="change it there"):
        key_rotation.add(NOW)


def test_a_hook_is_asked_once_and_again_for_a_key_it_did_not_know(settings: Any) -> None:
    settings.KEY_RING_HOOK = "tests.crm.test_key_rotation.from_kms"
    older = new_ring(NOW)
    HELD["ring"] = older.to_json()
    assert {ring().current for _ in range(5)} == {"k1"}
    assert HELD["asked"] == "1"
    HELD["ring"] = older.with_key("k2", NOW).to_json()
    assert "k2" in keyring.ring_with("k2").wrapping
    with pytest.raises(UnknownKey, match="'k3'"):
        keyring.ring_with("k3").key("k3")


@pytest.mark.django_db
def test_what_an_older_key_wrapped_is_read_and_then_wrapped_again(capsys: Any) -> None:
    people = [factories.profile(f"u{n}", name=f"Person {n}") for n in range(5)]
    refused = {"source": factories.source(), "index": 1, "reason": "r", "received_at": NOW}
    RejectedEvent.objects.bulk_create(RejectedEvent(payload=f"row {n}", **refused) for n in range(5))
    before = {one.profile_id: bytes(one.wrapped) for one in PersonKey.objects.all()}
    sealed = dict(Profile.objects.values_list("pk", "name_index"))
    assert key_rotation.rotate(NOW) == "k2"
    assert key_rotation.usage() == {"k1": 10, "k2": 0}
    factories.profile("u9", name="New")
    assert key_rotation.usage() == {"k1": 10, "k2": 1}
    with pytest.raises(BadKeyRing, match="10 rows or files still need k1"):
        key_rotation.retire("k1")
    call_command("keys", "rewrap", batch=2)
    assert key_rotation.usage() == {"k1": 0, "k2": 11}
    assert all(bytes(one.wrapped) != before.get(one.profile_id) for one in PersonKey.objects.all())
    call_command("keys", "retire", "k1")
    assert [Profile.objects.get(pk=one.pk).name for one in people] == [f"Person {n}" for n in range(5)]
    assert sorted(one.payload for one in RejectedEvent.objects.all()) == [f"row {n}" for n in range(5)]
    assert dict(Profile.objects.filter(pk__in=sealed).values_list("pk", "name_index")) == sealed
    call_command("keys", "status")
    assert "k2                         11 rows" in capsys.readouterr().out


@pytest.mark.django_db
def test_the_current_key_is_never_retired() -> None:
    with pytest.raises(CommandError, match="k1 is current"):
        call_command("keys", "retire", "k1")
    with pytest.raises(CommandError, match="no key 'k7'"):
        call_command("keys", "use", "k7")


@pytest.mark.django_db
def test_rewrapping_after_a_kill_goes_on_where_it_was() -> None:
    for number in range(7):
        factories.profile(f"u{number}")
    key_rotation.rotate(NOW)
    steps = key_rotation.rewrap_all(batch=3)
    assert next(steps) == 3
    steps.close()
    assert list(key_rotation.rewrap_all(batch=3)) == [3, 4]


class Load:
    """Writers and readers of people, who stop at the first error."""

    def __init__(self) -> None:
        self.source = factories.source()
        self.over, self.lock = threading.Event(), threading.Lock()
        self.written: dict[int, str] = {}
        self.requests = 0
        self.errors: list[BaseException] = []

    def write(self, worker: int) -> None:
        """Make a person, name her, and write down what she did: three requests each time."""
        for count in self._until_over():
            name = f"w{worker}-{count}"
            (profile,) = identity.resolve([[("external_id", name)]], source=self.source, now=NOW)
            row = Profile.objects.get(pk=profile)
            row.name = name
            row.save(update_fields=["name"])
            note = NewEvent("track", profile, NOW, NOW, personal=json.dumps({"note": name}))
            record(self.source, note, now=NOW)
            with self.lock:
                self.written[profile] = name
                self.requests += 3

    def read(self) -> None:
        """Read the twenty latest people and compare."""
        for _ in self._until_over():
            with self.lock:
                known = dict(list(self.written.items())[-20:])
                self.requests += 1
            found = {one.pk: one.name for one in Profile.objects.filter(pk__in=known)}
            assert found == known

    def await_more(self, requests: int) -> None:
        """Return when so many more were answered, or one failed."""
        until, deadline = self.requests + requests, time.monotonic() + 300
        while self.requests < until and not self.errors and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.requests < until and not self.errors:
            self.errors.append(TimeoutError(f"{self.requests} requests"))

    def _until_over(self) -> Iterator[int]:
        for count in itertools.count():
            if self.over.is_set():
                return
            yield count
            time.sleep(0.01)

    def guarded(self, work: Callable[..., None], *args: int) -> None:
        try:
            work(*args)
        except BaseException as error:  # whatever it is, it must be seen
            self.errors.append(error)
        finally:
            connection.close()


@pytest.mark.django_db(transaction=True)
def test_rotation_under_load_loses_nothing_and_fails_nobody() -> None:
    """People are written and read, 150 requests between any two rotations of three, and more while they go on."""
    load = Load()
    with ThreadPoolExecutor(6) as pool:
        for worker in range(4):
            pool.submit(load.guarded, load.write, worker)
        for _ in range(2):
            pool.submit(load.guarded, load.read)
        for _ in range(3):
            load.await_more(150)
            key_rotation.rotate(NOW)
            list(key_rotation.rewrap_all(batch=50))
        load.await_more(150)
        load.over.set()
    assert load.errors == []
    list(key_rotation.rewrap_all())
    for old in ("k1", "k2", "k3"):
        key_rotation.retire(old)
    assert key_rotation.usage() == {"k4": len(load.written)}
    assert {one.pk: one.name for one in Profile.objects.all()} == load.written
    assert {one.profile_id: one.sealed["note"] for one in Event.objects.all()} == load.written
    assert {one.profile_id: one.value for one in Identifier.objects.all()} == load.written


@pytest.mark.django_db
def test_another_ring_finds_nobody(settings: Any, tmp_path: Path) -> None:
    factories.profile("u1")
    before = blind_index("external_id", "u1")
    settings.KEY_RING_FILE = str(tmp_path / "other.json")
    assert blind_index("external_id", "u1") != before
    assert not Profile.objects.identified("external_id", "u1").exists()
