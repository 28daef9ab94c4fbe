"""Figures that are kept up equal those that are counted anew, whatever happened in between and in whichever order."""

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q

from campaigns.models import Campaign, Delivery, Figures, Outcome, Reaction, Run, Variant
from campaigns.reporting import figures, outcomes
from campaigns.runs import planning
from crm import merging
from crm.locks import only_one
from crm.models import Event, Profile, ProfileAlias
from tests.campaigns import factories
from tests.campaigns.factories import NOW
from tests.campaigns.test_reports import DAY, happened, meant, run_of

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
PEOPLE = 60


class World:
    """A campaign to which things happen; ``chance`` draws which."""

    def __init__(self, seed: int, kind: str) -> None:
        self.chance = random.Random(seed)
        self.campaign = factories.campaign(kind="once", holdout="0.300")
        self.now = NOW
        first = self.campaign.variants.get()
        second = Variant.objects.create(campaign=self.campaign, name="B", template=first.template)
        self.variants = [None, first, second]
        made = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(PEOPLE))
        self.people = list(made)
        self.runs = [run_of(self.campaign)]
        for one in self.people[:40]:
            self.assign(one, self.runs[0])
        if kind == "triggered":
            Campaign.objects.filter(pk=self.campaign.pk).update(
                kind="triggered", timing={"event": "cart"}, status="running", next_run_at=None
            )
            self.campaign.refresh_from_db()

    def assign(self, person: Profile, run: Run, **facts: Any) -> None:
        meant(run, [person], self.chance.choice(self.variants), planned_at=self.now, due_at=self.now, **facts)

    def someone(self) -> Profile:
        return self.chance.choice(self.people)

    def message(self) -> Delivery | None:
        rows = list(Delivery.objects.order_by("run__key", "profile", "channel"))
        return self.chance.choice(rows) if rows else None

    # What can happen. -------------------------------------------------------------------------------------------------

    def buys(self) -> None:
        kind = self.chance.choice(["purchase", "purchase", "purchase", "refund"])
        at = self.now + self.chance.choice([-45, -20, -3, -0.5, 0, 0, 0.2, 2, 9, 16]) * DAY
        value = f"{self.chance.randrange(1, 50_000) / 100:.2f}"
        happened(self.someone(), kind=kind, at=at, value=value, currency=self.chance.choice(["CNY"] * 6 + ["USD"]))

    def is_clicked(self) -> None:
        sent = self.message()
        if sent is None:
            return
        why = self.chance.choice([None, None, "burst"])
        facts = {"delivery": str(sent.pk), "link": self.chance.choice(["3", "4"]), "automatic": why}
        told = json.dumps({name: value for name, value in facts.items() if value})
        kind = self.chance.choice(["clicked", "opened"])
        happened(sent.profile, kind=kind, session=str(sent.occasion), properties=told, at=self.now)

    def nonsense_is_told(self) -> None:
        session = str(self.runs[0].pk)
        happened(self.someone(), kind="clicked", session=session, properties='{"delivery": "x"}', at=self.now)

    def moves(self) -> None:
        sent = self.message()
        if sent is not None and sent.call:
            status = self.chance.choice(["accepted", "delivered", "bounced"])
            Delivery.objects.filter(pk=sent.pk).update(status=status, cost="0.07", logged=False)

    def follows_on_another_channel(self) -> None:
        sent = self.message()
        if sent is not None and sent.variant_id and sent.channel == "email":
            taken = Delivery.objects.filter(occasion=sent.occasion, profile=sent.profile_id, channel="sms")
            if not taken.exists():
                run = next(run for run in self.runs if run.pk == sent.run_id)
                meant(
                    run, [sent.profile], sent.variant, channel="sms", planned_at=self.now + HOUR / 60, due_at=self.now
                )

    def is_assigned(self) -> None:
        """Of a run that grows; and what was assigned a little earlier may be seen only now."""
        free = [one for one in self.people if not Delivery.objects.filter(profile=one.pk).exists()]
        if free and self.campaign.kind == Campaign.Kind.TRIGGERED:
            self.assign(free[0], self.runs[0])

    def is_planned_again(self) -> None:
        if len(self.runs) < 3:
            run = planning.begin(self.campaign, f"again {len(self.runs)}", self.now)
            Run.objects.filter(pk=run.pk).update(status="sending", planned_at=self.now)
            self.runs.append(run)
            for one in self.chance.sample(self.people, min(15, len(self.people))):
                self.assign(one, run)

    def is_cancelled(self) -> None:
        Run.objects.filter(pk=self.chance.choice(self.runs).pk).update(status="cancelled")

    def merge(self) -> None:
        one, other = self.chance.sample(self.people, 2)
        merging.merge(one.pk, other.pk, reason="same", user=User.objects.get(username="boss"), now=self.now)

    def part(self) -> None:
        if aliases := list(ProfileAlias.objects.filter(undone_at=None).order_by("pk")):
            merging.undo(self.chance.choice(aliases), now=self.now, user=User.objects.get(username="boss"))

    def is_restricted(self) -> None:
        Profile.objects.filter(pk=self.someone().pk).update(restricted_at=self.now)

    def is_free_again(self) -> None:
        Profile.objects.filter(pk=self.someone().pk).update(restricted_at=None)

    def is_erased(self) -> None:
        """As a request does it: of all profiles that are read as one person, and everything of theirs."""
        gone = merging.members(self.someone().pk)
        if len(self.people) - len(gone) >= 30:
            self.people = [one for one in self.people if one.pk not in gone]
            for model in (Delivery, Event, Outcome, Reaction):
                model.objects.filter(profile__in=gone)._raw_delete(using="default")
            ProfileAlias.objects.filter(Q(duplicate__in=gone) | Q(canonical__in=gone)).delete()
            Profile.objects.filter(pk__in=gone)._raw_delete(using="default")

    def time_goes_by(self) -> None:
        self.now += self.chance.choice([HOUR, DAY, 4 * DAY])

    def everything(self) -> list[Callable[[], None]]:
        often = [self.buys, self.is_clicked, self.moves, self.time_goes_by, self.is_assigned]
        seldom = [
            *(self.nonsense_is_told, self.follows_on_another_channel, self.is_planned_again, self.is_cancelled),
            *(self.merge, self.part, self.is_restricted, self.is_free_again, self.is_erased),
        ]
        return often * 3 + seldom


