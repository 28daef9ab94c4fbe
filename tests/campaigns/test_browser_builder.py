"""The rule builder, a list and the editor of templates in a real browser: what is meant is said by controls."""

import json
from typing import Any

import pytest

from campaigns.models import Segment, Template
from campaigns.segmenting import list_files, lists
from crm.models import JobRun
from tests import browser
from tests.campaigns import factories
from tests.campaigns.factories import NOW
from tests.crm import consents

pytestmark = [*browser.MARKS, pytest.mark.slow]


def everything(campaign: int, listed: int) -> dict[str, Any]:
    """Return a rule in which each kind of condition stands, with all that it may say."""
    at_least = {"is": "at_least", "value": 2}
    return {
        "all": [
            {"field": "city", "is": "in", "value": ["上海", "O'Brien"]},
            {"field": "gender", "is": "not_in", "value": ["female"]},
            {"field": "birth_month", "is": "between", "value": [3, 5]},
            {"field": "created_at", "is": "before", "value": "2026-01-31"},
            {"field": "birthday", "is": "birthday_within", "value": 7},
            {"field": "personalisation", "is": "is", "value": True},
            {"field": "attributes.plan", "is": "known"},
            {"address": "phone", "is": "verified"},
            {"consent": "offers", "channel": "email", "is": "never_said"},
            {"any": [{"none": [{"segment": listed}]}, {"bucket": "draw", "from": 0.25, "until": 0.3}]},
            {
                "event": "view", "name": "home", "within": {"from": "2026-01-01", "until": "2026-02-01"},
                "where": [
                    {"field": "category", "is": "in", "value": ["tea"]},
                    {"field": "value", "is": "between", "value": [1, 2.5]},
                    {"field": "properties.plan", "is": "is", "value": "gold"},
                ],
                "measure": {"count": at_least},
                "then": {
                    "event": "purchase", "within_days": 3, "where": [{"field": "brand", "is": "is", "value": "b"}],
                },
            },
            {"event": "purchase", "within": {"days": 30}, "measure": {"sum": at_least}},
            {"event": "purchase", "measure": {"first": {"is": "after", "value": "2026-01-01"}}},
            {"event": "purchase", "measure": {"last": {"is": "over_days_ago", "value": 90}}},
            {"event": "refund", "measure": {"never": True}},
            {"related": "referred", "is": "none", "to": {"all": [{"field": "city", "is": "is", "value": "北京"}]}},
            {"related": "referred", "is": "any"},
            {"score": "churn", "is": "between", "value": [0.1, 0.2]},
            {"cluster": "clusters", "is": "not_in", "value": [1, 2]},
            {"recommended": {"category": "tea"}, "within_rank": 3},
            {"recommended": {"item": "A1"}, "within_rank": 5},
            {"campaign": campaign, "is": "held_out", "within": {"days": 7}},
        ]
    }  # fmt: skip


def said(page: Any) -> Any:
    return json.loads(page.input_value("#id_rule"))


def test_every_condition_has_its_controls_and_nothing_of_it_is_lost(live_server: Any) -> None:
    consents.purpose()
    rule = everything(factories.campaign().pk, lists.create("guests", None, NOW).pk)
    one = factories.segment("everything", rule)
    with browser.opened(live_server, "builder", viewport={"width": 1440, "height": 1100}) as page:
        browser.let_in(page, live_server)
        page.goto(f"/admin/campaigns/segment/{one.pk}/change/")
        page.wait_for_selector("#sentence")
        assert said(page) == rule
        assert page.locator('.zb-card[data-kind=""]').count() == 0  # nothing is shown as JSON
        browser.kept(page, "builder-everything")
        page.fill('[data-kind="bucket"] input[aria-label="until"]', "40")
        page.wait_for_selector("#sentence:has-text('40%')")
        rule["all"][9]["any"][1]["until"] = 0.4
        assert said(page) == rule


def test_a_sequence_is_built_and_saved_without_a_line_of_json(live_server: Any) -> None:
    with browser.opened(live_server, "builder-sequence", viewport={"width": 1440, "height": 1100}) as page:
        browser.let_in(page, live_server)
        page.goto("/admin/campaigns/segment/add/")
        page.fill("#id_name", "Seen, then bought")
        page.click('[data-add="event"]')
        card = page.locator('[data-kind="event"]')
        card.locator("select[aria-label='event']").select_option("view")
        card.locator("[data-add='where']").click()
        card.locator(".zb-sub input[aria-label='value']").last.fill("tea")
        card.locator("[data-add='then']").click()
        card.locator(".zb-then input[aria-label='days']").fill("7")
        card.locator("select[aria-label='measure']").select_option("last")
        page.wait_for_selector("#count")
        page.click('[name="_save"]')
        page.wait_for_url("**/segment/")
    assert Segment.objects.get().current.rule == {  # type: ignore[union-attr]
        "all": [{
            "event": "view", "within": {"days": 30}, "measure": {"last": {"is": "within_days", "value": 30}},
            "where": [{"field": "category", "is": "is", "value": "tea"}],
            "then": {"event": "purchase", "within_days": 7},
        }]
    }  # fmt: skip


def test_a_file_fills_a_list_while_its_page_looks_on(live_server: Any) -> None:
    consents.purpose()
    for number in range(3):
        factories.person(number)
    one = lists.create("guests", None, NOW)
    with browser.opened(live_server, "list", viewport={"width": 1440, "height": 1100}) as page:
        browser.let_in(page, live_server)
        page.goto(f"/admin/campaigns/segment/{one.pk}/change/")
        content = b"name,email\n=1+1,p0@example.com\n,p2@example.com\n,nobody@example.com\n"
        page.set_input_files("input[type=file]", {"name": "guests.csv", "mimeType": "text/csv", "buffer": content})
        page.select_option("select[name=type]", "email")
        page.click('button[form="upload-list"]')
        page.wait_for_selector('[data-upload="queued"]')
        job = JobRun.objects.get(kind=list_files.KIND)
        assert list_files.run(job, lambda: job.created_at)
        page.wait_for_selector('[data-upload="succeeded"]')  # it asks by itself
        assert page.inner_text("[data-unknown]") == "1"
    assert lists.size(one) == 2


def test_typed_keys_are_written_in_rows_and_shown_as_the_platform_does(live_server: Any) -> None:
    with browser.opened(live_server, "template-wechat", viewport={"width": 1440, "height": 1100}) as page:
        browser.let_in(page, live_server)
        page.goto("/admin/campaigns/template/add/")
        page.fill("[name=name]", "Ready")
        page.click('[data-channel="wechat"]')
        page.click('[data-language="zh-hans"]')
        side = page.locator('[data-panel="wechat.zh-hans"]')
        side.locator("[name$='.template_id']").fill("AbC")
        row = side.locator(".zy-key-row").first
        row.locator("select").select_option("phrase")
        row.locator("input").nth(1).fill("too long a phrase")
        page.wait_for_selector('[data-field="wechat.zh-hans.data"] .zy-wrong.bad')  # beside the field
        row.locator("input").nth(1).fill("已到店")
        page.wait_for_selector(".zy-keyed dd:has-text('已到店')")
        page.click("#zy-editor button.main")
        page.wait_for_url("**/change/")
    told = Template.objects.get().current
    assert told is not None
    assert told.forms == {"wechat": {"zh-hans": {"template_id": "AbC", "data": {"phrase1": "已到店"}}}}
