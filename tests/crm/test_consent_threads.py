"""Which consent events belong together stands in the ledger's leaves: an outsider need not take our word for it."""

from datetime import timedelta

import pytest

from crm import consent
from crm.consent import NewConsent
from crm.models import ConsentEvent
from tests import factories
from tests.crm.consents import NOW, purpose, say

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_all_that_a_person_says_of_a_purpose_is_one_thread_whatever_the_channel() -> None:
    purpose()
    person = factories.profile("u1")
    first = say(person)
    (withdrawn,) = consent.withdraw(person.pk, "offers", "sms", "sms_reply", NOW + DAY)
    again = say(person, channel="email", now=NOW + 2 * DAY)
    assert (withdrawn.thread, again.thread) == (first.pk, first.pk)
    assert withdrawn.leaf_body()["thread"] == str(first.pk)


def test_another_purpose_or_person_has_a_thread_of_its_own() -> None:
    purpose(), purpose("surveys")
    one, other = factories.profile("u1"), factories.profile("u2")
    events = [say(one), say(one, purpose="surveys"), say(other)]
    assert [event.thread for event in events] == [event.pk for event in events]


def test_a_thread_begins_and_goes_on_within_one_batch() -> None:
    purpose()
    person = factories.profile("u1")
    said = [NewConsent(purpose="offers"), NewConsent(purpose="offers", state="refused")]
    wanted = [consent.Wanted(person.pk, one) for one in said]
    first, second = consent.record_each(wanted, source=None, now=NOW)
    assert isinstance(first, ConsentEvent)
    assert isinstance(second, ConsentEvent)
    assert second.thread == first.thread == first.pk
