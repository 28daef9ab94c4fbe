"""The pages of journeys: steps saved and looked at, two pairs of eyes, people who are stuck, versions compared."""

from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from campaigns.journeys import versions
from campaigns.journeys.reasons import Reason
from campaigns.models import Campaign, Journey, JourneyEntry, JourneyVersion
from tests.campaigns.journeys import factories
from tests.campaigns.journeys.factories import NOW, condition, enter, entry, people, tree, wait
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

Status = JourneyEntry.Status
THREE = tree("one", one=wait("two"), two=condition({"all": []}, yes="out"), out={"kind": "exit"})


def address(name: str, journey: int) -> str:
    return reverse(f"admin:campaigns_journey_{name}", args=[journey])


def marketer(name: str = "mark") -> Client:
    return logged_in(member("Marketing", name))


def draft(graph: dict[str, Any] = THREE) -> Journey:
    """Return a journey that nobody has approved yet."""
    run = factories.journey(graph)
    Campaign.objects.update(status="draft", submitted_by=None, approved_by=None, approved_digest="", approved_at=None)
    Journey.objects.update(live=None)
    JourneyVersion.objects.all().delete()
    journey = Journey.objects.get(pk=run.campaign_id)
    versions.save(journey, graph, None, NOW)
    return journey


def sent(browser: Client, journey: int, graph: Any, **facts: str) -> Any:
    told = {"graph": orjson.dumps(graph).decode(), **facts}
    return browser.post(address("save", journey), told)


def test_what_is_drawn_is_saved_as_a_draft_and_what_a_colleague_saved_meanwhile_stays() -> None:
    pk, browser, changed = draft().pk, marketer(), {**THREE, "first": "two"}
    base = browser.get(address("canvas", pk)).context["data"]["newest"]
    saved = sent(browser, pk, changed, base=base, note="Begins later").json()
    version = JourneyVersion.objects.get(pk=saved["version"])
    assert (version.number, version.status, version.note, version.graph) == (2, "draft", "Begins later", changed)
    late = sent(marketer("mia"), pk, THREE, base=base)
    assert late.status_code == 409
    assert "version 2" in late.json()["problem"]
    assert JourneyVersion.objects.count() == 2
    assert sent(marketer("max"), pk, THREE, base=base, anyway="1").status_code == 200
    assert JourneyVersion.objects.get(number=2).graph == changed


def test_what_cannot_be_walked_is_not_saved_and_said_at_its_step() -> None:
    pk, browser = draft().pk, marketer()
    round_ = tree("one", one=wait("two"), two=wait("one"))
    answer = sent(browser, pk, round_, anyway="1")
    assert answer.status_code == 400
    assert {one["step"] for one in answer.json()["findings"]} == {"one"}
    broken = tree("one", one={"kind": "wait", "minutes": 0}, two={"kind": "nothing"}, three=wait("one"))
    told = browser.post(address("check", pk), {"graph": orjson.dumps(broken).decode()}).json()
    assert [one["step"] for one in told["findings"]] == ["one", "two"]  # one that is wrong hides no other
    for garbage in ("", "[]", "{", "null", '{"steps": 3}', '{"steps": {"a": 1}}', "[" * 9000):
        assert browser.post(address("check", pk), {"graph": garbage}).status_code in {200, 400}
        assert browser.post(address("save", pk), {"graph": garbage, "anyway": "1"}).status_code == 400
    assert JourneyVersion.objects.count() == 1


def test_two_people_start_a_journey_and_who_asked_cannot_approve() -> None:
    pk, browser, officer = draft().pk, marketer(), logged_in(member("Compliance", "officer"))
    do = {verb: reverse("admin:campaigns_journey_do", args=[pk, verb]) for verb in ("submit", "approve", "refuse")}
    browser.post(do["submit"])
    assert JourneyVersion.objects.get().status == "in_review"
    browser.post(do["approve"])
    assert JourneyVersion.objects.get().status == "in_review"
    officer.post(do["refuse"], {"reason": "Too soon"})
    assert JourneyVersion.objects.get().sent_back_why == "Too soon"
    assert "Too soon" in browser.get(address("canvas", pk)).content.decode()
    browser.post(do["submit"])
    page = officer.get(address("canvas", pk)).context
    officer.post(do["approve"], {"seen": page["seen"], "seen_settings": page["seen_settings"]})
    journey = Journey.objects.get()
    assert journey.live is not None
    assert (journey.live.status, journey.campaign.status) == ("approved", "approved")
    assert journey.campaign.submitted_by != journey.campaign.approved_by


