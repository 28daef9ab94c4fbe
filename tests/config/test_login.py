"""Staff get in with a password and a second factor, and nobody else gets in, or learns anything by trying."""

import re
import time
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from config.accounts import client_address
from tests.api import own_counters  # noqa: F401
from tests.staff import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_counters")]

PASSWORD = "correct horse battery"
LOGIN = "/accounts/login/"


@pytest.fixture
def li() -> User:
    return User.objects.create_superuser("li", password=PASSWORD)


def try_login(client: Client, name: str, password: str, address: str = "192.0.2.1", **headers: str) -> Any:
    data = {"login": name, "password": password, "next": "/admin/"}
    return client.post(LOGIN, data, REMOTE_ADDR=address, headers=headers)


def code_of(secret: str) -> str:
    """Return the code that the app shows now, and for some seconds yet."""
    if time.time() % 30 > 25:
        time.sleep(30 - time.time() % 30)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def with_app(user: User) -> str:
    """Give somebody an authenticator app, and return its secret."""
    secret = str(generate_totp_secret())
    TOTP.activate(user, secret)
    return secret


def test_the_admin_asks_at_the_one_login_page() -> None:
    for address in ("/admin/", "/admin/login/", "/admin/crm/profile/"):
        answer = Client().get(address, follow=True)
        assert answer.redirect_chain[-1][0].startswith(LOGIN), address
    posted = Client().post("/admin/login/", {"username": "li", "password": PASSWORD})
    assert posted["Location"].startswith(LOGIN)


def test_a_password_is_enough_where_no_second_factor_is_required(li: User) -> None:
    client = Client()
    assert try_login(client, "li", PASSWORD)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_staff_without_a_second_factor_can_open_nothing_but_its_set_up(li: User, settings: Any) -> None:
    settings.MFA_REQUIRED = True
    client = Client()
    try_login(client, "li", PASSWORD)
    closed = ["/admin/", "/admin/crm/profile/", "/admin/password_change/", "/admin/auth/user/", "/"]
    for address in closed:
        assert client.get(address)["Location"].startswith("/accounts/2fa/totp/activate/"), address
        assert client.post(address)["Location"].startswith("/accounts/2fa/totp/activate/"), address
    page = client.get("/admin/", follow=True).content.decode()
    assert "set up a second factor" in page
    secret = re.search(r'id="authenticator_secret" [^>]*value="([A-Z2-7]+)"', page)
    assert secret
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret[1])})
    assert client.get("/admin/").status_code == 200
    assert Authenticator.objects.filter(user=li).count() == 2  # the app and the recovery codes


def test_a_login_with_a_second_factor_needs_both(li: User, settings: Any) -> None:
    settings.MFA_REQUIRED = True
    secret = with_app(li)
    client = Client()
    assert try_login(client, "li", PASSWORD)["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert "Incorrect code" in client.post("/accounts/2fa/authenticate/", {"code": "000000"}).content.decode()
    assert client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_code_works_once(li: User) -> None:
    secret = with_app(li)
    code = code_of(secret)
    for status in (302, 200):
        client = Client()
        try_login(client, "li", PASSWORD)
        assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == status


def test_a_session_from_before_the_second_factor_is_asked_for_it(li: User, settings: Any) -> None:
    settings.MFA_REQUIRED = True
    before = logged_in(li)
    with_app(li)
    assert before.get("/admin/")["Location"].startswith("/accounts/2fa/reauthenticate/")
    assert logged_in(li, second_factor=True).get("/admin/").status_code == 200


def test_codes_cannot_be_guessed(li: User) -> None:
    with_app(li)
    client = Client()
    try_login(client, "li", PASSWORD)
    said = [client.post("/accounts/2fa/authenticate/", {"code": "000000"}).content.decode() for _ in range(11)]
    assert "Incorrect code" in said[9]
    assert "Too many failed" in said[10]


def test_the_secret_of_an_app_is_sealed_in_the_database(li: User) -> None:
    secret = with_app(li)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator")
        for (row,) in cursor.fetchall():
            assert secret not in row


@pytest.mark.parametrize("name", ["li", "nobody"])
def test_five_wrong_passwords_lock_one_name_from_one_address_out(li: User, name: str) -> None:
    client = Client()
    for _ in range(4):
        assert try_login(client, name, "wrong").status_code == 200
    for password in ("wrong", PASSWORD):
        locked = try_login(client, name, password)
        assert locked.status_code == 429
        assert "Too many attempts" in locked.content.decode()
    assert try_login(Client(), name, PASSWORD, address="192.0.2.2").status_code == (302 if name == "li" else 200)
    assert try_login(Client(), "other", "wrong").status_code == 200


def test_a_lock_ends_after_a_quarter_of_an_hour(li: User) -> None:
    for _ in range(5):
        try_login(Client(), "li", "wrong")
    attempt = AccessAttempt.objects.get()
    AccessAttempt.objects.update(attempt_time=attempt.attempt_time - timedelta(minutes=15, seconds=1))
    assert try_login(Client(), "li", PASSWORD).status_code == 302


def test_guessing_one_name_from_many_addresses_is_slowed_down(li: User) -> None:
    for number in range(10):
        try_login(Client(), "li", "wrong", address=f"192.0.2.{number}")
    assert "Too many failed" in try_login(Client(), "li", PASSWORD, address="198.51.100.1").content.decode()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what the client wrote itself is not believed
        (2, "1.1.1.1, 203.0.113.9, 198.51.100.2", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_address_is_what_our_own_proxy_saw(settings: Any, proxies: int, forwarded: str, seen: str) -> None:
    settings.NUM_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers=headers)) == seen


