"""Whatever people, staff and clocks do, in any order: nothing leaves without a basis that the ledger's events show.

The oracle knows none of the product's rules: it replays the events that the ledger has, and is asked after each step.
"""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Q
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from crm import consent
from crm.consent import ConsentRefused, NewConsent
from crm.consent_gate import ToSend, hand_off
from crm.consent_states import differences
from crm.merging import merge, undo
from crm.models import ConsentEvent, HandOff, Notice, Profile, ProfileAlias, Purpose
from tests import factories
from tests.crm.consents import NOW, notice, purpose

pytestmark = pytest.mark.django_db
YES, NO = {"given", "renewed"}, {"refused", "withdrawn", "revoked", "invalidated"}
CHANNELS = ("sms", "email")
BORN = count(1)


def replayed(events: list[ConsentEvent], channel: str) -> tuple[ConsentEvent | None, ConsentEvent | None]:
    """Return the no that stands, and the last grant (or its end) that none has ended."""
    timed = []
    for event in events:
        late = min(event.received_at, event.claimed_at + timedelta(minutes=1))
        timed.append((late if event.state in NO else event.claimed_at, event.state in NO, event.pk, event))
    named_no = every_no = last = None
    for *_, event in sorted(timed, key=lambda row: row[:3]):
        if event.state in NO:
            last = None
            named_no, every_no = (event, every_no) if event.channel else (named_no, event)
        elif event.state in YES or event.state == "expired":
            named_no, every_no = (None, None) if event.channel else (named_no, None)
            last = event
    return named_no or every_no, last


