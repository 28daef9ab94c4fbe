"""Before a campaign starts: what the platforms let through on each day, over how many it is spread, who is left out."""

from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from campaigns.bulk import budgets
from campaigns.models import BulkJob, Campaign, ChannelAccount, ChannelLimit, Delivery, ForeignSend, PlatformTemplate
from campaigns.runs import planner, planning, readiness, rehearsing
from campaigns.wechat import allowances, permissions
from campaigns.wechat.days import SHANGHAI
from crm.models import Identifier
from tests.campaigns import factories
from tests.campaigns.wechat import houses
from tests.campaigns.wechat.houses import HOUR, NOON, account, followers

pytestmark = pytest.mark.django_db(transaction=True)
MONDAY = date(2026, 3, 2)


def limited(**facts: int) -> None:
    for name, value in facts.items():
        provider = "wecom" if name.startswith("group") else "wechat_official"
        ChannelLimit.objects.create(provider=provider, name=name, value=value, changed_at=NOON)


def templates(own: ChannelAccount, who: Any, now: Any = NOON, **facts: Any) -> Any:
    if not PlatformTemplate.objects.exists():
        houses.allowed(own)
    told = {"purpose": houses.service(), "says": houses.TEMPLATE} | facts
    run = planning.begin(houses.campaign(**told), "once", now)
    return planning.plan(run, iter([[one.pk for one in who]]), now)


def by_day(run: Any) -> dict[date, int]:
    rows = run.deliveries.filter(status="queued").values_list("due_at", flat=True)
    return dict(Counter(at.astimezone(SHANGHAI).date() for at in rows))


def test_a_campaign_is_spread_over_the_days_that_the_platform_allows_and_leaves_room_for_journeys() -> None:
    own = account()
    limited(template_a_day=5)
    run = templates(own, followers(own, 10))
    days = [MONDAY + timedelta(days=number) for number in range(3)]
    assert by_day(run) == {days[0]: 4, days[1]: 4, days[2]: 2}  # one of five is kept
    later = {at.astimezone(SHANGHAI).hour for at in run.deliveries.values_list("due_at", flat=True)}
    assert later == {12, 9}  # at once, and when the night is over
    assert all(row.expires_at - row.due_at == timedelta(days=1) for row in run.deliveries.all())


def test_a_triggered_campaign_may_use_the_whole_day() -> None:
    own = account()
    limited(template_a_day=5)
    who = followers(own, 5)
    houses.allowed(own)
    made = houses.campaign(kind="triggered", purpose=houses.service(), says=houses.TEMPLATE)
    assert allowances.Spread(made, NOON, NOON).room["wechat"].tolist()[:2] == [5, 10]
    assert len(who) == 5


def test_what_another_campaign_has_planned_for_a_day_is_not_there_twice() -> None:
    own = account()
    limited(template_a_day=5)
    who = followers(own, 5)
    templates(own, who[:3], name="first")
    assert by_day(templates(own, who, name="second")) == {MONDAY: 1, MONDAY + timedelta(days=1): 4}


def test_for_whom_no_day_has_room_another_channel_is_taken_and_the_rest_are_told_why() -> None:
    own = account()
    limited(template_a_day=2)
    who = followers(own, 5)
    factories.account()
    Identifier.objects.create(type="email", value="p@example.com", profile=who[3], created_at=NOON - HOUR)
    ends = {"ends_at": NOON + timedelta(hours=6), "channels": ["wechat", "email"]}
    run = templates(own, who, **ends)
    assert sorted(run.deliveries.values_list("channel", "status", "reason")) == [
        ("email", "queued", ""),
        ("wechat", "queued", ""),
        ("wechat", "suppressed", "quota"),
        ("wechat", "suppressed", "quota"),
        ("wechat", "suppressed", "quota"),
    ]


def test_those_who_are_held_out_are_left_out_by_the_days_as_the_others_are() -> None:
    own = account()
    limited(template_a_day=25)
    run = templates(own, followers(own, 60), holdout="0.3", ends_at=NOON + timedelta(hours=6))
    statuses = Counter(run.deliveries.values_list("status", flat=True))
    assert (statuses["queued"], statuses.total()) == (20, 60)  # the day's room was taken
    last = max(run.deliveries.filter(status="queued").values_list("profile_id", flat=True))
    assert not run.deliveries.filter(status="held_out", profile_id__gt=last).exists()


