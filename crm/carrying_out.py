"""A request carried out: store by store, each step once, with a receipt; a second person where the rules ask for one.

A step is a row. Whoever is killed leaves the row waiting, and the next run begins with it: every step may be repeated,
and done again changes nothing. One process works on a request at a time (an advisory lock that dies with it).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from crm import holds, merging
from crm.finder import masked_text
from crm.locks import only_one
from crm.models import PrivacyRequest, RequestStep
from crm.rights import RULES, Kind, RightsError, Status, answer, note

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Receipt = Mapping[str, Any]  # numbers and codes, never personal


class NotYet(Exception):
    """The step cannot be done now; a later run tries again."""


class ScopeChanged(RightsError):
    """Meanwhile the person consists of other profiles, or is held: what was approved is not what would be done."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a request does to one store: a name that staff reads, and the verb."""

    store: str
    do: Callable[[PrivacyRequest, datetime], Receipt]


# What carries out each kind; a dotted path is imported when it is needed, since these modules know this one's errors.
WORK: Mapping[str, str] = {
    Kind.ACCESS: "crm.portability.STEPS",
    Kind.COPY: "crm.portability.STEPS",
    Kind.PORTABILITY: "crm.portability.STEPS",
    Kind.EXPLANATION: "crm.portability.STEPS",
    Kind.CORRECTION: "crm.corrections.STEPS",
    Kind.RESTRICTION: "crm.restrictions.RESTRICT",
    Kind.OBJECTION: "crm.restrictions.OBJECT",
    Kind.ERASURE: "crm.erasure.STEPS",
}


def steps_of(kind: str) -> Sequence[Step]:
    """Return what is done for a kind of request, in order; nothing where people do it by hand."""
    return import_string(WORK[kind]) if kind in WORK else ()


def begin(request: PrivacyRequest, *, now: datetime, user: "User | None" = None) -> None:
    """Fix whom the request means, and start; what cannot be undone goes to a second person first."""
    rule = RULES[request.kind]
    with transaction.atomic():
        ids = sorted(merging.members(request.profile_id)) if request.profile_id else []
        if request.kind == Kind.ERASURE:
            _refuse_erasure(request, ids, now)
        after = Status.CHECKING if rule.checked == "before" else Status.EXECUTING
        if not request.move(Status.VERIFIED, after, profiles=ids, handled_by=user, checked_by=None, checked_at=None):
            raise RightsError(_("This cannot be begun: the request is %(status)s.") % _status(request))
        note(request, "begun", now, user, profiles=len(ids))
        plan(request)
        if after == Status.EXECUTING:
            ring(request)


def begin_at_once(request: PrivacyRequest, *, now: datetime) -> bool:
    """Begin what needs no second person as soon as the identity is confirmed: being late with a stop harms."""
    if request.status != Status.VERIFIED or RULES[request.kind].checked:
        return False
    begin(request, now=now)
    return True


def approve(request: PrivacyRequest, *, now: datetime, user: "User") -> None:
    """Say as the second person that it may be carried out, or that what was prepared may leave the house."""
    if request.handled_by_id == user.pk:
        raise RightsError(_("A second person has to check this: you have prepared it yourself."))
    before = RULES[request.kind].checked == "before"
    with transaction.atomic():
        if before and request.kind == Kind.ERASURE:
            _refuse_erasure(request, request.profiles, now)
        after = Status.EXECUTING if before else Status.READY
        try:
            moved = request.move(Status.CHECKING, after, checked_by=user, checked_at=now)
        except IntegrityError as error:  # the database refuses what a stale page could ask for
            raise RightsError(_("A second person has to check this: you have prepared it yourself.")) from error
        if not moved:
            raise RightsError(_("There is nothing to check: the request is %(status)s.") % _status(request))
        note(request, "approved", now, user)
        if after == Status.EXECUTING:
            ring(request)


