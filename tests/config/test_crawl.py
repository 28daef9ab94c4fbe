"""Each role tries every page of the admin, and asks every list by every personal field: nothing in clear comes out."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.urls import reverse
from django.utils import timezone

from crm import partitions
from crm.models import Event, Identifier, Profile
from crm.role_matrix import ROLES, letters
from tests import factories
from tests.staff import logged_in, member

pytestmark = [pytest.mark.django_db, pytest.mark.nightly]

NAME, PHONE, EMAIL, TRAIT = "康娜瑞", "13987654321", "canary.one@example.org", "canary-trait-4711"
CANARIES = [NAME, PHONE, f"+86{PHONE}", EMAIL, TRAIT]
HOSTILE = [
    "?name__startswith=康",
    "?name=康娜瑞",
    "?_popup=1",
    "?_to_field=name",
    "?_to_field=value&_popup=1",
    "?o=1.2.3.4.5.6.7.8.9",
    "?o=-1.-2.-3",
    "?e=1",
    "?all=",
    "?q=康娜瑞",
    f"?q={PHONE}",
    "?p=999999",
    "?identifiers__value__startswith=139",
    "?profile__name__startswith=康",
    "?traits__has_key=canary",
    "?_facets=True",
    "?_changelist_filters=name%3D康",
    "?format=csv&_export=csv",
]
# Lists with a personal field that each role may open: else this test would try nothing and be content.
LEAST_TRIED = dict.fromkeys(ROLES, 1) | {"Analyst": 0}


@pytest.fixture
def person() -> Profile:
    person = factories.profile(name=NAME, traits={"nickname": TRAIT})
    for type_, value in (("phone", f"+86{PHONE}"), ("email", EMAIL)):
        Identifier.objects.create(type=type_, value=value, profile=person, created_at=factories.NOW)
    partitions.ensure([partitions.month_of(factories.NOW)])
    facts = {"kind": "purchase", "value": 5, "occurred_at": factories.NOW, "received_at": factories.NOW}
    Event.objects.create(
        id=uuid4(),
        source=factories.source(),
        profile=person,
        sealed={"email": EMAIL, "nickname": TRAIT},
        **facts,
    )
    return person


def asked(browser: Any, address: str) -> tuple[int, str]:
    answer = browser.get(address)
    text = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return answer.status_code, text.decode("utf-8", "replace")


def leaks(text: str, address: str) -> list[str]:
    """Return what came out; what the address said itself is no news to who wrote it."""
    return [canary for canary in CANARIES if canary in text and canary not in address]


@pytest.mark.parametrize("role", ROLES)
def test_no_list_page_or_lookup_shows_a_person_in_clear(role: str, person: Profile) -> None:
    browser = logged_in(member(role))
    for model, page in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        may = "v" in letters(model._meta.label_lower, role)
        rows = list(page.model._default_manager.values_list("pk", flat=True)[:2])
        addresses = [reverse(f"{name}_changelist") + query for query in ["", *HOSTILE]]
        for verb in ("change", "history", "delete"):
            addresses += [reverse(f"{name}_{verb}", args=[quote(row)]) for row in rows]
        for address in addresses:
            status, text = asked(browser, address)
            assert status < 500, address
            assert not leaks(text, address), address
            assert may or status in {302, 403, 404}, address


@pytest.mark.parametrize("role", ROLES)
def test_no_filter_in_an_address_tells_whether_a_personal_value_begins_so(role: str, person: Profile) -> None:
    other = factories.profile(name="别人")
    browser, tried = logged_in(member(role)), 0
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if "v" not in letters(model._meta.label_lower, role):
            continue
        for field in model._meta.get_fields():
            if model._meta.app_label != "crm" or field.name not in {"name", "value", "traits", "sealed", "reason"}:
                continue
            for lookup in ("startswith", "exact", "contains", "regex", "gt"):
                answers = [browser.get(address, {f"{field.name}__{lookup}": value}) for value in ("康", "没有")]
                told = {
                    (one.status_code, len(one.context["cl"].result_list) if one.status_code == 200 else 0)
                    for one in answers
                }
                assert len(told) == 1, (address, field.name, lookup)
            tried += 1
    assert other.pk
    assert tried >= LEAST_TRIED[role]


@pytest.mark.parametrize("role", ROLES)
def test_no_autocomplete_finds_a_person_by_a_personal_value(role: str, person: Profile) -> None:
    browser = logged_in(member(role))
    for model in admin.site._registry:
        for field in model._meta.get_fields():
            if not isinstance(field, models.ForeignKey | models.ManyToManyField):
                continue
            for term in ("康娜瑞", PHONE, "canary"):
                query: dict[str, str] = {
                    "app_label": str(model._meta.app_label),
                    "model_name": str(model._meta.model_name),
                    "field_name": field.name,
                    "term": term,
                }
                answer = browser.get(reverse("admin:autocomplete"), query)
                assert answer.status_code in {200, 403, 404}
                assert answer.status_code != 200 or not leaks(answer.content.decode(), term), (model, field.name)


def test_an_analyst_reads_no_exact_count_of_people(person: Profile) -> None:
    for number in range(36):
        factories.profile(f"more-{number}")
    browser = logged_in(member("Analyst"))
    for address in ("/admin/", reverse("admin:crm_release_changelist"), reverse("admin:mlengine_cluster_changelist")):
        text = asked(browser, address)[1]
        assert ">37<" not in text.replace(" ", "").replace("\n", ""), address
    assert browser.get(reverse("admin:crm_profile_changelist")).status_code == 403
    assert timezone.now() > factories.NOW - timedelta(days=1)


def test_the_crawler_would_see_a_leak(person: Profile) -> None:
    browser = logged_in(member("Support"))
    shown = browser.post(reverse("admin:crm_profile_reveal", args=[person.pk]), {"reason": "She asked by phone."})
    assert {NAME, EMAIL} <= set(leaks(shown.content.decode(), ""))
