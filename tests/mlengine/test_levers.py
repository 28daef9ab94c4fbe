"""What would keep somebody who is likely to leave: on her page, beside a list of such people, and as a segment."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from crm.models import Profile
from mlengine.admin import levers
from mlengine.models import PredictionRun, Score
from tests import api, factories
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

HELPS = {"effect_email": 0.02, "effect_email_low": -0.01, "effect_email_high": 0.05} | {
    "effect_sms": 0.09, "effect_sms_low": 0.04, "effect_sms_high": 0.14, "effect_wechat": None,
}  # fmt: skip
FIRST_UNSURE = HELPS | {"effect_wecom": 0.2, "effect_wecom_low": -0.1, "effect_wecom_high": 0.5}
UNSURE = HELPS | {"effect_sms_low": -0.02}
BOTHERS = {"effect_sms": -0.09, "effect_sms_low": -0.14, "effect_sms_high": -0.04}


def people(churn: PredictionRun) -> list[Profile]:
    """Return ten people, the likeliest to leave first."""
    found = [factories.profile(f"p{number}") for number in range(10)]
    for number, profile in enumerate(found):
        Score.objects.create(profile=profile, run=churn, value=0.9 - number / 20)
    churn.rows = len(found)
    churn.save()
    return found


def helped(profile: Profile, facts: dict[str, Any] | None) -> None:
    run = PredictionRun.objects.latest_finished("uplift") or api.run("uplift")
    Score.objects.create(profile=profile, run=run, value=0.06, low=0.03, high=0.09, facts=facts)


def card(profile: Profile, role: str = "Marketing") -> str:
    text = logged_in(member(role)).get(reverse("admin:crm_profile_change", args=[profile.pk])).content.decode()
    found = " ".join(text.split()).partition('id="levers"')
    return found[2].split("</section>")[0]


@pytest.mark.parametrize(
    ("facts", "state", "told"),
    [
        (HELPS, "helps", "A campaign by SMS does most: of 100 people like this one it makes 9.0 more buy."),
        (FIRST_UNSURE, "helps", "A campaign by SMS does most"),
        (UNSURE, "unsure", "No channel is known to help beyond chance; SMS comes nearest."),
        (BOTHERS, "bothers", "A campaign would only bother"),
        ({}, "untold", "was not tried on enough people yet"),
    ],
)
def test_who_is_likely_to_leave_has_the_channel_that_does_most(facts: dict[str, Any], state: str, told: str) -> None:
    first, *_others = people(api.run("churn"))
    helped(first, facts)
    text = card(first)
    assert f'data-state="{state}"' in text
    assert told in text
    assert reverse("admin:mlengine_effects") in text
    if facts is HELPS:
        assert text.index(">SMS<") < text.index(">e-mail<")
        assert "+9.0 %" in text


def test_without_a_trial_it_says_openly_that_none_tells() -> None:
    first, *_others = people(api.run("churn"))
    text = card(first)
    assert 'data-state="untold"' in text
    assert "no campaign that held people out by lot was learned from yet" in text
    helped(factories.profile("another"), HELPS)
    assert "answered for others only" in card(first, "Support")


def test_who_is_likely_to_stay_has_no_such_card_and_who_may_not_be_scored_none_at_all() -> None:
    first, second, third, *_others = people(api.run("churn"))
    for profile in (first, second, third):
        helped(profile, HELPS)
    assert card(second)
    assert not card(third, "Support")  # two of ten are the highest fifth
    Profile.objects.filter(pk=first.pk).update(personalisation=False)
    assert not card(first, "Compliance")
    assert set(levers.of_people([first.pk, second.pk])) == {second.pk}


def test_the_list_of_who_leaves_has_a_lever_beside_each_and_begins_a_segment() -> None:
    run = api.run("churn")
    first, second, *_others = people(run)
    helped(first, HELPS)
    helped(second, UNSURE)
    client = logged_in(member("Marketing"))
    text = " ".join(client.get(reverse("admin:mlengine_predictionrun_change", args=[run.pk])).content.decode().split())
    assert "SMS +9.0 %" in text
    assert "95 %: +4.0 % to +14.0 %" in text
    assert text.count("not beyond chance") == 1
    begun = next(part.split('"')[0] for part in text.split('href="') if "segment/add" in part)
    asked = unescape(client.get(unescape(begun)).content.decode())
    assert '{"score":"churn","is":"top_share","value":0.2}' in asked
    assert '{"score":"uplift","fact":"low","is":"at_least","value":0}' in asked


def test_a_list_of_then_begins_no_segment_as_that_would_ask_the_latest() -> None:
    former = api.run("churn", cutoff=api.NOW - timedelta(days=7))
    first, *_others = people(former)
    helped(first, HELPS)
    address = reverse("admin:mlengine_predictionrun_change", args=[former.pk])
    asking = logged_in(member("Marketing"))
    assert "segment/add" in asking.get(address).content.decode()
    api.run("churn")
    assert "segment/add" not in asking.get(address).content.decode()


def test_a_list_of_who_leaves_says_where_no_trial_tells_and_other_lists_do_not_ask() -> None:
    run, other = api.run("churn"), api.run("response")
    people(run)
    client = logged_in(member("Marketing"))
    pages = [client.get(reverse("admin:mlengine_predictionrun_change", args=[each.pk])) for each in (run, other)]
    assert "No trial says so yet" in pages[0].content.decode()
    assert "segment/add" not in pages[0].content.decode()
    assert 'id="levers"' not in pages[1].content.decode()


def test_levers_of_a_list_are_read_at_once(django_assert_num_queries: Any) -> None:
    found = people(api.run("churn"))
    for profile in found:
        helped(profile, HELPS)
    with django_assert_num_queries(2):
        assert len(levers.of_people([profile.pk for profile in found])) == 10
