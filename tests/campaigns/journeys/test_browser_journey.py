"""A win-back journey in a real browser: drawn on the canvas, approved by another, walked, sent, and its lift read."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.bulk.worker import BulkWorker
from campaigns.delivering import outbox
from campaigns.delivering.worker import Worker
from campaigns.journeys import following, occasions
from campaigns.models import Campaign, Delivery, Follower, JourneyEntry, JourneyVersion, SendingPolicy
from campaigns.reach import policies
from campaigns.reporting import figures
from campaigns.runs import running
from crm.models import Identifier, Profile
from mlengine.models import Score
from tests import api, browser
from tests.campaigns import factories
from tests.campaigns.journeys.factories import DAY, happen
from tests.campaigns.journeys.houses import House, opened
from tests.campaigns.test_browser_marketer import become, press
from tests.crm import consents
from tests.staff import member

pytestmark = [*browser.MARKS, pytest.mark.slow]
HOUR = timedelta(hours=1)
MANY = 50  # of each kind of people
LURED = 10  # of those held out who come back by themselves
SAID = {
    "Come back": ("We have not seen you for a while", "好久不见"),
    "A coupon": ("A coupon is waiting for you", "一张优惠券等您领取"),
}


def words(name: str) -> None:
    english, chinese = SAID[name]
    factories.template(
        name,
        email={
            "en": {"subject": english, "html": f'<p>{english}</p><a href="{{{{ unsubscribe.url }}}}">End</a>'},
            "zh-hans": {"subject": chinese, "html": f'<p>{chinese}</p><a href="{{{{ unsubscribe.url }}}}">退订</a>'},
        },
        wechat={"en": {"kind": "text", "text": english}, "zh-hans": {"kind": "text", "text": chinese}},
    )


def populate(house: House, at: datetime) -> dict[str, list[Profile]]:
    """Let people be known by mail or on WeChat."""
    consents.purpose()
    persons = [f"w{number}" for number in range(MANY)]
    openids = house.stub.post("users", appid=house.official.settings["appid"], persons=persons)["openids"]
    made: dict[str, list[Profile]] = {"mail": [], "wechat": [], "loyal": []}
    for number in range(3 * MANY):
        kind = ("mail", "wechat", "loyal")[number // MANY]
        person = factories.person(number, email=kind != "wechat", consent=kind != "wechat", language="zh-hans")
        if kind == "wechat":
            own = Identifier.objects.create(type="openid", value=openids[number % MANY], profile=person, created_at=at)
            Follower.objects.create(account=house.official, identifier=own, synced_at=at)
            consents.say(person, channel="wechat", method="form")
        made[kind].append(person)
    return made


def score(people: dict[str, list[Profile]]) -> None:
    """Let the model give all up but those who are loyal."""
    run = api.run("churn")
    for kind, some in people.items():
        for one in some:
            Score.objects.create(profile=one, run=run, value=0.1 if kind == "loyal" else 0.8, reasons=[])


class Canvas:
    """The canvas in the browser, by what a hand does with it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.wait_for_selector('#journey[data-ready="1"]')

    def choose(self, key: str) -> None:
        self.page.focus(f'[data-key="{key}"]')
        self.page.keyboard.press("Enter")

    def after(self, key: str, kind: str, title: str = "") -> None:
        """Add a step behind another one, by the keys, where its first free way leads."""
        self.page.focus(f'[data-key="{key}"]')
        self.page.keyboard.press("a")
        self.page.click(f'dialog [data-pick="{kind}"]')
        if title:
            self.page.fill('[data-side] input[name="title"]', title)

    def lasts(self, days: int) -> None:
        self.page.select_option('[data-side] select[aria-label="unit"]', "day")
        self.page.fill('[data-side] input[name="minutes"]', str(days))

    def leads(self, way: str, to: str) -> None:
        self.page.select_option(f'[data-side] [data-way="{way}"]', to)

    def says(self, template: str) -> None:
        self.page.click('[data-side] [data-channel="wechat"]')
        self.page.select_option('[data-side] select[name="order"]', "preference")
        self.page.select_option('[data-side] [data-template="0"]', label=template)

    def save(self) -> None:
        self.page.click("[data-save]")
        self.page.wait_for_selector("[data-state].good")


