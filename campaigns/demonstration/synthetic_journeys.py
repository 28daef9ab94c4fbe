"""Two journeys that have been running for some weeks: winning back whom the model gives up, and welcoming newcomers.

The people and their scores are the sample's; that they entered, and what was sent to them, is made up. They were walked
day by day by the verbs that walk anybody, through the same gate, to the imitation of a mail provider: nothing has left.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from campaigns.delivering import outbox
from campaigns.delivering.worker import Worker
from campaigns.journeys import entering, starting, versions, walking
from campaigns.journeys.entering import Occasion
from campaigns.models import Campaign, Journey, JourneyVersion, Run
from campaigns.runs import approving, experiments, running
from campaigns.runs import starting as runs_starting
from campaigns.segmenting import segments
from crm.models import Channel, Purpose

WAVES, APART = 12, timedelta(days=2)
NOON = 4  # o'clock in UTC: it is noon in Shanghai
PATIENCE = 20.0
# By the journey to start from: what it is called here, and how many enter in each wave.
JOURNEYS: Mapping[str, tuple[str, int]] = {
    "win_back": ("Win back, step by step (demonstration)", 44),
    "welcome": ("Welcome (demonstration)", 30),
}


def seed(users: Sequence[User], now: datetime) -> bool:
    """Write the journeys and walk them until now; tell whether they were not there already.

    ``users`` are who asks for the approvals and who gives them; without two of them there is nothing.
    """
    names = [name for name, _wave in JOURNEYS.values()]
    purpose = Purpose.objects.filter(code="marketing").first()
    if len(users) < 2 or purpose is None or Campaign.objects.filter(name__in=names).exists():
        return False
    since = now.replace(hour=NOON, minute=0, second=0, microsecond=0) - WAVES * APART
    with transaction.atomic():
        runs = {key: _running(key, purpose, users, since) for key in JOURNEYS}
    meant = {key: _meant(run, since) for key, run in runs.items()}
    for wave in range(WAVES):
        at = since + wave * APART
        for key, run in runs.items():
            many = JOURNEYS[key][1]
            _enter(run, meant[key][wave * many : (wave + 1) * many], at)
        _walk(list(runs.values()), at + timedelta(minutes=5))
    outbox.tell_log(now)
    return True


def _running(key: str, purpose: Purpose, users: Sequence[User], since: datetime) -> Run:
    """Begin a journey, have it approved by the other one, and let it run."""
    asks, approves = users[0], users[1]
    journey = starting.begin(
        starting.starter(key), name=JOURNEYS[key][0], purpose=purpose, on=[Channel.EMAIL], by=asks, now=since
    )
    version = JourneyVersion.objects.get(journey=journey)
    versions.submit(version, asks, since)
    versions.approve(version, approves, since)
    campaign = Journey.objects.get(pk=journey.pk).campaign
    approving.submit(campaign, asks, since)
    approving.approve(campaign, approves, since)
    running.schedule(campaign, approves, "", since)
    run = runs_starting.start_due(campaign.pk, since)
    if run is None:
        raise RuntimeError(f"{campaign} did not begin")
    return Run.objects.select_related("campaign__purpose", "campaign__segment", "campaign__journey").get(pk=run.pk)


def _meant(run: Run, since: datetime) -> list[int]:
    """Return who may enter, in an order that has to do with nothing else."""
    rule = segments.rule_of(run.campaign.segment)
    people = segments.fetched(segments.compile(rule, since))
    drawn = experiments.uniform("demonstration", people.tolist())
    return [int(person) for person in people[np.argsort(drawn)]]


def _enter(run: Run, people: Sequence[int], at: datetime) -> None:
    entering.enter(run, [Occasion(profile=person, key=f"demonstration {person}") for person in people], at)


def _walk(runs: Sequence[Run], at: datetime) -> None:
    """Lead on who is due, and send what they wrote to the imitation, as of a moment."""
    for run in runs:
        while walking.walk(run, at) == walking.AT_ONCE:
            pass
    Worker(lambda: at).run(PATIENCE)
