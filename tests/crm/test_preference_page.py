"""A person's own page: GET shows, POST changes, each decision by itself, and what was shown is what is recorded."""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from crm import consent, preference_links
from crm.models import Identifier, Profile
from tests import factories
from tests.crm.consents import notice, purpose

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    cache.clear()


def someone(external_id: str = "u-1", **facts: Any) -> Profile:
    """Return an adult who can be reached by mail and SMS."""
    person = factories.profile(external_id, age_class="adult", **facts)
    for type_, value in (("email", f"{external_id}@qq.com"), ("phone", f"+86138{abs(hash(external_id)) % 10**8:08}")):
        Identifier.objects.create(type=type_, value=value, profile=person, created_at=factories.NOW)
    return person


def address(person: Profile, tail: str = "") -> str:
    return f"/p/{preference_links.mint(person.pk, timezone.now())}/{tail}"


class Page(HTMLParser):
    """What a browser makes of the page: its forms with their fields and buttons, and the texts of what is shown."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.states: dict[str, str] = {}
        self.pressed: list[str] = []
        self.inputs: list[dict[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._about: list[str] = []
        self._control = ""
        self._open: list[bool] = []
        self.html = answer.content.decode()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "article":
            self._about = []
        if tag == "form":
            self._control = told.get("data-control") or ""
            self.forms[self._control], self.states[self._control] = {}, told.get("data-state") or ""
            self.texts[self._control] = list(self._about)
        if tag in ("input", "select", "textarea"):
            self.inputs.append(told)
            if told.get("type") == "hidden":
                self.forms[self._control][str(told["name"])] = told.get("value") or ""
        if tag == "button" and told.get("aria-pressed") == "true":
            self.pressed.append(f"{self._control}={told.get('value')}")
        if "data-shown" in told:
            (self.texts[self._control] if self._control else self._about).append("")
            self._open.append(True)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._control = ""
        if self._open and tag in ("h3", "h4", "p", "strong", "button"):
            self._open.clear()

    def handle_data(self, data: str) -> None:
        if self._open:
            (self.texts[self._control] if self._control else self._about)[-1] += data


def press(client: Client, where: str, control: str, answer: str) -> Any:
    form = Page(client.get(where)).forms[control]
    return client.post(where, form | {"answer": answer})


def test_a_link_opens_a_page_on_which_a_press_gives_and_the_next_takes_back(client: Client) -> None:
    purpose()
    notice("offers", at=timezone.now() - timedelta(days=1))
    person = someone()
    where = address(person)
    page = Page(client.get(where))
    assert (page.states["offers-email"], page.states["offers-sms"]) == ("open", "open")
    answer = press(client, where, "offers-email", "yes")
    assert (answer.status_code, answer["Location"]) == (303, f"{where}?done=yes#said")
    assert consent.basis_for(person.pk, "offers", "email", timezone.now()).allowed
    assert not consent.basis_for(person.pk, "offers", "sms", timezone.now()).allowed
    press(client, where, "offers-email", "no")
    basis = consent.basis_for(person.pk, "offers", "email", timezone.now())
    assert (basis.allowed, basis.reason) == (False, consent.Reason.WITHDRAWN)
    assert Page(client.get(where)).states["offers-email"] == "no"
