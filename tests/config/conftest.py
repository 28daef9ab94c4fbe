"""Pages of a real browser, at a desk and on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from config.celery import app
from tests import browser

PHONE: Any = {"width": 390, "height": 844}


@pytest.fixture
def alone(transactional_db: None) -> Iterator[None]:
    """Begin with nothing in the queues, where a worker would do what other tests asked for; end with no session left.

    Threads of the server and of the worker leave sessions behind, which would hold the test database.
    """
    with app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        for queue in {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}:
            channel.queue_purge(queue)
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.fixture
def page(live_server: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a page as wide as a desk's."""
    with browser.opened(live_server, request.node.name, viewport={"width": 1280, "height": 900}) as opened:
        yield opened


@pytest.fixture
def phone(live_server: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a page as large as a phone, without JavaScript; a link that opens nothing may say 404."""
    facts: Any = {"viewport": PHONE, "java_script_enabled": False, "device_scale_factor": 2}
    with browser.opened(live_server, request.node.name, expected="404", **facts) as opened:
        yield opened


@pytest.fixture
def desk(live_server: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a page as wide as a desk's, logged in; a test may cut its connection."""
    facts: Any = {"viewport": {"width": 1360, "height": 900}}
    with browser.opened(live_server, request.node.name, expected="ERR_CONNECTION_RESET", **facts) as opened:
        yield browser.let_in(opened, live_server)