def send_back(request: PrivacyRequest, *, now: datetime, user: "User", why: str = "") -> None:
    """Give the request back to whoever prepared it; what was packed is packed anew."""
    with transaction.atomic():
        if not request.move(Status.CHECKING, Status.VERIFIED, checked_by=None, checked_at=None):
            raise RightsError(_("There is nothing to check: the request is %(status)s.") % _status(request))
        request.steps.all().delete()
        note(request, "sent_back", now, user, why=masked_text(why)[:300])  # the timeline outlives an erasure


def run(request_id: int, clock: Clock) -> bool:
    """Do the steps that wait; return whether all are done.

    Raises
    ------
    crm.locks.Busy
        Another process works on this request.
    """
    with only_one(f"privacy request {request_id}"):
        request = PrivacyRequest.objects.filter(pk=request_id, status=Status.EXECUTING).first()
        if request is None:
            return False
        work = {step.store: step for step in steps_of(request.kind)}
        for row in list(request.steps.exclude(status=RequestStep.Status.DONE)):
            if not _done(request, row, work[row.store], clock):
                return False
        return _finish(request, clock())


def _done(request: PrivacyRequest, row: RequestStep, step: Step, clock: Clock) -> bool:
    now = clock()
    row.attempts += 1
    row.started_at = row.started_at or now
    row.save(update_fields=["attempts", "started_at"])
    try:
        receipt = step.do(request, now)
    except NotYet as wait:
        _waits(row, str(wait))
        return False
    except ScopeChanged as changed:
        with transaction.atomic():
            request.steps.all().delete()
            request.move(Status.EXECUTING, Status.VERIFIED, checked_by=None, checked_at=None)
            note(request, "scope_changed", now, why=str(changed)[:300])
        return False
    except Exception as error:  # the boundary of a background process: the step waits, the officer sees that it failed
        logger.exception("Step %s of request %s failed", row.store, request.reference)
        # The type alone: a message may quote what it stumbled over, and that may be personal.
        _waits(row, type(error).__name__, RequestStep.Status.FAILED)
        return False
    row.status, row.receipt, row.error, row.finished_at = RequestStep.Status.DONE, dict(receipt), "", clock()
    row.save(update_fields=["status", "receipt", "error", "finished_at"])
    return True


def _waits(row: RequestStep, error: str, status: str = RequestStep.Status.WAITING) -> None:
    row.status, row.error = status, error[:300]
    row.save(update_fields=["status", "error"])


def _finish(request: PrivacyRequest, now: datetime) -> bool:
    rule = RULES[request.kind]
    with transaction.atomic():
        after = Status.CHECKING if rule.checked == "after" else Status.READY
        if not request.move(Status.EXECUTING, after, executed_at=now):
            return False
        note(request, "carried_out", now)
    if not rule.checked:
        answer(request, now=now)
    return True


def plan(request: PrivacyRequest) -> None:
    """Write the rows of the steps that this kind of request takes."""
    RequestStep.objects.bulk_create(
        RequestStep(request=request, place=place, store=step.store)
        for place, step in enumerate(steps_of(request.kind), start=1)
    )


def _refuse_erasure(request: PrivacyRequest, ids: Sequence[int], now: datetime) -> None:
    if not ids:
        raise RightsError(_("Nobody is named whose data could be erased."))
    if hold := holds.on_people(ids, now).first():
        raise RightsError(
            _("A legal hold (%(case)s) keeps these data: refuse the request or restrict the person.")
            % {"case": hold.reference}
        )
    others = PrivacyRequest.objects.open().filter(profile__in=ids, duplicate_of=None).exclude(pk=request.pk)
    if others.exclude(kind=Kind.ERASURE).exists():
        raise RightsError(_("Another request of this person is open: answer it first, afterwards nothing is left."))


def ring(request: PrivacyRequest) -> None:
    """Tell a worker that there is something to do, once it is committed; beat would find it later."""
    from celery import current_app  # noqa: PLC0415

    pk = request.pk
    transaction.on_commit(lambda: current_app.send_task("crm.tasks.carry_out", [pk], queue="default"), robust=True)


def _status(request: PrivacyRequest) -> dict[str, object]:
    return {"status": request.get_status_display()}
