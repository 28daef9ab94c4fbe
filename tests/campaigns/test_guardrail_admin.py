"""Alarms, bands and the runbook in the admin: what a person on call finds there at night."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from campaigns.guarding import guardrails, runbook
from campaigns.guarding.bands import DEFAULTS
from campaigns.models import Alarm, Campaign, Guardrail
from tests.campaigns.test_guardrails import NOON, bounce, sent
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def zhao() -> Client:
    return logged_in(member("Marketing", "zhao"), second_factor=True)


def alarmed() -> Alarm:
    bounce(sent(), 40)
    (alarm,) = guardrails.watch(NOON)
    return alarm


def page(browser: Client, name: str, *args: object, language: str = "en") -> str:
    answer = browser.get(reverse(f"admin:{name}", args=args), headers={"Accept-Language": language})
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_alarm_says_what_was_seen_what_is_usual_and_what_to_do(zhao: Client) -> None:
    alarm = alarmed()
    told = page(zhao, "campaigns_alarm_change", alarm.pk)
    assert "40% of its messages came back." in told
    assert "2% or less is usual; 5% is not to be borne." in told
    assert "40 of 100 messages" in told
    for line in runbook.CHAPTERS["bounces"].do:
        assert str(line) in told
    assert "40% of its messages came back." in page(zhao, "campaigns_alarm_changelist")
    assert "40% of its messages came back." in page(zhao, "campaigns_campaign_changelist")


def test_who_is_at_it_is_said_once(zhao: Client) -> None:
    alarm = alarmed()
    address = reverse("admin:campaigns_alarm_acknowledge", args=[alarm.pk])
    zhao.post(address, {"note": "an old list, call 13800138000"})
    logged_in(member("Marketing", "late"), second_factor=True).post(address, {"note": "mine"})
    alarm.refresh_from_db()
    assert str(alarm.looked_at_by) == "zhao"
    assert "old list" in alarm.note
    assert "13800138000" not in alarm.note
    assert Campaign.objects.get().status == "paused"
    assert zhao.get(address).status_code == 405


def test_the_campaign_goes_on_by_a_person_with_a_reason_only(zhao: Client) -> None:
    alarm = alarmed()
    told = page(zhao, "campaigns_campaign_change", alarm.campaign_id)
    assert 'data-alarm="bounces"' in told
    assert 'id="resume"' in told
    address = reverse("admin:campaigns_campaign_do", args=[alarm.campaign_id, "resume"])
    answer = zhao.post(address, {"reason": " "}, follow=True)
    assert "Say why it may go on" in answer.content.decode()
    assert Campaign.objects.get().status == "paused"
    zhao.post(address, {"reason": "the addresses were taken out"})
    assert Campaign.objects.get().status == "running"
    assert (Alarm.objects.get().closed_for, str(Alarm.objects.get().closed_by)) == (
        "the addresses were taken out",
        "zhao",
    )
    assert "data-alarm" not in page(zhao, "campaigns_campaign_change", alarm.campaign_id)


def test_bands_are_edited_in_per_cent_and_a_campaign_may_have_its_own(zhao: Client) -> None:
    assert "0.3%" in page(zhao, "campaigns_guardrail_changelist")
    assert Guardrail.objects.count() == len(DEFAULTS)
    bounces = Guardrail.objects.get(signal="bounces")
    address = reverse("admin:campaigns_guardrail_change", args=[bounces.pk])
    zhao.post(address, {"usual_shown": "1", "worst_shown": "2.5", "active": "on"})
    bounces.refresh_from_db()
    assert (bounces.usual, bounces.worst) == (0.01, 0.025)
    for told in ({"usual_shown": "3", "worst_shown": "2"}, {"usual_shown": "1", "worst_shown": "100"}):
        assert zhao.post(address, told | {"active": "on"}).status_code == 200
    one = sent().campaign
    own = {"signal": "audience", "campaign": one.pk, "usual_shown": "1", "worst_shown": "3", "active": "on"}
    assert zhao.post(reverse("admin:campaigns_guardrail_add"), own).status_code == 302
    assert zhao.post(reverse("admin:campaigns_guardrail_add"), own).status_code == 200
    assert Guardrail.objects.get(campaign=one).worst == 3


@pytest.mark.parametrize("role", ["Marketing", "Support", "Compliance", "Analyst"])
def test_the_runbook_has_a_chapter_for_each_alarm_and_opens_for_whoever_is_called(role: str) -> None:
    browser = logged_in(member(role), second_factor=True)
    told = page(browser, "campaigns_runbook")
    assert set(runbook.CHAPTERS) == set(Guardrail.Signal)
    for signal, chapter in runbook.CHAPTERS.items():
        assert f'id="{signal}"' in told
        assert str(chapter.means)[:40] in told.replace("&#x27;", "'")
    assert (reverse("admin:campaigns_stop") in told) == (role != "Analyst")


def test_the_start_page_says_that_campaigns_paused_themselves(zhao: Client) -> None:
    alarmed()
    assert "1 campaign paused itself" in page(zhao, "index")


def test_the_policy_names_who_is_called() -> None:
    officer = member("Compliance", "officer")
    User.objects.filter(username="officer").update(email="officer@example.com")
    told = page(logged_in(officer, second_factor=True), "campaigns_sendingpolicy_change", 1)
    assert f'name="on_call" value="{officer.pk}"' in told