def test_a_dry_run_says_what_a_plan_would_do() -> None:
    own = account()
    limited(template_a_day=5)
    who = followers(own, 10)
    houses.allowed(own)
    made = houses.campaign(purpose=houses.service(), says=houses.TEMPLATE)
    dry = rehearsing.rehearse(made, NOON, iter([[one.pk for one in who[:6]], [one.pk for one in who[6:]]]))
    assert list(dry.by_due.values()) == [4, 4, 2]
    assert Delivery.objects.count() == 0


def test_the_planner_tells_of_each_account_what_its_platform_allows_and_by_day() -> None:
    own = account(name="Spring shop")
    limited(mass_calls_a_day=3, mass_people_a_call=2)
    followers(own, 7)
    ForeignSend.objects.create(account=own, provider_id="C", people=1, at=NOON - HOUR)
    (told,) = planner.of(houses.campaign(), NOON).platforms
    assert (told.account, told.calls, told.a_day, told.kept, told.used, told.elsewhere.sends) == (
        "Spring shop", True, 3, 1, 1, 1,
    )  # fmt: skip
    assert [(rule.value, rule.ours, span) for rule, span in told.to_one] == [(4, False, "month")]
    assert list(told.days) == [(MONDAY, 2), (MONDAY + timedelta(days=1), 4), (MONDAY + timedelta(days=2), 1)]


def test_of_wecom_s_two_texts_the_newer_is_in_force_until_a_row_says_otherwise() -> None:
    own = account("wecom")
    houses.customers(own, houses.staff(own), 2)
    made = houses.campaign(channel="wecom")
    (told,) = planner.of(made, NOON).platforms
    assert [(rule.value, rule.ours, span) for rule, span in told.to_one] == [(1, False, "day"), (None, False, "month")]
    assert [most for most, _since in permissions.caps(own, NOON)] == [1]
    limited(group_to_one_person_a_month=4)
    (told,) = planner.of(made, NOON).platforms
    assert [(rule.value, rule.ours, span) for rule, span in told.to_one] == [(1, False, "day"), (4, True, "month")]
    assert [most for most, _since in permissions.caps(own, NOON)] == [1, 4]


def test_calls_of_the_day_before_in_shanghai_do_not_count_today() -> None:
    own = account()
    run = planning.begin(houses.campaign(), "once", NOON)
    midnight = NOON.replace(hour=16) - timedelta(days=1)
    for at in (midnight - timedelta(seconds=1), midnight):
        BulkJob.objects.create(
            pk=UUID(int=at.second + 1), account=own, run=run, variant=run.campaign.variants.get(),
            language="en", kind="mass", people=2, status="accepted", called_at=at,
        )  # fmt: skip
    assert budgets.used_today(own, NOON) == 1


def problems(made: Campaign) -> str:
    return " ".join(readiness.problems(made, NOON))


def test_advertising_by_a_template_or_a_subscription_cannot_be_submitted() -> None:
    own = account()
    houses.allowed(own)
    assert "not for advertising" in problems(houses.campaign(says=houses.TEMPLATE))
    mini = account("mini_program")
    houses.allowed(mini, kind="one_time")
    assert "not for advertising" in problems(houses.campaign("m", "mini_program", houses.TEMPLATE))
    assert "advertising" not in problems(houses.campaign("s", says=houses.TEMPLATE, purpose=houses.service()))


@pytest.mark.parametrize(
    ("allowed", "said"), [(None, "nobody has looked"), (False, "is not allowed"), (True, ""), ("", "has no template")]
)
def test_a_template_is_looked_at_before_anything_goes_by_it(allowed: Any, said: str) -> None:
    own = account()
    if allowed != "":
        houses.allowed(own, allowed=allowed)
    found = problems(houses.campaign(says=houses.TEMPLATE, purpose=houses.service()))
    assert said in found if said else "template T1" not in found


def test_a_text_to_many_that_names_somebody_cannot_be_submitted() -> None:
    account()
    found = problems(houses.campaign(says={"zh-hans": {"text": "{{ profile.name }}，您好"}}))
    assert "profile.name" in found


def test_an_article_without_a_picture_cannot_be_submitted_before_it_is_drafted_with_one() -> None:
    account()
    words = {"zh-hans": {"title": "春天", "html": "<p>到了</p>"}}
    assert "needs a cover" in problems(houses.campaign(says=words))
    words["zh-hans"]["html"] = '<p>到了<img src="https://example.com/a.png"></p>'
    assert "needs a cover" not in problems(houses.campaign("pictured", says=words))
