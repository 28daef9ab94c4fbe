"""Nothing is deleted before an officer has looked at a rehearsal and released the class; purposes say how long."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import retention, retention_keeps, retention_releases, tasks
from crm.models import Event, LedgerNote, Purpose, RetentionRelease, RetentionRule, RetentionRun
from crm.retention_classes import CLASSES
from tests import api, factories
from tests.crm import consents
from tests.crm.passes import passed, release
from tests.crm.requests import officer
from tests.factories import NOW
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def viewed(ago: timedelta) -> Event:
    return api.event(factories.profile(), NOW - ago, kind="view")


def test_the_first_nights_delete_nothing_and_say_what_waits() -> None:
    viewed(800 * DAY)
    found = passed()["behaviour"]
    assert (found["due"], found["deleted"], found["released"]) == (1, 0, False)
    assert Event.objects.count() == 1


def test_the_nightly_task_deletes_what_was_released_only() -> None:
    viewed(800 * DAY)
    api.event(factories.profile(), NOW - 800 * DAY, kind="sent")
    release(["messages"])
    assert tasks.retain() == 1
    assert [event.kind for event in Event.objects.all()] == ["view"]


def test_a_release_is_taken_back() -> None:
    viewed(800 * DAY)
    release(["behaviour"])
    assert retention_releases.take_back("behaviour", user=officer(), now=NOW)
    assert not retention_releases.take_back("behaviour", user=officer(), now=NOW)
    assert passed()["behaviour"]["deleted"] == 0
    notes = LedgerNote.objects.filter(kind="retention", reference__endswith="behaviour")
    assert {note.reference for note in notes} == {"release behaviour", "kept behaviour"}


def test_a_class_that_is_kept_shorter_since_waits_for_another_look() -> None:
    viewed(100 * DAY)
    release()
    rule = RetentionRule.objects.create(data_class="behaviour", purpose="x", keep=30 * DAY, changed_at=NOW)
    assert passed()["behaviour"]["deleted"] == 0
    release()
    assert passed()["behaviour"]["deleted"] == 1
    rule.keep = 60 * DAY
    rule.save()
    viewed(100 * DAY)
    assert passed()["behaviour"]["deleted"] == 1  # longer than what was looked at


def test_only_an_ended_rehearsal_of_the_present_times_can_be_released() -> None:
    keep = retention_keeps.all_keeps()["behaviour"].shortest
    pass_ = retention.run(lambda: NOW, dry_run=False)
    looked = retention.run(lambda: NOW, dry_run=True)
    unfinished = RetentionRun.objects.create(dry_run=True, report=looked.report, started_at=NOW)
    for run, name, kept in (
        (pass_, "behaviour", keep),
        (unfinished, "behaviour", keep),
        (looked, "nonsense", keep),
        (looked, "behaviour", keep - DAY),
    ):
        with pytest.raises(retention_releases.CannotRelease):
            retention_releases.release(run, name, keep=kept, user=officer(), now=NOW)
    assert not RetentionRelease.objects.exists()


def test_an_officer_releases_a_class_on_the_page_and_nobody_else_can() -> None:
    looked = retention.run(timezone.now, dry_run=True)
    address = reverse("admin:crm_retentionrun_release", args=[looked.pk])
    for role in ("Marketing", "Analyst", "Support", "Admin"):
        client = logged_in(member(role))
        assert client.post(address, {"data_class": "jobs"}).status_code == 403
        assert client.post(reverse("admin:crm_retentionrun_take_back"), {"data_class": "jobs"}).status_code == 403
    ma: Client = logged_in(member("Compliance"))
    assert ma.get(address).status_code == 405
    assert ma.post(address, {"data_class": "nonsense"}).status_code == 404
    assert ma.post(address, {"data_class": "jobs"}).status_code == 302
    assert list(RetentionRelease.objects.values_list("data_class", flat=True)) == ["jobs"]
    shown = ma.get(reverse("admin:crm_retentionrun_change", args=[looked.pk])).content.decode()
    assert shown.count('name="data_class"') == len(CLASSES) - 1
    listed = ma.get(reverse("admin:crm_retentionrun_changelist")).content.decode()
    assert listed.count('name="data_class" value="jobs"') == 1
    ma.post(reverse("admin:crm_retentionrun_take_back"), {"data_class": "jobs"})
    assert not RetentionRelease.objects.exists()


def test_the_retention_of_the_purposes_that_a_class_serves_decides_and_the_longest_counts() -> None:
    assert retention_keeps.keeps()["messages"] == 730 * DAY
    consents.purpose("news", retention=90 * DAY)
    assert retention_keeps.keeps()["messages"] == 90 * DAY
    consents.purpose("offers", retention=120 * DAY)
    assert retention_keeps.keeps()["messages"] == 120 * DAY
    consents.purpose("old", retention=900 * DAY, is_active=False)
    consents.purpose("learning", kind=Purpose.Kind.PROFILING, retention=45 * DAY)
    kept = retention_keeps.keeps()
    assert (kept["messages"], kept["behaviour"], kept["scores"]) == (120 * DAY, 45 * DAY, 45 * DAY)
    consents.purpose("calls")  # says nothing: ours counts, which is longer
    assert retention_keeps.keeps()["messages"] == 730 * DAY
    RetentionRule.objects.create(data_class="messages", purpose="x", keep=30 * DAY, changed_at=NOW)
    assert retention_keeps.keeps()["messages"] == 30 * DAY


def test_nothing_makes_a_class_shorter_than_the_law_wants() -> None:
    for name in ("orders", "accesses", "requests", "consents", "hand_offs", "assessments"):
        RetentionRule.objects.create(data_class=name, purpose="x", keep=DAY, changed_at=NOW)
        assert retention_keeps.keeps()[name] == 1096 * DAY
    ma = logged_in(member("Compliance"))
    told = {"data_class": "orders", "purpose": "contract", "days": "1095"}
    assert b"1096" in ma.post(reverse("admin:crm_retentionrule_add"), told).content
    assert ma.post(reverse("admin:crm_retentionrule_add"), told | {"days": "1096"}).status_code == 302
