"""Kill erasures again and again, at any statement: all of them end, once, and leave nothing.

Each person's request is worked on by one process after another, each of which kills itself with SIGKILL before its
n-th statement: in a transaction, between two, between the work of a step and its receipt.
"""

import signal
from random import Random
from typing import Any

PEOPLE, MOST_KILLS = 8, 8


def run(people: int = PEOPLE, most_kills: int = MOST_KILLS) -> list[dict[str, Any]]:
    """Return what was done and what came wrong."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.utils import timezone

    from crm import lake, shred_journal
    from crm.models import Event, Profile
    from tests import factories
    from tests.api import event
    from tests.crm.requests import approved
    from tests.crm.test_erasure_faults import finish, left_of, work_until_killed

    call_command("migrate", verbosity=0)
    chance = Random(11)
    persons = [factories.profile(f"person-{number}", name=f"Name {number}") for number in range(people)]
    for person in persons:
        for _ in range(20):
            event(person, properties={"note": f"of {person.pk}"})
    lake.export(timezone.now())
    requests = [approved("erasure", person) for person in persons]
    kills = 0
    for request in requests:
        for _ in range(chance.randrange(1, most_kills)):
            kills += work_until_killed(request, chance.randrange(5, 80)) == -signal.SIGKILL
        finish(request)
    lines = [shred.request for shred in shred_journal.read()]
    gone = [person.pk for person in persons]
    return [
        {
            "name": "erasure under SIGKILL",
            "done": {"people": people, "kills": kills, "journal lines": len(lines)},
            "wrong": {
                "people left": Profile.objects.filter(pk__in=gone).count(),
                "events left": Event.objects.filter(profile__in=gone).count(),
                "relations left": sum(len(left_of(pk)) for pk in gone),
                "lines missing or doubled": len(set(map(str, lines)) ^ {str(one.reference) for one in requests})
                + len(lines)
                - len(set(lines)),
                "lake rows left": lake.manifest().rows if lake.manifest() else 0,  # type: ignore[union-attr]
            },
        }
    ]
