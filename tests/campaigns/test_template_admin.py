"""The editor of templates, as staff use it."""

import json
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from campaigns.admin import templates
from campaigns.models import Template
from crm.models import Identifier
from tests.campaigns import factories, peers
from tests.campaigns.test_channels import HTTP, SECRET
from tests.campaigns.wechat import houses
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


def sent(client: Client, pk: int, **told: str) -> str:
    page = client.post(reverse("admin:campaigns_template_test", args=[pk]), told, follow=True)
    return " ".join(str(one) for one in page.context["messages"])


def test_a_test_goes_by_sms_to_a_telephone_that_is_nobodys_whom_we_know(marketer: Client) -> None:
    version = factories.template(sms={"en": {"text": "Spring in {{ profile.city }}", "signature": "Zhiyin"}})
    pk = version.template_id
    assert "No account" in sent(marketer, pk, test_channel="sms", test_to="13800138000")
    with peers.http_peer(HTTP["stub"]) as peer, override_settings(EGRESS_HOSTS=["127.0.0.1"]):
        factories.account("sms", settings={"url": peer.url + "/"}, secrets={"secret": SECRET})
        assert "accepted" in sent(marketer, pk, test_channel="sms", test_to="13800138000")
        told = json.loads(peer.taken[0][2])
        assert (told["to"], told["parts"]["text"]) == ("13800138000", "【Zhiyin】Spring in 上海")
        known = factories.person(1, email=False, consent=False)
        Identifier.objects.create(type="phone", value="13800138001", profile=known, created_at=factories.NOW)
        assert "somebody whom we know" in sent(marketer, pk, test_channel="sms", test_to="+86 138 0013 8001")
        for nonsense in ("", "call me", "1" * 50, "=1+1"):
            assert "Say to which telephone" in sent(marketer, pk, test_channel="sms", test_to=nonsense)
        assert "No account" in sent(marketer, pk, test_channel="wechat")
        assert len(peer.taken) == 1


def test_a_test_goes_to_the_webhook_and_nobody_sends_very_many(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = factories.template(webhook={"en": {"body": {"city": "{{ profile.city }}"}}})
    factories.account("webhook")
    monkeypatch.setattr(templates, "MOST_TESTS", 2)
    said = [sent(marketer, version.template_id, test_channel="webhook") for _ in range(3)]
    assert ["accepted" in one for one in said] == [True, True, False]
    assert "within an hour" in said[2]


def test_of_wechat_an_article_or_a_message_by_a_template_is_written_key_by_key(marketer: Client) -> None:
    told = {"name": "W", "wechat.zh-hans.template_id": "AbC", "wechat.zh-hans.data": '{"thing1": "{{ profile.city }}"}'}
    marketer.post(reverse("admin:campaigns_template_add"), told)
    one = Template.objects.get()
    assert one.current is not None
    assert one.current.forms["wechat"]["zh-hans"] == {"template_id": "AbC", "data": {"thing1": "{{ profile.city }}"}}
    page = marketer.get(reverse("admin:campaigns_template_change", args=[one.pk])).content.decode()
    assert "data-keys" in page
    assert 'value="template" checked' in page
    marketer.post(
        reverse("admin:campaigns_template_change", args=[one.pk]),
        {"name": "W", "wechat.zh-hans.title": "春", "wechat.zh-hans.html": "<p>春</p>"},
    )
    page = marketer.get(reverse("admin:campaigns_template_change", args=[one.pk])).content.decode()
    assert 'value="article" checked' in page


def test_what_fails_names_its_field(marketer: Client) -> None:
    shown = preview(marketer, **{"email.en.html": "<p>{{ profile.score }}</p>"})
    assert ("email.en.html", True) in {(one["where"], one["grave"]) for one in shown["problems"]}


def test_templates_of_the_platform_that_were_allowed_are_offered_where_their_number_is_written(
    marketer: Client,
) -> None:
    account = houses.account()
    houses.allowed(account, "T-good", title="订单发货通知")
    houses.allowed(account, "T-unseen", allowed=None)
    page = marketer.get(reverse("admin:campaigns_template_add")).content.decode()
    offered = page.split('<datalist id="allowed-wechat">')[1].split("</datalist>")[0]
    assert "订单发货通知" in offered
    assert ("T-good" in offered, "T-unseen" in offered) == (True, False)
