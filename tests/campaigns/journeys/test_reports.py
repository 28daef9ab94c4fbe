"""What a journey caused: who entered beside who was held out of the same version, in the report of any campaign."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.journeys import walking
from campaigns.models import Delivery, Figures, JourneyEntry, Outcome, Run
from campaigns.reporting import arms, figures, private_reports, report_files, reports
from crm import ingest
from crm.merging import merge
from crm.models import Event, Profile
from tests import factories as crm
from tests.campaigns.journeys.factories import DAY, NOW, enter, journey, live, mail, people, tree, wait
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
LATER = NOW + 2 * DAY


def lead(run: Run, now: datetime) -> None:
    while walking.walk(run, now):
        pass


def buys(*some: Profile, at: datetime = NOW + DAY) -> None:
    told = [
        ingest.NewEvent(
            kind="purchase",
            profile_id=one.pk,
            occurred_at=at,
            received_at=at,
            value=Decimal(10),
            currency="CNY",
            message_id=f"{one.pk} {at}",
        )
        for one in some
    ]
    ingest.record_many(crm.source(), told, now=at)


def split(run: Run, some: list[Profile]) -> tuple[list[Profile], list[Profile]]:
    """Return those who walk, and those held out."""
    out = set(JourneyEntry.objects.filter(run=run, status="held_out").values_list("profile", flat=True))
    return [one for one in some if one.pk not in out], [one for one in some if one.pk in out]


def groups(report: reports.Report) -> dict[str, tuple[int, int]]:
    return {group.name: (group.people, group.converted) for group in report.groups}


def test_who_entered_is_compared_with_who_was_held_out() -> None:
    run = journey(tree("pause", pause=wait("", 60)), holdout="0.5")
    some = people(400)
    enter(run, *some)
    treated, held = split(run, some)
    lead(run, NOW + HOUR)
    buys(*treated[:100], *held[:20])
    report = reports.of(run.campaign, LATER)
    assert groups(report) == {"": (len(held), 20), "Version 1": (len(treated), 100)}
    assert report.lift
    assert report.lift.rate.effect == pytest.approx(100 / len(treated) - 20 / len(held))
    assert report.lift.rate.low > 0, "both ends of the interval are above nothing"
    assert report.sample_ratio > 0.01
    assert "nobody" not in report.caveats
    assert "no_holdout" not in report.caveats
    step = report.steps[0]
    assert (step.key, step.arrived, step.walking, step.ways) == ("pause", len(treated), 0, [("next", len(treated), "")])


def test_a_version_is_compared_with_those_held_out_of_it_alone() -> None:
    run = journey(tree("pause", pause=wait("", 60)), holdout="0.5")
    first, second = people(300), people(300)
    enter(run, *first)
    live(run.campaign.journey, tree("other", other=wait("", 60)))
    run.campaign.journey.refresh_from_db()
    enter(run, *second, now=NOW + HOUR)
    (one, out_of_one), (two, out_of_two) = split(run, first), split(run, second)
    # Among those who came later all buy more: whoever threw both held-out groups together would see an effect.
    buys(*one[:30], *out_of_one[:30], *two[:110], *out_of_two[:110])
    report = reports.of(run.campaign, LATER)
    lifts = {report_name(report, variant): told.rate.effect for variant, told in report.variants.items()}
    assert lifts["Version 1"] == pytest.approx(30 / len(one) - 30 / len(out_of_one))
    assert lifts["Version 2"] == pytest.approx(110 / len(two) - 110 / len(out_of_two))
    assert [step.version for step in report.steps] == [2, 1]
    assert report.sample_ratio > 0.01


def report_name(report: reports.Report, variant: int) -> str:
    return next(group.name for group in report.groups if group.variant == variant)


def test_who_enters_again_counts_once_and_from_the_first_time() -> None:
    run = journey(tree("pause", pause=wait("", 60)), again="ended")
    some = people(5)
    enter(run, *some)
    lead(run, NOW + HOUR)
    enter(run, *some, key="again", now=NOW + DAY)
    assert JourneyEntry.objects.count() == 10
    assert groups(reports.of(run.campaign, LATER)) == {"Version 1": (5, 0)}
    assert {one.assigned_at for one in Outcome.objects.all()} == {NOW}


def test_the_permanent_holdout_is_in_no_group() -> None:
    run = journey(tree("pause", pause=wait("", 60)))
    enter(run, *people(6))
    JourneyEntry.objects.filter(pk__in=JourneyEntry.objects.values("pk")[:2]).update(
        status="held_out", reason="permanent_holdout", ended_at=NOW
    )
    assert groups(reports.of(run.campaign, LATER)) == {"Version 1": (4, 0)}


# Each step is committed: what is new is told by a snapshot, which knows nothing of its own transaction's rows once
# another transaction that began later has ended.
@pytest.mark.django_db(transaction=True)
def test_what_is_kept_up_is_what_is_counted_anew() -> None:
    run = journey(tree("pause", pause=wait("", 60)), holdout="0.3")
    some = people(60)
    enter(run, *some[:40])
    figures.count(run.campaign, NOW + HOUR)
    enter(run, *some[40:], key="late", now=NOW + 2 * HOUR)
    lead(run, NOW + DAY)
    buys(*some[::3])
    merge(some[0].pk, some[1].pk, reason="same", user=run.campaign.created_by, now=NOW + DAY)
    kept = figures.keep_up(run.campaign, LATER)
    assert kept is not None
    told = rows()
    anew, corrected = figures._count(run.campaign, LATER)
    assert corrected == 0
    assert rows() == told
    assert len(told) == 59
    assert kept.counted["groups"] == anew.counted["groups"]


def rows() -> list[tuple[Any, ...]]:
    return sorted(Outcome.objects.values_list("profile_id", "version", "variant_id", "assigned_at", "reached_at"))


def test_messages_are_told_by_step_and_conversions_after_them() -> None:
    run = journey(tree("hello", hello={**mail("pause"), "title": "Hello"}, pause=wait("", 60)))
    some = people(3)
    enter(run, *some)
    lead(run, NOW)
    report = reports.of(run.campaign, LATER)
    assert report.funnel == []
    assert sum(n for *_why, n in report.reasons) == 3, "nobody has an address"
    names = arms.names(run.campaign)
    assert sorted(str(name) for name in names.values()) == ["1 · Hello · A", "Version 1"]
    assert Delivery.objects.filter(run=run).count() == 3


def test_a_small_reader_gets_noise_on_the_versions() -> None:
    run = journey(tree("pause", pause=wait("", 60)), holdout="0.5")
    some = people(50)
    enter(run, *some)
    treated, held = split(run, some)
    buys(*treated[:5])
    version = run.campaign.journey.versions.get().pk
    assert figures.cells(run.campaign, LATER) == {
        "0 yes": 0,
        "0 no": len(held),
        f"{-version} yes": 5,
        f"{-version} no": len(treated) - 5,
    }
    assert private_reports.question(run.campaign) is not None


def test_the_window_stays_open_for_who_came_last() -> None:
    run = journey(tree("pause", pause=wait("", 60)))
    enter(run, *people(1))
    run.status, run.finished_at = "finished", NOW + 30 * DAY
    run.save()
    assert figures.closes(run.campaign) == NOW + 30 * DAY + run.campaign.attribution_window
    assert Figures.objects.count() == 0
    assert Event.objects.filter(kind="assigned").count() == 1


def test_what_is_restricted_counts_nowhere() -> None:
    run = journey(tree("pause", pause=wait("", 60)))
    some = people(4)
    enter(run, *some)
    some[0].restricted_at = NOW
    some[0].save()
    buys(some[0])
    assert groups(reports.of(run.campaign, LATER)) == {"Version 1": (3, 0)}


def test_the_page_and_the_file_tell_the_steps_of_each_version() -> None:
    run = journey(tree("pause", pause={**wait("", 60), "title": "A while"}), holdout="0.5")
    enter(run, *people(60))
    lead(run, NOW + HOUR)
    walked = JourneyEntry.objects.exclude(status="held_out").count()
    figures.count(run.campaign, LATER)
    client = logged_in(member("Marketing"))
    page = client.get(f"/admin/campaigns/figures/{run.campaign_id}/change/").content.decode()
    assert "Steps of version 1" in page
    assert f"then: {walked}" in page
    assert "Those who entered a version stand beside those who were held out of the same one." in page
    lines = "".join(report_files.lines(reports.of(run.campaign, LATER)))
    assert f"1,pause,A while,wait,{walked},0,0,next,{walked}," in lines