class Consents(RuleBasedStateMachine):
    """Two profiles of one person (at times), one marketing purpose, a notice, and a clock that only goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.code = f"m{next(BORN)}"
        self.now: datetime = NOW
        self.purpose = purpose(self.code, valid_for=timedelta(days=400))
        self.notices: list[Notice] = [notice(self.code, code=self.code, at=NOW)]
        self.people: list[Profile] = [factories.profile(age_class="adult") for _ in range(2)]
        self.alias: ProfileAlias | None = None

    @rule(days=st.sampled_from([0, 1, 30, 200, 500]), seconds=st.integers(0, 90))
    def time_passes(self, days: int, seconds: int) -> None:
        self.now += timedelta(days=days, seconds=seconds)

    @rule(
        who=st.integers(0, 1),
        state=st.sampled_from([*ConsentEvent.State.values, "given", "given", "withdrawn"]),
        channel=st.sampled_from(["", *CHANNELS]),
        late=st.sampled_from([None, 0, 1, 59, 61, 86_400, 40 * 86_400]),
        told=st.integers(-1, 3),
    )
    def somebody_says(self, who: int, state: str, channel: str, late: int | None, told: int) -> None:
        shown = self.notices[told] if 0 <= told < len(self.notices) else None
        new = NewConsent(
            purpose=self.code,
            state=state,
            channel=channel,
            notice=shown.reference if shown else "",
            claimed_at=None if late is None else self.now - timedelta(seconds=late),
            idempotency=uuid4(),
        )
        try:
            first = consent.record(self.people[who].pk, new, source=None, now=self.now)
        except ConsentRefused:
            return
        assert consent.record(self.people[who].pk, new, source=None, now=self.now) == first

    @rule(who=st.integers(0, 1), channel=st.sampled_from(["", *CHANNELS]))
    def somebody_withdraws(self, who: int, channel: str) -> None:
        consent.withdraw(self.people[who].pk, self.code, channel, "preference_centre", self.now)
        stopped = [channel] if channel else ["", *CHANNELS]
        bases = [consent.basis_for(self.people[who].pk, self.code, one, self.now) for one in stopped]
        assert not any(basis.allowed for basis in bases)

    @rule(material=st.booleans())
    @precondition(lambda self: len(self.notices) < 4)
    def a_notice_is_published(self, material: bool) -> None:
        self.notices.append(notice(self.code, code=self.code, at=self.now, is_material=material))

    @rule(who=st.integers(0, 1), restricted=st.booleans())
    def a_person_is_restricted_or_freed(self, who: int, restricted: bool) -> None:
        Profile.objects.filter(pk=self.people[who].pk).update(restricted_at=self.now if restricted else None)

    @rule(who=st.integers(0, 1), age=st.sampled_from(Profile.AgeClass.values))
    def an_age_becomes_known(self, who: int, age: str) -> None:
        Profile.objects.filter(pk=self.people[who].pk).update(age_class=age)

    @rule(active=st.booleans())
    def the_purpose_is_switched(self, active: bool) -> None:
        Purpose.objects.filter(pk=self.purpose.pk).update(is_active=active)

    @rule()
    def the_profiles_are_merged_or_parted(self) -> None:
        if self.alias is None:
            kept, duplicate = (person.pk for person in self.people)
            self.alias = merge(duplicate, kept, source=factories.source(), reason="", now=self.now)
        else:
            undo(self.alias, now=self.now, user=factories_user())
            self.alias = None

    @rule(who=st.integers(0, 1), channel=st.sampled_from(CHANNELS))
    def a_message_is_sent(self, who: int, channel: str) -> None:
        delivery = uuid4()
        basis = hand_off([ToSend(delivery, self.people[who].pk)], self.code, channel, self.now)[delivery]
        allowed, by = self.expected(who, channel)
        assert (basis.allowed, basis.event_id if basis.allowed else None) == (allowed, by), basis
        assert HandOff.objects.filter(delivery=delivery, allowed_by=by).exists() == allowed

    @invariant()
    def every_answer_is_what_the_events_say(self) -> None:
        for who in (0, 1):
            for channel in ("", *CHANNELS):
                basis = consent.basis_for(self.people[who].pk, self.code, channel, self.now)
                found = (basis.allowed, basis.event_id if basis.allowed else None)
                assert found == self.expected(who, channel), (who, channel, basis)
        assert not list(differences(person.pk for person in self.people))

    def expected(self, who: int, channel: str) -> tuple[bool, Any]:
        members = self.people if self.alias else [self.people[who]]
        rows = Profile.objects.filter(pk__in=[person.pk for person in members])
        if not Purpose.objects.get(pk=self.purpose.pk).is_active or rows.filter(restricted_at__isnull=False).exists():
            return False, None
        if rows.filter(age_class__in=["child", "minor"]).exists():
            return False, None
        events = ConsentEvent.objects.filter(
            person__profile__in=members, purpose_id=self.code, channel__in=["", channel]
        )
        # A no counts from when it is written, though it is timed a moment after the hand-off that it follows.
        no, last = replayed(list(events.filter(Q(received_at__lte=self.now) | Q(state__in=NO))), channel)
        if no is not None or last is None or last.state not in YES:
            return False, None
        if (last.valid_until is not None and last.valid_until <= self.now) or self.is_stale(last):
            return False, None
        return True, last.pk

    def is_stale(self, event: ConsentEvent) -> bool:
        material = [one for one in self.notices if one.is_material]
        if event.notice_id is None:
            return any(one.published_at and one.published_at > event.claimed_at for one in material)
        return any(one.version > int(event.notice_id.rpartition("/")[2]) for one in material)


def factories_user() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get_or_create(username="ada")[0]


def walk(examples: int, steps: int) -> None:
    options = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=examples < 50,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Consents, settings=options)


def test_a_hundred_and_fifty_steps_find_no_message_without_a_basis() -> None:
    walk(examples=5, steps=30)


def test_a_withdrawal_in_the_very_moment_of_a_hand_off_counts_at_once() -> None:
    world = Consents()
    world.somebody_says(who=0, state="given", channel="", late=None, told=0)
    world.a_message_is_sent(who=0, channel="sms")
    world.somebody_withdraws(who=0, channel="")
    world.every_answer_is_what_the_events_say()
    world.a_message_is_sent(who=0, channel="sms")


@pytest.mark.nightly
def test_twenty_thousand_steps_find_no_message_without_a_basis() -> None:
    walk(examples=400, steps=50)
