"""The canvas of a journey in a real browser: steps are hung, carried, connected, taken back and saved."""

from typing import Any

import pytest

from campaigns.models import JourneyVersion
from crm.models import Event
from tests import browser
from tests.campaigns import factories as campaigns
from tests.campaigns.journeys import factories

pytestmark = [*browser.MARKS, pytest.mark.slow, pytest.mark.nightly]


def drawn() -> tuple[int, dict[str, Any]]:
    """Return a journey of which two steps stand on the canvas, with a message that can be sent."""
    campaigns.template("Hello")
    run = factories.journey(
        factories.tree("wait-1", **{"wait-1": factories.wait("exit-1"), "exit-1": {"kind": "exit"}})
    )
    return run.campaign_id, JourneyVersion.objects.get().graph


def newest() -> dict[str, Any]:
    found: dict[str, Any] = JourneyVersion.objects.order_by("-number")[0].graph
    return found


def test_steps_are_drawn_connected_taken_back_and_saved(live_server: Any) -> None:
    pk, _graph = drawn()
    with browser.opened(live_server, "canvas", viewport={"width": 1440, "height": 1000}) as page:
        browser.let_in(page, live_server)
        page.goto(f"/admin/campaigns/journey/{pk}/canvas/")
        page.wait_for_selector("#journey[data-ready]")
        # A click hangs a step on what is chosen, between it and what followed.
        page.click('.jc-card[data-key="wait-1"]')
        page.keyboard.press("Escape")
        page.focus('.jc-card[data-key="wait-1"]')
        page.keyboard.press("a")
        page.click('[data-pick="wait_for_event"]')
        page.fill("[data-side] [name=minutes]", "5")
        page.select_option('[data-side] [data-way="came"]', label="Exit: The journey ends without its goal.")
        # A tile is carried onto the line to the first step, and stands between.
        page.keyboard.press("Escape")
        page.click("#journey", position={"x": 30, "y": 30})
        tile, card = page.locator('[data-kind="random_split"]'), page.locator('.jc-card[data-key="@start"]')
        start = card.bounding_box()
        tile.hover()
        page.mouse.down()
        page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] + 20, steps=8)
        page.mouse.up()
        page.wait_for_selector('.jc-card[data-key="random_split-1"]')
        # What was done is undone and done again.
        page.click("[data-undo]")
        page.wait_for_selector('.jc-card[data-key="random_split-1"]', state="detached")
        page.click("[data-redo]")
        page.wait_for_selector('.jc-card[data-key="random_split-1"]')
        page.fill("[data-note]", "Waits for a purchase")
        page.click("[data-save]")
        page.wait_for_selector("[data-state]:has-text('saved')")
        page.wait_for_url("**version=*")
        browser.kept(page, "canvas-built")
    steps = newest()["steps"]
    assert newest()["first"] == "random_split-1"
    assert steps["random_split-1"]["ways"] == {"A": "wait-1"}
    assert steps["wait-1"]["ways"] == {"next": "wait_for_event-1"}
    assert steps["wait_for_event-1"]["ways"] == {"came": "exit-1"}
    assert steps["wait_for_event-1"]["minutes"] == 5 * 7 * 1440  # the field was in weeks
    assert JourneyVersion.objects.order_by("-number")[0].note == "Waits for a purchase"


def test_a_rule_is_built_with_the_builder_of_segments(live_server: Any) -> None:
    asks = {"kind": "condition", "rule": {"all": []}, "ways": {"yes": "exit-1"}}
    run = factories.journey(factories.tree("ask", ask=asks, **{"exit-1": {"kind": "exit"}}))
    with browser.opened(live_server, "canvas-rule", viewport={"width": 1440, "height": 1000}) as page:
        browser.let_in(page, live_server)
        page.goto(f"/admin/campaigns/journey/{run.campaign_id}/canvas/")
        page.wait_for_selector("#journey[data-ready]")
        page.click('.jc-card[data-key="ask"]')
        page.click("[data-rule-of]")
        page.click('[data-rule] [data-add="event"]')
        page.wait_for_selector("[data-rule] #sentence")
        page.click("[data-keep]")
        page.wait_for_selector('.jc-card[data-key="ask"] .jc-says:has-text("purchase")')
        page.keyboard.press("Control+s")
        page.wait_for_selector("[data-state]:has-text('saved')")
        page.wait_for_url("**version=*")
    (asked,) = newest()["steps"]["ask"]["rule"]["all"]
    assert asked["event"] == Event.Kind.PURCHASE