def rows(campaign: Campaign) -> list[tuple[Any, ...]]:
    kept = Outcome.objects.filter(run__campaign=campaign).order_by("run_id", "profile_id")
    names = [field.attname for field in Outcome._meta.concrete_fields]
    reactions = Reaction.objects.filter(run__campaign=campaign).values_list(
        "delivery_id", "kind", "automatic", "link", "device"
    )
    return [*kept.values_list(*names), *sorted(reactions)]


def equal_to_a_recount(campaign: Campaign, now: Any) -> None:
    told = figures.keep_up(campaign, now) or figures.count(campaign, now)
    before, found = told.counted, rows(campaign)
    anew = figures.count(campaign, now).counted
    assert found == rows(campaign)
    assert before == anew


@pytest.mark.parametrize("kind", ["once", "triggered"])
@pytest.mark.parametrize("seed", range(3))
def test_kept_up_equals_counted_anew(seed: int, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    random_sequence(seed, kind, 60)
    assert "corrected" not in caplog.text


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["once", "triggered"])
@pytest.mark.parametrize("seed", range(100, 110))
def test_kept_up_equals_counted_anew_in_long_sequences(seed: int, kind: str) -> None:
    random_sequence(seed, kind, 300)


def random_sequence(seed: int, kind: str, length: int) -> None:
    world = World(seed, kind)
    figures.count(world.campaign, world.now)
    for number in range(1, length + 1):
        world.chance.choice(world.everything())()
        if world.chance.random() < 0.3:
            figures.keep_up(world.campaign, world.now)
        if number % 20 == 0:
            equal_to_a_recount(world.campaign, world.now)


@contextmanager
def under_way(work: Callable[[], object], held: str = "") -> Iterator[None]:
    """Do something in a transaction of its own that is committed, and a lock let go, when the block ends."""
    done, may_end = Signal(), Signal()

    def behind() -> None:
        try:
            with only_one(held or "nothing"), transaction.atomic():
                work()
                done.set()
                may_end.wait(120)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(behind)
        assert done.wait(120)
        try:
            yield
        finally:
            may_end.set()
        written.result()


def test_what_was_written_before_and_committed_after_is_not_missed() -> None:
    world = World(1, "once")
    happened(world.people[2], at=NOW)  # so that the source and the month are there
    figures.count(world.campaign, NOW)
    bought = converted(world.campaign)
    later = NOW + DAY
    with under_way(lambda: happened(world.people[0], at=NOW + HOUR)):
        happened(world.people[1], at=NOW + HOUR)  # a later transaction, which ends first
        told = figures.keep_up(world.campaign, later)
        assert told is not None
        assert sum(group["goal"]["y"] for group in told.counted["groups"]) == bought + 1
    told = figures.keep_up(world.campaign, later)
    assert told is not None
    assert sum(group["goal"]["y"] for group in told.counted["groups"]) == bought + 2
    equal_to_a_recount(world.campaign, later)


