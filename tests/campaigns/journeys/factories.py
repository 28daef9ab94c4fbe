"""Journeys for tests, as plain functions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Permission, User

from campaigns.journeys import entering, versions
from campaigns.journeys.entering import Occasion
from campaigns.models import Campaign, Delivery, Journey, JourneyEntry, JourneyVersion, Run
from campaigns.runs import approving
from campaigns.runs.triggers import horizon
from crm import ingest
from crm.models import Event, Profile
from tests import factories as crm
from tests.campaigns import factories
from tests.campaigns.test_running import _settle as settle

NOW = factories.NOW
DAY = timedelta(days=1)


def wait(to: str, minutes: int = 1440) -> dict[str, Any]:
    return {"kind": "wait", "minutes": minutes, "ways": {"next": to}}


def condition(rule: dict[str, Any], yes: str = "", no: str = "") -> dict[str, Any]:
    return {"kind": "condition", "rule": rule, "ways": {"yes": yes, "no": no}}


def purchase(yes: str = "", no: str = "", minutes: int = 1440) -> dict[str, Any]:
    return {"kind": "wait_for_event", "event": "purchase", "minutes": minutes, "ways": {"came": yes, "not": no}}


def mail(to: str = "", template: int | None = None) -> dict[str, Any]:
    told = template or factories.template(f"mail {uuid4()}").pk
    return {
        "kind": "send",
        "channels": ["email"],
        "variants": [{"name": "A", "template": told}],
        "ways": {"next": to},
    }


def tree(first: str, trigger: dict[str, Any] | None = None, **steps: dict[str, Any]) -> dict[str, Any]:
    return {"trigger": trigger or {"kind": "api"}, "first": first, "steps": steps}


def journey(graph: dict[str, Any], name: str = "way", **facts: Any) -> Run:
    """Return the run of a journey that is under way, nobody held out unless it is said."""
    of_journey = {key: facts.pop(key) for key in ("again", "again_after", "leave_at_goal") if key in facts}
    told = {"holdout": 0, "kind": Campaign.Kind.JOURNEY, "goal": Event.Kind.PURCHASE} | facts
    campaign = factories.campaign(name, **told)
    campaign.variants.all().delete()
    made = Journey.objects.create(campaign=campaign, **of_journey)
    live(made, graph)
    made.refresh_from_db()
    User.objects.get(username="boss").user_permissions.add(Permission.objects.get(codename="approve_campaign"))
    Campaign.objects.filter(pk=campaign.pk).update(approved_digest=approving.digest(campaign))
    return Run.objects.create(
        pk=uuid4(),
        campaign=campaign,
        key="journey",
        salt="salt",
        status=Run.Status.SENDING,
        starts_at=NOW,
        planned_at=NOW,
        read_until=horizon(),
    )


def live(journey: Journey, graph: dict[str, Any]) -> JourneyVersion:
    """Return a version that newcomers begin from now on."""
    campaign = journey.campaign
    version = JourneyVersion.objects.create(
        journey=journey,
        number=journey.versions.count() + 1,
        graph=graph,
        made_at=NOW,
        submitted_by=campaign.submitted_by,
        approved_by=campaign.approved_by,
        approved_at=NOW,
    )
    version.approved_digest = versions.digest(version)
    version.save()
    versions.adopt(version)
    return version


def people(number: int, **facts: Any) -> list[Profile]:
    """Return people of whom nothing else is known: who is not written to needs no address and no consent."""
    blank = {"created_at": NOW, "updated_at": NOW, "age_class": Profile.AgeClass.ADULT}
    return Profile.objects.bulk_create(Profile(**blank | facts) for _one in range(number))


def enter(run: Run, *people: Profile, key: str = "key", now: Any = NOW) -> int:
    return entering.enter(run, [Occasion(profile=one.pk, key=key) for one in people], now)


def entry(run: Run, person: Profile) -> JourneyEntry:
    return JourneyEntry.objects.get(run=run, profile=person)


def happens(kind: str, person: Profile, at: datetime, name: str = "", received: datetime | None = None) -> None:
    """Write an event, and wait until no older session is open: a look at the log waits for it, too."""
    key = f"{kind} {person.pk} {at}"
    told = ingest.NewEvent(
        kind=kind, profile_id=person.pk, occurred_at=at, received_at=received or at, name=name, message_id=key
    )
    ingest.record_many(crm.source(), [told], now=at)
    settle()


def happen(kind: str, people: Sequence[Profile], at: datetime) -> None:
    """Write an event of each, and wait as above."""
    told = [
        ingest.NewEvent(
            kind=kind, profile_id=one.pk, occurred_at=at, received_at=at, message_id=f"{kind} {one.pk} {at}"
        )
        for one in people
    ]
    ingest.record_many(crm.source(), told, now=at)
    settle()


def path(run: Run, person: Profile) -> list[tuple[str, str]]:
    """Return which steps somebody left, and with what outcome, as the log has it."""
    told = Event.objects.filter(profile=person, kind="journey_step", properties__campaign=run.campaign_id)
    events = told.order_by("occurred_at", "id")
    return [(event.properties["step"], event.properties["outcome"]) for event in events]


def messages(run: Run, person: Profile) -> list[Delivery]:
    return list(Delivery.objects.filter(run=run, profile=person).order_by("due_at"))
