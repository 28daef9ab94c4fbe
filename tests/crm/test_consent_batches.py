"""Many are answered as each would be alone, though those who are alike are decided on once, by the first of them."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model

from crm import consent, suppression
from crm.consent_basis import question_of
from crm.consent_rules import Held, Person, counts_from, decide
from crm.merging import members_of, merge
from crm.models import ConsentEvent, ConsentState, Identifier, Profile, Purpose
from tests import factories
from tests.crm.consents import NOW, notice, purpose

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
PEOPLE = 400
# Around the moment of the question itself, and around that of the second notice, so that each comparison has its edge.
MOMENTS = [NOW + days * DAY + timedelta(microseconds=n) for days in (-40, -20, -1, 0) for n in (-1, 0, 1)]
BORN = {"child": date(2015, 1, 1), "minor": date(2010, 1, 1), "adult": date(1990, 1, 1), "unknown": None}


@dataclass
class Drawn:
    """One person, drawn to be like many others but in little, and what the rules need to know of her."""

    profile: Profile
    person: dict[str, Person]  # where one channel is asked for, and where (empty) none is
    held: dict[str, Held] = field(default_factory=dict)


def drawn(random: Random) -> Drawn:
    really = random.choice([*BORN, *["adult"] * 8])
    born = BORN[really] if random.random() < 0.3 else None
    facts: dict[str, Any] = {
        "age_class": "minor" if born and random.random() < 0.3 else really,  # who grew up since, until somebody counts
        "birth_date": born,
        "personalisation": random.random() < 0.9,
        "restricted_at": NOW if random.random() < 0.05 else None,
    }
    made = factories.profile(**facts)
    phone = f"+8613{made.pk:09}"
    Identifier.objects.create(type="phone", value=phone, profile=made, created_at=NOW)
    age = "adult" if facts["age_class"] == "adult" else really if born else facts["age_class"]
    alike = (facts["restricted_at"] is not None, facts["personalisation"], age)
    return Drawn(made, {channel: Person(*alike, since) for channel, since in suppressed(random, made, phone).items()})


def suppressed(random: Random, made: Profile, phone: str) -> dict[str, datetime | None]:
    """Suppress the phone at times, and return since when it counts, by the channel that is asked for."""
    if random.random() < 0.6:
        return {"sms": None, "": None}
    since, channel, reason = (
        random.choice(MOMENTS),
        random.choice(["", "sms"]),
        random.choice(["complained", "bounced"]),
    )
    suppression.suppress([("phone", phone)], channel, reason, now=since)
    works = reason == "bounced" and random.random() < 0.5
    if works:
        Identifier.objects.create(type="phone", value=f"+8615{made.pk:09}", profile=made, created_at=NOW)
    return {"sms": None if works else since, "": None if channel else since}


def said(random: Random, code: str, one: Drawn, channel: str) -> list[Any]:
    """Return an event and the state that it comes to, as rows to be written."""
    state = random.choice([*ConsentEvent.State.values, *["given"] * 15])
    claimed, received = sorted([random.choice(MOMENTS), random.choice(MOMENTS)])
    held = Held(
        event_id=uuid4(),
        state=state,
        consent_kind=random.choice([*ConsentEvent.ConsentKind.values, *["general"] * 6]),
        method=random.choice(["form", "form", "import"]),
        notice=random.choice([None, None, "privacy/1", "privacy/2", "privacy/2"]),
        counts_from=counts_from(state, claimed, received),
        claimed_at=claimed,
        received_at=received,
        valid_until=random.choice([*[None] * 30, *MOMENTS, NOW + DAY]),
        cooldown_until=random.choice([None, NOW + 90 * DAY]),
    )
    one.held[channel] = held
    told: dict[str, Any] = held._asdict()
    told["notice_id"] = told.pop("notice")
    kept = ConsentState(profile=one.profile, purpose_id=code, channel=channel, **told)
    times = {"claimed_at": claimed, "received_at": received, "recorded_at": NOW}
    event = ConsentEvent(pk=held.event_id, thread=held.event_id, purpose_id=code, state=state, **times)
    return [event, kept]


def people(random: Random, code: str) -> list[Drawn]:
    found = [drawn(random) for _ in range(PEOPLE)]
    rows = [said(random, code, one, channel) for one in found for channel in ("", "sms") if random.random() < 0.7]
    ConsentEvent.objects.bulk_create(event for event, _ in rows)
    ConsentState.objects.bulk_create(kept for _, kept in rows)
    return found


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ({"kind": "marketing"}, 11),
        ({"kind": "marketing", "separate": True}, 11),
        ({"kind": "profiling"}, 11),
        ({"kind": "sensitive"}, 9),
        ({"kind": "storage"}, 8),
        ({"kind": "marketing", "basis": "legitimate_interest"}, 7),
        ({"kind": "service", "basis": "legal_obligation"}, 2),
        ({"kind": "marketing", "is_active": False}, 1),
    ],
)
def test_many_people_are_answered_by_the_rules_each_by_herself(facts: dict[str, Any], reasons: int) -> None:
    asked: Purpose = purpose("offers", **facts)
    notice("offers", at=NOW - 50 * DAY)
    notice("offers", at=NOW - 20 * DAY, is_material=True)
    found = people(Random(7), "offers")
    question = question_of(asked, NOW)
    for channel in ("sms", ""):
        expected = {
            one.profile.pk: decide(
                question,
                one.person[channel],
                one.held.get(channel),
                one.held.get("") if channel else None,
            )
            for one in found
        }
        answers = consent.bases_for(expected, "offers", channel, NOW)
        assert answers == expected
        assert len({basis.reason for basis in answers.values()}) >= reasons


def test_merged_people_are_answered_in_a_crowd_as_alone() -> None:
    purpose()
    notice("offers", at=NOW - 50 * DAY)
    notice("offers", at=NOW - 20 * DAY, is_material=True)
    random, user = Random(11), get_user_model().objects.create_user("ada")
    ids = [one.profile.pk for one in people(random, "offers")]
    for _ in range(120):  # pairs, chains and stars
        merge(*random.sample(ids[:200], 2), user=user, reason="", now=NOW)
    answers = consent.bases_for(ids, "offers", "sms", NOW)
    assert answers == {one: consent.basis_for(one, "offers", "sms", NOW) for one in ids}
    for together in members_of(ids).values():
        assert len({answers[one] for one in together}) == 1


def test_members_are_found_through_chains_and_stars_and_even_a_ring() -> None:
    user = get_user_model().objects.create_user("ada")
    made = [factories.profile().pk for _ in range(8)]
    for duplicate, kept in ((1, 0), (2, 1), (4, 0), (5, 6)):
        merge(made[duplicate], made[kept], user=user, reason="", now=NOW)
    Profile.objects.get(pk=made[6]).aliases.create(canonical_id=made[5], reason="", merged_at=NOW)  # what nobody may do
    found = members_of(made)
    one, ring = {made[at] for at in (0, 1, 2, 4)}, {made[5], made[6]}
    assert [found[pk] for pk in made] == [one, one, one, {made[3]}, one, ring, ring, {made[7]}]
    assert members_of([made[2]]) == {made[2]: one}
