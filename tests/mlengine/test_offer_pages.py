"""What a marketer sees of recommendations: the rules, a person's lists, what is needed again, an item's company."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mlengine import prediction
from mlengine.admin import offers
from mlengine.admin.words import because
from mlengine.models import PredictionRun
from mlengine.shop_rules import RecommendationRule
from mlengine.specs import SPECS
from tests import api, factories
from tests.mlengine.test_recommending import items, linked, needs, recommended, rule
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db


def browser(role: str = "Marketing") -> Client:
    """Return the browser of one member of a role, the same one each time."""
    return logged_in(User.objects.filter(username=f"one-of-{role}").first() or member(role))


def page(name: str, role: str = "Marketing", *args: Any, **query: Any) -> str:
    answer = browser(role).get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == 200, answer
    return " ".join(answer.content.decode().split())


def test_a_persons_lists_stand_with_reasons_rules_and_what_they_took_out() -> None:
    person, shop = factories.profile(name="Zhang Wei"), items("bread", "wine", "tent", "stove")
    recommended(person, shop["bread"], shop["wine"])
    linked(shop["tent"], shop["stove"])
    rule("exclude", codes=["wine"])
    api.event(person, timezone.now() - timedelta(minutes=1), item=shop["tent"])
    needs(person, api.run("repurchase"), 1, 4, shop["bread"], "food")
    text = page("mlengine_recommendation_preview", person=str(person.pk))
    for told in (
        "what the model knows of this person",
        "Goes with tent of this session: 70 people did both",
        "rule: exclude",
        "bought 5 times, last on",
        f"/api/v1/profiles/{person.pk}/recommendations/?k=10",
    ):
        assert told in text
    assert "Zhang Wei" not in text  # masked, as everywhere


def test_what_is_needed_again_reads_the_same_in_the_preview_and_on_the_persons_page() -> None:
    person, bread = factories.profile(), factories.item("bread")
    recommended(person, bread)
    needs(person, api.run("repurchase"), 1, 4, bread, "food")
    preview = page("mlengine_recommendation_preview", person=str(person.pk)).partition('id="due"')[2]
    record = page("crm_profile_change", "Marketing", person.pk).partition('id="repurchases"')[2]
    told = [re.search(r"<ul.*?</ul> <p.*?</p>", text) for text in (preview, record)]
    assert told[0]
    assert told[1]
    assert told[0][0] == told[1][0]
    assert "bought 5 times, last on" in told[0][0]


def test_when_somebody_bought_is_told_only_to_who_may_see_it() -> None:
    person, bread = factories.profile(), factories.item("bread")
    recommended(person, bread)
    needs(person, api.run("repurchase"), 1, 4, bread, "food")
    user = User.objects.create(username="sees lists only", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_recommendation", "view_profile"]))
    answer = logged_in(user).get(reverse("admin:mlengine_recommendation_preview"), {"person": str(person.pk)})
    assert answer.status_code == 200
    assert "last on" not in answer.content.decode()


@pytest.mark.parametrize("asked", ["", "0", "999999999", "x", "1" * 30, "-1", "%00", "１"])
def test_whoever_is_not_there_is_said_not_to_be(asked: str) -> None:
    text = page("mlengine_recommendation_preview", person=asked)
    assert ("There is no such profile." in text) is bool(asked)


def test_how_many_need_what_again_leads_to_a_segment() -> None:
    run = api.run("repurchase")
    for number, due in enumerate((3, 6, 20)):
        needs(factories.profile(f"p{number}"), run, 1, due, None, "dairy & eggs")
    text = page("mlengine_repurchase_due")
    assert "dairy &amp; eggs" in text
    counts = [part.split("<")[0] for part in text.split('<td class="zy-right">')[1:4]]
    assert counts == ["2", "2", "3"]
    PredictionRun.objects.update(summary={"due": [["tea", [4, 5, 6]]]})  # as it was counted when rows were written
    kept = page("mlengine_repurchase_due").split('<td class="zy-right">')[1:4]
    assert [part.split("<")[0] for part in kept] == ["4", "5", "6"]
    made = next(part.split('"')[0] for part in text.split('href="') if "due_within_days" in part)
    assert browser().get(made.replace("&amp;", "&")).status_code == 200


def test_a_run_of_lists_tells_what_most_people_are_shown_and_leads_to_a_segment() -> None:
    bread = factories.item("bread", categories=["food", "bakery", "bread"])
    run = recommended(factories.profile(), bread)
    run.add_to_summary(top=[[bread.pk, 3]], people=4)
    text = page("mlengine_predictionrun_change", "Marketing", run.pk)
    assert "food › bakery" in text
    assert "75 %" in text
    href = re.search(r'href="([^"]*segment/add/[^"]*)"', text)
    assert href
    assert browser().get(unescape(href[1])).status_code == 200
    assert "segment/add/" not in page("mlengine_predictionrun_change", "Support", run.pk)


def test_who_may_not_see_recommendations_is_not_told_what_most_people_are_shown() -> None:
    bread = factories.item("bread")
    run = recommended(factories.profile(), bread)
    user = User.objects.create(username="sees runs and people", is_staff=True)
    seen = Permission.objects.filter(codename__in=["view_predictionrun", "view_profile", "view_item"])
    user.user_permissions.set(seen)
    asked, shown = reverse("admin:mlengine_predictionrun_change", args=[run.pk]), 'id="most-shown"'
    assert shown not in logged_in(user).get(asked).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_recommendation"))
    assert shown in logged_in(user).get(asked).content.decode()


@pytest.mark.parametrize("spec", ["recommendations", "repurchase"])
def test_only_the_latest_run_leads_to_a_segment_which_asks_the_latest(spec: str) -> None:
    former, bread = api.run(spec, cutoff=api.NOW - timedelta(days=7)), factories.item("bread")
    latest = api.run(spec)
    for run in (former, latest):
        run.add_to_summary(top=[[bread.pk, 3]], people=4) if spec == "recommendations" else run.add_to_summary(
            due=[["tea", [4, 5, 6]]]
        )
    told = {run: page("mlengine_predictionrun_change", "Marketing", run.pk) for run in (former, latest)}
    assert all(("bread" if spec == "recommendations" else "tea") in text for text in told.values())
    assert {run: "segment/add/" in text for run, text in told.items()} == {former: False, latest: True}


def test_a_run_of_companions_tells_each_pair_once() -> None:
    shop = items("tent", "stove")
    linked(shop["tent"], shop["stove"], kind="together")
    linked(shop["stove"], shop["tent"], kind="together")
    text = page("mlengine_predictionrun_change", "Marketing", PredictionRun.objects.get().pk)
    assert text.count(reverse("admin:crm_item_change", args=[shop["tent"].pk])) == 1


def test_an_items_page_shows_its_company() -> None:
    shop = items("tent", "stove")
    linked(shop["tent"], shop["stove"], kind="together")
    text = page("crm_item_change", "Marketing", shop["tent"].pk)
    assert "Bought together" in text
    assert "70 people did both" in text


def test_a_rule_is_made_by_its_form_and_one_that_says_nothing_is_refused() -> None:
    asking, address = browser(), reverse("admin:mlengine_recommendationrule_add")
    told = {"name": "No wine", "does": "exclude", "category": "", "brand": "", "codes": "", "is_active": "on"}
    refused = asking.post(address, told)
    assert "Say what is left out" in refused.content.decode()
    assert asking.post(address, told | {"codes": "wine,gin"}).status_code == 302
    made = RecommendationRule.objects.get()
    assert (made.codes, made.is_active) == (["wine", "gin"], True)
    assert "wine, gin" in page("mlengine_recommendationrule_changelist")


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"does": "price"}, "Say from which price"),
        ({"does": "price", "least": "9", "most": "3"}, "This is below the lowest."),
        ({"does": "price", "least": "-1"}, "This cannot be below 0."),
        ({"does": "margin"}, "Say which margin"),
        ({"does": "bought", "days": "0"}, "greater than or equal to 1"),
        ({"does": "diverse", "strength": "101"}, "less than or equal to 100"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_at_its_field(facts: dict[str, str], field: str) -> None:
    told = {"name": "x", "category": "", "brand": "", "codes": "", "is_active": "on"} | facts
    answer = browser().post(reverse("admin:mlengine_recommendationrule_add"), told)
    assert field in answer.content.decode()
    assert not RecommendationRule.objects.exists()


def test_analysts_who_may_not_see_people_see_no_persons_list() -> None:
    for name in ("mlengine_recommendation_preview", "mlengine_repurchase_due"):
        assert browser("Analyst").get(reverse(f"admin:{name}")).status_code == 403
    page("mlengine_recommendationrule_changelist", "Analyst")


def test_how_many_did_both_is_for_who_may_see_people() -> None:
    tent, stove = factories.item("tent"), factories.item("stove")
    linked(tent, stove, kind="together")
    analyst, marketer = member("Analyst"), member("Marketing")
    told = {user.pk: offers.companions(tent, user, timezone.now())[0][1] for user in (analyst, marketer)}
    assert [(link.other.code, link.people) for link in told[analyst.pk]] == [("stove", 0)]
    assert [(link.other.code, link.people) for link in told[marketer.pk]] == [("stove", 70)]


def test_what_is_popular_says_so_in_the_preview() -> None:
    assert [because({"code": "popular"}), because({"code": "popular", "values": {"people": 3}})] == [
        "Popular now",
        "Bought by 3 people in the last four weeks",
    ]


def test_how_many_need_what_again_is_counted_when_it_is_written() -> None:
    person, run = factories.profile(), api.run("repurchase")
    row = {"user": [person.pk], "rank": [1], "item": [None], "category": ["tea"], "score": [0.8], "times": [5]}
    days = {"every_days": [7.0], "last_days": [3.0], "due": [10.0], "due_from": [8.0], "due_until": [12.0]}
    schema = {"item": pl.Int64}
    found = nw.from_native(pl.DataFrame(row | days, schema_overrides=schema), eager_only=True)
    prediction._write(SPECS["repurchase"], run, found, model=object(), reasons={}, now=run.cutoff)  # type: ignore[arg-type]
    assert run.summary == {"count": 1, "people": 1, "due": [("tea", [0, 1, 1])]}
