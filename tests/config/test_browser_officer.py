"""The compliance officer's path in a real browser, and out of it: what was downloaded is verified by a bare Python."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from celery.contrib.testing.worker import start_worker
from django.contrib.auth.models import User
from django.utils import timezone

from config.celery import app
from crm import consent, handoffs, sequencer
from crm.handoffs import NewHandOff
from crm.models import PersonalDataAccess
from tests import browser, factories
from tests.browser import SECONDS
from tests.config.test_login import code_of
from tests.crm import consents
from tests.staff import member

pytestmark = browser.MARKS
BARE = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys._base_executable  # type: ignore[attr-defined]


@pytest.fixture
def history() -> None:
    """Twenty people who allowed and were written to; one withdrew, and was written to all the same."""
    began = timezone.now() - timedelta(days=20)
    consents.purpose(name={"en": "Offers by SMS", "zh-hans": "短信优惠"}), consents.notice("offers", at=began)
    for number in range(20):
        at = began + timedelta(hours=number + 1)
        person = factories.profile(f"u{number}")
        given = consents.say(person, now=at, notice="privacy/1", method="form")
        if number == 7:
            consent.withdraw(person.pk, "offers", "", "sms_reply", at + timedelta(minutes=1))
        sent: dict[str, Any] = {
            "basis": "consent",
            "purpose": "offers",
            "channel": "sms",
            "handed_off_at": at + timedelta(minutes=2),
        }
        new = NewHandOff(delivery=uuid4(), profile_id=person.pk, allowed_by=given.pk, **sent)
        handoffs.record([new], now=at + timedelta(minutes=2))
    sequencer.sequence(timezone.now())


@pytest.fixture
def worker(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.AUDIT_DIR = tmp_path / "audit"
    with start_worker(app, perform_ping_check=False, pool="solo", queues=["default"], loglevel="warning"):
        yield


@pytest.fixture
def secret(settings: Any) -> str:
    """Return the secret of the officer's authenticator app; without it nobody gets in."""
    settings.MFA_REQUIRED = True
    officer: User = member("Compliance", "officer")
    officer.set_password("a long password")
    officer.save()
    made = str(generate_totp_secret())
    TOTP.activate(officer, made)
    return made


def log_in(page: Any, secret: str) -> None:
    page.goto("/admin/")
    page.fill("[name=login]", "officer")
    page.fill("[name=password]", "a long password")
    page.click(".card button[type=submit]")
    page.fill("[name=code]", code_of(secret))
    page.click(".card button[type=submit]")
    page.wait_for_selector("#dashboard")


def downloaded(page: Any, link: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(link)
    path = folder / str(download.value.suggested_filename)
    download.value.save_as(path)
    return path


def test_from_the_login_with_a_second_factor_to_a_bundle_that_a_bare_python_verifies(
    history: None,
    worker: None,
    secret: str,
    page: Any,
    tmp_path: Path,
) -> None:
    log_in(page, secret)
    page.click("text=Compliance >> xpath=following::a[contains(., 'Overview')][1]")
    page.wait_for_selector("#compliance")
    assert page.inner_text("#violations") == "1"
    fingerprint = page.inner_text("#fingerprint")
    auditor = tmp_path / "auditor"
    auditor.mkdir()
    tool = downloaded(page, "text=verify.py >> nth=0", auditor)
    held = downloaded(page, "text=Checkpoint of now", auditor)

    page.click("text=Export an audit bundle")
    today = timezone.localdate()
    page.fill("[name=begin]", (today - timedelta(days=31)).isoformat())
    page.fill("[name=end]", today.isoformat())
    page.check("[name=purposes][value=offers]")
    page.click("#order button[type=submit]")
    page.wait_for_selector("#job-panel [data-status=succeeded]", timeout=300 * SECONDS)
    page.reload()
    bundle = downloaded(page, "text=Download the bundle", auditor)

    command = [BARE, "-I", "-S", tool.name, bundle.name, "--checkpoint", held.name]
    done = subprocess.run(command, cwd=auditor, env={}, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OK: the bundle is genuine.")
    assert fingerprint in done.stdout
    assert "sends        20: 19 by consent\n" in done.stdout
    assert "VIOLATIONS   1 " in done.stdout
    assert PersonalDataAccess.objects.filter(action="export", user__username="officer").count() == 2

    page.goto("/admin/crm/checkpoint/compliance/")
    page.click(".zy-language >> text=中文")
    page.wait_for_selector("html[lang=zh-hans]")
    page.set_viewport_size({"width": 390, "height": 850})
    # Charts follow the new width a moment later.
    page.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    shutil.rmtree(auditor)
