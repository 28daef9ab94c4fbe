"""What people said decides what may be done, and who asks is told by which event or why not."""

from datetime import timedelta
from typing import Any

import pytest

from crm import consent
from crm.consent import ConsentRefused, Reason
from crm.evidence import leaf_of
from crm.models import ConsentEvent, ConsentState, PendingLeaf
from tests import factories
from tests.crm.consents import NOW, notice, purpose, say

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_a_grant_is_the_event_that_allows() -> None:
    purpose(), notice("offers")
    person = factories.profile("u1")
    event = say(person, notice="privacy/1", method="form")
    basis = consent.basis_for(person.pk, "offers", "sms", NOW)
    assert (basis.allowed, basis.event_id, basis.reason) == (True, event.pk, None)


def test_without_a_word_nobody_has_consented() -> None:
    purpose()
    person = factories.profile("u1")
    assert consent.basis_for(person.pk, "offers", "sms", NOW).reason == Reason.NO_CONSENT


def test_a_withdrawal_ends_it_and_time_shows_both() -> None:
    purpose()
    person = factories.profile("u1")
    say(person)
    consent.withdraw(person.pk, "offers", "", "preference_centre", NOW + DAY)
    assert consent.basis_for(person.pk, "offers", "sms", NOW + DAY).reason == Reason.WITHDRAWN
    assert consent.state_at(person.pk, NOW)["offers", ""].basis.allowed
    assert consent.state_at(person.pk, NOW + DAY)["offers", ""].basis.reason == Reason.WITHDRAWN
    assert [event.state for event in consent.history(person.pk)] == ["given", "withdrawn"]


def test_every_event_is_evidence_with_a_leaf_that_names_nobody() -> None:
    purpose()
    person = factories.profile("u1")
    event = say(person, proof={"token": "t-1"}, ip="203.0.113.7")
    stored = ConsentEvent.objects.get(pk=event.pk)
    assert PendingLeaf.objects.get(record=event.pk).hash == leaf_of(stored)
    assert stored.person.matches(stored.commitment)
    assert "203.0.113.7" not in str(stored.leaf_body())
    assert "t-1" not in str(stored.leaf_body())


def test_agreeing_to_all_is_never_separate_consent() -> None:
    purpose(), purpose("sharing", kind="sharing", recipient="Partner Ltd", separate=True), notice("sharing")
    person = factories.profile("u1")
    both = [
        consent.Wanted(person.pk, consent.NewConsent(purpose="offers")),
        consent.Wanted(person.pk, consent.NewConsent(purpose="sharing", consent_kind="separate", notice="privacy/1")),
    ]
    with pytest.raises(ConsentRefused) as refused:
        consent.record_many(both, source=None, now=NOW, all_at_once=True)
    assert (refused.value.code, refused.value.index) == ("separate", 1)
    assert not ConsentState.objects.exists()
    assert len(consent.record_many(both, source=None, now=NOW)) == 2


def test_personal_data_in_what_the_ledger_keeps_for_good_is_masked() -> None:
    purpose()
    person = factories.profile("u1")
    told: dict[str, Any] = {
        "channel_account": "13800138000",
        "form_version": "embed/1",
        "recipient": "zhang@qq.com",
        "pia": "pia/12",
    }
    event = say(person, channel="sms", proof={"phone": "13800138000"}, **told)
    kept = (event.channel_account, event.form_version, event.recipient, event.pia)
    assert kept == ("138****8000", "embed/1", "z***@q*.com", "pia/12")
    assert event.person.details == {"proof": {"phone": "13800138000"}}  # sealed, and gone with the person
    assert say(person, channel="email", channel_account="news@shop.example").channel_account == "news@shop.example"
    assert say(person, channel="wechat", channel_account="wx8f3a1b2c3d4e5f60").channel_account == "wx8f3a1b2c3d4e5f60"