def test_only_those_are_looked_at_to_whom_something_happened() -> None:
    """A row that is wrong on purpose stays wrong until somebody looks at its person."""
    world = World(2, "once")
    figures.count(world.campaign, NOW)
    Outcome.objects.filter(profile=world.people[0].pk).update(value=77)
    happened(world.people[1], at=NOW)
    figures.keep_up(world.campaign, NOW + HOUR)
    assert Outcome.objects.get(profile=world.people[0].pk).value == 77
    happened(world.people[0], at=NOW, value="2.00")
    figures.keep_up(world.campaign, NOW + HOUR)
    assert Outcome.objects.get(profile=world.people[0].pk).value == 200


def test_a_recount_at_night_corrects_what_was_missed_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    world = World(3, "once")
    figures.count(world.campaign, NOW)
    Outcome.objects.filter(profile=world.people[0].pk).update(value=77)
    assert figures.recount(NOW + HOUR) == 0  # it was counted an hour ago
    assert figures.recount(NOW + DAY) == 1
    assert f"A recount of campaign {world.campaign.pk} corrected 1 rows of people." in caplog.text
    assert Outcome.objects.get(profile=world.people[0].pk).value == 0


@pytest.mark.parametrize("change", ["window", "goal", "database", "crash"])
def test_what_cannot_be_kept_up_is_counted_anew(change: str) -> None:
    world = World(4, "once")
    told = figures.count(world.campaign, NOW)
    happened(*world.people[:9], at=NOW + 3 * DAY)
    match change:
        case "window":
            world.campaign.attribution_window = 2 * DAY
        case "goal":
            world.campaign.goal = "cart"
        case "database":  # another one, or the same as it was last week
            Figures.objects.update(state=told.state | {"database": "elsewhere"})
        case _:
            Outcome.objects.all().delete()  # as a server that was killed finds it
    world.campaign.save()
    assert figures.keep_up(world.campaign, NOW + 4 * DAY) is None
    assert figures.refresh(NOW + 4 * DAY) == 1
    equal_to_a_recount(world.campaign, NOW + 4 * DAY)


def test_rows_go_when_nothing_can_change_any_more() -> None:
    world = World(5, "once")
    Campaign.objects.update(status="finished")
    world.campaign.refresh_from_db()
    figures.count(world.campaign, NOW)
    assert Outcome.objects.count() == 40
    late = figures.closes(world.campaign) + outcomes.HISTORY
    assert figures.refresh(late) == 1
    assert not Outcome.objects.exists()
    assert figures.refresh(late + DAY) == 0
    assert sum(figures.cells(world.campaign, late).values()) == 40


def test_a_page_takes_in_what_came_once_it_is_a_minute_old() -> None:
    world = World(6, "once")
    figures.count(world.campaign, NOW)
    before = converted(world.campaign)
    happened(world.people[0], at=NOW + HOUR / 120)
    assert figures.bring_up(world.campaign, NOW + HOUR / 61)
    assert converted(world.campaign) == before
    assert figures.bring_up(world.campaign, NOW + HOUR / 60)
    assert converted(world.campaign) == before + 1


def test_a_page_waits_for_nobody_who_counts_and_shows_what_is_kept() -> None:
    world = World(7, "once")
    happened(world.people[1], at=NOW)
    figures.count(world.campaign, NOW)
    before = converted(world.campaign)
    with under_way(lambda: figures.count(world.campaign, NOW + DAY), held=f"figures of campaign {world.campaign.pk}"):
        assert not figures.bring_up(world.campaign, NOW + DAY)
        assert figures.refresh(NOW + DAY) == 0
        assert converted(world.campaign) == before


def test_what_has_been_planned_is_counted_before_anybody_looks() -> None:
    """A worker is called when the plan stands; beat, a minute later, has nothing left to count from nothing."""
    world = World(8, "once")
    assert figures.update_once(world.campaign, NOW)
    assert not figures.update_once(world.campaign, NOW + HOUR / 61)
    assert not figures.is_waiting(world.campaign)
    run = planning.begin(world.campaign, "again", NOW + HOUR)
    assert figures.refresh(NOW + HOUR) == 0  # it is being planned just now
    Run.objects.filter(pk=run.pk).update(status="sending", planned_at=NOW + HOUR)
    world.now = NOW + HOUR
    world.assign(world.people[50], run)
    assert figures.refresh(NOW + HOUR) == 1
    equal_to_a_recount(world.campaign, NOW + HOUR)


def converted(campaign: Campaign) -> float:
    return float(sum(group["goal"]["y"] for group in figures.of(campaign, NOW).counted["groups"]))
