"""How long the canvas of a journey of sixty steps takes to open in Chromium, with a million people in it.

The product is served as in production (gunicorn, DEBUG off, files compressed). Counted is from just before the page is
asked for until its own script says that everything is drawn, and the browser has painted it; and until the numbers of
who stands where and went which way are there, too. First with nothing in the browser's cache, then as whoever comes
back sees it.
``CANVAS_PEOPLE`` sets how many walk.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
PEOPLE = int(os.environ.get("CANVAS_PEOPLE", "1000000"))
STEPS, TIMES, MOST = 60, 9, 1.0
PRODUCTION = {"DEBUG": "0", "SECURE_SSL_REDIRECT": "0", "SECURE_COOKIES": "0", "MFA_REQUIRED": "0"}

WALKING = """
INSERT INTO crm_profile (id, age_band, age_class, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '', 'adult', '', '', '', '', '{}', true, now(), now() FROM generate_series(1, %(people)s) AS n;
INSERT INTO campaigns_journeyentry (id, run_id, version_id, profile_id, status, reason, step, moves, entered_at,
    step_at, due_at)
SELECT gen_random_uuid(), %(run)s, %(version)s, n, 'walking', '', 's' || mod(n, %(steps)s), mod(n, %(steps)s), now(),
    now(), now() + interval '1 day'
FROM generate_series(1, %(people)s) AS n;
INSERT INTO campaigns_passage (version_id, step, outcome, number)
SELECT %(version)s, 's' || n, 'next', %(people)s FROM generate_series(0, %(steps)s - 1) AS n
"""


def run() -> list[dict[str, Any]]:
    """Return the seconds, beside the limit."""
    with TemporaryDirectory() as var:
        environment = os.environ | PRODUCTION | {"VAR_DIR": var, "DJANGO_SETTINGS_MODULE": "config.settings"}
        program = [sys.executable, "-m", "tests.benchmarks.journey_canvas"]
        done = subprocess.run(program, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = f"canvas of {STEPS} steps with {PEOPLE:,} people, opened"
    return [
        {"name": f"{name} {what}", "value": found[key], "unit": "s", "yardstick": MOST, "ratio": found[key] / MOST}
        for key, what in (
            ("first", "by an empty browser"),
            ("median", f"again, median of {TIMES} (longest {found['longest']} s)"),
            ("counted", "again, until its numbers are there"),
        )
    ]


def opened() -> dict[str, float]:
    """Let a million walk, and open the canvas."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command

    from tests.benchmarks.sending import _free_port, _wait_for

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    journey, session, port = *prepare(), _free_port()
    with served(port):
        _wait_for(port)
        return measured(f"http://127.0.0.1:{port}", f"/admin/campaigns/journey/{journey}/canvas/", session)


def prepare() -> tuple[int, tuple[str, str]]:
    """Make the journey and its people; return its number and the cookie of a session."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.db import connection

    from crm.database_roles import as_owner
    from tests.campaigns import factories as campaigns
    from tests.campaigns.journeys import factories
    from tests.crm import consents
    from tests.staff import logged_in

    consents.purpose()
    campaigns.account()
    way = factories.journey(drawn())
    version = way.campaign.journey.versions.get()
    values: dict[str, Any] = {"people": PEOPLE, "run": way.pk, "version": version.pk, "steps": STEPS}
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(WALKING, values)
        cursor.execute("ANALYZE")
    client = logged_in(User.objects.create_superuser("root", password="a long password"))
    name = settings.SESSION_COOKIE_NAME
    return way.campaign_id, (name, client.cookies[name].value)


def drawn() -> dict[str, Any]:
    """Return sixty steps: waits, questions and messages by turns."""
    from tests.campaigns.journeys.factories import condition, mail, purchase, tree, wait

    steps = {}
    for number in range(STEPS):
        after = f"s{number + 1}" if number + 1 < STEPS else ""
        further = f"s{number + 3}" if number + 3 < STEPS else ""
        match number % 4:
            case 0:
                steps[f"s{number}"] = wait(after)
            case 1:
                rule = {"field": "city", "is": "is", "value": "Beijing"}
                steps[f"s{number}"] = condition(rule, yes=after, no=further)
            case 2:
                steps[f"s{number}"] = mail(after)
            case 3:
                steps[f"s{number}"] = purchase(after, further)
    return tree("s0", {"kind": "event", "event": "cart"}, **steps)


@contextmanager
def served(port: int) -> Iterator[None]:
    """Serve the admin as in production."""
    line = ["gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"]
    server = subprocess.Popen([sys.executable, "-m", *line, "--log-level", "warning"], cwd=ROOT, env=os.environ)
    try:
        yield
    finally:
        server.terminate()
        server.wait(30)


def measured(site: str, path: str, session: tuple[str, str]) -> dict[str, float]:
    """Open the page, and open it again."""
    from urllib.request import urlopen

    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, CHROMIUM

    for _ in range(8):  # each process and thread of the server has been asked something
        urlopen(f"{site}/admin/login/").read()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(base_url=site, locale="en", viewport={"width": 1440, "height": 900})
        page.context.add_cookies([{"name": session[0], "value": session[1], "url": site}])
        first, _counted = seconds(page, path)
        again, counted = zip(*(seconds(page, path) for _ in range(TIMES)), strict=True)
        page.screenshot(path=os.environ.get("CANVAS_PICTURE") or Path(os.environ["VAR_DIR"], "canvas.png"))
        browser.close()
    found = {"first": first, "median": median(again), "longest": max(again), "counted": median(counted)}
    return {name: round(value, 3) for name, value in found.items()}


def seconds(page: Any, path: str) -> tuple[float, float]:
    """Return how long the page takes until it is drawn and painted, and until its numbers are there."""
    page.goto("about:blank")
    began = time.monotonic()
    page.goto(path, wait_until="commit")
    page.wait_for_selector("[data-ready='1']", timeout=60_000)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    took = time.monotonic() - began
    assert page.locator(".jc-card").count() > STEPS  # and what lets people in
    page.wait_for_selector("[data-counted='1']", timeout=60_000)
    return took, time.monotonic() - began


if __name__ == "__main__":
    print(json.dumps(opened()))
