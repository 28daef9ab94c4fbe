"""The menu begins with one's own work, opens where one is, and names every page's place in its own words."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.urls import reverse
from django.utils import translation

from config.menu import GROUPS, group_of, menu
from config.places import title_of
from crm.models import Purpose
from tests.crm import consents
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db
OWN_WORK = {
    "Marketing": ["", "People"],
    "Analyst": ["", "Learning"],
    "Compliance": ["", "Compliance", "Consent"],
    "Support": ["", "People"],
    "Admin": ["", "Access", "Record"],
}


def shown(user: Any, path: str = "/admin/") -> list[dict[str, Any]]:
    asked = RequestFactory().get(path)
    asked.user = user
    with translation.override("en"):
        found = menu(asked)
        for entry in [*found, *(item for group in found for item in group["items"])]:
            entry["title"] = str(entry["title"])
        return found


@pytest.mark.parametrize(("role", "groups"), OWN_WORK.items())
def test_ones_own_work_comes_first_and_stands_open(role: str, groups: list[str]) -> None:
    found = shown(member(role))
    assert [str(group["title"]) for group in found][: len(groups)] == groups
    assert [str(group["title"]) for group in found if group["open"]] == groups


def test_the_group_of_the_page_stands_open_and_its_entry_is_marked() -> None:
    found = shown(member("Compliance"), reverse("admin:crm_event_changelist"))
    assert [str(group["title"]) for group in found if group["open"]] == ["", "Compliance", "Consent", "Record"]
    marked = [str(item["title"]) for group in found for item in group["items"] if item["active"]]
    assert marked == ["Events"]


def test_a_page_below_another_marks_the_nearer_one() -> None:
    found = shown(member("Compliance"), reverse("admin:crm_data_map"))
    assert [str(item["title"]) for group in found for item in group["items"] if item["active"]] == ["Data map"]


@pytest.mark.parametrize(
    ("model", "entry"),
    [
        ("campaigns_minilink", "Mini programs"),
        ("campaigns_welcome", "Ways of arrival"),
        ("campaigns_handover", "WeCom staff"),
        ("campaigns_templateversion", "Templates"),
    ],
)
def test_a_page_without_an_entry_opens_the_group_of_the_one_it_is_found_from(model: str, entry: str) -> None:
    found = shown(member("Marketing"), f"/admin/{'/'.join(model.split('_'))}/7/change/")
    marked = [(str(item["title"]), group["open"]) for group in found for item in group["items"] if item["active"]]
    assert marked == [(entry, True)]


def test_somebody_without_a_role_sees_the_start_page_only() -> None:
    assert [len(group["items"]) for group in shown(AnonymousUser())] == [1]


def test_every_list_of_the_admin_has_its_place_in_the_menu() -> None:
    without = [
        model._meta.label_lower
        for model in admin.site._registry
        if group_of(model._meta.app_label, str(model._meta.model_name)) is None
    ]
    assert without == []
    pages = [entry.page for group in GROUPS.values() for entry in group.entries]
    assert len(pages) == len(set(pages))


def test_the_heading_says_where_one_is_in_the_readers_language() -> None:
    consents.purpose(name={"en": "Offers", "zh-hans": "优惠信息"})
    purpose = Purpose.objects.get()
    client = logged_in(member("Compliance"))
    address = reverse("admin:crm_purpose_change", args=[purpose.pk])
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    page = client.get(address).content.decode()
    heading = page.split("<h1")[1].split("</h1>")[0]
    words = ["同意管理", "处理目的", "优惠信息"]
    assert [heading.index(word) for word in words] == sorted(heading.index(word) for word in words)
    with translation.override("en"):
        assert title_of(purpose) == "Offers"
