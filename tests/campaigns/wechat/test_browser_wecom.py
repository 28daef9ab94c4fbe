"""A marketer's way with WeCom, in a real browser: connect, read, plan a task of the staff, remind, read the report."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.bulk import staff_tasks
from campaigns.bulk.worker import BulkWorker
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import (
    BulkJob,
    Campaign,
    ChannelAccount,
    Delivery,
    SendingPolicy,
    StaffContact,
    StaffTask,
)
from campaigns.reach import policies
from campaigns.reporting import figures
from campaigns.runs import running
from campaigns.wechat import staff_sync, wecom_jobs
from crm.models import JobRun, Profile
from tests import browser
from tests.campaigns import factories
from tests.campaigns.test_browser_marketer import become, press
from tests.campaigns.wechat.test_browser_marketer import platform  # noqa: F401
from tests.crm import consents
from tests.staff import member

pytestmark = [*browser.MARKS, pytest.mark.slow]
WORDS = {"wecom": {"en": {"text": "We taste the new teas on Saturday."}, "zh-hans": {"text": "周六品鉴新茶。"}}}
CONFIRM, NEVER = ("lin.yue", "zhao.min"), "chen.hao"


def test_a_task_of_the_staff_from_connecting_to_whom_it_reached(live_server: Any, platform: Stub) -> None:  # noqa: F811
    consents.purpose()
    policies.policy()
    SendingPolicy.objects.update(quiet_from=time(0), quiet_until=time(0))
    factories.template("Tea words", **WORDS)
    segment = factories.segment("Customers in WeCom", rule={"all": [{"address": "wecom", "is": "known"}]})
    boss, ann, bo = member("Admin", "sys"), member("Marketing", "ann"), member("Marketing", "bo")
    with browser.opened(live_server, "wecom", viewport={"width": 1440, "height": 1100}) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        become(page, live_server, boss)
        account = connected(page, platform)
        become(page, live_server, ann)
        read(page)
        allow()
        one = planned(page, live_server, bo, str(segment))
        asked(one)
        confirmed(page, one, platform, account)
        never(page, one)
        reported(page, one)


def connected(page: Any, platform: Stub) -> ChannelAccount:  # noqa: F811
    page.goto("/admin/campaigns/follower/connect/")
    page.click('form[action$="/connect/imitation/"]:has(input[value="wecom"]) button')
    page.wait_for_load_state()
    account = ChannelAccount.objects.get(provider="wecom")
    for userid in (*CONFIRM, NEVER):  # by themselves they would, within minutes
        platform.post("wecom/staff", appid=account.settings["corpid"], userid=userid, confirms=None)
    return account


def read(page: Any) -> None:
    page.goto("/admin/campaigns/staff/")
    page.click('form[action*="/staff/"][action$="/read/"] button')
    page.wait_for_load_state()
    assert wecom_jobs.run(JobRun.objects.get(kind=staff_sync.KIND).pk, timezone.now)
    page.goto("/admin/campaigns/staff/")
    assert page.locator("#result_list tbody tr").count() == 3
    page.goto("/admin/campaigns/customertag/")
    page.click('form[action$="/read/"] button')
    page.wait_for_selector("text=重要")
    page.goto("/admin/campaigns/staffcontact/")
    assert page.locator("#result_list tbody tr").count() == StaffContact.objects.count() > 9


def allow() -> None:
    """Let the customers of each member of staff allow marketing, but one: whoever said nothing is not written to."""
    people = StaffContact.objects.order_by("pk").select_related("identifier__profile")
    for contact in list(people)[1:]:
        Profile.objects.filter(pk=contact.identifier.profile_id).update(age_class=Profile.AgeClass.ADULT)
        consents.say(contact.identifier.profile, channel="wecom", method="form")


def planned(page: Any, server: Any, colleague: Any, segment: str) -> Campaign:
    page.goto("/admin/campaigns/campaign/add/")
    page.fill("#id_name", "Tea tasting")
    page.select_option("#id_purpose", index=1)
    page.select_option("#id_segment", label=segment)
    page.select_option("#id_first_channel", "wecom")
    page.fill("#id_held_out", "0")
    page.fill("#id_variants-0-name", "A")
    page.select_option("#id_variants-0-template", index=1)
    page.click('[name="_continue"]')
    page.wait_for_selector("#planner dl.zy-facts, #audience")
    told = page.inner_text("#planner")
    assert "To one person a day" in told
    assert "Has not consented" in told
    browser.kept(page, "wecom-planned")
    press(page, "submit")
    one = Campaign.objects.get()
    become(page, server, colleague)
    page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
    press(page, "approve")
    press(page, "schedule")
    return one


def asked(one: Campaign) -> None:
    """Do what beat and workers would: plan the run, and give each member of staff her task."""
    running.tick(timezone.now())
    running.plan(JobRun.objects.get(kind=running.PLAN), timezone.now)
    BulkWorker(timezone.now).run(10.0)
    assert dict(BulkJob.objects.values_list("sender", "status")) == dict.fromkeys((*CONFIRM, NEVER), "accepted")
    assert set(Delivery.objects.filter(run__campaign=one).values_list("status", flat=True)) == {
        *("accepted", "suppressed")
    }


def asked_again(after: timedelta) -> datetime:
    """Ask the platform how far the tasks are, so long after they were given."""
    now = timezone.now() + after
    BulkJob.objects.filter(poll_at__isnull=False).update(poll_at=now)
    staff_tasks.poll(lambda: now)
    return now


def confirmed(page: Any, one: Campaign, platform: Stub, account: ChannelAccount) -> None:  # noqa: F811
    """Two of three confirm; the third is reminded, by the button, and the platform knows it."""
    corp = account.settings["corpid"]
    for userid in CONFIRM:
        platform.post("wecom/confirm", appid=corp, userid=userid)
    asked_again(timedelta(minutes=6))
    page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
    states = {
        row.get_attribute("data-staff"): row.get_attribute("data-task")
        for row in page.locator("#staff-tasks tbody tr").all()
    }
    assert states == {**dict.fromkeys(CONFIRM, "confirmed"), NEVER: "waiting"}
    page.click(f'#staff-tasks tr[data-staff="{NEVER}"] button:has-text("Remind")')
    page.wait_for_selector("text=WeCom has been told.")
    tasks = platform.get("wecom/tasks", appid=corp)["tasks"]
    assert sorted(len(task["reminded"]) for task in tasks) == [0, 0, 1]
    told = platform.get("deliveries", kind="staff_task")["deliveries"]
    assert len(told) == sum(StaffTask.objects.values_list("reached", flat=True)) > 0
    browser.kept(page, "wecom-confirmed")
    page.goto("/admin/campaigns/bulkjob/")
    assert page.locator("#result_list tbody tr").count() == 3


def never(page: Any, one: Campaign) -> None:
    """After three days nobody is waited for any more: it reached nobody, and says so."""
    asked_again(timedelta(hours=73))
    page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
    assert "never confirmed" in page.inner_text(f'#staff-tasks tr[data-staff="{NEVER}"]')
    left = Delivery.objects.filter(run__campaign=one, job__sender=NEVER)
    assert set(left.values_list("status", "reason")) == {("failed", "expired_unsent")}


def reported(page: Any, one: Campaign) -> None:
    figures.count(one, timezone.now())
    page.goto(f"/admin/campaigns/figures/{one.pk}/change/")
    page.wait_for_load_state()
    reached = sum(StaffTask.objects.values_list("reached", flat=True))
    assert Delivery.objects.filter(run__campaign=one, status="delivered").count() == reached
    assert page.inner_text("#many tbody tr:last-child td:nth-child(6)") == f"{reached}"
    assert "nobody confirmed it" in page.inner_text("body")  # the page is kept when the browser closes
