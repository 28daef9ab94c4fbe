"""A marketer's way in a real browser: segment, campaign, four eyes, dry run, start; messages arrive at a real peer."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.contrib.auth.models import User
from django.utils import timezone

from campaigns.delivering.worker import Worker
from campaigns.models import Campaign, Segment, SendingPolicy
from campaigns.reach import policies
from campaigns.runs import running
from crm.models import Identifier, JobRun
from tests import browser
from tests.campaigns import factories, peers
from tests.campaigns.test_channels import HTTP, SECRET
from tests.crm import consents
from tests.staff import logged_in, member

pytestmark = [*browser.MARKS, pytest.mark.slow]
SMS = {"en": {"signature": "Zhiyin", "text": "Spring is here. Reply T to unsubscribe"}}


class Sink:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.taken.append(envelope)
        return "250 OK"


@dataclass(frozen=True, kw_only=True)
class Way:
    """A channel with an account at a peer, and to whom the peer was asked to send."""

    channel: str
    reached: Callable[[], list[str]]
    addresses: list[str]


@contextmanager
def by_email() -> Iterator[Way]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    settings = {"host": "127.0.0.1", "port": port, "security": "none", "from_email": "news@example.com"}
    factories.account(provider="smtp", settings=settings, secrets={})
    for number in range(6):
        factories.person(number, city="上海" if number < 4 else "北京")
    factories.template("Spring words")
    yield Way(
        channel="email",
        reached=lambda: [to for envelope in controller.handler.taken for to in envelope.rcpt_tos],
        addresses=[f"p{number}@example.com" for number in range(4)],
    )
    controller.stop()


@contextmanager
def by_sms() -> Iterator[Way]:
    with peers.http_peer(HTTP["stub"]) as peer:
        factories.account("sms", settings={"url": peer.url + "/"}, secrets={"secret": SECRET})
        for number in range(6):
            one = factories.person(number, email=False, consent=False, city="上海" if number < 4 else "北京")
            Identifier.objects.create(type="phone", value=f"1380013800{number}", profile=one, created_at=factories.NOW)
            consents.say(one, channel="sms", method="form")
        factories.template("Spring words", sms=SMS)
        yield Way(
            channel="sms",
            reached=lambda: [json.loads(body)["to"] for _path, _headers, body in peer.taken],
            addresses=[f"1380013800{number}" for number in range(4)],
        )


def become(page: Any, server: Any, user: User) -> None:
    session = logged_in(user, second_factor=True).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])


def press(page: Any, verb: str) -> None:
    page.click(f'form[action$="/{verb}/"] button')
    page.wait_for_load_state()


@pytest.mark.parametrize("way", [by_email, by_sms])
def test_from_segment_to_the_counts_of_the_run(live_server: Any, settings: Any, way: Any) -> None:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    consents.purpose()
    with way() as on:
        walked(live_server, on)
        assert sorted(on.reached()) == on.addresses


def walked(live_server: Any, way: Way) -> None:  # noqa: PLR0915  # one way, step by step
    policies.policy()
    SendingPolicy.objects.update(quiet_from=time(0), quiet_until=time(0))
    ann, bo = member("Marketing", "ann"), member("Marketing", "bo")
    with browser.opened(live_server, f"marketer-{way.channel}", viewport={"width": 1440, "height": 1100}) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        become(page, live_server, ann)
        page.goto("/admin/campaigns/segment/add/")
        page.fill("#id_name", "People of Shanghai")
        page.click('[data-add="condition"]')
        page.fill('[data-kind="field"] .zb-tokens input', "上海")
        page.wait_for_selector('#count[data-count="4"]')
        page.click("#people [data-more]")
        page.wait_for_selector("#people .zb-faces li")
        page.click("#reachable [data-more]")
        page.wait_for_selector("#reachable details")
        browser.kept(page, f"marketer-{way.channel}-segment")
        page.click('[name="_save"]')
        segment = Segment.objects.get()
        assert segment.current.rule == {"all": [{"field": "city", "is": "in", "value": ["上海"]}]}  # type: ignore[union-attr]

        page.goto("/admin/campaigns/campaign/add/")
        page.fill("#id_name", "Spring")
        page.select_option("#id_purpose", index=1)
        page.select_option("#id_segment", label="People of Shanghai")
        page.select_option("#id_first_channel", way.channel)
        page.fill("#id_held_out", "0")
        page.fill("#id_variants-0-name", "A")
        page.select_option("#id_variants-0-template", index=1)
        browser.kept(page, f"marketer-{way.channel}-form")
        page.click('[name="_continue"]')
        page.wait_for_selector("#audience")
        browser.kept(page, f"marketer-{way.channel}-draft")
        press(page, "submit")

        one = Campaign.objects.get()
        become(page, live_server, bo)
        page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
        page.wait_for_selector("#audience")
        browser.kept(page, f"marketer-{way.channel}-review")
        press(page, "approve")
        page.goto(f"/admin/campaigns/campaign/{one.pk}/rehearsal/")
        browser.kept(page, f"marketer-{way.channel}-rehearsal")
        page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
        press(page, "schedule")
        running.tick(timezone.now())
        assert running.plan(JobRun.objects.get(kind=running.PLAN), timezone.now)
        assert Worker(timezone.now).run(20.0) == {"accepted": 4}
        page.wait_for_selector('[data-count="accepted"]:has-text("4")')
        browser.kept(page, f"marketer-{way.channel}-running")
        running.tick(timezone.now())
        page.goto(f"/admin/campaigns/campaign/{one.pk}/change/")
        assert page.get_attribute("[data-status]", "data-status") == "finished"
        page.goto("/admin/campaigns/campaign/")
        browser.kept(page, f"marketer-{way.channel}-list")
