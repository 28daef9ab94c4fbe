"""Plans: cut off and planned again, with caps and clocks, and the same as their rehearsal said."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.delivering.worker import Worker
from campaigns.models import Campaign, Delivery, FrequencyCap, Run, SendingPolicy
from campaigns.runs import deciding, planning
from crm.models import Event, Profile
from tests.campaigns import factories
from tests.campaigns.providers import Peer, desk
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def people(number: int, **facts: Any) -> list[int]:
    consents.purpose()
    return [factories.person(one, **facts).pk for one in range(1, number + 1)]


def test_a_plan_that_was_cut_off_adds_only_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.account()
    who = people(30)
    monkeypatch.setattr(planning, "PIECE", 10)
    run = planning.begin(factories.campaign(holdout="0.2"), "once", NOON)

    def cut_off() -> Any:
        yield who[:15]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        planning.plan(run, cut_off(), NOON)
    assert Delivery.objects.count() == Event.objects.filter(kind="assigned").count() == 10
    before = list(Delivery.objects.order_by("pk").values())
    planning.plan(run, iter([who]), NOON)
    assert Delivery.objects.count() == Event.objects.filter(kind="assigned").count() == 30
    assert list(Delivery.objects.filter(pk__in=[row["id"] for row in before]).order_by("pk").values()) == before


def test_planned_again_nobody_gets_a_second_message_because_another_channel_reaches_her_now() -> None:
    factories.account("sms")
    email = factories.account()
    who = people(3)
    campaign = factories.campaign(holdout="0", channels=["email", "sms"])
    run = planning.begin(campaign, "once", NOON)
    planning.plan(run, iter([who]), NOON)
    email.status = "paused"
    email.save()
    Run.objects.update(status="planning")
    planning.plan(run, iter([who]), NOON)
    assert Counter(Delivery.objects.values_list("profile_id", flat=True)) == dict.fromkeys(who, 1)


def test_a_segment_is_planned_from_its_rule() -> None:
    factories.account()
    who = people(5)
    Profile.objects.filter(pk__in=who[:2]).update(city="上海")
    segment = factories.segment("shanghai", {"field": "city", "is": "in", "value": ["上海"]})
    run = planning.begin(factories.campaign(holdout="0", segment=segment), "once", NOON)
    planning.plan(run, deciding.audience(run, NOON), NOON)
    assert set(Delivery.objects.values_list("profile_id", flat=True)) == set(who[:2])
    run.refresh_from_db()
    assert (run.status, run.counts) == ("sending", {"queued": 2})


def test_a_segment_of_nobody_is_planned_and_sent_at_once() -> None:
    factories.account()
    run = planning.begin(factories.campaign(), "once", NOON)
    assert planning.plan(run, iter([]), NOON).counts == {}
    assert Worker(lambda: NOON, at=desk(email=Peer())).run(5) == {}


def test_who_has_had_enough_is_left_out_before_chance_decides() -> None:
    factories.account()
    who = people(4)
    FrequencyCap.objects.create(channel="", most=1, within=timedelta(days=1))
    first = planning.begin(factories.campaign("first", holdout="0"), "once", NOON)
    planning.plan(first, iter([who[:2]]), NOON)
    Worker(lambda: NOON, at=desk(email=Peer())).run(10)
    greater = planning.begin(factories.campaign("greater", holdout="0", priority=80), "once", NOON)
    planning.plan(greater, iter([who[2:3]]), NOON)
    run = planning.begin(factories.campaign("second", holdout="0.5"), "once", NOON)
    planning.plan(run, iter([who]), NOON)
    found = dict(run.deliveries.exclude(reason="").values_list("profile_id", "reason"))
    assert found == {who[0]: "capped", who[1]: "capped", who[2]: "outranked"}
    assert Event.objects.filter(kind="assigned", session=str(run.pk)).count() == 1


def test_a_message_is_due_when_the_persons_night_is_over() -> None:
    factories.account()
    who = people(2)
    Profile.objects.filter(pk=who[1]).update(attributes={"time_zone": "America/New_York"})
    run = planning.begin(factories.campaign(holdout="0"), "once", NOON)
    planning.plan(run, iter([who]), NOON)
    due = dict(run.deliveries.values_list("profile_id", "due_at"))
    assert due == {who[0]: NOON, who[1]: datetime(2026, 3, 2, 14, tzinfo=UTC)}


def test_the_permanent_holdout_gets_nothing_of_any_campaign_and_is_counted_apart() -> None:
    factories.account()
    who = people(40)
    SendingPolicy.objects.update_or_create(pk=1, defaults={"holdout": "0.5", "salt": "s"})
    runs = [planning.begin(factories.campaign(name, holdout="0.1"), "once", NOON) for name in ("one", "two")]
    kept = []
    for run in runs:
        planning.plan(run, iter([who]), NOON)
        held = run.deliveries.filter(reason="permanent_holdout")
        kept.append(set(held.values_list("profile_id", flat=True)))
    assert kept[0] == kept[1]
    assert 8 < len(kept[0]) < 32


def test_a_rehearsal_says_what_the_plan_then_does_and_writes_nothing() -> None:
    factories.account()
    who = [*people(30), factories.person(50, consent=False).pk, factories.person(51, email=False).pk]
    campaign = factories.campaign(holdout="0.2", send_rate=10)
    run = planning.begin(campaign, "once", NOON)
    told = planning.rehearse(campaign, NOON)
    assert Delivery.objects.count() == Event.objects.count() == 0
    planning.plan(run, deciding.audience(run, NOON), NOON)
    rows = run.deliveries
    assert (told.audience, told.sent) == (len(who), rows.filter(status="queued").count())
    assert told.held_out == rows.filter(status="held_out").count()
    assert told.reasons == {"no_consent": 1, "no_address": 1}
    assert told.by_due == {NOON: told.sent}
    assert told.ends_at == NOON + timedelta(minutes=told.sent / 10)
    by_profile = {one.profile: (one.status, one.reason, one.variant) for one in told.sample}
    planned = {pk: rest for pk, *rest in rows.values_list("profile_id", "status", "reason", "variant_id")}
    assert by_profile == {pk: tuple(planned[pk]) for pk in by_profile}
    assert {row[0] for row in by_profile.values()} == {"queued", "held_out", "suppressed"}


def test_who_is_erased_between_reading_and_writing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.account()
    who = people(3)
    run = planning.begin(factories.campaign(holdout="0"), "once", NOON)
    decide = deciding.decide

    def meanwhile(*arguments: Any) -> Any:
        made = decide(*arguments)
        Profile.objects.filter(pk=who[0]).delete()
        return made

    monkeypatch.setattr(deciding, "decide", meanwhile)
    planning.plan(run, iter([who]), NOON)
    assert set(Delivery.objects.values_list("profile_id", flat=True)) == set(who[1:])
    assert Campaign.objects.count() == 1
