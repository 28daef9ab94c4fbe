"""A security key as the second factor, in a real browser: set up, asked for at the login and before what matters.

Chromium's own virtual authenticator signs; recovery codes get in whoever has lost the key, each of them once.
"""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.urls import reverse

from tests import browser, factories
from tests.staff import member

pytestmark = browser.MARKS
PASSWORD = "a long password"


@pytest.fixture
def officer(settings: Any) -> User:
    # Key and browser talk in a secure context only; here that is localhost without TLS.
    settings.MFA_REQUIRED, settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True, True
    user = member("Compliance", "officer")
    user.set_password(PASSWORD)
    user.save()
    return user


def plug_in(page: Any) -> tuple[Any, str]:
    """Plug a key into the browser whose owner touches it at once, and return the wire to it and its number."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    facts = {"protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True}
    facts |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    return wire, wire.send("WebAuthn.addVirtualAuthenticator", {"options": facts})["authenticatorId"]


def log_in(page: Any) -> None:
    page.goto("/admin/")
    page.fill("[name=login]", "officer")
    page.fill("[name=password]", PASSWORD)
    page.click(".card button[type=submit]")


def log_out(page: Any) -> None:
    page.goto("/accounts/2fa/")
    page.click("nav button")
    page.wait_for_url(re.compile("/accounts/login/"))


def enrol(page: Any) -> list[str]:
    """Add a key with a name, and return the recovery codes that come with it."""
    log_in(page)
    page.wait_for_url(re.compile("totp/activate"))
    page.goto("/accounts/2fa/webauthn/add/")
    page.fill("[name=name]", "The blue key")
    page.click("#mfa_webauthn_add")
    page.wait_for_url(re.compile("recovery-codes|/2fa/(webauthn/)?$"))
    page.goto("/accounts/2fa/recovery-codes/")
    return str(page.input_value("textarea")).split()


def test_a_key_is_set_up_and_opens_the_door_and_so_does_each_recovery_code_once(
    page: Any,
    officer: User,
) -> None:
    wire, key = plug_in(page)
    codes = enrol(page)
    assert len(set(codes)) == 10
    assert [one.type for one in Authenticator.objects.order_by("type")] == ["recovery_codes", "webauthn"]
    page.goto("/accounts/2fa/webauthn/")
    assert "The blue key" in page.inner_text("main")
    page.goto("/accounts/2fa/")
    log_out(page)

    log_in(page)
    page.wait_for_selector("#mfa_webauthn_authenticate")
    page.click("#mfa_webauthn_authenticate")
    page.wait_for_selector("#dashboard")
    log_out(page)

    wire.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": key})  # lost
    for code, gets_in in ((codes[0], True), (codes[0], False), (codes[1], True)):
        log_in(page)
        page.fill("[name=code]", code)
        page.click("#code-form button[type=submit], .card form:has([name=code]) button[type=submit]")
        if gets_in:
            page.wait_for_selector("#dashboard")
        else:
            page.wait_for_selector("[role=alert]")
            page.click("text=Cancel")
            page.wait_for_url(re.compile("/accounts/login/"))
            continue
        log_out(page)


def test_a_key_proves_again_who_it_is_and_another_key_proves_nothing(
    page: Any,
    officer: User,
    settings: Any,
    live_server: Any,
) -> None:
    plug_in(page)
    enrol(page)
    person = factories.profile("customer-1", name="康娜瑞")
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 0  # as if ten minutes had passed
    page.goto(reverse("admin:crm_audit_order"))
    page.wait_for_url(re.compile("reauthenticate"))
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
    page.click(".card a:has-text('security key')")
    page.click("#mfa_webauthn_reauthenticate")
    page.wait_for_url(re.compile("/compliance/export/"))
    log_out(page)

    # Somebody who knows the password and has a key of their own; their console may complain, ours may not.
    other = page.context.browser.new_context(base_url=live_server.url, locale="en").new_page()
    plug_in(other)
    log_in(other)
    other.wait_for_selector("#mfa_webauthn_authenticate")
    other.click("#mfa_webauthn_authenticate")
    other.wait_for_timeout(1000)
    other.goto(reverse("admin:crm_profile_change", args=[person.pk]))
    assert "/accounts/2fa/authenticate/" in other.url  # the door is still closed
    other.context.close()
