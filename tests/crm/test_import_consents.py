"""A file may claim what people allowed: it is believed as far as it goes, never beyond, and refused row by row."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from crm import consent, imports, suppression
from crm.consent import Reason
from crm.imports.job import run
from crm.imports.mapping import Mapping, guess
from crm.models import ConsentEvent, Identifier, JobRun, RejectedEvent
from tests import factories
from tests.crm.consents import purpose, say

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HEAD = "user_id,purpose,state,claimed_at,channel,proof\n"


def imported(path: Path, rows: list[str]) -> JobRun:
    path.write_text(HEAD + "\n".join(rows) + "\n")
    columns = guess("consents", HEAD.strip().split(","))
    job = imports.order(path, Mapping(what="consents", columns=columns), source=factories.source("old crm"), now=NOW)
    assert run(job, clock=timezone.now)
    job.refresh_from_db()
    assert job.status == JobRun.Status.SUCCEEDED, job.error
    return job


def test_good_rows_are_recorded_once_and_the_others_say_why_not(tmp_path: Path) -> None:
    purpose()
    future = (timezone.now() + timedelta(minutes=10)).isoformat()
    rows = [
        "u1,offers,given,2025-01-01T00:00:00Z,,form 7",
        "u2,offers,given," + future + ",,",
        "u3,none,given,2025-01-01T00:00:00Z,,",
        "u4,offers,perhaps,2025-01-01T00:00:00Z,,",
        "u5,offers,given,,,",
        ",offers,given,2025-01-01T00:00:00Z,,",
        "u6,offers,refused,2025-01-01T00:00:00Z,sms,",
    ]
    job = imported(tmp_path / "consents.csv", rows)
    assert (job.done, job.rejected) == (7, 5)
    refused = {row.index: (row.field, row.reason) for row in RejectedEvent.objects.all()}
    assert sorted(refused) == [3, 4, 5, 6, 7]
    assert refused[3] == ("claimed_at", "lies in the future")
    assert "no such purpose" in refused[4][1]
    assert [(event.state, event.method) for event in ConsentEvent.objects.order_by("state")] == [
        ("given", "import"),
        ("refused", "import"),
    ]
    assert ConsentEvent.objects.get(state="given").person.details == {"proof": {"file": "form 7"}}
    imported(tmp_path / "again.csv", rows)
    assert ConsentEvent.objects.count() == 2


def test_an_import_revives_nobody(tmp_path: Path) -> None:
    purpose()
    person = factories.profile("u1")
    Identifier.objects.create(type="phone", value="13800138000", profile=person, created_at=NOW)
    suppression.suppress([("phone", "13800138000")], "", "erased", now=NOW - timedelta(days=30))
    withdrew = factories.profile("u2")
    say(withdrew, now=NOW - timedelta(days=3))
    consent.withdraw(withdrew.pk, None, "", "preference_centre", NOW - timedelta(days=2))
    yesterday = (NOW - timedelta(days=1)).isoformat()
    imported(tmp_path / "old.csv", ["u2,offers,given,2025-01-01T00:00:00Z,,", f"u1,offers,given,{yesterday},,"])
    found = [consent.basis_for(one.pk, "offers", "sms", timezone.now()).reason for one in (person, withdrew)]
    assert found == [Reason.SUPPRESSED, Reason.WITHDRAWN]
