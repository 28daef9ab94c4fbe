"""What a purpose needs is in the ledger before anybody consents to it."""

import json
from datetime import timedelta

import pytest

from crm import purposes
from crm.models import LedgerNote, PendingLeaf, Purpose
from tests.crm.consents import purpose
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def noted(code: str) -> list[dict[str, object]]:
    notes = LedgerNote.objects.filter(kind="purpose", reference=code).order_by("happened_at")
    return [json.loads(note.facts_json) for note in notes]


def test_a_declared_purpose_is_in_the_ledger_once() -> None:
    new = Purpose(code="offers", kind="marketing", name={"en": "Offers"})
    assert purposes.declare(new, now=NOW)
    assert not purposes.declare(new, now=NOW + timedelta(days=1))
    (facts,) = noted("offers")
    assert facts == {
        "name": {"en": "Offers"},
        "kind": "marketing",
        "channel": "",
        "basis": "consent",
        "recipient": "",
        "separate": False,
        "is_active": True,
        "ask_again_days": 180,
        "valid_days": None,
    }
    assert PendingLeaf.objects.filter(kind="purpose").count() == 1


def test_what_changes_for_those_who_consent_is_noted_again() -> None:
    old = purpose("sharing", kind="sharing", recipient="Example Insurance Ltd")
    purposes.declare(old, now=NOW)
    old.separate = True
    assert purposes.declare(old, now=NOW + timedelta(days=1))
    assert [facts["separate"] for facts in noted("sharing")] == [False, True]


def test_an_internal_text_is_saved_and_is_nothing_for_the_ledger() -> None:
    old = purpose("offers")
    purposes.declare(old, now=NOW)
    old.description = {"en": "News"}
    assert not purposes.declare(old, now=NOW)
    assert Purpose.objects.get(code="offers").description == {"en": "News"}
