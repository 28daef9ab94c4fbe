"""An audit bundle from the database: what it holds, that it is the same each time, and that it verifies by itself."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from crm import consent, handoffs, sequencer, verify
from crm.audit import bundle, query
from crm.handoffs import NewHandOff
from crm.models import ConsentEvent, Profile
from tests import factories
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
NOW = factories.NOW
DAY = timedelta(days=1)


def send(person: Profile, event: ConsentEvent | None, at: datetime, **facts: Any) -> None:
    told = {"basis": "consent", "purpose": "offers", "channel": "sms"} | facts
    allowed_by = event.pk if event else None
    new = NewHandOff(delivery=uuid4(), profile_id=person.pk, allowed_by=allowed_by, handed_off_at=at, **told)
    handoffs.record([new], now=at)


def test_a_bundle_of_a_lawful_month_verifies_and_lists_no_violation(tmp_path: Path) -> None:
    consents.purpose(), consents.notice("offers")
    person = factories.profile("u1")
    given = consents.say(person, notice="privacy/1", method="form")
    send(person, given, NOW + DAY)
    consent.withdraw(person.pk, "offers", "", "preference_centre", NOW + 2 * DAY)
    sequencer.sequence(NOW + 3 * DAY)
    out = tmp_path / "bundle.zip"
    manifest = bundle.export(out, query.ask())
    proven = verify.check(str(out))
    assert proven.counts["kinds"] == {"consent": 2, "hand_off": 1, "notice": 1}
    assert (proven.counts["sends"], proven.counts["violations"]) == (1, 0)
    assert proven.manifest == manifest
