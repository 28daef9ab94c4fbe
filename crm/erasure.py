"""Erasure: every store that a person is in, one line each, in an order that survives a crash anywhere.

First the stores that mention the person by her names, which are read from her rows; then, in one transaction, the rows
themselves, with the keys of every alias, while her addresses become suppressed; from there on nobody can write about
her. Then the journal outside the database, and what is told by numbers alone. A step that was done is not repeated; one
that was begun is, and finds less to do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from crm import lake, shred_journal
from crm.carrying_out import NotYet, Receipt, Step
from crm.erasers import files, logs, memory, pages, rows, texts
from crm.erasers.subject import Subject, subject_of
from crm.locks import Busy
from crm.models import JobRun, PrivacyRequest

READERS = ("train", "predict", "nightly")  # jobs that may have begun to read the lake


@dataclass(frozen=True, kw_only=True)
class Eraser:
    """How a person leaves one store, and what the officer calls it."""

    title: Any
    erase: Callable[[PrivacyRequest, Subject, datetime], Receipt]


def _person(request: PrivacyRequest, subject: Subject, now: datetime) -> Receipt:
    return rows.forget_person(request, subject, now)


def _journal(request: PrivacyRequest, subject: Subject, now: datetime) -> Receipt:
    request.refresh_from_db(fields=["unshredded"])
    told: Mapping[str, Sequence[str]] = request.unshredded
    if not told:  # a person who was gone already: there is nothing that a backup could bring back by this request
        return {"written": False}
    suppressed = [bytes.fromhex(key) for key in told["suppressed"]]
    return {"written": shred_journal.append(str(request.reference), told["people"], suppressed, now=now)}


def _writers(request: PrivacyRequest, subject: Subject, now: datetime) -> Receipt:
    return rows.settle()


def _lake(request: PrivacyRequest, subject: Subject, now: datetime) -> Receipt:
    # Readers join the people who are there, so the person is out of the lake since her row went; now the bytes go.
    if JobRun.objects.filter(kind__in=READERS, status=JobRun.Status.RUNNING).exclude(pk__in=JobRun.objects.silent(now)):
        raise NotYet("a model is being trained or asked, and reads the files")
    try:
        return {"deleted": lake.shred(now)}
    except Busy:
        raise NotYet("the lake is being written") from None


def _proof(request: PrivacyRequest, subject: Subject, now: datetime) -> Receipt:
    """Count what is left, by every relation to a person that any model declares: it must be nothing."""
    left = {}
    for relation in rows.relations():
        count = relation.related_model._default_manager.filter(
            **{f"{relation.field.name}__in": subject.profiles}
        ).count()
        if count:
            left[f"{relation.related_model._meta.label}.{relation.field.name}"] = count
    if left:
        raise RuntimeError(f"Rows are left: {left}")
    return {"relations": len(rows.relations()), "left": 0}


def _request(request: PrivacyRequest, subject: Subject, now: datetime) -> Receipt:
    """Empty what requests hold of the person, this one too; pseudonym and receipts stay."""
    mine = PrivacyRequest.objects.filter(subject=request.subject) if request.subject else PrivacyRequest.objects.none()
    changed = (mine | PrivacyRequest.objects.filter(pk=request.pk)).update(
        profile=None, profiles=[], details=None, unshredded={}
    )
    return {"changed": changed}


ERASERS: Mapping[str, Eraser] = {
    "rejected_events": Eraser(title=_("refused messages"), erase=lambda r, s, now: texts.forget_rejected_events(s)),
    "jobs": Eraser(title=_("notes of jobs"), erase=lambda r, s, now: texts.forget_jobs(s)),
    "uploads": Eraser(title=_("uploaded files"), erase=lambda r, s, now: files.forget_uploads(s)),
    "packs": Eraser(title=_("earlier reply packs"), erase=lambda r, s, now: files.forget_packs(s, now)),
    "exports": Eraser(title=_("bundles and exports"), erase=lambda r, s, now: files.forget_exports(s)),
    "queues": Eraser(title=_("waiting tasks"), erase=lambda r, s, now: memory.forget_queued(s)),
    "caches": Eraser(title=_("caches"), erase=lambda r, s, now: memory.forget_cached(s)),
    "admin_log": Eraser(title=_("notes of the admin"), erase=lambda r, s, now: logs.forget_admin_log(s)),
    "reasons": Eraser(title=_("reasons of accesses"), erase=lambda r, s, now: logs.forget_reasons(s)),
    "person": Eraser(title=_("keys, identifiers, consents, profile"), erase=_person),
    "journal": Eraser(title=_("shred journal"), erase=_journal),
    "writers": Eraser(title=_("writers that had begun"), erase=_writers),
    "events": Eraser(title=_("events"), erase=lambda r, s, now: rows.forget_events(s)),
    "answers": Eraser(title=_("scores, recommendations, segments"), erase=lambda r, s, now: rows.forget_answers(s)),
    "lake": Eraser(title=_("event lake"), erase=_lake),
    "accesses": Eraser(title=_("log of accesses"), erase=lambda r, s, now: logs.pseudonymise_accesses(r, s)),
    "pages": Eraser(title=_("pages on the disk"), erase=lambda r, s, now: pages.rewrite(r)),
    "proof": Eraser(title=_("nothing is left"), erase=_proof),
    "request": Eraser(title=_("this and earlier requests"), erase=_request),
}


def _step(store: str) -> Step:
    def do(request: PrivacyRequest, now: datetime) -> Receipt:
        return ERASERS[store].erase(request, subject_of(request), now)

    return Step(store=store, do=do)


STEPS: tuple[Step, ...] = tuple(_step(store) for store in ERASERS)
