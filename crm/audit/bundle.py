"""The audit bundle of this installation: what an officer hands to somebody who trusts neither us nor our database."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from crm import checkpoints, verify
from crm.audit import extras, records, report, selection
from crm.audit.archive import Archive
from crm.audit.compose import Content, NotInTheLedger, merged, write
from crm.audit.query import BadQuery, Query
from crm.canonical import canonical
from crm.ledger import ProofError
from crm.models import Checkpoint, CheckpointCopy, Notice

SOFTWARE = "Zhiyin 0.1.0"
MOST_EARLIER = 400  # the newest earlier checkpoints, at most one a day: each is one more signature to check


def export(
    path: Path, query: Query, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Write the bundle that answers the query, whole or not at all, and return its manifest.

    The same query gives the same bytes, in any process, time zone and locale, for as long as nobody in it is erased or
    merged and the log of accesses reaches back that far.

    Raises
    ------
    BadQuery
        There is no such checkpoint.
    NotInTheLedger
        The database does not hold what was signed; nothing is exported.
    """
    with _one_view_of_all():
        try:
            checkpoint = Checkpoint.objects.get(size=query.size)
        except Checkpoint.DoesNotExist:
            raise BadQuery(f"There is no checkpoint of {query.size} records.") from None
        return write(path, _content(query, checkpoint, progress))


@contextmanager
def _one_view_of_all() -> Iterator[None]:
    """Read everything as it is at one moment, so that an erasure in between leaves no half of a person."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _content(query: Query, checkpoint: Checkpoint, progress: Callable[[int, int], None]) -> Content:
    span = None if query.is_whole else selection.select(query)
    people = records.People(query.pseudonym_key())
    shown = records.records(selection.numbers(query), people, clear=query.clear_text)
    hidden = iter(()) if query.is_whole else records.hidden(query.size, selection.numbers(query))
    total = selection.count(query)
    signer = checkpoints.signer()
    return Content(
        software=SOFTWARE,
        key=signer.verifier_key,
        old_keys=sorted(settings.LEDGER_OLD_KEYS),
        size=checkpoint.size,
        root=checkpoint.root,
        checkpoint=checkpoint.note,
        earlier=_earlier(checkpoint, query),
        query=query.told(list(people.tokens(query.people).values())),
        time_zone=settings.TIME_ZONE,
        period=query.period,
        range=span if total < query.size else None,  # where nothing is hidden there is nothing to say of it
        records=merged(shown, hidden),
        notices=_notices,
        extras=partial(extras.write, query=query, checkpoint=checkpoint, people=people),
        texts=partial(_texts, query=query),
        sign=signer.seal,
        progress=lambda done: progress(done, total),
    )


def _texts(files: Archive, manifest: dict[str, Any], *, query: Query) -> dict[str, bytes]:
    return {
        "report.html": report.html(files, manifest, language=query.language).encode(),
        "README.txt": report.readme().encode(),
        "context.jsonld": verify.canonical(report.CONTEXT),
        "verify.py": Path(verify.__file__).read_bytes(),
    }


def _earlier(checkpoint: Checkpoint, query: Query) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the checkpoints that others may hold (published, or asked for), with proofs that we go on from them."""
    for size in sorted({*_published(checkpoint.size, checkpoint.created_at), *query.compare}):
        note = Checkpoint.objects.filter(size=size).values_list("note", flat=True).first()
        if note is None or not 0 < size < checkpoint.size:
            raise BadQuery(f"There is no earlier checkpoint of {size} records to compare with.")
        try:
            yield note, checkpoints.consistency(size, checkpoint.size)
        except ProofError as error:
            raise BadQuery(str(error)) from error


def _published(size: int, at: datetime) -> list[int]:
    """Return the sizes that were given to others before this checkpoint, the last of each day."""
    copies = CheckpointCopy.objects.made().filter(checkpoint_id__lt=size, checkpoint_id__gt=0, copied_at__lte=at)
    last_of_day: dict[object, int] = {}
    for number, copied_at in copies.order_by("checkpoint_id").values_list("checkpoint_id", "copied_at"):
        last_of_day[copied_at.date()] = number
    return sorted(set(last_of_day.values()))[-MOST_EARLIER:]


def _notices(digests: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the notices whose words records refer to by these hashes."""
    missing = set(digests)
    for notice in Notice.objects.filter(digest__in=missing).order_by("digest"):
        told = {"code": notice.code, "version": notice.version, "items": notice.items, "texts": notice.texts}
        whole = canonical({**told, "material": notice.is_material})
        if sha256(whole).hexdigest() != notice.digest:
            raise NotInTheLedger(f"The notice {notice} is not what was published; `manage.py ledger fsck` says more.")
        missing.discard(notice.digest)
        yield notice.digest, json.loads(whole)
    if missing:
        raise NotInTheLedger(f"The notice with the digest {min(missing)} is missing.")
