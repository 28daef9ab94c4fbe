"""Webhook endpoints in the admin, and programs that act in a colleague's name."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns import outgoing, standard_webhooks
from campaigns.models import WebhookEndpoint, WebhookMessage
from campaigns.outgoing import Fact
from config.models import ApiAccess
from tests import api
from tests.campaigns.peers import HttpPeer, http_peer
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def peer(settings: Any) -> Iterator[HttpPeer]:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    with http_peer({"accepted": (200, {}), "error": (500, {})}) as made:
        yield made


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:campaigns_webhook{name}", args=arguments)


def secret_on(answer: Any) -> str:
    assert "no-store" in answer.headers["Cache-Control"]
    found = re.search(r'<code class="zy-mono" id="secret">(whsec_[^<]+)</code>', answer.content.decode())
    assert found
    return found[1]


def test_an_endpoint_is_added_tried_rotated_and_its_secrets_are_shown_once(peer: HttpPeer) -> None:
    browser = logged_in(member("Admin"))
    told = {"name": "shop", "url": f"{peer.url}/in", "kinds": ["consent.given", "delivery.bounced"]}
    first = secret_on(browser.post(page("endpoint_add"), told))
    made = WebhookEndpoint.objects.get()
    assert (made.kinds, made.secret) == (["consent.given", "delivery.bounced"], first)
    second = secret_on(browser.post(page("endpoint_rotate", made.pk)))
    for address in (page("endpoint_change", made.pk), page("endpoint_changelist")):
        text = browser.get(address).content.decode()
        assert "shop" in text
        assert "whsec_" not in text
    answer = browser.post(page("endpoint_ping", made.pk), follow=True)
    assert "It answered 200" in answer.content.decode()
    [(path, headers, body)] = peer.taken
    assert path == "/in"
    for secret in (first, second):
        standard_webhooks.verify(secret, headers, body, timezone.now())
    peer.mode = "error"
    assert "did not take the message: 500" in browser.post(page("endpoint_ping", made.pk), follow=True).content.decode()


def test_an_address_of_our_own_network_is_refused_with_words(settings: Any) -> None:
    settings.EGRESS_HOSTS = []
    browser = logged_in(member("Admin"))
    told = {"name": "shop", "url": "http://127.0.0.1/", "kinds": ["consent.given"]}
    assert "This server may not call it (private)" in browser.post(page("endpoint_add"), told).content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_it_is_switched_off_and_on_and_told_again_and_the_log_shows_each_try(peer: HttpPeer) -> None:
    browser, now = logged_in(member("Admin")), timezone.now()
    browser.post(page("endpoint_add"), {"name": "shop", "url": peer.url, "kinds": ["scores.finished"]})
    made = WebhookEndpoint.objects.get()
    outgoing.tell([Fact(kind="scores.finished", key="1", happened_at=now, data={"run": 1, "spec": "churn"})], now)
    WebhookMessage.objects.update(next_at=None, attempts=10)
    text = browser.get(page("endpoint_change", made.pk)).content.decode()
    assert "Tell again what was given up this week" in text
    browser.post(page("endpoint_do", made.pk, "replay"))
    message = WebhookMessage.objects.get()
    assert (message.attempts, message.next_at is not None) == (0, True)
    message.tries.create(status=503, error="", took_ms=12, tried_at=now)
    WebhookMessage.objects.update(next_at=None)
    shown = browser.get(page("message_change", message.pk)).content.decode()
    assert "503" in shown
    assert "12 ms" in shown
    browser.post(page("message_replay", message.pk))
    assert WebhookMessage.objects.get().next_at is not None
    for verb, active in (("off", False), ("on", True)):
        browser.post(page("endpoint_do", made.pk, verb))
        made.refresh_from_db()
        assert made.active == active


def test_one_agrees_to_a_program_of_ones_own_and_takes_it_back() -> None:
    one, other = member("Marketing"), member("Marketing", "other")
    application = api.application("campaigns:write", name="her script")
    application.user = one
    application.save()
    access = ApiAccess.objects.get()
    browser = logged_in(one)
    mine = reverse("admin:oauth2_provider_application_mine")
    assert "her script" in browser.get(mine).content.decode()
    assert "asks to act in your name" in browser.get(reverse("admin:index")).content.decode()
    assert "her script" not in logged_in(other).get(mine).content.decode()
    agree, end = (
        reverse("admin:oauth2_provider_application_mine_do", args=[access.pk, verb]) for verb in ("agree", "end")
    )
    assert logged_in(other).post(agree).status_code == 404
    assert browser.get(agree).status_code == 405
    browser.post(agree)
    access.refresh_from_db()
    assert (access.agreed_by, access.agreed_scopes) == (one, ["campaigns:write"])
    browser.post(end)
    access.refresh_from_db()
    assert (access.agreed_by, access.agreed_scopes) == (None, [])


def test_who_has_not_just_shown_who_she_is_is_asked_before_a_program_may_act_for_her() -> None:
    one = member("Marketing")
    application = api.application("campaigns:write")
    application.user = one
    application.save()
    address = reverse("admin:oauth2_provider_application_mine_do", args=[application.pk, "agree"])
    answer = logged_in(one, seconds_ago=3600).post(address)
    assert (answer.status_code, "reauthenticate" in answer.headers["Location"]) == (302, True)
    assert ApiAccess.objects.get().agreed_by is None
