"""Steps are checked, reviewed by another, and then stay; what cannot work is said at its step."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns.journeys import checking, following, graph, versions
from campaigns.journeys.versions import NotReady
from campaigns.models import Campaign, Journey, JourneyVersion, Segment, Template
from campaigns.rules import RuleError
from campaigns.runs import approving, running
from campaigns.runs.approving import MayNot
from campaigns.runs.transitions import NotPossible
from campaigns.segmenting import segments
from crm.models import Event
from tests import api
from tests.campaigns import factories
from tests.campaigns.journeys.factories import NOW, condition, enter, entry, live, mail, people, purchase, tree, wait
from tests.campaigns.journeys.factories import journey as running_journey
from tests.crm import consents

pytestmark = pytest.mark.django_db
EVERYBODY: dict[str, Any] = {"all": []}


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()
    factories.account()


def draft(name: str = "draft", **facts: Any) -> Journey:
    """Return a journey that nobody has approved anything of."""
    told = {"kind": Campaign.Kind.JOURNEY, "holdout": 0, "status": "draft", "approved_by": None} | facts
    campaign = factories.campaign(name, **told)
    campaign.variants.all().delete()
    return Journey.objects.create(campaign=campaign)


def second() -> User:
    user = User.objects.create(username="second")
    user.user_permissions.add(Permission.objects.get(codename="approve_campaign"))
    return user


def first(journey: Journey) -> User:
    user = journey.campaign.created_by
    assert user is not None
    return user


def found(journey: Journey, told: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(one.step, one.blocking) for one in checking.findings(journey, graph.parse(told))]


def test_a_version_is_submitted_previewed_and_approved_by_another_and_is_walked_from_then_on() -> None:
    journey = draft()
    me, other = first(journey), second()
    version = versions.save(journey, tree("hello", hello=mail()), me, NOW)
    versions.submit(version, me, NOW)
    assert [one.name for one in journey.campaign.variants.all()] == [f"{version.pk} hello A"]
    with pytest.raises(MayNot):
        versions.approve(version, me, NOW)
    with pytest.raises(NotPossible):
        versions.approve(version, other, NOW, seen="0" * 64)
    versions.approve(version, other, NOW, seen=versions.digest(version))
    journey.refresh_from_db()
    assert (journey.live, version.status, versions.holds(version)) == (version, "approved", True)


def test_a_draft_is_saved_over_and_what_was_submitted_is_not() -> None:
    journey = draft()
    me, other = first(journey), second()
    one = versions.save(journey, tree("pause", pause=wait("")), me, NOW)
    assert versions.save(journey, tree("pause", pause=wait("", 60)), me, NOW) == one
    assert versions.save(journey, tree("pause", pause=wait("", 61)), other, NOW).number == 2
    versions.submit(one, me, NOW)
    assert versions.save(journey, tree("pause", pause=wait("", 62)), me, NOW).number == 3
    with pytest.raises(IntegrityError), transaction.atomic():
        JourneyVersion.objects.filter(pk=one.pk).update(graph=tree("pause", pause=wait("", 63)))
    with pytest.raises(NotPossible):
        versions.submit(one, me, NOW)


def test_what_is_sent_back_is_a_draft_again_and_its_messages_are_made_anew() -> None:
    journey = draft()
    me, other = first(journey), second()
    version = versions.save(journey, tree("hello", hello=mail()), me, NOW)
    versions.submit(version, me, NOW)
    with pytest.raises(NotPossible):
        versions.send_back(version, other, NOW, " ")
    versions.send_back(version, other, NOW, "Too loud.")
    template = factories.template("calmer").pk
    versions.save(journey, tree("calm", calm=mail(template=template)), me, NOW)
    version.refresh_from_db()
    assert (version.status, version.sent_back_why) == ("draft", "Too loud.")
    versions.submit(version, me, NOW)
    assert [(one.name, one.template_id) for one in journey.campaign.variants.all()] == [
        (f"{version.pk} calm A", template)
    ]


def test_a_copy_is_a_draft_of_its_own() -> None:
    run = running_journey(tree("pause", pause=wait("")))
    version = run.campaign.journey.live
    assert version is not None
    made = versions.copy(version, run.campaign.created_by, NOW)
    assert (made.number, made.status, made.graph) == (2, "draft", version.graph)


@pytest.mark.parametrize(
    "told",
    [
        tree("a", a=wait("b"), b=wait("a")),
        tree("a", a=wait("b", 59), b=condition(EVERYBODY, yes="a")),
        tree("a", a=purchase("a", "")),
    ],
)
def test_a_loop_without_end_or_without_a_wait_is_refused_when_saved(told: dict[str, Any]) -> None:
    journey = draft()
    with pytest.raises(RuleError):
        versions.save(journey, told, None, NOW)
    assert not journey.versions.exists()


def test_each_thing_that_is_wrong_is_said_at_its_step() -> None:
    journey = draft()
    gone = factories.template("gone")
    Template.objects.filter(pk=gone.template_id).update(archived_at=NOW)
    old = Segment.objects.create(name="old", created_at=NOW)
    segments.save(old, EVERYBODY, None, NOW)
    Segment.objects.filter(pk=old.pk).update(archived_at=NOW)
    assert found(journey, tree("a", a=wait(""))) == []
    assert found(journey, tree("a", a=wait(""), b=wait(""))) == [("b", True)]
    assert found(journey, tree("a", a=mail(template=gone.pk))) == [("a", True)]
    assert found(journey, tree("a", a=mail(template=2**30))) == [("a", True)]
    assert found(journey, tree("a", a=condition({"segment": old.pk}))) == [("a", True)]
    assert found(journey, tree("a", a=condition({"segment": 2**30}))) == [("a", True)]
    assert found(journey, tree("a", {"kind": "event", "event": "journey_step"}, a=wait(""))) == [("", True)]
    assert found(journey, tree("a", a={"kind": "best_hour"})) == [("a", False)]
    api.run("response")
    assert found(journey, tree("a", a={"kind": "best_hour"})) == []
    churn = {"score": "churn", "is": "at_least", "value": 0.5}
    assert found(journey, tree("a", a=condition(churn))) == [("a", False)]
    assert found(journey, tree("a", a={"kind": "webhook", "name": "x"})) == [("a", False)]
    # No form for it, no account of it, and the journey does not go by it.
    assert found(journey, tree("a", a=mail() | {"channels": ["sms"]})) == [("a", True)] * 3
    journey.leave_at_goal = False
    assert found(journey, tree("a", a=wait(""))) == [("", False)]


def test_models_are_asked_only_where_a_step_goes_by_one() -> None:
    journey, asked = draft(), {}
    for kind in ("exit", "best_hour"):
        with CaptureQueriesContext(connection) as queries:
            found(journey, tree("a", a={"kind": kind}))
        asked[kind] = any("mlengine_predictionrun" in query["sql"] for query in queries)
    assert asked == {"exit": False, "best_hour": True}


def test_what_cannot_be_walked_is_not_submitted_nor_approved() -> None:
    journey = draft()
    me, other = first(journey), second()
    template = factories.template("soon gone")
    version = versions.save(journey, tree("hello", hello=mail(template=template.pk)), me, NOW)
    versions.submit(version, me, NOW)
    Template.objects.filter(pk=template.template_id).update(archived_at=NOW)
    with pytest.raises(NotReady) as error:
        versions.approve(version, other, NOW)
    assert [one.step for one in error.value.findings] == ["hello"]


def test_a_journey_is_approved_once_a_version_of_its_steps_is() -> None:
    journey = draft()
    me, other = first(journey), second()
    with pytest.raises(approving.NotReady):
        approving.submit(journey.campaign, me, NOW)
    version = versions.save(journey, tree("hello", hello=mail()), me, NOW)
    versions.submit(version, me, NOW)
    versions.approve(version, other, NOW)
    approving.submit(journey.campaign, me, NOW)
    approving.approve(journey.campaign, other, NOW)
    running.schedule(journey.campaign, me, "", NOW)
    running.tick(NOW)
    journey.campaign.refresh_from_db()
    assert (journey.campaign.status, journey.campaign.runs.get().status) == ("running", "sending")
    # Another version needs no approval of the campaign.
    live(journey, tree("pause", pause=wait("")))
    assert approving.holds(journey.campaign)


def test_a_journey_whose_segment_changed_after_its_approval_pauses_itself() -> None:
    asked = Segment.objects.create(name="asked", created_at=NOW)
    segments.save(asked, EVERYBODY, None, NOW)
    run = running_journey(tree("a", a=condition({"segment": asked.pk})))
    assert following.pause_unapproved(NOW) == 0
    segments.save(asked, {"field": "city", "is": "is", "value": "Beijing"}, None, NOW)
    assert following.pause_unapproved(NOW) == 1
    run.campaign.refresh_from_db()
    assert run.campaign.status == "paused"


def test_whoever_is_on_the_way_stays_there_while_the_journey_is_changed() -> None:
    (person,) = people(1)
    way = running_journey(tree("pause", pause=wait(""))).campaign
    Campaign.objects.filter(pk=way.pk).update(status="scheduled", next_run_at=NOW)
    way.runs.all().delete()
    running.tick(NOW)
    run = way.runs.get()
    assert enter(run, person) == 1
    Campaign.objects.filter(pk=run.campaign_id).update(status="paused")
    run.campaign.refresh_from_db()
    approving.changed(run.campaign, NOW)
    assert following.follow(NOW + timedelta(days=2)) == 0
    assert entry(run, person).status == "walking"
    run.refresh_from_db()
    assert run.status == "sending"
    assert Event.objects.filter(kind="journey_step").count() == 0
    writer, boss = (User.objects.get(username=name) for name in ("writer", "boss"))
    approving.submit(run.campaign, writer, NOW)
    approving.approve(run.campaign, boss, NOW)
    running.schedule(run.campaign, writer, "", NOW)
    running.tick(NOW)
    assert following.follow(NOW + timedelta(days=2)) == 1
    assert (entry(run, person).status, run.campaign.runs.count()) == ("completed", 1)
