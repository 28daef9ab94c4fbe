"""Connecting an account in the admin: the form asks for what the platform wants, and a test says who is let in."""

from typing import Any

import pytest
from django.urls import reverse

from campaigns.channels import trying
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import ChannelAccount
from tests.campaigns.wechat.accounts import KEY, account, connected
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", ["oa_service", "mini", "wecom"])
def test_a_connection_that_works_really_fetched_a_token(stub: Stub, kind: str) -> None:
    assert trying.problem(connected(stub, kind)) == ""
    path = "/cgi-bin/gettoken" if kind == "wecom" else "/cgi-bin/stable_token"
    assert len(stub.get("log", path=path)["calls"]) == 1


def test_a_connection_that_does_not_work_says_why(stub: Stub, settings: Any) -> None:
    one = connected(stub)
    stub.post("accounts", appid=one.settings["appid"], ip_whitelist=["10.0.0.1"])
    assert "127.0.0.1" in trying.problem(one)
    stub.post("accounts", appid=one.settings["appid"], secret="another", ip_whitelist=[])
    assert "40125" in trying.problem(one)
    settings.WECHAT_STUB_URL = "http://127.0.0.1:9"
    assert "cannot be reached" in trying.problem(one)
    one.settings["imitation"], settings.WECHAT_API_BASE = False, "http://127.0.0.1:9"
    assert "cannot be reached" in trying.problem(one)
    one.secrets = {"secret": "s", "callback_token": "t", "aes_key": "short"}
    assert trying.problem(one).startswith("aes_key")
    one.secrets = {"secret": "s", "aes_key": KEY}
    assert trying.problem(one).startswith("callback_token")


def test_the_form_keeps_secrets_to_itself_and_shows_the_address() -> None:
    browser = logged_in(member("Admin"), second_factor=True)
    url = reverse("admin:campaigns_channelaccount_add") + "?provider=wechat_official&channel=wechat"
    told = {
        "name": "Brand", "status": "active", "own_appid": "wx1", "own_kind": "service", "own_secret": "hidden-secret",
        "own_callback_token": "token", "own_aes_key": KEY, "own_imitation": "on", "cost": "0",
        "own_keyword_answers": "hours = We open at nine.",
    }  # fmt: skip
    assert browser.post(url, told).status_code == 302
    one = ChannelAccount.objects.get()
    assert one.settings == {
        "appid": "wx1", "kind": "service", "imitation": True, "keyword_answers": "hours = We open at nine.",
    }  # fmt: skip
    assert one.secrets["aes_key"] == KEY
    page = browser.get(reverse("admin:campaigns_channelaccount_change", args=[one.pk])).content.decode()
    assert f"/hooks/wechat/{one.hook}/" in page
    assert "hidden-secret" not in page
    assert KEY not in page


def test_an_account_of_each_kind_has_a_page() -> None:
    browser = logged_in(member("Admin"), second_factor=True)
    for kind in ("oa_subscription", "mini", "wecom"):
        one = account(kind)
        page = browser.get(reverse("admin:campaigns_channelaccount_change", args=[one.pk]))
        assert page.status_code == 200
