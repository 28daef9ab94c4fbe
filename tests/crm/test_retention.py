"""What is past its time goes, class by class; what is held stays; a rehearsal takes nothing."""

from datetime import timedelta
from typing import Any

import pytest

from crm import holds, partitions, retention, retention_keeps
from crm.models import (
    Event,
    JobRun,
    LedgerNote,
    LegalHold,
    PersonalDataAccess,
    PrivacyRequest,
    Profile,
    RejectedEvent,
    RetentionRule,
    RetentionRun,
)
from crm.retention_classes import CLASSES, EVENT_CLASSES
from tests import api, factories
from tests.crm import passes
from tests.crm.requests import officer
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def did(person: Profile, kind: str, ago: timedelta) -> Event:
    return api.event(person, NOW - ago, kind=kind)


def passed(*, dry_run: bool = False) -> dict[str, dict[str, Any]]:
    if not dry_run:
        passes.release()
    return passes.passed(dry_run=dry_run)


def hold(scope: str, **facts: Any) -> LegalHold:
    return holds.place(LegalHold(reference="case", reason="court", scope=scope, **facts), now=NOW, user=None)


def test_every_kind_of_event_belongs_to_exactly_one_class() -> None:
    kinds = [kind for name in EVENT_CLASSES for kind in CLASSES[name].store.kinds]  # type: ignore[attr-defined]
    assert sorted(kinds) == sorted(Event.Kind.values)


def test_each_class_goes_at_its_own_age_to_the_moment() -> None:
    person = factories.profile("u-1")
    views = [did(person, "view", 730 * DAY + timedelta(seconds=late)) for late in (-1, 0, 1)]
    order = did(person, "purchase", 730 * DAY + timedelta(seconds=1))
    report = passed()
    assert (report["behaviour"]["due"], report["behaviour"]["deleted"]) == (1, 1)
    assert (report["orders"]["due"], report["orders"]["deleted"]) == (0, 0)
    assert set(Event.objects.values_list("pk", flat=True)) == {views[0].pk, views[1].pk, order.pk}


def test_a_rehearsal_counts_the_same_and_takes_nothing() -> None:
    person = factories.profile("u-1")
    for number in range(5):
        did(person, "view", 800 * DAY + number * DAY)
    rehearsed = passed(dry_run=True)
    assert Event.objects.count() == 5
    assert not LedgerNote.objects.filter(kind="retention").exists()
    done = passed()
    assert rehearsed["behaviour"]["due"] == done["behaviour"]["deleted"] == 5
    assert not Event.objects.exists()
    assert passed()["behaviour"]["due"] == 0
    assert LedgerNote.objects.filter(kind="retention", reference__startswith="pass").count() == 2
    runs = RetentionRun.objects.order_by("pk").values_list("dry_run", flat=True)
    assert list(runs) == [True, True, False, True, False]


def test_a_month_is_dropped_when_its_longest_class_has_gone_and_not_before() -> None:
    person = factories.profile("u-1")
    did(person, "view", 1000 * DAY)
    did(person, "purchase", 1000 * DAY)
    [month] = partitions.existing()
    assert passed()["behaviour"]["dropped"] == 0
    assert partitions.existing() == {month}
    later = NOW + 900 * DAY
    run = retention.run(lambda: later, dry_run=False)
    assert sum(one["dropped"] for one in run.report) == 1
    assert partitions.existing() == set()


def test_a_held_person_keeps_everything_with_all_her_aliases() -> None:
    from crm import merging

    held, twin, other = (factories.profile(f"u-{number}") for number in range(3))
    merging.merge(twin.pk, held.pk, now=NOW, reason="same", user=officer())
    for person in (held, twin, other):
        did(person, "view", 800 * DAY)
    hold("person", profile=held)
    report = passed()["behaviour"]
    assert (report["due"], report["deleted"], report["held"]) == (1, 1, 2)
    assert set(Event.objects.values_list("profile_id", flat=True)) == {held.pk, twin.pk}


@pytest.mark.parametrize("scope", ["class", "everything"])
def test_a_held_class_stays_until_the_hold_is_released(scope: str) -> None:
    person = factories.profile("u-1")
    did(person, "view", 800 * DAY)
    placed = hold(scope, data_class="behaviour" if scope == "class" else "")
    report = passed()["behaviour"]
    assert (report["due"], report["deleted"], report["held"], report["hold"]) == (1, 0, 1, True)
    assert holds.release(placed, now=NOW, user=None)
    assert not holds.release(placed, now=NOW, user=None)
    assert passed()["behaviour"]["deleted"] == 1


def test_the_longest_rule_of_a_class_counts() -> None:
    person = factories.profile("u-1")
    did(person, "view", 100 * DAY)
    RetentionRule.objects.create(data_class="behaviour", purpose="profiling", keep=30 * DAY, changed_at=NOW)
    RetentionRule.objects.create(data_class="behaviour", purpose="service", keep=120 * DAY, changed_at=NOW)
    assert passed()["behaviour"]["due"] == 0
    RetentionRule.objects.filter(purpose="service").delete()
    assert passed()["behaviour"]["deleted"] == 1


def test_logs_and_ended_requests_stay_three_years_and_open_ones_for_ever() -> None:
    old, kept = NOW - 1097 * DAY, NOW - 1095 * DAY
    for at in (old, kept):
        PersonalDataAccess.objects.create(actor="ma", action="view", what="name", at=at)
        PrivacyRequest.objects.create(kind="copy", method="api", status="withdrawn", received_at=at, ended_at=at)
    PrivacyRequest.objects.create(kind="copy", method="api", received_at=old)
    report = passed()
    assert report["accesses"]["deleted"] == 1
    assert set(PrivacyRequest.objects.values_list("ended_at", flat=True)) == {kept, None}
    assert [one.at for one in PersonalDataAccess.objects.all()] == [kept]


def test_refused_messages_and_ended_jobs_go_and_running_ones_stay() -> None:
    old = NOW - 400 * DAY
    JobRun.objects.create(kind="train", title="ended", created_at=old, finished_at=old)
    JobRun.objects.create(kind="train", title="runs", created_at=old)
    for at in (NOW - 91 * DAY, NOW - 89 * DAY):
        RejectedEvent.objects.create(source=factories.source(), index=0, reason="x", payload="{}", received_at=at)
    report = passed()
    assert (report["jobs"]["deleted"], report["refused_messages"]["deleted"]) == (1, 1)
    assert [job.title for job in JobRun.objects.all()] == ["runs"]


def test_more_than_a_batch_goes_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from crm import retention_stores

    monkeypatch.setattr(retention_stores, "BATCH", 3)
    person = factories.profile("u-1")
    for number in range(10):
        did(person, "view", 800 * DAY + timedelta(minutes=number))
    assert passed()["behaviour"]["deleted"] == 10


def test_a_sample_can_be_kept_and_being_told_twice_changes_nothing() -> None:
    years = timedelta(days=50 * 365)
    assert retention.keep_sample(years, purpose="demonstration", now=NOW) == 8
    assert retention.keep_sample(years, purpose="demonstration", now=NOW) == 0
    kept = retention_keeps.keeps()
    events = {"behaviour", "messages", "orders", "identification"}
    assert {name for name, keep in kept.items() if keep == years} == events | {
        "consents",
        "hand_offs",
        "deliveries",
        "scores",
    }
    assert kept["jobs"] == timedelta(days=365)
