"""A budget cannot be overspent, an answer cannot be averaged, and what is true is kept nowhere."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from crm.models import PrivacyBudget, Release, ReleaseCharge
from mlengine.anonymity.noise import Bound, Mechanism
from mlengine.releases import Audience, BudgetSpent, Question, ask, budget_of

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TENTH = Mechanism.laplace(0.1, Bound())
STAFF = Audience(scope="staff", name="ana")


@pytest.fixture(autouse=True)
def _a_budget_for_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pure epsilon 1 at delta 0: ten answers at a tenth each, and not an eleventh."""
    monkeypatch.setattr(settings, "PRIVATE_FIGURES_EPSILON", 1.0)
    monkeypatch.setattr(settings, "PRIVATE_FIGURES_DELTA", 0.0)


def asked(name: str, audience: Audience = STAFF, *, at: datetime = NOW, true: int = 1000) -> Release:
    question = Question(name=name, mechanism=TENTH, data_at=at)
    return ask(question, audience, count=lambda: {"all": true}, now=at)


@pytest.mark.django_db
def test_asking_again_is_told_the_same_and_costs_nothing() -> None:
    """The averaging attack: a thousand askings of one question teach no more than one."""
    first = asked("people")
    answers = {asked("people", Audience(scope="staff", name=f"analyst {n}")).answer["all"] for n in range(1000)}
    assert answers == {first.answer["all"]}
    assert budget_of("staff", NOW).spent == pytest.approx(0.1)
    assert ReleaseCharge.objects.count() == 1


@pytest.mark.django_db
def test_another_audience_is_told_the_same_draw_and_pays_for_it_too() -> None:
    mine, theirs = asked("people"), asked("people", Audience.client(7, "app"))
    assert mine == theirs
    assert {budget.scope: budget.spent for budget in PrivacyBudget.objects.all()} == {"staff": 0.1, "api:7": 0.1}


@pytest.mark.django_db
def test_newer_data_are_looked_at_after_a_week() -> None:
    first = asked("people")
    assert asked("people", at=NOW + 6 * DAY, true=2000) == first
    second = asked("people", at=NOW + 7 * DAY, true=5000)
    assert second != first
    assert abs(second.answer["all"] - 5000) < 500
    assert asked("people", at=NOW + 1 * DAY) == first  # going back is told what was told then


@pytest.mark.django_db
def test_the_eleventh_question_is_refused_until_the_month_is_over_and_draws_nothing() -> None:
    for n in range(10):
        asked(f"question {n}")
    with pytest.raises(BudgetSpent, match="renewed on") as refused:
        asked("question 10")
    assert refused.value.renewed_on == date(2026, 4, 1)
    assert Release.objects.count() == 10
    assert budget_of("staff", NOW).spent == pytest.approx(1.0)
    assert asked("question 3").name == "question 3"  # what was told already may be read for ever
    assert asked("question 10", at=datetime(2026, 3, 31, 16, tzinfo=UTC)).name == "question 10"  # April in Shanghai


@pytest.mark.django_db
def test_what_is_true_is_written_nowhere_and_what_was_told_cannot_be_changed() -> None:
    release = asked("people", true=123_456_789)
    with connection.cursor() as cursor:
        for table in ("crm_release", "crm_releasecharge", "crm_privacybudget"):
            cursor.execute(f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%%: 123456789%%'")
            # Noise of nought is noise, too: then the answer, and nothing else, says what is true.
            told = table == "crm_release" and release.answer["all"] == 123_456_789
            assert cursor.fetchone()[0] == told
    for statement in ("UPDATE crm_release SET answer = '{}'", "DELETE FROM crm_releasecharge"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(IntegrityError), transaction.atomic():
        PrivacyBudget.objects.update(spent=1.5)


@pytest.mark.django_db
def test_counting_that_fails_costs_nothing() -> None:
    def count() -> Mapping[str, int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(Question(name="broken", mechanism=TENTH, data_at=NOW), STAFF, count=count, now=NOW)
    assert not Release.objects.exists()
    assert budget_of("staff", NOW).spent == 0.0


def at_once(calls: list[Any], threads: int = 16) -> list[Any]:
    """Return what each call gave, or the refusal; each thread has its own connection."""

    def one(call: Any) -> Any:
        try:
            return call()
        except BudgetSpent as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, calls))


@pytest.fixture
def _emptied_afterwards(transactional_db: None) -> Iterator[None]:
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_emptied_afterwards")
def test_of_64_questions_at_once_on_a_budget_for_10_exactly_10_are_answered() -> None:
    told = at_once([lambda n=n: asked(f"question {n}") for n in range(64)], threads=64)
    assert sum(isinstance(one, Release) for one in told) == 10
    assert sum(isinstance(one, BudgetSpent) for one in told) == 54
    assert (Release.objects.count(), ReleaseCharge.objects.count()) == (10, 10)
    assert budget_of("staff", NOW).spent == pytest.approx(1.0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_emptied_afterwards")
def test_one_question_asked_64_times_at_once_by_8_audiences_is_drawn_once() -> None:
    told = at_once([lambda n=n: asked("people", Audience.client(n % 8, "app")) for n in range(64)], threads=64)
    assert {one.pk for one in told} == {Release.objects.get().pk}
    assert ReleaseCharge.objects.count() == 8
