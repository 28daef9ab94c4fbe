"""Facts of packages that know nothing of campaigns: consents by the ledger's numbers, scores by finished runs.

The consent ledger's numbers are given by one sequencer, after the commit and without gaps (``crm.sequencer``): who
reads on from the last number misses nothing, whichever transaction ended first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from campaigns import outgoing
from campaigns.models import LedgerReader
from campaigns.outgoing import Fact
from crm.models import ConsentEvent, Leaf
from mlengine.models import PredictionRun

State = ConsentEvent.State
OF_STATE: Mapping[str, str] = {
    State.GIVEN: "consent.given",
    State.RENEWED: "consent.given",
    State.REFUSED: "consent.refused",
    State.WITHDRAWN: "consent.withdrawn",
    State.REVOKED: "consent.withdrawn",
    State.EXPIRED: "consent.withdrawn",
    State.INVALIDATED: "consent.withdrawn",
}
BATCH = 2000
MOST = 100_000  # leaves in one go; the next tick goes on
LATELY = timedelta(days=1)


def follow(now: datetime) -> int:
    """Tell what happened since the last look; return how many messages that are. Any number may look at once."""
    told, read = follow_scores(now), BATCH
    for _turn in range(MOST // BATCH):
        if read < BATCH:
            break
        read, messages = follow_consents(now)
        told += messages
    return told


def follow_consents(now: datetime) -> tuple[int, int]:
    """Tell of the next consents in the ledger; return how many leaves were read and how many messages made.

    Messages and the place up to which was read are committed together. The first look only says from where on.
    """
    with transaction.atomic():
        reader = LedgerReader.objects.select_for_update(skip_locked=True).first()
        if reader is None:
            last = Leaf.objects.aggregate(last=Max("sequence"))["last"]
            LedgerReader.objects.bulk_create(
                [LedgerReader(position=-1 if last is None else last)], ignore_conflicts=True
            )
            return 0, 0
        leaves = list(Leaf.objects.filter(sequence__gt=reader.position).order_by("sequence")[:BATCH])
        if not leaves:
            return 0, 0
        facts = _consents([leaf for leaf in leaves if leaf.kind == ConsentEvent.kind])
        told = outgoing.tell(facts, now)
        LedgerReader.objects.filter(pk=reader.pk).update(position=leaves[-1].sequence)
    return len(leaves), told


def follow_scores(now: datetime) -> int:
    """Tell of the runs that have ended lately; each is one message however often it is looked at."""
    runs = PredictionRun.objects.finished().filter(finished_at__gt=now - LATELY).select_related("version")
    facts = [
        Fact(
            kind="scores.finished",
            key=str(run.pk),
            happened_at=run.finished_at or now,
            data={
                "run": run.pk,
                "spec": run.spec,
                "version": run.version.number,
                "cutoff": run.cutoff.isoformat(),
            },
        )
        for run in runs.order_by("finished_at", "pk")
    ]
    with transaction.atomic():
        return outgoing.tell(facts, now)


def _consents(leaves: list[Leaf]) -> list[Fact]:
    events = ConsentEvent.objects.select_related("person").in_bulk([leaf.record for leaf in leaves])
    found = [(leaf.sequence, events[leaf.record]) for leaf in leaves if leaf.record in events]
    return [
        Fact(
            kind=OF_STATE[event.state],
            key=str(event.pk),
            happened_at=event.received_at,
            profile=event.person.profile_id,
            data={
                "event": str(event.pk),
                "leaf": sequence,
                "purpose": event.purpose_id,
                "channel": event.channel,
                "state": event.state,
                "method": event.method,
            },
        )
        for sequence, event in found
        if event.state in OF_STATE and hasattr(event, "person")  # who was erased since is not told of
    ]
