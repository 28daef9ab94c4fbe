"""The page of the platforms' limits: a row takes the place of what is shipped."""

from typing import Any

import pytest

from campaigns.channels.wechat import limits
from campaigns.models import ChannelLimit
from tests.campaigns.wechat import houses
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db
ADD = "/admin/campaigns/channellimit/add/"


def asked(**facts: Any) -> dict[str, Any]:
    return {"limit": "wecom/group_to_one_person_a_month", "account": "", "value": 4, "source": "their page"} | facts


def test_a_limit_set_here_holds_for_all_accounts_or_for_one() -> None:
    own = houses.account("wecom")
    browser = logged_in(member("Admin"))
    assert limits.of(own, "group_to_one_person_a_month") is None
    browser.post(ADD, asked())
    assert limits.rule(own, "group_to_one_person_a_month")[1:] == (4, "their page", True)
    browser.post(ADD, asked(account=own.pk, value=2))
    assert limits.of(own, "group_to_one_person_a_month") == 2
    page = browser.get("/admin/campaigns/channellimit/").content.decode()
    assert "group_to_one_person_a_month" in page
    assert "their page" in page


@pytest.mark.parametrize("facts", [{"limit": "wecom/mass_calls_a_day"}, {"value": -1}, {"source": ""}, {"limit": "x"}])
def test_a_limit_that_no_platform_has_or_nobody_vouches_for_is_not_kept(facts: dict[str, Any]) -> None:
    logged_in(member("Admin")).post(ADD, asked(**facts))
    assert not ChannelLimit.objects.exists()


def test_there_is_one_row_for_each_limit_and_none_for_another_platform_s_account() -> None:
    browser = logged_in(member("Admin"))
    for facts in ({}, {"value": 3}, {"account": houses.account().pk}):
        browser.post(ADD, asked(**facts))
    assert list(ChannelLimit.objects.values_list("value", flat=True)) == [4]


def test_who_runs_campaigns_reads_limits_and_sets_none() -> None:
    browser = logged_in(member("Marketing"))
    assert browser.get("/admin/campaigns/channellimit/").status_code == 200
    assert browser.post(ADD, asked()).status_code == 403
