"""Declaring what data may be used for: the ledger keeps its terms, so that a verifier can judge consents by them."""

import json
from datetime import datetime

from django.db import transaction

from crm import evidence
from crm.models import LedgerNote, Purpose


def declare(purpose: Purpose, *, now: datetime) -> bool:
    """Save a purpose and note its terms; False if the ledger knew them."""
    with transaction.atomic():
        purpose.save()
        if terms(purpose) == _noted(purpose.code):
            return False
        evidence.note(LedgerNote.Kind.PURPOSE, purpose.code, terms(purpose), now=now)
    return True


def terms(purpose: Purpose) -> dict[str, object]:
    """Return what a consent to a purpose means and needs."""
    return {
        "name": purpose.name,
        "kind": purpose.kind,
        "channel": purpose.channel,
        "basis": purpose.basis,
        "recipient": purpose.recipient,
        "separate": purpose.separate,
        "is_active": purpose.is_active,
        "ask_again_days": purpose.ask_again_after.days,
        "valid_days": purpose.valid_for.days if purpose.valid_for else None,
    }


def _noted(code: str) -> object:
    told = LedgerNote.objects.filter(kind=LedgerNote.Kind.PURPOSE, reference=code).order_by("-happened_at", "-id")
    latest = told.values_list("facts_json", flat=True).first()
    return json.loads(latest) if latest else None
