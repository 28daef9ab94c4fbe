"""The editor of templates, as staff use it."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Template
from tests.campaigns import factories
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

WRITTEN = {
    "name": "Spring",
    "email.en.subject": "Hi {{ profile.first_name }}",
    "email.en.html": "<p>{{ profile.name }} in {{ profile.city }}</p>",
    "sms.zh-hans.text": "{{ profile.city }}您好，退订回T",
    "sms.zh-hans.signature": "知音",
    "fallbacks": "profile.city = here",
}


@pytest.fixture
def marketer() -> Client:
    return logged_in(member("Marketing"))


def test_saving_makes_a_version_and_the_same_once_more_makes_none(marketer: Client) -> None:
    marketer.post(reverse("admin:campaigns_template_add"), WRITTEN)
    template = Template.objects.get()
    page = reverse("admin:campaigns_template_change", args=[template.pk])
    marketer.post(page, WRITTEN)
    assert template.versions.count() == 1
    marketer.post(page, WRITTEN | {"email.en.subject": "Hello"})
    template.refresh_from_db()
    assert template.current is not None
    assert (template.current.number, template.current.forms["email"]["en"]["subject"]) == (2, "Hello")
    assert template.versions.get(number=1).forms["email"]["en"]["subject"] == WRITTEN["email.en.subject"]
    assert template.current.fallbacks == {"profile.city": "here"}


def test_what_cannot_be_read_is_not_saved_and_stays_on_the_page(marketer: Client) -> None:
    page = marketer.post(reverse("admin:campaigns_template_add"), WRITTEN | {"email.en.mjml": "<mjml></mjml>"})
    assert not Template.objects.exists()
    assert "email.en.mjml" in page.content.decode()
    assert "您好" in page.content.decode()


def preview(client: Client, **more: Any) -> Any:
    told = WRITTEN | {"channel": "email", "language": "en"} | more
    return json.loads(client.post(reverse("admin:campaigns_template_preview"), told).content)


def test_a_preview_masks_the_name_and_counts_an_sms(marketer: Client) -> None:
    person = factories.person(1, consent=False, name="王小明", city="上海")
    shown = preview(marketer, profile=str(person.pk))
    assert "小明" not in json.dumps(shown, ensure_ascii=False)
    assert "in 上海</p>" in shown["parts"]["html"]
    sms = preview(marketer, channel="sms", language="zh-hans", profile=str(person.pk))
    assert sms["parts"]["text"] == "【知音】上海您好，退订回T"
    assert sms["sms"].startswith("13 ")
    assert {problem["where"] for problem in shown["problems"]} >= {"email", "sms", "email.en.subject"}
    assert preview(marketer, profile="999999999")["failed"]


def test_an_analyst_sees_templates_and_changes_none() -> None:
    client = logged_in(member("Analyst"))
    version = factories.template()
    page = reverse("admin:campaigns_template_change", args=[version.template_id])
    assert client.get(page).status_code == 200
    assert client.post(page, WRITTEN).status_code == 403
    assert client.post(reverse("admin:campaigns_template_add"), WRITTEN).status_code == 403
    assert client.post(reverse("admin:campaigns_template_test", args=[version.template_id])).status_code == 403