def test_a_forged_header_buys_no_more_attempts(li: User, settings: Any) -> None:
    settings.NUM_PROXIES = 1
    for number in range(5):
        forged = {"X-Forwarded-For": f"10.0.0.{number}, 203.0.113.9"}
        last = try_login(Client(), "li", "wrong", **forged)
    assert last.status_code == 429


def test_a_name_that_exists_and_one_that_does_not_answer_alike(li: User) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    pages = [try_login(Client(), name, "wrong") for name in ("li", "xx", "gone")]
    texts = {re.sub(r'value="[^"]*"', "", page.content.decode()) for page in pages}
    assert len(texts) == 1
    assert {page.status_code for page in pages} == {200}


@pytest.mark.nightly
def test_a_name_that_exists_takes_no_longer(li: User, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": False, "login": False}
    took: dict[str, list[float]] = {"li": [], "xx": []}
    for _ in range(25):
        for name, times in took.items():
            AccessAttempt.objects.all().delete()
            began = time.perf_counter()
            try_login(Client(), name, "wrong")
            times.append(time.perf_counter() - began)
    assert median(took["li"]) == pytest.approx(median(took["xx"]), rel=0.25)


@pytest.mark.parametrize("path", ["signup/", "password/reset/", "email/", "confirm-email/", "login/code/", "3rdparty/"])
def test_nobody_signs_up_or_resets_a_password(path: str) -> None:
    assert Client().get(f"/accounts/{path}").status_code == 404


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_login_leads_to_no_other_site(li: User, next_: str) -> None:
    answer = Client().post(LOGIN, {"login": "li", "password": PASSWORD, "next": next_})
    assert answer["Location"] == "/admin/"


def test_the_session_gets_a_new_key_at_the_login(li: User) -> None:
    client = Client()
    client.get(LOGIN)
    before = client.session.session_key
    try_login(client, "li", PASSWORD)
    assert client.session.session_key != before


def test_cookies_are_closed_to_scripts_and_other_sites(li: User, settings: Any) -> None:
    client = Client()
    client.get(LOGIN)
    try_login(client, "li", PASSWORD)
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        cookie = client.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
    assert client.session.get_expire_at_browser_close()
    assert settings.SESSION_COOKIE_AGE == 12 * 3600


def test_a_sensitive_page_asks_again_after_ten_minutes(li: User) -> None:
    change = reverse("mfa_deactivate_totp")
    with_app(li)
    assert logged_in(li, seconds_ago=599).get(change).status_code == 200
    assert "reauthenticate" in logged_in(li, seconds_ago=601).get(change)["Location"]
    never = Client()
    never.force_login(li)
    assert "reauthenticate" in never.get(change)["Location"]


def test_a_second_login_page_is_in_chinese(li: User) -> None:
    page = Client(headers={"Accept-Language": "zh-CN"}).get(LOGIN).content.decode()
    assert '<html lang="zh-hans">' in page
    assert "登录" in page
