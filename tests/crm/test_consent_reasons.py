"""Each reason for which data may not be used is told, and only where it is the reason."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from crm import consent, suppression
from crm.consent import ConsentRefused, Reason
from crm.consent_gate import may_hand_off
from crm.merging import merge, undo
from crm.models import Identifier, Profile, Purpose, Source
from tests import factories
from tests.crm.consents import NOW, notice, purpose, say

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
GUARDIAN = {"name": "Zhang Li", "relation": "mother", "evidence": "household register 7"}


def reason(person: Profile, channel: str = "sms", code: str = "offers", now: datetime = NOW) -> Reason | None:
    return consent.basis_for(person.pk, code, channel, now).reason


@pytest.mark.parametrize("state", ["refused", "withdrawn", "revoked", "invalidated"])
def test_every_kind_of_no_is_named(state: str) -> None:
    purpose()
    person = factories.profile()
    say(person)
    say(person, state, now=NOW + DAY)
    assert reason(person, now=NOW + DAY) == Reason(state)


@pytest.mark.parametrize("state", ["requested", "deferred"])
def test_a_question_is_no_answer_and_takes_none_back(state: str) -> None:
    purpose()
    person = factories.profile()
    say(person, state)
    assert reason(person) == Reason.NO_CONSENT
    say(person, now=NOW + DAY)
    say(person, state, now=NOW + 2 * DAY)
    assert reason(person, now=NOW + 2 * DAY) is None


def test_a_grant_ends_when_its_purpose_says_and_may_be_renewed() -> None:
    purpose(valid_for=30 * DAY)
    person = factories.profile()
    say(person)
    last = NOW + 30 * DAY - timedelta(microseconds=1)
    assert (reason(person, now=last), reason(person, now=NOW + 30 * DAY)) == (None, Reason.EXPIRED)
    say(person, "renewed", now=NOW + 40 * DAY)
    assert reason(person, now=NOW + 40 * DAY) is None


def test_a_grant_is_never_valid_longer_than_its_purpose_allows() -> None:
    purpose(valid_for=30 * DAY)
    person = factories.profile()
    assert say(person, valid_until=NOW + 300 * DAY).valid_until == NOW + 30 * DAY
    assert say(person, valid_until=NOW + DAY).valid_until == NOW + DAY


def test_a_material_change_of_the_notice_makes_older_grants_stale() -> None:
    purpose()
    notice("offers")
    person, silent = factories.profile(), factories.profile()
    say(person, notice="privacy/1")
    say(silent)
    notice("offers", at=NOW + DAY, is_material=False)
    assert [reason(one, now=NOW + DAY) for one in (person, silent)] == [None, None]
    notice("offers", at=NOW + 2 * DAY)
    assert [reason(one, now=NOW + DAY) for one in (person, silent)] == [None, None]
    assert [reason(one, now=NOW + 2 * DAY) for one in (person, silent)] == [Reason.STALE_NOTICE] * 2
    say(person, notice="privacy/2", now=NOW + 3 * DAY)
    assert reason(person, now=NOW + 3 * DAY) == Reason.STALE_NOTICE
    say(person, notice="privacy/3", now=NOW + 4 * DAY)
    assert reason(person, now=NOW + 4 * DAY) is None


def test_a_material_change_elsewhere_concerns_nobody() -> None:
    purpose(), purpose("surveys")
    notice("offers")
    person = factories.profile()
    say(person, notice="privacy/1")
    notice("surveys", at=NOW + DAY, code="other")
    notice("offers", at=NOW + DAY, code="mini-program")
    assert reason(person, now=NOW + 2 * DAY) is None


def test_an_inactive_purpose_allows_nothing_and_a_misspelt_one_is_an_error() -> None:
    purpose()
    person = factories.profile()
    say(person)
    Purpose.objects.update(is_active=False)
    assert reason(person) == Reason.PURPOSE_INACTIVE
    with pytest.raises(consent.UnknownPurpose):
        reason(person, code="ofers")


def test_restriction_leaves_storage_only() -> None:
    (
        purpose(),
        purpose("vault", kind="storage", basis="legal_obligation"),
        purpose("orders", kind="service", basis="contract"),
    )
    person = factories.profile(restricted_at=NOW)
    say(person)
    found = [reason(person, code=code) for code in ("offers", "orders", "vault")]
    assert found == [Reason.RESTRICTED, Reason.RESTRICTED, None]


@pytest.mark.parametrize("kind", ["profiling", "automated_decisions"])
def test_whoever_switched_personalisation_off_is_not_profiled(kind: str) -> None:
    purpose("scores", kind=kind), purpose()
    person = factories.profile(personalisation=False)
    say(person, purpose="scores"), say(person)
    assert (reason(person, code="scores"), reason(person)) == (Reason.PERSONALISATION_OFF, None)


def test_refusing_to_be_profiled_switches_personalisation_off() -> None:
    purpose("scores", kind="profiling"), purpose()
    person = factories.profile()
    say(person, purpose="scores")
    say(person, "withdrawn")
    person.refresh_from_db()
    assert person.personalisation
    say(person, "withdrawn", purpose="scores", now=NOW + DAY)
    person.refresh_from_db()
    assert not person.personalisation


def test_a_basis_without_consent_needs_no_event_and_can_be_objected_to() -> None:
    (
        purpose("care", kind="service", basis="legitimate_interest"),
        purpose("tax", kind="service", basis="legal_obligation"),
    )
    person = factories.profile()
    assert consent.basis_for(person.pk, "care", "", NOW) == consent.Basis(True)
    for code in ("care", "tax"):
        say(person, "withdrawn", purpose=code)
    assert (reason(person, code="care"), reason(person, code="tax")) == (Reason.WITHDRAWN, None)


def test_separate_consent_is_not_given_in_general() -> None:
    purpose("sharing", kind="sharing", recipient="Partner", separate=True)
    notice("sharing")
    person = factories.profile()
    with pytest.raises(ConsentRefused) as refused:
        say(person, purpose="sharing", notice="privacy/1")
    assert refused.value.code == "separate"
    with pytest.raises(ConsentRefused):
        say(person, purpose="sharing", consent_kind="separate")
    say(person, purpose="sharing", consent_kind="separate", notice="privacy/1")
    assert reason(person, code="sharing", channel="") is None


def test_a_channel_refused_by_name_stays_so_until_a_grant_names_it() -> None:
    purpose()
    person = factories.profile()
    say(person)
    say(person, "withdrawn", channel="sms", now=NOW + DAY)
    say(person, now=NOW + 2 * DAY)
    assert [reason(person, channel, now=NOW + 2 * DAY) for channel in ("sms", "email")] == [Reason.WITHDRAWN, None]
    say(person, channel="sms", now=NOW + 3 * DAY)
    assert reason(person, now=NOW + 3 * DAY) is None
    say(person, "withdrawn", now=NOW + 4 * DAY)
    assert [reason(person, channel, now=NOW + 4 * DAY) for channel in ("sms", "email")] == [Reason.WITHDRAWN] * 2


def test_a_purpose_of_one_channel_means_no_other() -> None:
    purpose("newsletter", channel="email")
    person = factories.profile()
    say(person, purpose="newsletter")
    assert [reason(person, channel, "newsletter") for channel in ("email", "", "sms")] == [
        None,
        None,
        Reason.NO_CONSENT,
    ]
    with pytest.raises(ConsentRefused):
        say(person, purpose="newsletter", channel="sms")


def test_a_refusal_wins_a_tie_and_is_not_undone_by_a_replayed_grant() -> None:
    purpose()
    person, other = factories.profile(), factories.profile()
    say(person, claimed_at=NOW - DAY, now=NOW)
    say(person, "withdrawn", claimed_at=NOW - DAY, now=NOW)
    assert reason(person) == Reason.WITHDRAWN
    say(other, "withdrawn", claimed_at=NOW - DAY, now=NOW)
    say(other, claimed_at=NOW - 2 * DAY, now=NOW)
    assert reason(other) == Reason.WITHDRAWN


def test_events_that_arrive_in_another_order_come_to_the_same() -> None:
    purpose()
    first, second = factories.profile(), factories.profile()
    said = [("given", 5), ("withdrawn", 4), ("renewed", 3), ("refused", 2), ("given", 1)]
    for person, order in ((first, said), (second, [said[0], *said[:0:-1]])):
        for state, days in order:
            say(person, state, claimed_at=NOW - days * DAY, now=NOW)
    assert reason(first) is None
    assert reason(second) is None


def test_a_withdrawal_as_it_happens_wins_over_a_server_whose_clock_is_ahead() -> None:
    purpose()
    person = factories.profile()
    say(person, now=NOW + timedelta(seconds=30))
    consent.withdraw(person.pk, "offers", "", "preference_centre", NOW)
    assert reason(person, now=NOW + timedelta(seconds=31)) == Reason.WITHDRAWN


def test_claims_in_the_future_are_refused_but_for_the_clocks_difference() -> None:
    purpose()
    person = factories.profile()
    with pytest.raises(ConsentRefused) as refused:
        say(person, claimed_at=NOW + timedelta(seconds=61))
    assert (refused.value.code, refused.value.field) == ("future", "claimed_at")
    assert say(person, claimed_at=NOW + timedelta(seconds=60)).claimed_at == NOW


def test_whoever_refused_is_left_in_peace_for_half_a_year() -> None:
    purpose()
    person = factories.profile()
    assert consent.may_ask(person.pk, "offers", "sms", NOW).allowed
    say(person, "refused")
    asked = [consent.may_ask(person.pk, "offers", "sms", NOW + days * DAY).reason for days in (0, 179, 180)]
    assert asked == [Reason.COOLDOWN, Reason.COOLDOWN, None]
    with pytest.raises(ConsentRefused) as refused:
        say(person, "requested", now=NOW + 179 * DAY)
    assert refused.value.code == "cooldown"
    say(person, "requested", now=NOW + 180 * DAY)


def test_the_time_of_peace_can_only_be_made_longer() -> None:
    with pytest.raises(Exception, match="crm_purpose_asks_again_late"), transaction.atomic():
        purpose("hasty", ask_again_after=179 * DAY)
    assert purpose("patient", ask_again_after=400 * DAY).ask_again_after == 400 * DAY


def test_a_public_key_cannot_give_consent_only_take_it_back() -> None:
    purpose()
    person = factories.profile()
    browser = factories.source("web", kind=Source.Kind.BROWSER)
    with pytest.raises(ConsentRefused) as refused:
        consent.record(person.pk, consent.NewConsent(purpose="offers"), source=browser, now=NOW)
    assert refused.value.code == "untrusted"
    consent.record(person.pk, consent.NewConsent(purpose="offers", state="withdrawn"), source=browser, now=NOW)
    assert reason(person) == Reason.WITHDRAWN


# -- people who are one ------------------------------------------------------------------------------------------------


def test_a_merge_is_followed_both_ways_and_undone_without_a_trace() -> None:
    purpose()
    user = get_user_model().objects.create_user("ada")
    kept, duplicate, third = (factories.profile() for _ in range(3))
    say(kept)
    say(duplicate, "withdrawn", now=NOW + DAY)
    first = merge(duplicate.pk, kept.pk, user=user, reason="", now=NOW + 2 * DAY)
    merge(kept.pk, third.pk, user=user, reason="", now=NOW + 2 * DAY)
    asked = [one.pk for one in (kept, duplicate, third)]
    found = consent.bases_for(asked, "offers", "sms", NOW + 2 * DAY)
    assert [found[one].reason for one in asked] == [Reason.WITHDRAWN] * 3
    assert first is not None
    undo(first, user=user, now=NOW + 3 * DAY)
    found = consent.bases_for(asked, "offers", "sms", NOW + 3 * DAY)
    assert [found[one].reason for one in asked] == [None, Reason.WITHDRAWN, None]
    then = [consent.state_at(kept.pk, NOW + days * DAY)["offers", ""].basis.reason for days in (1, 2, 3)]
    assert then == [None, Reason.WITHDRAWN, None]


def test_withdrawing_under_one_profile_stops_all_of_them() -> None:
    purpose()
    user = get_user_model().objects.create_user("ada")
    kept, duplicate = factories.profile(), factories.profile()
    say(kept, now=NOW + timedelta(seconds=20))
    merge(duplicate.pk, kept.pk, user=user, reason="", now=NOW)
    consent.withdraw(duplicate.pk, None, "", "preference_centre", NOW)
    assert reason(kept, now=NOW + DAY) == Reason.WITHDRAWN


def test_a_yes_of_one_profile_answers_an_earlier_no_of_another() -> None:
    purpose()
    user = get_user_model().objects.create_user("ada")
    kept, duplicate = factories.profile(), factories.profile()
    say(duplicate, "withdrawn", channel="sms")
    merge(duplicate.pk, kept.pk, user=user, reason="", now=NOW + DAY)
    say(kept, channel="sms", now=NOW + 2 * DAY)
    for one in (kept, duplicate):
        assert reason(one, now=NOW + 3 * DAY) is None
        assert consent.state_at(one.pk, NOW + 3 * DAY)["offers", "sms"].basis.allowed
    say(duplicate, "withdrawn", channel="sms", now=NOW + 4 * DAY)
    assert reason(kept, now=NOW + 5 * DAY) == Reason.WITHDRAWN


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"restricted_at": NOW}, Reason.RESTRICTED),
        ({"personalisation": False}, Reason.PERSONALISATION_OFF),
        ({"age_class": "minor"}, Reason.MINOR),
    ],
)
def test_what_is_so_of_one_profile_is_so_of_the_person(facts: dict[str, Any], expected: Reason) -> None:
    purpose("scores", kind="profiling")
    user = get_user_model().objects.create_user("ada")
    kept, duplicate = factories.profile(age_class="adult"), factories.profile(**facts)
    say(kept, purpose="scores")
    merge(duplicate.pk, kept.pk, user=user, reason="", now=NOW)
    assert reason(kept, "", "scores") == expected


# -- age ---------------------------------------------------------------------------------------------------------------

SHANGHAI = ZoneInfo("Asia/Shanghai")


def on(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("born", "day", "marketing", "service"),
    [
        (date(2012, 6, 15), date(2026, 6, 14), Reason.MINOR, Reason.GUARDIAN_NEEDED),  # 13, a day before 14
        (date(2012, 6, 15), date(2026, 6, 15), Reason.MINOR, None),  # 14
        (date(2012, 6, 15), date(2026, 6, 16), Reason.MINOR, None),
        (date(2008, 6, 15), date(2026, 6, 14), Reason.MINOR, None),  # 17, a day before 18
        (date(2008, 6, 15), date(2026, 6, 15), None, None),  # 18
        (date(2008, 6, 15), date(2026, 6, 16), None, None),
        (date(2008, 2, 29), date(2026, 2, 28), Reason.MINOR, None),  # no 29 February: 18 on 1 March
        (date(2008, 2, 29), date(2026, 3, 1), None, None),
        (date(2012, 2, 29), date(2026, 2, 28), Reason.MINOR, Reason.GUARDIAN_NEEDED),
        (date(2012, 2, 29), date(2026, 3, 1), Reason.MINOR, None),
        (date(2013, 6, 15), date(2026, 6, 15), Reason.MINOR, Reason.GUARDIAN_NEEDED),  # 13
    ],
)
def test_age_is_told_to_the_day(born: date, day: date, marketing: Reason | None, service: Reason | None) -> None:
    purpose(), purpose("club", kind="service")
    person = factories.profile(birth_date=born, age_class="child")
    for code in ("offers", "club"):
        say(person, purpose=code, now=on(day) - 400 * DAY)
    assert (reason(person, now=on(day)), reason(person, "", "club", now=on(day))) == (marketing, service)


def test_a_day_begins_at_midnight_in_the_organisations_zone() -> None:
    purpose()
    person = factories.profile(birth_date=date(2008, 6, 15), age_class="minor")
    say(person)
    midnight = datetime(2026, 6, 14, 16, tzinfo=UTC)  # 00:00 of the 15th in Shanghai
    moments = (midnight - timedelta(seconds=1), midnight)
    assert [reason(person, now=moment) for moment in moments] == [Reason.MINOR, None]


def test_a_guardians_consent_lets_a_child_be_served_but_not_profiled() -> None:
    purpose("club", kind="service"), purpose("scores", kind="profiling"), purpose()
    child = factories.profile(age_class="child")
    with pytest.raises(ConsentRefused) as refused:
        say(child, purpose="club", consent_kind="guardian", guardian={"name": "Zhang Li"})
    assert refused.value.field == "guardian"
    for code in ("club", "scores", "offers"):
        say(child, purpose=code, consent_kind="guardian", guardian=GUARDIAN)
    assert [reason(child, "", code) for code in ("club", "scores", "offers")] == [None, Reason.MINOR, Reason.MINOR]


def test_unknown_age_is_what_the_setting_says(settings: Any) -> None:
    purpose(), purpose("club", kind="service")
    person = factories.profile()
    say(person), say(person, purpose="club")
    assert reason(person) is None
    settings.AGE_UNKNOWN = "minor"
    assert (reason(person), reason(person, "", "club")) == (Reason.AGE_UNKNOWN, None)


# -- suppressed addresses ----------------------------------------------------------------------------------------------


def with_address(type_: str = "email", value: str = "ada@example.com") -> Profile:
    person = factories.profile()
    Identifier.objects.create(type=type_, value=value, profile=person, created_at=NOW)
    return person


def test_a_person_who_comes_back_by_import_is_not_written_to() -> None:
    purpose(), purpose("orders", kind="service", basis="contract")
    gone = with_address()
    say(gone)
    suppression.suppress_people([gone.pk], "", "erased", now=NOW + DAY)
    Identifier.objects.all().delete()
    back = with_address(value="ＡＤＡ@example.com ")
    assert reason(back, "email", now=NOW + 2 * DAY) == Reason.SUPPRESSED
    say(back, method="import", claimed_at=NOW - DAY, now=NOW + 2 * DAY)
    say(back, method="import", now=NOW + 3 * DAY)
    say(back, method="admin", now=NOW + 3 * DAY)
    assert reason(back, "email", now=NOW + 3 * DAY) == Reason.SUPPRESSED
    assert reason(back, "email", "orders", now=NOW + 3 * DAY) is None
    basis = consent.basis_for(back.pk, "offers", "email", NOW + 3 * DAY)
    assert (basis.event_id, basis.since) == (None, None)


def test_a_persons_own_new_consent_lifts_a_suppression_for_that_purpose() -> None:
    purpose(), purpose("birthday")
    person = with_address()
    say(person), say(person, purpose="birthday")
    consent.withdraw(person.pk, None, "email", "one_click", NOW + DAY)
    assert reason(person, "email", now=NOW + DAY) == Reason.WITHDRAWN
    say(person, channel="email", method="form", now=NOW + 2 * DAY)
    found = [reason(person, "email", code, NOW + 2 * DAY) for code in ("offers", "birthday")]
    assert found == [None, Reason.WITHDRAWN]


def test_a_bounced_address_matters_only_where_there_is_no_other() -> None:
    purpose()
    person = with_address()
    say(person)
    suppression.suppress([("email", "ada@example.com")], "email", "bounced", now=NOW)
    assert [reason(person, channel) for channel in ("email", "sms")] == [Reason.SUPPRESSED, None]
    Identifier.objects.create(type="email", value="ada@work.example", profile=person, created_at=NOW)
    assert reason(person, "email") is None


def test_a_complaint_silences_every_address_of_the_channel() -> None:
    purpose()
    person = with_address()
    Identifier.objects.create(type="email", value="ada@work.example", profile=person, created_at=NOW)
    say(person)
    suppression.suppress([("email", "ada@example.com")], "email", "complained", now=NOW)
    assert reason(person, "email") == Reason.SUPPRESSED


def test_a_suppression_names_nobody_and_reads_no_address() -> None:
    person = with_address()
    suppression.suppress_people([person.pk], "email", "unsubscribed", now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(s) FROM crm_suppression s")
        (row,) = cursor.fetchone()
    assert "ada" not in str(row)
    assert not {"profile", "profile_id", "identifier"} & set(row if isinstance(row, dict) else {})


def test_a_hand_off_is_asked_for_in_a_transaction() -> None:
    purpose()
    person = factories.profile()
    say(person)
    with transaction.atomic():
        assert may_hand_off(person.pk, "offers", "sms", NOW).allowed
