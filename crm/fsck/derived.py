"""What was made of evidence, compared with it: states of consents, notices as published, time stamps of checkpoints."""

from collections.abc import Iterator

from crm.consent_rules import Held
from crm.consent_states import differences
from crm.fsck.report import Problem, Report, rows_of
from crm.models import CheckpointCopy, LedgerNote, Notice
from crm.notice_content import digest
from crm.publishing import check_receipt


def check_states(report: Report) -> Iterator[Problem]:
    """Fold the consent events again, and compare with the states that everyday questions read."""
    for (profile, purpose, channel), stands, should in differences():
        row = f"#{profile} {purpose} {channel or 'every channel'}"
        yield Problem("crm_consentstate", row, f"says {_said(stands)}, the events say {_said(should)}")


def _said(held: Held | None) -> str:
    return f"{held.state} by event {held.event_id}" if held else "nothing"


def check_notices(report: Report) -> Iterator[Problem]:
    """Compare published notices with the digests that the ledger holds of them."""
    notes = LedgerNote.objects.filter(kind=LedgerNote.Kind.NOTICE)
    said = dict(rows_of(notes.values_list("reference", "facts_json")))
    for notice in rows_of(Notice.objects.filter(published_at__isnull=False).order_by("reference")):
        report.count("notices")
        found = digest(
            notice.code, notice.version, is_material=notice.is_material, items=notice.items, texts=notice.texts
        )
        if found != notice.digest or f'"digest":"{found}"' not in said.pop(notice.reference, ""):
            yield Problem("crm_notice", notice.reference, "is not what was published")
    for reference in said:
        yield Problem("crm_notice", reference, "was published and is gone")


def check_stamps(report: Report) -> Iterator[Problem]:
    """Compare the time stamps that we keep with the checkpoints that they are for."""
    stamped = CheckpointCopy.objects.made().filter(kind=CheckpointCopy.Kind.RFC3161).select_related("checkpoint")
    for copy in rows_of(stamped.order_by("pk")):
        report.count("time stamps")
        try:
            check_receipt(copy)
        except Exception as error:  # a falsified receipt can make anything of its parser
            yield Problem("crm_checkpointcopy", str(copy.pk), f"its time stamp does not hold: {error}"[:500])
