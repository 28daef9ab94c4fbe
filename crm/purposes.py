"""Declaring what data may be used for: the ledger keeps what a consent to it needs, so that a verifier can judge it."""

import json
from datetime import datetime

from django.db import transaction

from crm import evidence
from crm.models import LedgerNote, Purpose


def declare(purpose: Purpose, *, now: datetime) -> bool:
    """Save a purpose, and note its legal basis and whether its consent is separate; False if the ledger knew both."""
    with transaction.atomic():
        purpose.save()
        facts = {"kind": purpose.kind, "basis": purpose.basis, "separate": purpose.separate, "channel": purpose.channel}
        if facts == _noted(purpose.code):
            return False
        evidence.note(LedgerNote.Kind.PURPOSE, purpose.code, facts, now=now)
    return True


def _noted(code: str) -> object:
    told = LedgerNote.objects.filter(kind=LedgerNote.Kind.PURPOSE, reference=code).order_by("-happened_at", "-id")
    latest = told.values_list("facts_json", flat=True).first()
    return json.loads(latest) if latest else None
