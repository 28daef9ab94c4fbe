"""In a real browser: log in, look at the dashboard, open a profile, train a model and see it finish, read Chinese.

The page's console must stay silent all the way. Screenshots of a failed run are kept below ``VAR_DIR/screenshots``.
"""

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, connections

from config.celery import app
from crm.ingest import NewEvent, record_many
from crm.models import Profile
from tests import factories

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium is installed"),
    # The worker's and the browser's threads end when they like; that is not what is tested here.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]
OPENED = datetime(2025, 1, 1, 4, tzinfo=UTC)
DAYS = 300
SECONDS = 1000  # playwright counts in thousandths


@pytest.fixture(autouse=True)
def _alone_at_the_end(transactional_db: None) -> Iterator[None]:
    """End the sessions that threads of the server and the worker left behind: they would hold the test database."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


@pytest.fixture
def shop() -> Profile:
    """Fill the record with 80 people who buy at their own pace, and return one of them."""
    factories.assess()
    people = [factories.profile(f"customer-{n:04}", name=f"张{n}") for n in range(80)]
    item = factories.item("milk", title="Milk")
    now = OPENED + timedelta(days=DAYS + 1)
    events = [
        NewEvent(
            kind="purchase",
            profile_id=person.pk,
            occurred_at=OPENED + timedelta(days=day),
            received_at=OPENED + timedelta(days=day),
            item_id=item.pk,
            value=Decimal(5 + number % 40),
            currency="CNY",
            quantity=Decimal(1),
            session=f"basket-{person.pk}-{day}",
        )
        for number, person in enumerate(people)
        for day in range(number % 9, DAYS - (number % 5) * 20, 3 + number % 11)
    ]
    record_many(factories.source(), events, now=now)
    cache.clear()
    return people[0]


@pytest.fixture
def worker() -> Iterator[None]:
    """Do the jobs beside the server, as a worker would."""
    with start_worker(app, perform_ping_check=False, pool="solo", queues=["ml"], loglevel="warning"):
        yield


@pytest.fixture
def page(live_server: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a page of Chromium; whatever its console says is an error at the end."""
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread, where Django would refuse to be asked anything.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    assert CHROMIUM, "Chromium is not installed, and in CI that is an error"
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page(base_url=live_server.url, viewport={"width": 1280, "height": 900}, locale="en")
        opened.set_default_timeout(20 * SECONDS)
        opened.on("console", lambda message: said.append(message.text) if message.type != "log" else None)
        opened.on("pageerror", lambda error: said.append(str(error)))
        try:
            yield opened
        finally:
            kept = settings.VAR_DIR / "screenshots"
            kept.mkdir(exist_ok=True)
            opened.screenshot(path=kept / f"{request.node.name}.png", full_page=True)
            browser.close()
            connections.close_all()  # inside of playwright's loop this thread has a connection of its own
            os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
    assert said == []


def log_in(page: Any) -> None:
    page.goto("/admin/")
    page.fill("[name=login]", "root")
    page.fill("[name=password]", "a long password")
    page.click(".card button[type=submit]")
    page.wait_for_selector("#dashboard")


@pytest.fixture
def inside(page: Any) -> Any:
    User.objects.create_superuser("root", password="a long password")
    log_in(page)
    return page


def painted(page: Any, canvas: str) -> bool:
    """Return whether anything was drawn on a canvas."""
    return bool(
        page.evaluate(
            "selector => { const c = document.querySelector(selector);"
            " return new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)"
            ".some(pixel => pixel !== 0) }",
            canvas,
        )
    )


def test_from_the_login_to_a_trained_model_and_back_in_chinese(
    shop: Profile, worker: None, inside: Any, live_server: Any
) -> None:
    page = inside
    assert painted(page, "canvas[data-chart=activity-data]")
    page.click("text=Show as a table")
    assert page.locator("#activity-rows tbody tr").count() == 90

    page.goto(f"/admin/crm/profile/?q=%23{shop.pk}")
    page.click("#result_list tbody a >> nth=0")
    page.wait_for_selector("#timeline .zy-event")
    shown = page.locator("#timeline .zy-event").count()
    page.click("#timeline >> text=Earlier")
    page.wait_for_function(f"document.querySelectorAll('#timeline .zy-event').length > {shown}")

    page.goto("/admin/mlengine/modelversion/")
    page.click("#model-rfm >> text=Train")
    page.wait_for_selector("#job-panel [data-status=succeeded], #job-panel [data-status=failed]", timeout=90 * SECONDS)
    assert page.locator("#job-panel [data-status=succeeded]").count() == 1, page.inner_text("#job-panel")

    page.goto("/admin/mlengine/modelversion/")
    page.click("#model-rfm a.zy-tag")
    assert page.locator("[data-stage]").inner_text() == "champion"
    assert painted(page, "canvas[data-chart=by-cutoff-data]")

    page.click(".zy-language >> text=中文")
    page.wait_for_selector("html[lang=zh-hans]")
    assert page.inner_text("h3 >> nth=0").startswith("RFM 分群")
    page.goto("/admin/")
    assert "数据截至" in page.inner_text("#data-until")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_dashboard_fits_a_phone_and_a_dark_room(shop: Profile, inside: Any, width: int, scheme: str) -> None:
    page = inside
    page.set_viewport_size({"width": width, "height": 850})
    page.emulate_media(color_scheme=scheme)
    for address in ("/admin/", f"/admin/crm/profile/{shop.pk}/change/", "/admin/mlengine/modelversion/"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, address
    background = page.evaluate("getComputedStyle(document.querySelector('.zy-card')).backgroundColor")
    lightness = re.findall(r"[\d.]+", background)[0]
    assert (float(lightness) < 0.5 if "oklch" in background else float(lightness) < 80) == (scheme == "dark")
