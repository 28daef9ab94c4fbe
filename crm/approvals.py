"""Four eyes: a sensitive thing is asked for by one person, allowed by another, and then done once.

The code that does it calls :func:`use` in the transaction in which it does it; what was approved is exactly what was
asked, for the digest of action, subject and parameters is compared. To add an action: one line in ``ACTIONS``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm import evidence
from crm.canonical import canonical
from crm.finder import masked_text
from crm.models import Approval
from crm.uuid7 import uuid7

DECIDES = "crm.decide_approval"
Decision = Approval.Decision


@dataclass(frozen=True, kw_only=True)
class Action:
    """A thing that needs a second person: what it is called, and for how long an approval of it holds."""

    title: Any  # translated when shown
    lifetime: timedelta
    decided_with: str = DECIDES  # the permission that the second person needs


ACTIONS: Mapping[str, Action] = {
    "audit_clear_text": Action(title=_("Audit bundle in clear text"), lifetime=timedelta(days=7)),
    "erasure": Action(title=_("Erasure of a person"), lifetime=timedelta(days=7)),
    "minor_access": Action(title=_("Look at a minor's record"), lifetime=timedelta(hours=8)),
    "clear_export": Action(title=_("Export of personal data in clear text"), lifetime=timedelta(days=1)),
}


class NotApproved(RuntimeError):
    """Nobody has approved this, or not exactly this, or not any more; the message says what to do."""


class MayNotDecide(RuntimeError):
    """This person cannot decide this request now; the message says why."""


def ask(
    action: str, subject: str, parameters: Mapping[str, object], *, by: User, reason: str, now: datetime
) -> Approval:
    """Ask for a second person; asking again while that waits, or is approved and unused, returns the same request.

    Parameters
    ----------
    action
        A key of ``ACTIONS``.
    subject, parameters
        What exactly, as :func:`crm.canonical.canonical` takes it: numbers and codes, no personal data.
    reason
        Why, in the asker's words; personal data in it is masked.
    """
    if not reason.strip():
        raise ValueError("A request for approval needs a reason.")
    digest = _digest(action, subject, parameters)
    rows = Approval.objects.filter(action=action, digest=digest, requested_by=by)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)  # two clicks at once make one request
        for there in (rows.usable(now).first(), rows.open(now).first()):
            if there:
                return there
        return Approval.objects.create(
            pk=uuid7(now),
            action=action,
            subject=subject,
            parameters=dict(parameters),
            digest=digest,
            requested_by=by,
            reason=masked_text(reason.strip())[:500],
            requested_at=now,
            expires_at=now + ACTIONS[action].lifetime,
        )


def approve(pk: UUID, *, by: User, answer: str = "", now: datetime) -> Approval:
    """Allow what a colleague asked for; it holds for the action's lifetime from now.

    Raises
    ------
    MayNotDecide
        It is one's own request, the permission is missing, or it was decided or ran out before.
    """
    return _decide(pk, Decision.APPROVED, by=by, answer=answer, now=now)


def refuse(pk: UUID, *, by: User, answer: str = "", now: datetime) -> Approval:
    """Refuse what a colleague asked for; raises as :func:`approve` does."""
    return _decide(pk, Decision.REFUSED, by=by, answer=answer, now=now)


def approved(
    action: str, subject: str, parameters: Mapping[str, object], *, by: User, now: datetime
) -> Approval | None:
    """Return the approval that :func:`use` would use, or nothing; for pages that say what comes next."""
    digest = _digest(action, subject, parameters)
    rows = Approval.objects.usable(now).filter(action=action, digest=digest, requested_by=by)
    return next((row for row in rows.select_related("decided_by") if _still_holds(row, by)), None)


def use(action: str, subject: str, parameters: Mapping[str, object], *, by: User, now: datetime) -> Approval:
    """Use up the approval of exactly this for this person, and return it; call it in the transaction that does it.

    Raises
    ------
    NotApproved
        There is none, or another session was faster.
    """
    found = approved(action, subject, parameters, by=by, now=now)
    if found is None:
        raise NotApproved(gettext("This needs a second person's approval. Ask for one, then come back."))
    # Two sessions that found it: the update of one waits for the other's commit, and then meets no row.
    if Approval.objects.usable(now).filter(pk=found.pk).update(used_at=now) != 1:
        raise NotApproved(gettext("This approval has been used just now. Ask for another one."))
    found.used_at = now
    _note(found, "used", by, now)
    return found


def may_decide(approval: Approval, user: User) -> bool:
    """Tell whether this person is another one than the asker, and has the permission."""
    known = ACTIONS.get(approval.action)
    return known is not None and approval.requested_by_id != user.pk and user.has_perm(known.decided_with)


def _decide(pk: UUID, decision: Decision, *, by: User, answer: str, now: datetime) -> Approval:
    with transaction.atomic():
        # Locked: of two who decide at once, the second sees what the first decided.
        approval = Approval.objects.select_for_update(of=("self",)).get(pk=pk)
        if approval.requested_by_id == by.pk:
            raise MayNotDecide(gettext("Nobody decides a request of one's own."))
        if not may_decide(approval, by):
            raise MayNotDecide(gettext("You may not decide this request."))
        if approval.state(now) != Decision.WAITING:
            raise MayNotDecide(gettext("This request waits no longer: it was decided, or has run out."))
        approval.decision, approval.decided_by, approval.decided_at = decision, by, now
        approval.answer = masked_text(answer.strip())[:500]
        approval.expires_at = now + ACTIONS[approval.action].lifetime
        approval.save()
        _note(approval, decision.value, by, now)
    return approval


def _still_holds(approval: Approval, by: User) -> bool:
    """Both are still who they were: an approval dies with the account, or the permission, of who gave it."""
    second = approval.decided_by
    return by.is_active and second is not None and second.is_active and may_decide(approval, second)


def _note(approval: Approval, what: str, by: User, now: datetime) -> None:
    facts = {
        "action": approval.action,
        "digest": bytes(approval.digest).hex(),
        "requested_by": approval.requested_by_id,
        "what": what,
        "by": by.pk,
    }
    evidence.note("approval", str(approval.pk), facts, now=now)


def _digest(action: str, subject: str, parameters: Mapping[str, object]) -> bytes:
    if action not in ACTIONS:
        raise KeyError(f"No action {action!r} needs approval; there are {', '.join(ACTIONS)}.")
    return sha256(canonical({"action": action, "subject": subject, "parameters": dict(parameters)})).digest()