@pytest.fixture
def stuck() -> tuple[int, list[JourneyEntry]]:
    """Return a journey of which three people failed at the first step."""
    run = factories.journey(THREE)
    some = people(3)
    enter(run, *some, key="key")
    JourneyEntry.objects.update(status=Status.FAILED, reason=Reason.RULE, ended_at=NOW)
    return run.campaign_id, [entry(run, one) for one in some]


def test_who_is_stuck_is_seen_and_tried_again_sent_on_moved_or_taken_out(
    stuck: tuple[int, list[JourneyEntry]],
) -> None:
    pk, (one, two, three) = stuck
    browser, do = marketer(), address("people_do", pk)
    shown = browser.get(address("people", pk) + "?status=failed").content.decode()
    assert shown.count("cannot be read any more") == 4  # of each, and among the reasons
    at = {"step": "one", "status": "failed", "part": "1"}
    browser.post(do, {**at, "verb": "retry", "entry": str(one.pk)})
    browser.post(do, {**at, "verb": "move", "to": "out", "entry": str(two.pk)})
    told = browser.post(do, {**at, "verb": "remove", "all": "1"}).content.decode()
    assert "Done for 1 person." in told
    for row in (one, two, three):
        row.refresh_from_db()
    assert [(row.status, row.step) for row in (one, two)] == [(Status.WALKING, "one"), (Status.WALKING, "out")]
    assert (three.status, three.reason) == (Status.LEFT, Reason.REMOVED)
    way = browser.get(reverse("admin:campaigns_journeyentry_change", args=[two.pk])).content.decode()
    assert "moved elsewhere" in way
    assert browser.post(do, {**at, "verb": "explode", "all": "1"}).status_code == 200
    assert browser.post(do, {**at, "verb": "skip", "entry": "x" * 36}).status_code in {200, 400}


def test_who_may_not_run_journeys_changes_nobody_and_who_sees_no_people_sees_none(
    stuck: tuple[int, list[JourneyEntry]],
) -> None:
    pk, _entries = stuck
    officer, analyst = logged_in(member("Compliance", "officer")), logged_in(member("Analyst", "wang"))
    assert officer.post(address("people_do", pk), {"verb": "remove", "all": "1"}).status_code == 403
    assert analyst.get(address("people", pk)).status_code == 403
    assert analyst.get(address("counts", pk)).json() == {"steps": {}}, "nor exact numbers of them"
    assert JourneyEntry.objects.filter(status=Status.FAILED).count() == 3


def test_two_versions_are_compared_in_words() -> None:
    journey = draft()
    later = {**THREE, "steps": {**THREE["steps"], "one": wait("two", 2880), "end": {"kind": "goal"}}}
    del later["steps"]["out"]
    later["steps"]["two"] = condition({"all": []}, yes="end")
    browser = marketer()
    sent(browser, journey.pk, later, anyway="1")
    first, second = JourneyVersion.objects.order_by("number")
    page = browser.get(address("compare", journey.pk) + f"?one={first.pk}&other={second.pk}")
    found = page.context["found"]
    assert (set(found.added), set(found.removed), set(found.changed)) == ({"end"}, {"out"}, {"one", "two"})
    (wait_,) = found.changed["one"][1]
    assert (wait_.before, wait_.after) == ("1 day", "2 days")


def test_the_list_of_forms_changes_adds_and_removes_steps() -> None:
    pk, browser = draft().pk, marketer()
    page = browser.get(address("steps", pk))
    assert [one["key"] for one in page.context["steps"]] == ["one", "two", "out"]
    told = {
        "first": "one", "one.title": "A while", "one.minutes": "90", "one.ways.next": "two",
        "two.rule": '{"all": []}', "two.ways.yes": "out", "out.remove": "1",
        "add": "goal", "behind": "two", "add_it": "1",
    }  # fmt: skip
    browser.post(address("steps", pk), told)
    steps = JourneyVersion.objects.order_by("-number")[0].graph["steps"]
    assert (steps["one"]["title"], steps["one"]["minutes"]) == ("A while", 90)
    assert set(steps) == {"one", "two", "goal-1"}
    assert steps["two"]["ways"] == {"yes": "goal-1", "no": ""} or steps["two"]["ways"] == {"yes": "goal-1"}
    wrong = browser.post(address("steps", pk), told | {"one.minutes": "soon"})
    assert wrong.status_code == 200
    assert 'value="soon"' in wrong.content.decode()
