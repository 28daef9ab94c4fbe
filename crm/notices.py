"""Publishing what people are told: from then on a version stays as it is, and the ledger knows its digest."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max

from crm import evidence
from crm.models import LedgerNote, Notice, Purpose
from crm.notice_content import digest, flaws

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class NoticeRefused(ValueError):
    """A notice cannot be published; ``flaws`` says by field what is missing."""

    def __init__(self, found: dict[str, list[str]]) -> None:
        super().__init__(" ".join(reason for reasons in found.values() for reason in reasons))
        self.flaws = found


def publish(notice: Notice, *, now: datetime, user: "AbstractBaseUser | None" = None) -> bool:
    """Publish a draft; False if it was published before.

    Raises
    ------
    NoticeRefused
        Something is missing that people have to be told, or a purpose does not exist.
    """
    with transaction.atomic():
        draft = Notice.objects.select_for_update().get(pk=notice.pk)
        if draft.published_at is not None:
            return False
        _check(draft)
        draft.digest = digest(
            draft.code, draft.version, is_material=draft.is_material, items=draft.items, texts=draft.texts
        )
        draft.published_at = now
        draft.published_by_id = user.pk if user else None
        draft.save()
        facts = {"digest": draft.digest, "material": draft.is_material, "purposes": draft.purposes}
        evidence.note(LedgerNote.Kind.NOTICE, draft.reference, facts, now=now)
    notice.refresh_from_db()
    return True


def next_version(code: str) -> int:
    """Return the number that the next version of a notice has."""
    return (Notice.objects.filter(code=code).aggregate(last=Max("version"))["last"] or 0) + 1


def _check(draft: Notice) -> None:
    found = flaws(draft.items, draft.texts)
    if not found:
        unknown = set(draft.purposes) - set(
            Purpose.objects.filter(code__in=draft.purposes).values_list("code", flat=True)
        )
        found = {"items": [f"There is no purpose {code!r}." for code in sorted(unknown)]} if unknown else {}
    if found:
        raise NoticeRefused(found)
