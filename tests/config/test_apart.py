"""Tests empty caches and queues: never those that somebody works with."""

from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from redis import Redis

from config.celery import app
from tests import apart

PRODUCT = {0, 1}  # the numbers of its broker and its cache


def number(server: Any) -> int:
    return int(server.connection_pool.connection_kwargs["db"])


def test_what_tests_empty_is_not_what_somebody_works_with() -> None:
    client: Any = cache
    with app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        used = {number(client._cache.get_client(None, write=True)), number(channel.client)}
    assert len(used) == 2
    assert not used & PRODUCT


def test_the_cache_that_erasure_searches_is_the_one_in_use() -> None:
    cache.set("somebody.looked", 1, 600)
    assert Redis.from_url(settings.CACHE_URL).keys() == [b":1:somebody.looked"]


def test_every_process_has_databases_of_its_own_that_the_server_has() -> None:
    given = [number for process in range(apart.MOST + 1) for number in apart.databases(process)]
    assert sorted(given) == list(range(2, 2 + len(given)))
    assert Redis.from_url(settings.CACHE_URL).config_get("databases") == {"databases": str(2 + len(given))}


def test_more_workers_than_databases_are_refused() -> None:
    with pytest.raises(pytest.UsageError, match=f"databases for {apart.MOST} workers"):
        apart.databases(apart.MOST + 1)


@pytest.mark.parametrize(("setting", "name"), [("CELERY_BROKER_URL", "BROKER_URL"), ("CACHE_URL", "CACHE_URL")])
def test_a_server_that_is_not_embedded_is_refused(settings: Any, setting: str, name: str) -> None:
    settings.CELERY_BROKER_URL, settings.CACHE_URL = settings.EMBEDDED.broker_url, settings.EMBEDDED.cache_url
    apart.refuse_others()
    setattr(settings, setting, "redis://:secret@shop.example/0")
    with pytest.raises(pytest.UsageError, match=f"unset {name} ") as refused:
        apart.refuse_others()
    assert "secret" not in str(refused.value)
