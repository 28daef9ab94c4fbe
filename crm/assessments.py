"""No model and no connector works without an impact assessment: the gate, and who opens it (PIPL, articles 55, 56)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from crm import evidence
from crm.canonical import canonical, utc
from crm.models import ImpactAssessment

SYNTHETIC_LASTS = timedelta(days=365)
SYNTHETIC = "Made up for the demonstration: nobody has assessed anything. / 演示用,并非真实评估。"


class NoAssessment(RuntimeError):
    """The subject may not work: there is no valid report about it; the message says what to do."""


class NotApproved(RuntimeError):
    """A report cannot be approved, in words for the person who tried."""


def require(subject: str, now: datetime) -> ImpactAssessment:
    """Return the report that allows a subject (``spec:churn``, ``connector:sms``) to work now.

    Raises
    ------
    NoAssessment
        None was approved, or it has ended, was withdrawn, or concludes that the subject must not proceed.
    """
    found = ImpactAssessment.objects.filter(subject=subject).valid(now).order_by("-valid_until", "-pk").first()
    if found is None:
        raise NoAssessment(
            _(
                "%(subject)s has no valid impact assessment, so it may not be used. Somebody has to write one and"
                " somebody else to approve it (Compliance, Impact assessments)."
            )
            % {"subject": subject}
        )
    return found


def assessed(subjects: Iterable[str], now: datetime) -> dict[str, ImpactAssessment]:
    """Return the valid report of each subject that has one: one query for a page about many."""
    found = ImpactAssessment.objects.filter(subject__in=list(subjects)).valid(now).order_by("valid_until", "pk")
    return {one.subject: one for one in found}


def approve(assessment: ImpactAssessment, *, by: User, now: datetime) -> None:
    """Approve a report that somebody else has written; from then on it is not changed.

    Raises
    ------
    NotApproved
        It is approved already, has ended, or the same person wrote it.
    """
    with transaction.atomic():
        # Locked, so that what is approved is what was read: an edit waits, and then finds it approved.
        row = ImpactAssessment.objects.select_for_update().get(pk=assessment.pk)
        if row.is_approved:
            raise NotApproved(_("It was approved already."))
        if row.prepared_by_id == by.pk:
            raise NotApproved(_("Somebody else than its author has to approve it."))
        if row.valid_until <= now:
            raise NotApproved(_("It would have ended before it began: set a later end."))
        row.approved_by, row.approved_at = by, now
        row.save(update_fields=["approved_by", "approved_at"])
        evidence.note("assessment", str(row), _facts(row, "approved"), now=now)
    assessment.refresh_from_db()


def withdraw(assessment: ImpactAssessment, *, now: datetime) -> bool:
    """End a report before its time, and note that; False if there was nothing to end."""
    with transaction.atomic():
        ended = assessment.withdraw(now)
        if ended:
            evidence.note("assessment", str(assessment), _facts(assessment, "withdrawn"), now=now)
    return ended


def _facts(row: ImpactAssessment, what: str) -> dict[str, object]:
    """Return what the ledger proves of a report: which words were approved, by their hash, and for how long."""
    names = ("title", "purposes", "data_types", "necessity", "risks", "measures")
    words = {name: getattr(row, name) for name in names}
    return {
        "what": what,
        "subject": row.subject,
        "conclusion": row.conclusion,
        "level": row.level,
        "words": sha256(canonical(words)).hexdigest(),
        "valid_until": utc(row.valid_until),
    }


def revised(assessment: ImpactAssessment, *, by: User, now: datetime) -> ImpactAssessment:
    """Return a new draft with the words of a report, for what has changed since."""
    fields = ("subject", "title", "purposes", "data_types", "necessity", "risks", "level", "measures", "conclusion")
    words = {name: getattr(assessment, name) for name in fields}
    return ImpactAssessment.objects.create(
        **words, prepared_by=by, created_at=now, valid_until=now + timedelta(days=365)
    )


def synthesise(titles: Mapping[str, str], now: datetime) -> int:
    """Make approved reports for a demonstration, marked as such, for subjects that have none; return how many."""
    there = assessed(titles, now)
    made = [
        ImpactAssessment(
            subject=subject,
            title=f"[DEMO] {title}",
            purposes=["demonstration"],
            data_types=["purchases", "household traits"],
            necessity=SYNTHETIC,
            risks=SYNTHETIC,
            level=ImpactAssessment.Level.LOW,
            measures=SYNTHETIC,
            conclusion=ImpactAssessment.Conclusion.WITH_MEASURES,
            is_synthetic=True,
            created_at=now,
            approved_at=now,
            valid_until=now + SYNTHETIC_LASTS,
        )
        for subject, title in titles.items()
        if subject not in there
    ]
    ImpactAssessment.objects.bulk_create(made)
    return len(made)
