"""What holds although somebody tries: two pairs of eyes, nobody written to who is out, nothing told to outsiders."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from campaigns.journeys import managing, versions, walking
from campaigns.models import Campaign, Delivery, JourneyEntry, JourneyVersion, Variant
from campaigns.runs import drafting
from campaigns.runs.transitions import NotPossible
from crm.merging import merge
from crm.models import Profile
from tests.campaigns import factories
from tests.campaigns.journeys.factories import DAY, NOW, enter, entry, journey, mail, people, tree, wait
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


def colleagues() -> tuple[Any, Any]:
    return member("Marketing", "ann"), member("Compliance", "bo")


def in_review() -> tuple[JourneyVersion, Any, Any]:
    """Return the first steps of a journey that nobody approved yet, as one person asked another to approve them."""
    run = journey(tree("pause", pause=wait("")))
    ann, bo = colleagues()
    run.delete()
    draft = {"status": "draft", "submitted_by": None, "approved_by": None, "approved_digest": "", "approved_at": None}
    Campaign.objects.update(**draft)
    made = versions.save(Campaign.objects.get().journey, tree("pause", pause=wait("", 60)), ann, NOW)
    versions.submit(made, ann, NOW)
    return made, ann, bo


def test_who_changes_the_settings_after_the_steps_were_submitted_cannot_approve_them_in_the_others_name() -> None:
    made, _ann, bo = in_review()
    drafting.change(made.journey.campaign, {"holdout": 0}, None, NOW)
    made.refresh_from_db()
    assert (made.status, bool(made.sent_back_why)) == ("draft", True)
    with pytest.raises(NotPossible):
        versions.approve(made, bo, NOW)
    assert Campaign.objects.get().approved_by is None


def test_messages_of_a_journey_are_changed_by_its_steps_alone() -> None:
    run = journey(tree("hello", hello=mail()))
    Campaign.objects.update(status="paused")
    (variant,) = Variant.objects.all()
    other = drafting.Message(name=variant.name, template=factories.template("unseen"), weight=1)
    with pytest.raises(ValidationError):
        drafting.change(Campaign.objects.get(), {}, [other], NOW)
    with pytest.raises(ValidationError):
        drafting.change(Campaign.objects.get(), {"kind": "once"}, None, NOW)
    assert Variant.objects.get().template_id == variant.template_id
    ann, _bo = colleagues()
    form = reverse("admin:campaigns_campaign_change", args=[run.campaign_id])
    assert logged_in(ann).post(form, {"variants-0-template": "1"}).status_code == 302, "to the journey's own pages"
    assert Variant.objects.get().template_id == variant.template_id


def test_a_message_that_is_not_the_one_that_was_approved_is_not_sent() -> None:
    factories.account()
    run = journey(tree("hello", hello=mail("")))
    person = factories.person(1)
    enter(run, person)
    Variant.objects.update(template=factories.template("unseen"))
    walking.walk(run, NOW)
    assert (entry(run, person).status, entry(run, person).reason) == ("failed", "template_gone")
    assert not Delivery.objects.exists()


def test_what_waits_for_somebody_taken_out_is_called_off_by_whichever_profile_it_was_written() -> None:
    factories.account()
    run = journey(tree("hello", hello=mail("pause"), pause=wait("")))
    old, new = factories.person(1), factories.person(2)
    enter(run, old)
    merge(old.pk, new.pk, reason="same", user=run.campaign.created_by, now=NOW)
    walking.walk(run, NOW)
    assert Delivery.objects.get().profile_id == new.pk
    Delivery.objects.update(status="queued", reason="")
    assert managing.remove(JourneyEntry.objects.all(), None, NOW) == 1
    assert Delivery.objects.get().status == "suppressed"


def test_who_is_restricted_stands_still_and_goes_on_afterwards() -> None:
    run = journey(
        tree("mark", mark={"kind": "update", "set": {"stage": "b"}, "ways": {"next": "pause"}}, pause=wait(""))
    )
    one, other = people(2)
    enter(run, one, other)
    Profile.objects.filter(pk=one.pk).update(restricted_at=NOW)
    walking.walk(run, NOW)
    assert (entry(run, one).step, entry(run, other).step) == ("mark", "pause")
    one.refresh_from_db()
    assert "stage" not in one.attributes
    Profile.objects.update(restricted_at=None)
    walking.walk(run, NOW + DAY)
    assert entry(run, one).step == "pause"


def page(run: Any, name: str) -> str:
    return reverse(f"admin:campaigns_journey_{name}", args=[run.campaign_id])


@pytest.fixture
def ann() -> Client:
    return logged_in(member("Marketing", "cai"), second_factor=True)


def test_restricted_people_are_on_no_page_of_a_journey(ann: Client) -> None:
    run = journey(tree("pause", pause=wait("")))
    one, other = people(2)
    enter(run, one, other)
    Profile.objects.filter(pk=one.pk).update(restricted_at=NOW)
    shown = ann.get(page(run, "people") + "?status=walking").content.decode()
    assert str(entry(run, other).pk) in shown
    assert str(entry(run, one).pk) not in shown
    assert ann.get(reverse("admin:campaigns_journeyentry_change", args=[entry(run, one).pk])).status_code == 302
    assert ann.get(reverse("admin:campaigns_journeyentry_change", args=[entry(run, other).pk])).status_code == 200


def test_whoever_may_not_see_people_is_told_no_exact_numbers_of_them() -> None:
    run = journey(tree("pause", pause=wait("")))
    enter(run, *people(7))
    analyst, marketer = (logged_in(member(group), second_factor=True) for group in ("Analyst", "Marketing"))
    assert analyst.get(page(run, "counts")).json() == {"steps": {}}
    assert marketer.get(page(run, "counts")).json()["steps"]["pause"]["walking"] == 7
    listed = reverse("admin:campaigns_journey_changelist")
    assert ">7<" in marketer.get(listed).content.decode()
    assert ">7<" not in analyst.get(listed).content.decode()
    assert ">7<" not in analyst.get(page(run, "versions")).content.decode()


HOSTILE = [
    '{"trigger": {"kind": "api"}, "first": "a", "steps": {"a": {"kind": "exit", "place": "\\u0000"}}}',
    '{"trigger": {"kind": "api"}, "first": "a", "steps": {"a": {"kind": "exit", "place": '
    + "[" * 900
    + "]" * 900
    + "}}}",
    '{"trigger": {"kind": "api"}, "first": "a", "steps": {"a": {"kind": "update", "set": {"n": 1e999}}}}',
    '{"trigger": {"kind": "api"}, "first": "a", "steps": {"a": {"kind": "update", "set": {"\\u0000": 1}}}}',
    '{"trigger": {"kind": "api"}, "first": "__proto__", "steps": {"__proto__": {"kind": "exit"}}}',
    "[" * 100_000,
    "NaN",
]


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_steps_are_refused_and_break_no_page(ann: Client, said: str) -> None:
    run = journey(tree("pause", pause=wait("")))
    assert ann.post(page(run, "check"), {"graph": said}).status_code in {200, 400}
    answer = ann.post(page(run, "save"), {"graph": said, "anyway": "1"})
    assert answer.status_code == 400, answer.content
    assert ann.get(page(run, "canvas")).status_code == 200


def test_hostile_people_and_steps_asked_for_are_nobody(ann: Client) -> None:
    run = journey(tree("pause", pause=wait("")))
    assert ann.get(page(run, "people") + "?step=%00&status=walking&p=99999999999999999999").status_code == 200
    told = {"verb": "move", "to": "\0", "entry": ["x" * 36, "\0"], "step": "pause"}
    assert ann.post(page(run, "people_do"), told).status_code == 302
    assert ann.post(page(run, "save"), {"graph": json.dumps({}), "base": "\0"}).status_code == 409
    assert ann.get(page(run, "canvas") + "?version=%00").status_code == 200
