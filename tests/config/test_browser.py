"""In a real browser: log in, look at the dashboard, open a profile, train a model, see it finish, read Chinese."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.contrib.auth.models import User

from config.celery import app
from crm.ingest import NewEvent, record_many
from crm.models import Profile
from tests import browser, factories
from tests.browser import SECONDS

pytestmark = browser.MARKS
OPENED = datetime(2025, 1, 1, 4, tzinfo=UTC)
DAYS = 300


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
    return people[0]


@pytest.fixture
def worker() -> Iterator[None]:
    """Do the jobs beside the server, as a worker would."""
    with start_worker(app, perform_ping_check=False, pool="solo", queues=["ml"], loglevel="warning"):
        yield


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
    page.click("#model-rfm button >> text=Train")
    page.wait_for_selector("#job-panel [data-status=succeeded], #job-panel [data-status=failed]", timeout=300 * SECONDS)
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
