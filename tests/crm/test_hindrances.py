"""What stands against sends whatever people said: in the ledger, in bundles, and after an erasure."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from crm import ages, consent, fsck, handoffs, hindrances, purposes, sequencer, suppression, verify
from crm.audit import bundle, query
from crm.handoffs import NewHandOff
from crm.merging import merge
from crm.models import Identifier, LedgerNote, LedgerNotePerson, Profile, Purpose
from tests import factories
from tests.crm import consents

pytestmark = pytest.mark.django_db
NOW, DAY, HOUR = factories.NOW, timedelta(days=1), timedelta(hours=1)
PHONE = "13800138000"


@pytest.fixture(autouse=True)
def offers() -> None:
    purposes.declare(Purpose(code="offers", kind="marketing", name={"en": "Offers"}), now=NOW - 30 * DAY)
    purposes.declare(
        Purpose(code="orders", kind="service", basis="contract", name={"en": "Orders"}), now=NOW - 30 * DAY
    )


def person(number: str = PHONE, **facts: Any) -> Profile:
    made = factories.profile(**facts)
    Identifier.objects.create(type="phone", value=number, profile=made, created_at=NOW)
    return made


def send(to: Profile, at: datetime, allowed: object = None, purpose: str = "offers") -> None:
    """Hand a message over without asking whether that is allowed."""
    basis = "consent" if purpose == "offers" else "contract"
    told: dict[str, Any] = {
        "basis": basis,
        "purpose": purpose,
        "channel": "sms",
        "allowed_by": getattr(allowed, "pk", None),
    }
    handoffs.record([NewHandOff(delivery=uuid4(), profile_id=to.pk, handed_off_at=at, **told)], now=at)


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., list[str]]:
    """Return why the sends of a bundle were violations, once it has verified."""

    def reasons(now: datetime, **asked: Any) -> list[str]:
        sequencer.sequence(now)
        out = tmp_path / "bundle.zip"
        bundle.export(out, query.ask(**asked))
        verify.check(str(out))
        with ZipFile(out) as files:
            assert PHONE.encode() not in b"".join(map(files.read, files.namelist()))
            return [line.split(",")[8] for line in files.read("sends_violations.csv").decode().splitlines()[1:]]

    return reasons


def notes(kind: str = "suppression") -> list[dict[str, object]]:
    found = LedgerNote.objects.filter(kind=kind).order_by("recorded_at", "pk")
    return [json.loads(one.facts_json) for one in found]


def test_an_import_after_a_withdrawal_of_everything_allows_nothing(judged: Callable[..., list[str]]) -> None:
    ada = person()
    first = consents.say(ada, method="form")
    consent.withdraw(ada.pk, None, "sms", "sms_reply", NOW + DAY)
    imported = consents.say(ada, method="import", channel="sms", now=NOW + 2 * DAY)
    send(ada, NOW + 3 * DAY, imported)
    own = consents.say(ada, method="form", channel="sms", now=NOW + 4 * DAY)
    send(ada, NOW + 5 * DAY, own)
    assert notes() == [
        {
            "channel": "sms",
            "stands": True,
            "reason": "unsubscribed",
            "since": "2026-03-02T12:00:00.000000Z",
            "threads": [["offers", str(first.thread)]],
        }
    ]
    assert judged(NOW + 6 * DAY) == ["suppressed"]
    assert judged(NOW + 6 * DAY, begin="2026-03-04", end="2026-03-04") == ["suppressed"]
    assert judged(NOW + 6 * DAY, begin="2026-03-06") == []
    assert fsck.check().sound


def test_after_an_erasure_sends_are_judged_as_before_and_nothing_tells_whose_they_were(
    judged: Callable[..., list[str]],
) -> None:
    ada, bob = person(), person("13900139000", age_class="minor")
    yes = [consents.say(one, method="import") for one in (ada, bob)]
    suppression.suppress_people([ada.pk], "", "complained", now=NOW + HOUR)
    hindrances.note(NOW + HOUR)
    for one, event in zip((ada, bob), yes, strict=True):
        send(one, NOW + DAY, event)
    assert sorted(judged(NOW + 2 * DAY)) == ["minor", "suppressed"]
    Profile.objects.all().delete()
    assert not LedgerNotePerson.objects.exists()
    assert sorted(judged(NOW + 2 * DAY)) == ["minor", "suppressed"]
    part = judged(NOW + 2 * DAY, purposes=["offers"], begin="2026-03-02", end="2026-03-02")
    assert sorted(part) == ["minor", "suppressed"]
    assert hindrances.note(NOW + 3 * DAY) == 0
    assert fsck.check().sound


def test_a_minor_is_one_until_two_days_before_it_is_noted_that_she_is_none(judged: Callable[..., list[str]]) -> None:
    born = (NOW - 2 * DAY).date().replace(year=2008)
    eve = person(birth_date=born, birth_month=born.month, birth_day=born.day, age_class="minor", age_band="14-17")
    hindrances.note(NOW - 20 * DAY)
    yes = consents.say(eve, now=NOW - 19 * DAY, method="form")
    for day in (-18, -1, 5):
        send(eve, NOW + day * DAY, yes)
    send(eve, NOW - 18 * DAY, purpose="orders")
    assert (ages.celebrate(NOW), hindrances.note(NOW), hindrances.note(NOW)) == (1, 1, 0)
    assert [(one["age"], one["stands"]) for one in notes("age")] == [("minor", True), ("minor", False)]
    assert len(set(LedgerNote.objects.filter(kind="age").values_list("reference", flat=True))) == 1
    assert judged(NOW + 6 * DAY) == ["minor"]


def test_an_address_that_comes_back_is_noted_for_whom_it_comes_back_to(judged: Callable[..., list[str]]) -> None:
    suppression.suppress([("phone", PHONE)], "sms", "unsubscribed", now=NOW - DAY)
    assert hindrances.note(NOW) == 0
    ada = person()
    assert (hindrances.note(NOW), hindrances.note(NOW)) == (1, 0)
    send(ada, NOW + HOUR, consents.say(ada, method="import"))
    assert judged(NOW + DAY) == ["suppressed"]


def test_an_address_that_leaves_takes_its_suppression_along(judged: Callable[..., list[str]]) -> None:
    ada = person()
    yes = consents.say(ada, method="import")
    suppression.suppress_people([ada.pk], "sms", "complained", now=NOW)
    Identifier.objects.all().delete()
    assert hindrances.note(NOW + 5 * DAY) == 1
    for day in (1, 4, 6):
        send(ada, NOW + day * DAY, yes)
    assert judged(NOW + 7 * DAY) == ["suppressed"]
    assert [one["stands"] for one in notes()] == [True, False]


def test_what_a_person_says_later_is_added_so_that_an_erasure_hides_nothing(judged: Callable[..., list[str]]) -> None:
    ada = person(age_class="child")
    assert hindrances.note(NOW) == 1
    yes = consents.say(ada, now=NOW + HOUR)
    assert hindrances.note(NOW + 2 * HOUR) == 1
    assert [one["threads"] for one in notes("age")] == [[], [["offers", str(yes.thread)]]]
    send(ada, NOW + DAY, yes)
    ada.delete()
    assert judged(NOW + DAY) == ["minor"]


def test_merged_profiles_are_under_age_until_all_of_them_are_not(judged: Callable[..., list[str]]) -> None:
    one, other = person(age_class="minor"), person("13900139000", age_class="minor")
    hindrances.note(NOW - DAY)
    merge(other.pk, one.pk, now=NOW, reason="the same", user=User.objects.create_user("m"))
    yes = consents.say(one)
    Profile.objects.filter(pk=one.pk).update(age_class="adult")
    hindrances.note(NOW + 10 * DAY)
    send(one, NOW + 11 * DAY, yes)
    assert judged(NOW + 12 * DAY) == ["minor"]


def test_a_bounced_address_is_nobodys_wish_and_is_not_noted() -> None:
    ada = person()
    suppression.suppress_people([ada.pk], "sms", "bounced", now=NOW)
    assert (hindrances.note(NOW), notes()) == (0, [])


def test_another_channel_is_not_hindered(judged: Callable[..., list[str]]) -> None:
    ada = person()
    Identifier.objects.create(type="email", value="ada@example.com", profile=ada, created_at=NOW)
    yes = consents.say(ada, method="import")
    suppression.suppress_people([ada.pk], "email", "complained", now=NOW)
    send(ada, NOW + DAY, yes)
    assert judged(NOW + 2 * DAY) == []


def test_a_note_is_part_of_the_transaction_that_suppresses() -> None:
    ada = person()
    with transaction.atomic():
        suppression.suppress_people([ada.pk], "sms", "complained", now=NOW)
        assert len(notes()) == 1
        transaction.set_rollback(True)
    assert notes() == []
