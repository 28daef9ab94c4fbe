"""How long it takes to walk a journey of ten steps through the last 90 days of Complete Journey's year.

The sample's own purchases let people in and are what is waited for. Whoever came to the end may come in again, so that
most households walk several times.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

UNTIL = datetime(2018, 1, 1, tzinfo=UTC)  # the sample ends with the year 2017
DAYS, MOST = 90, 60.0


def run() -> list[dict[str, Any]]:
    """Return the seconds of a rehearsal, of the first one in its process and of another."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        from django.utils import timezone

        from crm import complete_journey

        complete_journey.load(timezone.now())
        return measure()


def measure() -> list[dict[str, Any]]:
    """Rehearse twice, and say how many walked."""
    from django.db import connection

    from campaigns.journeys import graph, rehearsing
    from campaigns.models import Delivery, JourneyEntry
    from crm.database_roles import as_owner
    from crm.models import Event
    from tests.campaigns import factories as campaigns
    from tests.campaigns.journeys import factories
    from tests.crm import consents

    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    consents.purpose()
    campaigns.account()
    way = factories.journey(drawn(), again="ended", goal=Event.Kind.REDEEMED)
    read, took = graph.parse(drawn()), []
    assert len(read.steps) == 10
    for _turn in range(2):
        began = time.perf_counter()
        told = rehearsing.rehearse(way.campaign.journey, read, UNTIL - timedelta(days=DAYS), UNTIL)
        took.append(time.perf_counter() - began)
    steps = sum(sum(outcomes.values()) for outcomes in told.passed.values())
    assert not JourneyEntry.objects.exists()
    assert not Delivery.objects.exists()
    name = f"rehearsal of {DAYS} days through 10 steps ({told.entered:,} entries, {steps:,} steps)"
    return [
        {"name": name, "value": took[0], "unit": "s", "yardstick": MOST, "ratio": took[0] / MOST},
        {"name": f"{name}, once more", "value": took[1], "unit": "s", "yardstick": MOST, "ratio": took[1] / MOST},
    ]


def drawn() -> dict[str, Any]:
    """Return a journey of ten steps, with rules over what people bought."""
    from tests.campaigns.journeys.factories import condition, mail, purchase, tree, wait

    often = {"event": "purchase", "measure": {"count": {"is": "at_least", "value": 20}}, "within": {"days": 30}}
    halves = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]
    return tree(
        "pause", {"kind": "event", "event": "purchase"},
        pause=wait("often", 3 * 1440),
        often=condition(often, yes="chance", no="again"),
        chance={"kind": "random_split", "branches": halves, "ways": {"a": "hello", "b": "again"}},
        hello=mail("again"),
        again=purchase("evening", "remind", 7 * 1440),
        evening={"kind": "wait_for_time", "begins": "18:00", "ends": "20:00", "weekdays": [], "ways": {"next": "note"}},
        note={"kind": "update", "set": {"regular": "yes"}, "ways": {"next": "rest"}},
        remind=mail("rest"),
        rest=wait("end", 5 * 1440),
        end={"kind": "goal"},
    )  # fmt: skip
