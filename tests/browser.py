"""A real browser for tests: one way to open a page of Chromium, whose console must stay silent to the end.

Screenshots, of a failed run too, are kept below ``VAR_DIR/screenshots``.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections

from tests.staff import logged_in

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]
SECONDS = 1000  # playwright counts in thousandths
# A browser's tests say ``pytestmark = browser.MARKS``.
MARKS = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("alone"),
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium is installed"),
    # The worker's and the browser's threads end when they like; that is not what is tested here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@contextmanager
def opened(server: Any, name: str, *, expected: str = "", **options: Any) -> Iterator[Any]:
    """Open a page of Chromium; what its console says is an error at the end, but for texts with ``expected`` in them.

    ``options`` are those of playwright's ``new_page``.
    """
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium is not installed, and in CI that is an error"
    # Playwright's loop runs in this thread, where Django would refuse to be asked anything.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(base_url=server.url, locale="en", **options)
        page.set_default_timeout(120 * SECONDS)  # of a machine under load
        page.on("console", lambda message: said.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        try:
            yield page
        finally:
            kept(page, name)
            browser.close()
            connections.close_all()  # inside of playwright's loop this thread has a connection of its own
            os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
    assert [text for text in said if not expected or expected not in text] == []


def kept(page: Any, name: str) -> None:
    """Keep a picture of a page."""
    folder = settings.VAR_DIR / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def let_in(page: Any, server: Any) -> Any:
    """Log a superuser in without the login page, and return the page."""
    client = logged_in(User.objects.create_superuser("root", password="a long password"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server.url}])
    return page
