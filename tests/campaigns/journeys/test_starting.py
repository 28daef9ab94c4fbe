"""The journeys to start from: drafts that lack nothing, in both languages, and that lead who allows it to the goal."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation

from campaigns.journeys import graph, loops, starting
from campaigns.journeys.graph import Condition, Send
from campaigns.journeys.starter_words import MESSAGES
from campaigns.journeys.starters import STARTERS, Starter
from campaigns.models import Campaign, Journey, Template, TemplateVersion
from campaigns.templating import checking, rendering
from crm.models import Item
from tests.campaigns import factories
from tests.campaigns.journeys.factories import NOW
from tests.crm import consents

pytestmark = pytest.mark.django_db
ALL = pytest.mark.parametrize("of", STARTERS, ids=[one.key for one in STARTERS])


def begun(of: Starter, name: str = "mine", **facts: Any) -> Journey:
    told = {"on": ["email", "wechat", "sms"], "by": None, "now": NOW} | facts
    return starting.begin(of, name=name, purpose=consents.purpose(), **told)


@ALL
def test_each_is_a_draft_whose_steps_are_understood_and_all_reached(of: Starter) -> None:
    journey = begun(of)
    (version,) = journey.versions.all()
    read = graph.parse(version.graph)
    assert {read.first} | loops.reached(read, read.first) == set(read.steps)
    assert loops.without_end(read) == loops.without_wait(read) == []
    assert all(set(step.ways) == set(step.outcomes) for step in read.steps.values())
    assert (journey.live, journey.campaign.status, version.status) == (None, Campaign.Status.DRAFT, "draft")
    assert journey.campaign.segment.current is not None
    assert {template for step in read.of(Send) for _name, template, _weight in step.variants} == set(
        TemplateVersion.objects.values_list("pk", flat=True)
    )


@ALL
def test_nobody_comes_to_a_message_who_was_not_asked_for_consent(of: Starter) -> None:
    read = graph.parse(begun(of).versions.get().graph)
    met, ahead = set(), [read.first]
    while ahead:  # every way but through the question
        if (key := ahead.pop()) not in met and key != "consent":
            met.add(key)
            ahead += [to for to in read.steps[key].ways.values() if to]
    assert isinstance(read.steps["consent"], Condition)
    assert not met & {step.key for step in read.of(Send)}


@ALL
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_each_in_each_language(of: Starter, language: str) -> None:
    with translation.override(language):
        journey = begun(of)
    titles = {step.title for step in graph.parse(journey.versions.get().graph).steps.values()}
    assert all(titles)


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_can_be_sent_on_each_channel_and_says_how_to_end_it(message: str) -> None:
    version = TemplateVersion(forms=MESSAGES[message].forms(), fallbacks={})
    problems = checking.problems(version)
    assert [one for one in problems if one.grave] == []
    assert {one.code for one in problems} <= {"no_signature", "parts", "no_fallback"}
    for language in ("en", "zh-hans"):
        said = version.forms["email"][language]["html"]
        assert "unsubscribe.url" in said
        assert (not MESSAGES[message].chosen) or ("automatically" in said or "自动" in said)


def test_a_coupon_that_is_not_in_the_catalogue_leaves_no_gap(settings: Any) -> None:
    settings.PUBLIC_URL = "https://shop.example"
    begun(starting.starter("win_back"))
    version, person = Template.objects.get(name="mine: A coupon for you").current, factories.person(1)
    assert version is not None
    assert "we give you a coupon." in rendering.render(version, "email", person.pk, now=NOW).parts["html"]
    Item.objects.create(
        kind="coupon",
        code="welcome_back",
        title="10 % off",
        attributes={"coupon": "BACK10"},
        created_at=NOW,
        updated_at=NOW,
    )
    assert "<strong>BACK10</strong>" in rendering.render(version, "email", person.pk, now=NOW).parts["html"]


def test_names_that_are_taken_are_refused_or_numbered() -> None:
    begun(starting.starter("birthday"))
    with pytest.raises(ValidationError):
        begun(starting.starter("birthday"))
    with pytest.raises(ValidationError):
        begun(starting.starter("birthday"), "other", on=["post"])
    with pytest.raises(LookupError):
        starting.starter("moon")
    Template.objects.create(name="more: Happy birthday!", created_at=NOW)
    begun(starting.starter("birthday"), "more")
    assert Template.objects.filter(name="more: Happy birthday! 2").exists()


def test_what_is_offered_goes_by_the_channels_that_work() -> None:
    assert starting.channels() == ["email"]
    factories.account("sms")
    assert starting.channels() == ["sms"]
    assert [one.key for one in starting.templates()] == [one.key for one in STARTERS]
    assert starting.purpose_for(starting.starter("survey")) is None
    assert starting.purpose_for(starting.starter("welcome")) is None
    made = consents.purpose()
    assert starting.purpose_for(starting.starter("welcome")) == made
