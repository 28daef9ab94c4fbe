"""The start page tells each role what waits for it, and nobody of what others may act on."""

from datetime import UTC, datetime, timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone, translation

from config.next_steps import actions, steps
from crm import approvals, rights
from crm.models import JobRun, RejectedEvent
from tests import factories
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 15, 4, tzinfo=UTC)


def said(user: User, now: datetime = NOW) -> list[str]:
    with translation.override("en"):
        return [step.text for step in steps(user, now)]


def test_an_officer_reads_what_is_late_before_what_is_due() -> None:
    officer = member("Compliance")
    for days in (40, 40, 20, 0):
        rights.open_request("access", profile_id=factories.profile().pk, method="staff", now=NOW - timedelta(days=days))
    assert said(officer) == ["2 requests of people are late", "1 request is due within 3 days"]
    assert said(member("Marketing")) == []


def test_nobody_is_told_of_ones_own_approval() -> None:
    asking, other = member("Compliance"), member("Compliance", name="second")
    approvals.ask("audit_clear_text", "all", {}, by=asking, reason="The auditor asks.", now=NOW)
    assert said(asking) == []
    assert said(other) == ["1 colleague asks for your approval"]


def test_who_runs_the_system_reads_of_failed_jobs_and_refused_events_and_locked_accounts() -> None:
    admin = member("Admin")
    facts = {"kind": "import", "title": "x", "created_at": NOW}
    for days in (1, 8):
        ended = NOW - timedelta(days=days)
        JobRun.objects.create(status=JobRun.Status.FAILED, finished_at=ended, **facts)
    for replayed in (None, NOW):
        rejected = {"source": factories.source(), "payload": "{}", "index": 0, "field": "kind", "reason": "unknown"}
        RejectedEvent.objects.create(received_at=NOW, replayed_at=replayed, **rejected)
    for failures in (settings.AXES_FAILURE_LIMIT, settings.AXES_FAILURE_LIMIT - 1):
        attempt = {"username": f"u{failures}", "ip_address": "203.0.113.9", "failures_since_start": failures}
        AccessAttempt.objects.create(attempt_time=NOW, **attempt)
    AccessAttempt.objects.update(attempt_time=NOW)
    assert said(admin) == [
        "1 event could not be taken",
        "1 job failed this week",
        "1 account is locked out",
        "1 colleague has no second factor yet",
    ]


@pytest.mark.parametrize("role", ["Marketing", "Analyst", "Support", "Compliance", "Admin"])
def test_each_start_page_leads_only_where_the_role_may_go(role: str) -> None:
    rights.open_request("access", profile_id=factories.profile().pk, method="staff", now=NOW - timedelta(days=60))
    user = member(role)
    client = logged_in(user, second_factor=True)
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    for step in [*steps(user, timezone.now()), *actions(user)]:
        assert step.link in page.content.decode()
        assert client.get(step.link).status_code == 200, step.link


def test_the_officers_start_page_is_about_requests_and_proofs_not_sales() -> None:
    page = logged_in(member("Compliance")).get(reverse("admin:index")).content.decode()
    assert 'id="violations"' in page
    assert "Revenue" not in page
