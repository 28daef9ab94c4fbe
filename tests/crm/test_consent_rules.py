"""The pure rules of consent at their edges: the second, the minute, the version at which an answer turns."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from crm import consent_rules
from crm.consent_rules import Basis, Held, Person, Question, Reason, decide
from tests.factories import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def held(state: str = "given", claimed: datetime = NOW, received: datetime | None = None, **facts: object) -> Held:
    told = {"event_id": UUID(int=1), "consent_kind": "general", "method": "form", "notice": None}
    received = received or claimed
    times = {"claimed_at": claimed, "received_at": received, "valid_until": None, "cooldown_until": None}
    counts_from = consent_rules.counts_from(state, claimed, received)
    return Held(**{**told, **times, "state": state, "counts_from": counts_from, **facts})  # type: ignore[arg-type]


def asked(own: Held | None, every: Held | None = None, person: Person | None = None, **facts: object) -> Basis:
    told = {"kind": "marketing", "basis": "consent", "now": NOW + 10 * MINUTE, "material": {}} | facts
    return decide(Question(**told), person or Person(age="adult"), own, every)  # type: ignore[arg-type]


@pytest.mark.parametrize(("later", "stands"), [(59, True), (60, True), (61, False)])
def test_a_refusal_counts_from_up_to_a_minute_after_it_claims(later: int, stands: bool) -> None:
    no = held("withdrawn", NOW, NOW + 5 * MINUTE)
    yes = held("given", NOW + later * SECOND, NOW + 5 * MINUTE)
    assert (max(no, yes, key=consent_rules.rank) is no) is stands
    assert asked(yes, no).allowed is not stands


def test_a_refusal_counts_never_later_than_it_was_received() -> None:
    assert held("refused", NOW, NOW + SECOND).counts_from == NOW + SECOND


@pytest.mark.parametrize(("left", "reason"), [(SECOND, None), (0 * SECOND, Reason.EXPIRED)])
def test_a_consent_ends_at_its_last_moment(left: timedelta, reason: Reason | None) -> None:
    assert asked(held(valid_until=NOW + left), now=NOW).reason == reason


@pytest.mark.parametrize(("version", "reason"), [("privacy/2", Reason.STALE_NOTICE), ("privacy/3", None)])
def test_a_consent_to_the_material_version_itself_is_fresh(version: str, reason: Reason | None) -> None:
    assert asked(held(notice=version), material={"privacy": (3, NOW - MINUTE)}).reason == reason


@pytest.mark.parametrize(("after", "reason"), [(0 * SECOND, Reason.SUPPRESSED), (SECOND, None)])
def test_a_suppression_is_lifted_by_a_later_consent_and_by_none_of_its_own_moment(
    after: timedelta, reason: Reason | None
) -> None:
    assert asked(held(claimed=NOW + after), person=Person(age="adult", suppressed_since=NOW)).reason == reason


def test_a_no_for_every_channel_at_the_moment_of_a_yes_for_one_stands() -> None:
    no = held("withdrawn", NOW, event_id=UUID(int=2))
    assert asked(held(claimed=NOW), no).reason == Reason.WITHDRAWN


@pytest.mark.parametrize("age", ["child", "minor"])
def test_marketing_and_profiling_are_closed_to_who_is_under_age_whoever_agrees(age: str) -> None:
    for kind in ("marketing", "profiling", "automated_decisions"):
        yes = held(consent_kind="guardian")
        assert asked(yes, person=Person(age=age), kind=kind).reason == Reason.MINOR


def test_a_grant_received_after_now_is_not_there_yet() -> None:
    assert asked(held(claimed=NOW, received=NOW + SECOND), now=NOW).reason == Reason.NO_CONSENT
