"""Officers draft and publish notices, keep purposes, read the log of consents, and enter what people said to them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import consent, preference_links
from crm.models import ConsentEvent, LedgerNote, Notice, PersonalDataAccess, Purpose
from crm.roles import create_groups
from tests import factories
from tests.crm.consents import notice, purpose, say

pytestmark = pytest.mark.django_db


def logged_in(group: str = "Compliance") -> Client:
    create_groups()
    user = User.objects.create_user(group.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


PURPOSE = {
    "code": "offers",
    "name_en": "Offers",
    "name_zh": "优惠",
    "kind": "marketing",
    "channel": "",
    "basis": "consent",
    "recipient": "",
    "is_active": "on",
    "ask_again_days": "200",
}
DRAFT = {
    "title.en": "Privacy",
    "body.en": "What we do.",
    "withdraw.en": "Any time.",
    "title.zh-hans": "隐私",
    "body.zh-hans": "我们做什么。",
    "withdraw.zh-hans": "随时。",
    "data_types.offers": "phone, e-mail，openid",
    "recipients.offers": "",
    "days.offers": "365",
    "is_material": "on",
}


def test_a_purposes_time_of_peace_only_grows_and_its_meaning_stays_once_somebody_decided() -> None:
    client = logged_in()
    client.post(reverse("admin:crm_purpose_add"), PURPOSE)
    made = Purpose.objects.get()
    assert (made.name, made.ask_again_after.days) == ({"en": "Offers", "zh-hans": "优惠"}, 200)
    where = reverse("admin:crm_purpose_change", args=[made.pk])
    refused = client.post(where, PURPOSE | {"ask_again_days": "190"}).content.decode()
    assert "this can only be made longer" in refused
    assert "180" in client.post(where, PURPOSE | {"ask_again_days": "90"}).content.decode()
    client.post(where, PURPOSE | {"ask_again_days": "365", "kind": "profiling"})
    made.refresh_from_db()
    assert (made.ask_again_after.days, made.kind) == (365, "profiling")
    say(factories.profile("u-1"), "refused")
    client.post(where, PURPOSE | {"ask_again_days": "366", "kind": "sensitive", "basis": "contract"})
    made.refresh_from_db()
    assert (made.ask_again_after.days, made.kind, made.basis) == (366, "profiling", "consent")
    assert LedgerNote.objects.filter(kind="purpose", reference="offers").count() == 3


def test_a_notice_is_drafted_previewed_published_and_then_nobodys_to_change() -> None:
    purpose()
    client = logged_in()
    client.post(reverse("admin:crm_notice_add"), {"code": "privacy"})
    client.post(reverse("admin:crm_notice_add"), {"code": "privacy"})  # twice is once
    draft = Notice.objects.get()
    where, publish = (reverse(f"admin:crm_notice_{name}", args=[draft.pk]) for name in ("change", "publish"))
    client.post(where, DRAFT | {"body.zh-hans": "", "title.zh-hans": "", "withdraw.zh-hans": ""})
    assert "zh-hans" in client.post(publish, follow=True).content.decode()
    client.post(where, DRAFT)
    page = client.get(where).content.decode()
    assert "What we do." in page
    assert "我们做什么。" in page
    client.post(publish)
    draft.refresh_from_db()
    assert draft.published_at is not None
    assert draft.items == [
        {"purpose": "offers", "data_types": ["phone", "e-mail", "openid"], "recipients": [], "retention_days": 365}
    ]
    assert client.post(where, DRAFT | {"body.en": "Something else."}).status_code == 403
    client.post(publish)
    assert LedgerNote.objects.filter(kind="notice").count() == 1

    client.post(reverse("admin:crm_notice_add"), {"code": "privacy"})
    second = Notice.objects.get(version=2)
    where = reverse("admin:crm_notice_change", args=[second.pk])
    client.post(where, DRAFT | {"body.en": "What we do now."})
    page = client.get(where).content.decode()
    assert "<del>What we do.</del><ins>What we do now.</ins>" in page


def test_the_log_shows_each_entry_with_its_person_and_what_its_leaf_says() -> None:
    purpose()
    event = say(person := factories.profile("u-1"), "given")
    client = logged_in("Support")
    listed = client.get(reverse("admin:crm_consentevent_changelist"), {"q": f"#{person.pk}"}).content.decode()
    assert "being numbered" in listed
    page = client.get(reverse("admin:crm_consentevent_change", args=[event.pk])).content.decode()
    assert event.commitment.hex() in page
    assert client.post(reverse("admin:crm_consentevent_change", args=[event.pk]), {}).status_code == 403
    for odd in ("#999999999999999999999", "not-an-id", "'; --"):
        assert client.get(reverse("admin:crm_consentevent_changelist"), {"q": odd}).status_code == 200


def test_staff_enter_what_was_said_with_the_proof_sealed_and_see_how_it_stood_before() -> None:
    purpose()
    notice("offers", at=timezone.now() - timedelta(days=1))
    person = factories.profile("u-1", age_class="adult")
    client = logged_in("Support")
    said = {"purpose": "offers", "channel": "sms", "state": "given", "method": "phone_call"}
    address = reverse("admin:crm_profile_consent", args=[person.pk])
    assert "what proves it" in client.post(address, said | {"proof": "ok"}, follow=True).content.decode()
    assert not ConsentEvent.objects.exists()
    client.post(address, said | {"proof": "call 4711 at noon"})
    event = ConsentEvent.objects.get()
    assert event.person.details["proof"]["text"] == "call 4711 at noon"
    assert consent.basis_for(person.pk, "offers", "sms", timezone.now()).allowed
    client.post(address, said | {"state": "withdrawn", "proof": "call 4712"})
    assert not consent.basis_for(person.pk, "offers", "sms", timezone.now()).allowed
    where = reverse("admin:crm_profile_change", args=[person.pk])
    earlier = client.get(where, {"consent_at": event.received_at.isoformat()}).content.decode()
    assert "What was known at" in earlier
    assert client.get(where, {"consent_at": "nonsense"}).status_code == 200


def test_the_link_to_a_persons_page_is_shown_to_few_and_each_time_written_down() -> None:
    person = factories.profile("u-1")
    address = reverse("admin:crm_profile_preference_link", args=[person.pk])
    assert logged_in("Marketing").post(address).status_code == 403
    client = logged_in()
    assert client.get(address).status_code == 405
    page = client.post(address).content.decode()
    token = page.split("/p/")[1].split("/")[0]
    assert preference_links.read(token, timezone.now()) is not None
    assert preference_links.read(token, timezone.now() + timedelta(days=8)) is None
    assert PersonalDataAccess.objects.get(profile=person).what == "preference link"
    client.post(reverse("admin:crm_profile_revoke_links", args=[person.pk]))
    assert preference_links.read(token, timezone.now()) is None


@pytest.mark.parametrize(
    ("query", "expected"), [("purpose=offers", "data-zhiyin-consent"), ("required=offers", "PIPL 16")]
)
def test_the_page_of_forms_elsewhere_gives_no_snippet_for_an_unlawful_form(query: str, expected: str) -> None:
    purpose()
    notice("offers", at=timezone.now() - timedelta(days=1))
    page = logged_in().get(reverse("admin:crm_consent_embed") + f"?{query}").content.decode()
    assert expected in page
    assert ("snippet-web" in page) == (expected == "data-zhiyin-consent")


def test_what_staff_may_not_see_is_not_on_the_page() -> None:
    purpose()
    person: Any = factories.profile("u-1")
    page = logged_in("Marketing").get(reverse("admin:crm_profile_change", args=[person.pk])).content.decode()
    assert "Enter what the person said" not in page
