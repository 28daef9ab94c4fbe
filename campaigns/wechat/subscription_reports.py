"""What a mini program says that a person answered when she was asked to subscribe: kept, and not believed.

Anybody's phone can say so. A credit counts when the platform's own event tells of the popup, once for each; until then
the report stands beside it as pending: a line of the ledger that changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime

import orjson
from django.db import transaction

from campaigns.models import Credit, Follower
from campaigns.runs.planning import source
from crm import ingest
from crm.models import Event

ANSWERS = ("accept", "reject", "ban", "filter")
MOST = 3  # templates that the platform asks for at once


def take(follower: Follower, answers: Mapping[str, str], key: str, now: datetime) -> int:
    """Write down each template's answer, once for each ``key`` of the asking; return how many accepts are new."""
    with transaction.atomic():
        events = [
            ingest.NewEvent(
                kind=Event.Kind.TRACK.value,
                profile_id=follower.identifier.profile_id,
                occurred_at=now,
                received_at=now,
                message_id=f"subscription:{follower.pk}:{key}:{template}",
                name="Subscription Answered",
                channel="mini_program",
                properties=orjson.dumps(
                    {"account": follower.account_id, "template": template, "answer": answer}
                ).decode(),
            )
            for template, answer in sorted(answers.items())
        ]
        ingest.record_many(source(), events, now=now)
        rows = [
            Credit(
                account=follower.account,
                identifier=follower.identifier,
                template_id=template,
                delta=0,
                source=Credit.Source.REPORT,
                key=f"report:{follower.pk}:{key}:{template}"[:128],
                at=now,
            )
            for template, answer in sorted(answers.items())
            if answer == "accept"
        ]
        before = Credit.objects.filter(key__in=[row.key for row in rows]).count()
        Credit.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows) - before
