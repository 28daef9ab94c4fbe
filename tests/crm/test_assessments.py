"""Impact assessments: who may approve, what opens the gate, and that a report outlives all wishes to delete it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from crm import assessments
from crm.assessments import NoAssessment, NotApproved
from crm.models import ImpactAssessment
from crm.models.assessments import KEPT_FOR, StillKept

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)


def draft(subject: str = "spec:churn", **facts: Any) -> ImpactAssessment:
    words = {"title": "Churn", "necessity": "n", "risks": "r", "level": "low", "measures": "m"}
    author = User.objects.get_or_create(username="author")[0]
    known = {"purposes": ["profiling"], "data_types": ["purchases"], "conclusion": "proceed", "prepared_by": author}
    known |= {"created_at": NOW, "valid_until": NOW + YEAR}
    return ImpactAssessment.objects.create(subject=subject, **words | known | facts)


def approved(subject: str = "spec:churn", **facts: Any) -> ImpactAssessment:
    made = draft(subject, **facts)
    assessments.approve(made, by=User.objects.get_or_create(username="officer")[0], now=NOW)
    return made


def test_an_approved_report_opens_the_gate_from_its_approval_to_its_last_moment() -> None:
    made = approved()
    assert assessments.require("spec:churn", NOW) == made
    assert assessments.require("spec:churn", NOW + YEAR - SECOND) == made
    for moment in (NOW - SECOND, NOW + YEAR):
        with pytest.raises(NoAssessment, match="spec:churn has no valid impact assessment"):
            assessments.require("spec:churn", moment)


@pytest.mark.parametrize("facts", [{"conclusion": "refused"}, {"subject": "spec:rfm"}, {"subject": "spec:churn2"}])
def test_a_report_that_refuses_or_is_about_something_else_opens_nothing(facts: dict[str, Any]) -> None:
    approved(**facts)
    with pytest.raises(NoAssessment):
        assessments.require("spec:churn", NOW)


def test_a_draft_opens_nothing_and_a_withdrawn_report_nothing_more() -> None:
    draft()
    with pytest.raises(NoAssessment):
        assessments.require("spec:churn", NOW)
    made = approved()
    assert made.withdraw(NOW)
    assert not made.withdraw(NOW + SECOND)
    with pytest.raises(NoAssessment):
        assessments.require("spec:churn", NOW)


def test_a_page_about_many_subjects_asks_once(django_assert_num_queries: Any) -> None:
    made = approved()
    with django_assert_num_queries(1):
        assert assessments.assessed(["spec:churn", "spec:rfm"], NOW) == {"spec:churn": made}


def test_nobody_approves_their_own_report_or_one_twice_or_one_that_has_ended() -> None:
    made = draft()
    author, officer = User.objects.get(username="author"), User.objects.create(username="officer")
    with pytest.raises(NotApproved, match="Somebody else"):
        assessments.approve(made, by=author, now=NOW)
    assessments.approve(made, by=officer, now=NOW)
    assert (made.approved_by, made.approved_at) == (officer, NOW)
    with pytest.raises(NotApproved, match="already"):
        assessments.approve(made, by=officer, now=NOW)
    with pytest.raises(NotApproved, match="ended"):
        assessments.approve(draft(valid_until=NOW), by=officer, now=NOW)


def test_the_database_wants_two_people_too() -> None:
    made = draft()
    for by in (None, made.prepared_by):
        with pytest.raises(IntegrityError), transaction.atomic():
            ImpactAssessment.objects.filter(pk=made.pk).update(approved_at=NOW, approved_by=by)


@pytest.mark.parametrize(
    "change", ["risks = 'none'", "valid_until = valid_until + interval '1 year'", "level = 'high'"]
)
def test_what_was_approved_is_never_changed(change: str) -> None:
    made = approved()
    with pytest.raises(IntegrityError, match="was approved"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE crm_impactassessment SET {change} WHERE id = %s", [made.pk])


def test_an_approved_report_is_not_deleted_before_three_years_have_passed_since_its_end() -> None:
    made = approved()
    for delete in (made.delete, ImpactAssessment.objects.all().delete):
        with pytest.raises(StillKept, match="three years"):
            delete()
    with pytest.raises(IntegrityError, match="is kept until"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM crm_impactassessment")
    assert made.kept_until - made.valid_until >= timedelta(days=3 * 365 + 1)
    assert list(ImpactAssessment.objects.kept(NOW)) == [made]
    assert ImpactAssessment.objects.filter(pk=made.pk).exists()


def test_when_the_three_years_are_over_a_report_may_be_forgotten_and_a_draft_at_any_time() -> None:
    begun = datetime(2010, 1, 1, tzinfo=UTC)
    old = draft(created_at=begun, valid_until=begun + YEAR)
    assessments.approve(old, by=User.objects.create(username="officer"), now=begun)
    approved()
    assert ImpactAssessment.forget(begun + YEAR + KEPT_FOR - SECOND) == 0
    assert ImpactAssessment.forget(begun + YEAR + KEPT_FOR) == 1
    draft().delete()
    assert ImpactAssessment.objects.count() == 1


def test_a_revision_is_a_new_draft_with_the_same_words() -> None:
    made = approved()
    editor = User.objects.create(username="editor")
    new = assessments.revised(made, by=editor, now=NOW + YEAR)
    assert (new.subject, new.risks, new.prepared_by, new.is_approved) == ("spec:churn", "r", editor, False)
    assert new.pk != made.pk


def test_synthetic_reports_say_that_they_are_and_leave_real_ones_alone() -> None:
    approved()
    titles = {"spec:churn": "Churn", "spec:rfm": "Segments"}
    assert assessments.synthesise(titles, NOW) == 1
    assert assessments.synthesise(titles, NOW) == 0
    made = assessments.require("spec:rfm", NOW)
    assert made.is_synthetic
    assert made.title == "[DEMO] Segments"
    assert made.approved_by is None
