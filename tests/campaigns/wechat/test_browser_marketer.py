"""A marketer's way with an official account, in a real browser: connect, read, plan, send, report, and answer."""

from collections.abc import Iterator
from datetime import time
from typing import Any

import pytest
from django.utils import timezone

from campaigns.bulk.worker import BulkWorker
from campaigns.channels.wechat.stub.server import Stub
from campaigns.models import BulkJob, Campaign, ChannelAccount, ChatMessage, Delivery, Follower, SendingPolicy
from campaigns.reach import policies
from campaigns.reporting import figures
from campaigns.runs import running
from campaigns.wechat import followers, inbound
from crm.models import HandOff, Identifier, JobRun, Profile
from tests import browser
from tests.campaigns import factories
from tests.campaigns.test_browser_marketer import become, press
from tests.crm import consents
from tests.staff import member

pytestmark = [*browser.MARKS, pytest.mark.slow]
WORDS = {"wechat": {"en": {"kind": "text", "text": "This weekend: two for one on all teas."}}}
PEOPLE = 6


@pytest.fixture
def platform(settings: Any, live_server: Any) -> Iterator[Stub]:
    settings.PUBLIC_URL = live_server.url
    with Stub(seed=3) as stub:
        settings.WECHAT_STUB_URL = stub.url
        stub.post("pusher", timeout=120)  # the browser's server is one thread, and it may be busy with a page
        yield stub


def carried_out(kind: str) -> JobRun:
    """Do the waiting job of a kind, as a worker would."""
    job = JobRun.objects.get(kind=kind, status=JobRun.Status.QUEUED)
    assert {followers.KIND: followers.run, running.PLAN: running.plan}[kind](job, timezone.now)
    return job


def test_a_marketer_connects_reads_sends_and_answers(live_server: Any, platform: Stub) -> None:
    consents.purpose()
    policies.policy()
    SendingPolicy.objects.update(quiet_from=time(0), quiet_until=time(0))
    factories.template("Weekend words", **WORDS)
    boss, ann, bo = member("Admin", "sys"), member("Marketing", "ann"), member("Marketing", "bo")
    with browser.opened(live_server, "wechat", viewport={"width": 1440, "height": 1100}) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        become(page, live_server, boss)
        account = connected(page)
        openids = platform.post("users", appid=account.settings["appid"], count=PEOPLE)["openids"]
        become(page, live_server, ann)
        read(page)
        allow(openids[:4])
        one = planned(page, live_server, bo)
        sent(page, one, platform)
        become(page, live_server, ann)
        answered(page, platform, openids[0])


def connected(page: Any) -> ChannelAccount:
    page.goto("/admin/campaigns/follower/connect/")
    page.click('form[action$="/connect/imitation/"] button')
    page.click('form[action$="/test/"] button')
    page.wait_for_selector("text=The platform lets us in.")
    return ChannelAccount.objects.get(provider="wechat_official")


def read(page: Any) -> None:
    page.goto("/admin/campaigns/follower/")
    page.click('form[action*="/follower/read/"] button')
    page.wait_for_selector('[data-status="queued"]')
    carried_out(followers.KIND)
    page.wait_for_function(f"document.querySelectorAll('#result_list tbody tr').length == {PEOPLE}")  # by itself
    assert page.locator("#result_list tbody tr").count() == PEOPLE
    assert "openid:" in page.inner_text("#result_list")


def allow(openids: list[str]) -> None:
    """Let some of the followers allow marketing: the others are not written to, however they follow."""
    for openid in openids:
        person = Identifier.objects.known_as(openid).get().profile
        Profile.objects.filter(pk=person.pk).update(age_class=Profile.AgeClass.ADULT)
        consents.say(person, channel="wechat", method="form")


def planned(page: Any, server: Any, colleague: Any) -> Campaign:
    factories.segment("Everybody")
    page.goto("/admin/campaigns/campaign/add/")
    page.fill("#id_name", "Weekend")
    page.select_option("#id_purpose", index=1)
    page.select_option("#id_segment", label="Everybody")
    page.select_option("#id_first_channel", "wechat")
    page.fill("#id_held_out", "0")
    page.fill("#id_variants-0-name", "A")
    page.select_option("#id_variants-0-template", index=1)
    page.click('[name="_continue"]')
    page.wait_for_selector("#audience")
    browser.kept(page, "wechat-planned")
    press(page, "submit")
    one = Campaign.objects.get()
    become(page, server, colleague)
    page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
    page.wait_for_selector("#audience")
    press(page, "approve")
    press(page, "schedule")
    return one


def sent(page: Any, one: Campaign, platform: Stub) -> None:
    running.tick(timezone.now())
    carried_out(running.PLAN)
    BulkWorker(timezone.now).run(10.0)
    job = BulkJob.objects.get()
    assert (job.people, job.status) == (4, "accepted")
    platform.post("clock", advance=3600)
    platform.post("settle", timeout=120)
    inbound.work(timezone.now())
    told = platform.get("deliveries", kind="mass")
    assert {row["openid"] for row in told["deliveries"]} <= set(openids_of(one))
    job.refresh_from_db()
    assert job.status == "sent"
    figures.count(one, timezone.now())
    page.goto(f"/admin/campaigns/figures/{one.pk}/change/")
    page.wait_for_load_state()
    browser.kept(page, "wechat-report")
    page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
    page.wait_for_selector("#audience")


def openids_of(one: Campaign) -> list[str]:
    rows = Delivery.objects.filter(run__campaign=one, job__isnull=False).values_list("address_id", flat=True)
    return [str(row.value) for row in Identifier.objects.filter(pk__in=list(rows))]


def answered(page: Any, platform: Stub, openid: str) -> None:
    """Somebody writes; a marketer sees it with its window running down, answers, and the platform has the answer."""
    platform.post("clock", set=timezone.now().timestamp())
    platform.post(f"users/{openid}/text", Content="Are you open on Sunday?")
    assert platform.post("settle", timeout=120)["settled"]
    inbound.work(timezone.now())
    page.goto("/admin/campaigns/chatmessage/")
    page.wait_for_selector("text=waits for an answer")
    page.click("table a.zy-link")
    page.wait_for_selector('[data-window="open"]')
    assert page.inner_text("time.wx-clock").startswith("47:59")
    page.fill('textarea[name="text"]', "Yes, from nine.")
    page.click("#answer button")
    page.wait_for_selector(".wx-bubble.out")
    assert "4 answers left" in page.inner_text('[data-window="open"]')
    browser.kept(page, "wechat-answered")
    told = platform.get("deliveries", kind="custom", openid=openid)["deliveries"]
    assert len(told) == 1
    answer = ChatMessage.objects.get(direction="out")
    assert HandOff.objects.get(purpose="direct-answer").delivery.hex == answer.key
    assert Follower.objects.count() == Profile.objects.count() == PEOPLE  # whom a job's report names is nobody
