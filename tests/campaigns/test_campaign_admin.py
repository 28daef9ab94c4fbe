"""The pages of campaigns and segments: what they offer to whom; and no form undoes what happened meanwhile."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, FrequencyCap, Segment, SendingPolicy, TemplateVersion
from campaigns.models.campaigns import A_DAY
from campaigns.reach import policies
from campaigns.runs import approving, experiments
from crm.models import LedgerNote
from tests.campaigns import factories
from tests.crm import consents
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)

NOW = factories.NOW


@pytest.fixture
def ann() -> Client:
    return logged_in(member("Marketing", "ann"), second_factor=True)


@pytest.fixture
def bo() -> Client:
    return logged_in(member("Marketing", "bo"), second_factor=True)


def draft(**facts: Any) -> Campaign:
    factories.account()
    blank = {"status": "draft", "created_by": None, "submitted_by": None, "approved_by": None, "starts_at": None}
    return factories.campaign(**blank | facts)


def page(one: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[one.pk])


def do(browser: Client, one: Campaign, verb: str, **told: str) -> Campaign:
    answer = browser.post(reverse("admin:campaigns_campaign_do", args=[one.pk, verb]), told)
    assert answer.status_code == 302
    return Campaign.objects.get(pk=one.pk)


def filled(one: Campaign | None, **told: str) -> dict[str, str]:
    """Return what the form sends."""
    purpose, segment = consents.purpose(), one.segment if one else Segment.objects.first() or factories.segment()
    variant = one.variants.get() if one else None
    template = variant.template if variant else TemplateVersion.objects.first() or factories.template()
    return {
        "name": "spring", "purpose": str(purpose.pk), "segment": str(segment.pk), "first_channel": "email",
        "kind": "once", "held_out": "10", "goal": "purchase", "attribution_days": "14", "priority": "50",
        "expires_hours": "24", "variants-TOTAL_FORMS": "1", "variants-INITIAL_FORMS": "1" if variant else "0",
        "variants-0-id": str(variant.pk) if variant else "", "variants-0-name": "A", "variants-0-weight": "1",
        "variants-0-campaign": str(one.pk) if one else "", "variants-0-template": str(template.pk),
    } | told  # fmt: skip


def test_a_campaign_is_written_in_the_units_in_which_people_think(ann: Client) -> None:
    told = filled(None, held_out="12.5", kind="recurring", every="2", unit="week", at="10:30", second_channel="sms")
    answer = ann.post(reverse("admin:campaigns_campaign_add"), told)
    assert answer.status_code == 302, answer.context_data["errors"]  # type: ignore[index]
    one = Campaign.objects.get()
    assert (one.status, str(one.holdout), one.channels) == ("draft", "0.125", ["email", "sms"])
    assert one.timing == {"every": 2, "unit": "week", "at": "10:30"}
    assert (one.message_expires_after, one.created_by.username) == (A_DAY, "ann")  # type: ignore[union-attr]
    assert one.variants.get().name == "A"


def test_what_says_no_moment_or_names_a_channel_twice_is_refused_beside_its_field(ann: Client) -> None:
    address = reverse("admin:campaigns_campaign_add")
    for told, field in (({"kind": "recurring"}, "kind"), ({"second_channel": "email"}, "second_channel")):
        answer = ann.post(address, filled(None, name=field, **told) | {"variants-TOTAL_FORMS": "0"})
        assert answer.status_code == 200
        assert field in answer.context_data["adminform"].form.errors  # type: ignore[index]
    assert not Campaign.objects.exists()


def test_the_way_from_draft_to_scheduled_by_two_people(ann: Client, bo: Client) -> None:
    one = draft()
    assert 'data-status="draft"' in ann.get(page(one)).content.decode()
    assert do(ann, one, "submit").status == "in_review"
    assert do(ann, one, "approve").status == "in_review", "nobody approves one's own"
    shown = bo.get(page(one)).content.decode()
    assert approving.digest(one) in shown
    assert do(bo, one, "approve", seen="0" * 64).status == "in_review", "it was changed while it was read"
    assert do(bo, one, "approve", seen=approving.digest(one)).status == "approved"
    assert do(ann, one, "schedule").status == "scheduled"
    assert do(ann, one, "pause", reason="wait").status_reason == "wait"
    assert do(ann, one, "resume").status == "running"
    assert do(ann, one, "cancel").status == "cancelled"
    assert LogEntry.objects.filter(object_id=one.pk).count() == 6


def test_a_change_of_an_approved_campaign_makes_it_a_draft_again(ann: Client, bo: Client) -> None:
    one = draft()
    do(ann, one, "submit")
    do(bo, one, "approve")
    answer = ann.post(page(one), filled(one, priority="60"))
    assert answer.status_code == 302, answer.context_data["errors"]  # type: ignore[index]
    one.refresh_from_db()
    assert (one.status, one.priority, one.approved_by) == ("draft", 60, None)


def test_a_running_campaign_cannot_be_changed_by_a_form_that_was_open(ann: Client) -> None:
    one = draft()
    boss = member("Compliance", "cy")
    Campaign.objects.filter(pk=one.pk).update(status="running", approved_by=boss)
    assert ann.post(page(one), filled(one, priority="60")).status_code in {302, 403}
    one.refresh_from_db()
    assert (one.status, one.priority) == ("running", 50)
    assert ann.get(page(one)).status_code == 200


def test_the_planner_counts_whom_it_reaches_and_what_it_could_prove(ann: Client) -> None:
    one = draft()
    for number in range(3):
        factories.person(number, email=number > 0)
    shown = ann.get(reverse("admin:campaigns_campaign_planner", args=[one.pk])).content.decode()
    assert '<dd class="zy-score" id="audience">3' in shown.replace("\n", "")
    assert "Has no address on the channel" in shown


def test_a_dry_run_shows_who_gets_what_and_writes_nothing(ann: Client) -> None:
    one = draft(holdout="0")
    for number in range(3):
        factories.person(number, email=number > 0)
    shown = ann.get(reverse("admin:campaigns_campaign_rehearsal", args=[one.pk])).content.decode()
    assert "Has no address on the channel" in shown
    assert shown.count("admin/crm/profile/") >= 2
    assert "@example.com" not in shown
    assert not one.runs.exists()


def test_the_emergency_stop_is_one_click_and_says_who_and_why(ann: Client) -> None:
    policies.policy()
    support = logged_in(member("Support"), second_factor=True)
    assert support.post(reverse("admin:campaigns_stop"), {"reason": "wrong price"}).status_code == 302
    policy = SendingPolicy.objects.get()
    assert (policy.stop_reason, policy.stopped_by.username) == ("wrong price", "one-of-Support")  # type: ignore[union-attr]
    assert "wrong price" in ann.get(reverse("admin:campaigns_campaign_changelist")).content.decode()
    page = support.get(reverse("admin:campaigns_campaign_changelist")).content.decode()
    assert reverse("admin:campaigns_go_on") not in page
    assert support.post(reverse("admin:campaigns_go_on"), {"reason": "x"}).status_code == 403
    ann.post(reverse("admin:campaigns_go_on"), {"reason": " "})
    assert SendingPolicy.objects.get().stopped_at is not None
    answer = logged_in(member("Marketing", "late"), seconds_ago=3600).post(
        reverse("admin:campaigns_go_on"), {"reason": "x"}
    )
    assert "reauthenticate" in answer["Location"]
    ann.post(reverse("admin:campaigns_go_on"), {"reason": "the price is right"})
    assert SendingPolicy.objects.get().stopped_at is None
    assert [note.facts_json.count("sending") for note in LedgerNote.objects.order_by("recorded_at")] == [1, 1]


def test_caps_are_told_in_days() -> None:
    browser = logged_in(member("Compliance"), second_factor=True)
    browser.post(reverse("admin:campaigns_frequencycap_add"), {"channel": "", "most": "3", "days": "7"})
    cap = FrequencyCap.objects.get()
    assert (cap.most, cap.within) == (3, 7 * A_DAY)
    answer = browser.post(reverse("admin:campaigns_frequencycap_add"), {"channel": "", "most": "4", "days": "7"})
    assert answer.status_code == 200
    assert FrequencyCap.objects.count() == 1


def test_a_rule_is_saved_in_versions_and_one_that_is_not_understood_is_not(ann: Client) -> None:
    told = {"name": "locals", "kind": "rule", "rule": '{"all": [{"field": "city", "is": "in", "value": ["上海"]}]}'}
    assert ann.post(reverse("admin:campaigns_segment_add"), told).status_code == 302
    one = Segment.objects.get()
    address = reverse("admin:campaigns_segment_change", args=[one.pk])
    assert one.current.number == 1  # type: ignore[union-attr]
    ann.post(address, told | {"rule": '{"all": []}'})
    ann.post(address, told | {"rule": '{"all": []}'})
    ann.post(address, told | {"rule": '{"all": [{"field": "password"}]}'})
    one.refresh_from_db()
    assert (one.current.number, one.versions.count()) == (2, 2)  # type: ignore[union-attr]
    assert "上海" in ann.get(address).content.decode()


def test_a_segment_that_names_itself_is_refused(ann: Client) -> None:
    one = factories.segment("circle")
    told = {"name": "circle", "kind": "rule", "rule": f'{{"all": [{{"segment": {one.pk}}}]}}'}
    ann.post(reverse("admin:campaigns_segment_change", args=[one.pk]), told)
    one.refresh_from_db()
    assert one.current.number == 1  # type: ignore[union-attr]


def test_the_preview_counts_says_it_in_words_and_names_the_place_of_a_mistake(ann: Client) -> None:
    consents.purpose()
    for number in range(3):
        factories.person(number, city="上海" if number else "北京")
    address = reverse("admin:campaigns_segment_preview")
    rule = '{"all": [{"field": "city", "is": "in", "value": ["上海"]}]}'
    shown = ann.post(address, {"rule": rule}).content.decode()
    assert 'data-count="2"' in shown
    assert shown.count("上海") == 2  # in both languages
    wrong = ann.post(address, {"rule": '{"all": [{"any": [{"field": "password", "is": "known"}]}]}'}).content.decode()
    assert 'data-path="all[0].any[0].field"' in wrong
    for rule in ("", "{", "null", "[]", '{"all": 3}', '{"all": [' * 9 + "]}" * 9):
        assert 'role="alert"' in ann.post(address, {"rule": rule}).content.decode()


def test_the_smallest_rise_that_would_be_seen_falls_with_people_and_is_none_without_a_holdout() -> None:
    few, many = experiments.detectable_lift(10_000, 0.02, 0.1), experiments.detectable_lift(1_000_000, 0.02, 0.1)
    assert few is not None
    assert many is not None
    assert 0.0012 < many < 0.0015 < few
    assert experiments.detectable_lift(1000, 0.02, 0) is None
