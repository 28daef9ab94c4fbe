"""After a restore: whoever the journal says was erased, and the backup brought back, is erased again.

It runs the same steps as a request, in a request row of the same reference (the backup may or may not have it), so the
receipts and the ledger's note are there again too. Run twice, it finds nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from crm import carrying_out, shred_journal, suppression
from crm.models import PrivacyRequest, Profile, RequestPause, Suppression
from crm.rights import Kind, Status, answer, note
from crm.shred_journal import Shred

CHUNK = 10_000


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What a replay did: lines read, people erased again, suppressions seen to, requests that could not be finished."""

    lines: int
    people: int
    suppressions: int
    unfinished: int


def replay(clock: Callable[[], datetime]) -> Replayed:
    """Erase again whom the journal names, and suppress their addresses again.

    Raises
    ------
    crm.shred_journal.BadJournal
        The journal was changed, or belongs to another key ring; nothing was done.
    """
    shreds = shred_journal.read()
    keys = sum(_suppress(shred) for shred in shreds)
    back = _back(shreds)
    done = sum(_erase(shred, people, clock) for shred, people in back)
    people = sum(len(people) for _, people in back)
    return Replayed(lines=len(shreds), people=people, suppressions=keys, unfinished=len(back) - done)


def _suppress(shred: Shred) -> int:
    """Suppress the addresses as of the erasure, not of the restore: what was allowed since then stays allowed."""
    keys = [bytes.fromhex(key) for key in shred.suppressed]
    at = datetime.fromisoformat(shred.at)
    return suppression.suppress_keys(keys, "", Suppression.Why.ERASED, now=at, basis="PIPL 47")


def _back(shreds: Sequence[Shred]) -> list[tuple[Shred, list[int]]]:
    """Return the lines whose people are in the database (again), with their profiles."""
    if not shreds:
        return []
    profiles = Profile.objects.order_by("pk").values_list("pk", "created_at").iterator(chunk_size=CHUNK)
    found: dict[str, tuple[Shred, list[int]]] = {}
    for profile, shred in shred_journal.matching(profiles, shreds):
        found.setdefault(shred.request, (shred, []))[1].append(profile)
    return list(found.values())


def _erase(shred: Shred, profiles: list[int], clock: Callable[[], datetime]) -> bool:
    now = clock()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [shred.request])
        request, _made = PrivacyRequest.objects.get_or_create(
            reference=UUID(shred.request),
            defaults={"kind": Kind.ERASURE, "method": "staff", "received_at": now, "verified_at": now},
        )
        # As it was when the steps began, whatever the backup says: it was approved then, or it would not be here.
        RequestPause.objects.filter(request=request, until__isnull=True).update(until=now)
        PrivacyRequest.objects.filter(pk=request.pk).update(
            status=Status.EXECUTING, profiles=profiles, paused_at=None, ended_at=None, unshredded={}
        )
        request.refresh_from_db()
        request.steps.all().delete()
        carrying_out.plan(request)
        note(request, "replayed", now, profiles=len(profiles))
    if not carrying_out.run(request.pk, clock):
        return False
    request.refresh_from_db()
    answer(request, now=clock())
    return True
