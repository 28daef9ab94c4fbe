"""Evidence that is over, answers, assessments and uploads go at their own times, purpose by purpose."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command

from crm import consent, handoffs, merging
from crm.handoffs import NewHandOff
from crm.models import (
    ConsentEvent,
    ConsentEventPerson,
    ConsentState,
    HandOff,
    HandOffPerson,
    ImpactAssessment,
    JobRun,
    Profile,
    Purpose,
)
from crm.sequencer import sequence
from tests import api, factories
from tests.crm import consents
from tests.crm.passes import passed, release
from tests.crm.requests import officer
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)
LONG_AGO = NOW - 1300 * DAY  # over three years, and half a year in which nobody asks again


@pytest.fixture(autouse=True)
def told() -> None:
    consents.purpose("offers")
    consents.purpose("news", retention=2000 * DAY)
    consents.notice("offers", "news", at=LONG_AGO - 600 * DAY)


def answers() -> set[tuple[Any, Any]]:
    return set(ConsentState.objects.values_list("profile_id", "purpose_id"))


def test_an_answer_goes_three_years_after_it_was_over_and_nothing_is_allowed_by_it() -> None:
    refused, granted, late = (factories.profile(f"u-{number}") for number in range(3))
    consents.say(refused, now=LONG_AGO - 9 * DAY)
    consents.say(refused, "withdrawn", now=LONG_AGO)
    consents.say(granted, now=LONG_AGO)
    consents.say(late, "refused", now=NOW - 1000 * DAY)
    release()
    assert passed()["consents"]["deleted"] == 1
    assert answers() == {(granted.pk, "offers"), (late.pk, "offers")}
    assert set(ConsentEventPerson.objects.values_list("profile_id", flat=True)) == {granted.pk, late.pk}
    assert ConsentEvent.objects.count() == 4  # what was said stays; who said it is gone
    answer = consent.basis_for(refused.pk, "offers", "email", NOW)
    assert not answer.allowed
    sequence(NOW)
    call_command("ledger", "fsck")  # it would exit with an error
    assert passed()["consents"]["due"] == 0


def test_a_refusal_of_one_channel_stays_while_another_is_allowed() -> None:
    person = factories.profile("u-1")
    consents.say(person, now=LONG_AGO - DAY)
    consents.say(person, "withdrawn", channel="sms", now=LONG_AGO)
    release()
    assert passed()["consents"]["due"] == 0
    assert ConsentState.objects.count() == 2


def test_a_consent_that_has_run_out_is_over_when_it_ran_out() -> None:
    first, second = factories.profile("u-1"), factories.profile("u-2")
    consents.say(first, now=LONG_AGO, valid_until=LONG_AGO + 10 * DAY)
    consents.say(second, now=LONG_AGO, valid_until=LONG_AGO + 300 * DAY)
    release()
    assert passed()["consents"]["deleted"] == 1
    assert answers() == {(second.pk, "offers")}


def test_an_objection_to_what_needs_no_consent_is_kept() -> None:
    consents.purpose("analysis", basis=Purpose.Basis.LEGITIMATE_INTEREST)
    consents.notice("analysis", code="other", at=LONG_AGO - DAY)
    consents.say(factories.profile("u-1"), "withdrawn", "analysis", now=LONG_AGO)
    release()
    assert passed()["consents"]["due"] == 0


def test_merged_people_keep_their_answers() -> None:
    one, two = factories.profile("u-1"), factories.profile("u-2")
    consents.say(two, "refused", now=LONG_AGO)
    merging.merge(two.pk, one.pk, now=NOW, reason="same", user=officer())
    release()
    assert passed()["consents"]["due"] == 0


def handed(person: Profile, purpose: str, ago: timedelta) -> None:
    hand_off = NewHandOff(
        delivery=uuid4(),
        profile_id=person.pk,
        allowed_by=None,
        basis="contract",
        purpose=purpose,
        channel="email",
        handed_off_at=NOW - ago,
    )
    handoffs.record([hand_off], NOW - ago)


def test_to_whom_a_message_left_is_kept_as_long_as_its_purpose_says() -> None:
    person = factories.profile("u-1")
    for ago in (1000 * DAY, 1200 * DAY, 2100 * DAY):
        handed(person, "offers", ago)
        handed(person, "news", ago)
    release()
    found = passed()["hand_offs"]
    assert (found["deleted"], found["keep_days"], found["shortest_days"]) == (3, 2000, 1096)
    kept = HandOffPerson.objects.values_list("hand_off__purpose", flat=True)
    assert sorted(kept) == ["news", "news", "offers"]
    assert HandOff.objects.count() == 6
    sequence(NOW)
    call_command("ledger", "fsck")


def test_assessments_go_three_years_after_they_ended() -> None:
    words: dict[str, Any] = {
        "purposes": ["t"],
        "data_types": ["t"],
        "necessity": "-",
        "risks": "-",
        "measures": "-",
        "level": "low",
    }
    words |= {
        "conclusion": "proceed",
        "is_synthetic": True,
        "created_at": LONG_AGO - DAY,
        "approved_at": LONG_AGO - DAY,
    }
    for name, ago in (("churn", 1097), ("rfm", 1095)):
        ImpactAssessment.objects.create(subject=f"spec:{name}", valid_until=NOW - ago * DAY, **words)
    draft = words | {"approved_at": None}
    ImpactAssessment.objects.create(subject="spec:draft", valid_until=NOW - 2000 * DAY, **draft)
    release()
    assert passed()["assessments"]["deleted"] == 1
    assert [one.subject for one in ImpactAssessment.objects.all()] == ["spec:rfm", "spec:draft"]


def test_answers_of_models_go_after_a_year_with_their_batch() -> None:
    from mlengine.models import PredictionRun, Score

    run = api.run("churn")
    Score.objects.create(profile=factories.profile("u-1"), run=run, value=0.5, reasons=[])
    PredictionRun.objects.filter(pk=run.pk).update(started_at=NOW - 364 * DAY)
    release()
    assert passed()["scores"]["due"] == 0
    PredictionRun.objects.filter(pk=run.pk).update(started_at=NOW - 366 * DAY)
    assert passed()["scores"]["deleted"] == 1
    assert not Score.objects.exists()


def test_uploads_that_nobody_imports_go_after_a_month_and_one_that_is_being_read_stays() -> None:
    folder = Path(settings.MEDIA_ROOT) / "imports"
    folder.mkdir(parents=True)
    for name, days in (("waits", 31), ("read", 31), ("new", 29)):
        (folder / name).write_bytes(b"x")
        then = (NOW - days * DAY).timestamp()
        os.utime(folder / name, (then, then))
    for name, status in (("waits", "paused"), ("read", "running")):
        parameters = {"path": str((folder / name).resolve())}
        JobRun.objects.create(kind="import", title=name, parameters=parameters, status=status, created_at=NOW)
    release()
    assert passed()["uploads"]["deleted"] == 1
    assert sorted(path.name for path in folder.iterdir()) == ["new", "read"]
