"""A job that definitely reached nobody: each of its people gets what the campaign says comes next, if anything."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from campaigns.bulk.jobs import PIECE
from campaigns.delivering import fallback
from campaigns.models import BulkJob, Delivery
from crm.copying import text_array

# People before their deliveries, as everybody locks them (``campaigns.delivering.handing_off``).
PEOPLE = """
SELECT 1 FROM crm_profile WHERE id IN (SELECT profile_id FROM campaigns_delivery WHERE id = ANY (%s::uuid[]))
ORDER BY id FOR KEY SHARE
"""
Status = Delivery.Status


def fail(job: BulkJob, reason: str, now: datetime, *, follow: bool = True) -> int:
    """Call failed whom the provider had taken and of whom nothing else is known; return how many."""
    rows = Delivery.objects.filter(job=job, status=Status.ACCEPTED).order_by("pk").values_list("pk", flat=True)
    done = 0
    while some := list(rows[:PIECE]):
        done += _fail(some, reason, now, follow=follow)
    return done


def _fail(some: Sequence[UUID], reason: str, now: datetime, *, follow: bool) -> int:
    facts: dict[str, Any] = {"status": Status.FAILED, "reason": reason[:64], "ended_at": now, "logged": False}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(PEOPLE, [text_array(map(str, some))])
        held = Delivery.objects.filter(pk__in=some, status=Status.ACCEPTED).select_for_update(of=("self",))
        rows = list(held.order_by("pk").select_related("run__campaign__purpose", "profile"))
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(**facts)
        for row in rows if follow else ():
            fallback.follow(row, now)
    return len(rows)
