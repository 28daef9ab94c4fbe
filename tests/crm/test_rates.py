"""Requests are counted by window, by one question to the cache, and by nobody where there is none."""

from concurrent.futures import ThreadPoolExecutor
from secrets import token_urlsafe
from typing import Any

import pytest
from django.core.cache import caches
from redis import Redis
from redis.connection import AbstractConnection

from crm import rates
from tests.api import own_counters  # noqa: F401

AT = 1_800_000_000.0  # the first second of a minute


@pytest.fixture
def server(own_counters: None) -> Any:  # noqa: F811
    """Return the client that counts, so that a test may look at the keys."""
    return caches["default"]._cache.get_client(write=True)  # type: ignore[attr-defined]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect one for each question that is sent to the server."""
    sent: list[int] = []
    real: Any = AbstractConnection.send_packed_command

    def watched(self: Any, command: Any, **options: Any) -> None:
        sent.append(1)
        real(self, command, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", watched)
    return sent


def test_the_number_of_a_window_may_ask_and_the_next_waits_until_it_ends(server: Redis) -> None:
    answers = [rates.count("a", "3/minute", AT + second) for second in (0, 10, 59.5, 59.5, 20)]
    assert answers == [None, None, None, 1, 40]
    assert rates.count("b", "3/minute", AT) is None
    assert [rates.count("a", "3/minute", AT + second) for second in (60, 61, 62, 63)] == [None, None, None, 57]


def test_a_window_that_ended_is_forgotten_by_the_server(server: Redis) -> None:
    rates.count("a", "3/minute", AT + 15)
    (key,) = server.keys(caches["default"].make_key("rate.*"))
    assert 40 < server.ttl(key) <= 46
    server.persist(key)  # as a process leaves it that was killed between two commands
    rates.count("a", "3/minute", AT + 50)
    assert 0 < server.ttl(key) <= 11
    rates.count("a", "2/second", AT)
    assert all(0 < server.ttl(key) <= 60 for key in server.keys(caches["default"].make_key("rate.*")))


def test_a_hundred_of_many_at_once_may_ask(server: Redis) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _number: rates.count("a", "100/minute", AT + 30), range(160)))
    assert (answers.count(None), answers.count(30)) == (100, 60)


def test_a_request_is_counted_by_one_question(server: Redis, asked: list[int]) -> None:
    rates.count("a", "3/minute", AT)
    asked.clear()
    rates.count("a", "3/minute", AT)
    assert len(asked) == 1


def test_nobody_waits_for_a_cache_that_is_away(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "unix:///nowhere/valkey.sock"}}
    assert [rates.count("a", "1/minute", AT) for _ in range(3)] == [None] * 3
    assert caplog.messages == ["Requests are not counted, the cache does not answer: ConnectionError"] * 3


def test_what_stands_in_the_place_of_a_counter_is_not_counted(server: Redis) -> None:
    server.set(caches["default"].make_key(f"rate.a.{int(AT // 60)}"), "nonsense")
    assert rates.count("a", "1/minute", AT) is None


def test_one_process_alone_counts_in_its_memory(settings: Any) -> None:
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": token_urlsafe()}}
    assert [rates.count("a", "2/minute", AT + 1) for _ in range(3)] == [None, None, 59]