def drawn(page: Any) -> None:
    """Draw the journey: quiet for three days, by day, a message, a week for a purchase, a coupon, two more weeks."""
    canvas = Canvas(page)
    canvas.choose("@start")
    page.select_option('[data-side] select[name="trigger"]', "segment")
    canvas.after("@start", "wait_for_event", "Quiet for three days?")
    canvas.lasts(3)
    canvas.choose("wait-1")
    page.click("[data-side] [data-remove]")
    canvas.after("wait_for_event-1", "goal", "Is back")
    canvas.after("wait_for_event-1", "wait_for_time", "In the daytime")
    canvas.after("wait_for_time-1", "send", "We miss you")
    canvas.says("Come back")
    canvas.after("send-1", "wait_for_event", "Buys within a week?")
    canvas.lasts(7)
    canvas.leads("came", "goal-1")
    canvas.after("wait_for_event-2", "send", "A coupon")
    canvas.says("A coupon")
    canvas.after("send-2", "wait_for_event", "Buys with it?")
    canvas.lasts(14)
    canvas.leads("came", "goal-1")
    canvas.after("wait_for_event-3", "exit", "Is gone")
    page.keyboard.press("Escape")
    page.click("[data-tidy]")
    canvas.save()


def begun(page: Any) -> None:
    page.goto("/admin/campaigns/journey/add/")
    page.click('[data-start="blank"] a')
    page.fill("#id_name", "Win back")
    page.select_option("#id_purpose", index=1)
    page.select_option("#id_segment", label="Likely gone")
    page.select_option("#id_first_channel", "email")
    page.select_option("#id_second_channel", "wechat")
    page.fill("#id_held_out", "35")
    page.click('[name="_save"]')


def turn(house: House, now: datetime) -> None:
    """Let beat ring once, and both workers."""
    house.stub.post("clock", set=now.timestamp())
    occasions.look(now)
    following.follow(now)
    Worker(lambda: now).run(30.0)
    BulkWorker(lambda: now).run(30.0)
    outbox.tell_log(now)


def test_from_the_canvas_to_the_lift(live_server: Any, settings: Any) -> None:
    now = timezone.now()
    noon = now.replace(hour=4, minute=0) + DAY
    with opened(settings, now) as house:
        settings.PUBLIC_URL = live_server.url
        people = populate(house, now)
        policies.policy()
        SendingPolicy.objects.update(quiet_from=time(21), quiet_until=time(9))
        factories.segment("Likely gone", {"all": [{"score": "churn", "is": "at_least", "value": 0.5}]})
        for name in SAID:
            words(name)
        ann, bo = member("Marketing", "ann"), member("Marketing", "bo")
        with browser.opened(live_server, "journey", viewport={"width": 1600, "height": 1100}) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            become(page, live_server, ann)
            begun(page)
            drawn(page)
            browser.kept(page, "journey-drawn")
            press(page, "submit")
            one = Campaign.objects.get()
            become(page, live_server, bo)
            page.goto(f"/admin/campaigns/journey/{one.pk}/canvas/")
            Canvas(page)
            browser.kept(page, "journey-review")
            press(page, "approve")
            press(page, "schedule")
            walked(house, people, noon)
            page.goto(f"/admin/campaigns/journey/{one.pk}/canvas/")
            Canvas(page)
            browser.kept(page, "journey-walked")
            figures.count(one, noon + 40 * DAY)
            page.goto(f"/admin/campaigns/figures/{one.pk}/change/")
            page.wait_for_load_state()
            assert "cannot be said" not in page.inner_text("body")
            browser.kept(page, "journey-report")


def walked(house: House, people: dict[str, list[Profile]], noon: datetime) -> None:
    """Let time go by: some come back by themselves, some after the message, some with the coupon."""
    running.tick(timezone.now())
    turn(house, timezone.now())  # from here on: who is in the segment already is not meant
    score(people)
    turn(house, noon)
    assert JourneyEntry.objects.count() == 2 * MANY  # whom the model gives up, not who is loyal
    held = set(JourneyEntry.objects.filter(status="held_out").values_list("profile", flat=True))
    both = people["mail"] + people["wechat"]
    treated = [one for one in both if one.pk not in held]
    assert 2 * LURED < len(held) < MANY
    turn(house, noon + 4 * DAY)
    turn(house, noon + 4 * DAY + HOUR)
    assert JourneyVersion.objects.get().status == "approved"
    assert sum(house.mailed.values()) + sum(house.chatted().values()) == len(treated)
    back = [one for place, one in enumerate(treated) if place % 4]
    happen("purchase", back + [one for one in both if one.pk in held][:LURED], noon + 6 * DAY)
    turn(house, noon + 6 * DAY)
    for days in (12, 12.1, 40):
        turn(house, noon + days * DAY)
    assert sum(house.mailed.values()) + sum(house.chatted().values()) == 2 * len(treated) - len(back)
    assert not Delivery.objects.filter(profile__in=held).exists()
