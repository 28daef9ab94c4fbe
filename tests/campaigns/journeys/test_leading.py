"""Something unforeseen at a step costs the one it happens to, not the others, the other journeys, or the tick."""

from collections.abc import Sequence
from datetime import datetime

import pytest
from django.db import OperationalError
from django.utils import timezone

from campaigns.journeys import acting, following, leading
from campaigns.journeys.graph import Condition, Step
from campaigns.journeys.walkers import Walker
from campaigns.models import JourneyEntry, Run, SendingPolicy
from tests.campaigns.journeys.factories import DAY, NOW, condition, enter, entry, journey, people, tree, wait
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
BEIJING = {"field": "city", "is": "is", "value": "Beijing"}
WAY = tree("pause", pause=wait("ask"), ask=condition(BEIJING, no="last"), last=wait(""))


@pytest.fixture(autouse=True)
def purpose() -> None:
    consents.purpose()


def breaks_for(bad: set[int], error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    real = acting.ACTS[Condition]

    def act(step: Step, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[acting.Outcome]:
        if bad & {one.profile for one in walkers}:
            raise error("nobody foresaw this")
        return real(step, walkers, run, now)

    monkeypatch.setattr(acting, "ACTS", {**acting.ACTS, Condition: act})


def test_one_person_whom_a_step_cannot_be_done_for_fails_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = people(300)
    run = journey(WAY)
    enter(run, *everybody)
    bad = {everybody[7].pk, everybody[8].pk, everybody[250].pk}
    breaks_for(bad, RuntimeError, monkeypatch)
    leading.lead(run, NOW + DAY)
    stuck = JourneyEntry.objects.filter(run=run, status="failed")
    assert set(stuck.values_list("profile", "step", "reason")) == {(one, "pause", "error") for one in bad}
    assert JourneyEntry.objects.walking().filter(run=run, step="last").count() == 297


def test_a_journey_that_breaks_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    (here,), (there,) = people(1), people(1)
    first, second = journey(WAY, "first"), journey(WAY, "second")
    enter(first, here)
    enter(second, there)
    real = following.look

    def look(run: Run, now: datetime) -> int:
        if run.pk == first.pk:
            raise RuntimeError("nobody foresaw this")
        return real(run, now)

    monkeypatch.setattr(following, "look", look)
    following.follow(NOW + DAY)
    assert (entry(first, here).step, entry(second, there).step) == ("last", "last")


def test_nobody_is_to_blame_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    (person,) = people(1)
    run = journey(WAY)
    enter(run, person)
    breaks_for({person.pk}, OperationalError, monkeypatch)
    with pytest.raises(OperationalError):
        leading.lead(run, NOW + DAY)
    assert (entry(run, person).status, entry(run, person).step) == ("walking", "pause")


@pytest.mark.parametrize("what", ["everything is stopped", "the campaign is paused"])
def test_nobody_moves_while_somebody_stopped_it(what: str) -> None:
    (person,) = people(1)
    run = journey(WAY)
    enter(run, person)
    if what == "the campaign is paused":
        run.campaign.status = "paused"
        run.campaign.save(update_fields=["status"])
    else:
        SendingPolicy.objects.update_or_create(pk=1, defaults={"stopped_at": timezone.now()})
    assert (following.follow(NOW + DAY), leading.lead(run, NOW + DAY)) == (0, 0)
    assert entry(run, person).step == "pause"
