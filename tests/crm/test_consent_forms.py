"""Forms elsewhere: separate stays separate, nothing is ticked or required, and what was shown is what is recorded."""

import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from crm import consent_forms, person_tokens
from crm.consent import ConsentRefused, NewConsent
from crm.consent_checks import check_together
from crm.consent_forms import Control
from crm.models import ConsentEvent, Event, Profile, Purpose
from crm.preferences.shown import digest
from tests import api, factories
from tests.crm.consents import notice, purpose
from tests.crm.senders import Send, track

CASES = 5000


def a_purpose(chance: random.Random, number: int) -> Purpose:
    separate = chance.random() < 0.4
    kinds = ["sharing", "sensitive", "cross_border"] if separate else ["marketing", "profiling", "service"]
    basis = chance.choice(["consent", "consent", "consent", "contract", "legal_obligation", "legitimate_interest"])
    return Purpose(
        code=f"p{number}",
        kind=chance.choice(kinds),
        name={"en": f"P{number}"},
        channel=chance.choice(["", "", "email"]),
        recipient="Cloud" if separate else "",
        basis=basis,
        separate=separate,
        is_active=chance.random() < 0.9,
    )


def a_form(chance: random.Random, codes: list[str]) -> list[Control]:
    return [
        Control(
            purposes=tuple(chance.sample(codes, chance.choice([1, 1, 1, 2, 3]))),
            channel=chance.choice(["", "", "email", "sms"]),
            ticked=chance.random() < 0.1,
            required=chance.random() < 0.1,
        )
        for _ in range(chance.randint(1, 4))
    ]


def lawful(form: list[Control], known: dict[str, Purpose], told: set[str]) -> bool:
    """Return what the law says, by itself."""
    for control in form:
        for code in control.purposes:
            one = known.get(code)
            if one is None or not one.is_active or code not in told or control.ticked or control.required:
                return False
            if one.basis in ("contract", "legal_obligation") or (one.separate and len(control.purposes) > 1):
                return False
            if one.channel and control.channel not in ("", one.channel):
                return False
    return True


def test_of_5000_forms_the_unlawful_are_refused_and_agreeing_to_all_never_means_what_is_separate() -> None:
    chance, seen = random.Random(16), {True: 0, False: 0}
    for _case in range(CASES):
        known = {one.code: one for one in (a_purpose(chance, number) for number in range(5))}
        told = {code for code in known if chance.random() < 0.9}
        form = a_form(chance, [*known, "unknown"])
        found = consent_forms.flaws(form, known, told)
        assert (found == []) == lawful(form, known, told), form
        seen[not found] += 1
        for control in form:
            asked = [NewConsent(purpose=code) for code in control.purposes]
            separate = any(code in known and known[code].separate for code in control.purposes)
            try:
                check_together(asked, known)
                assert not separate
            except ConsentRefused:
                assert separate
            if separate and len(control.purposes) > 1:
                assert found
        own = consent_forms.controls(known)
        assert [control.purposes for control in own] == [(code,) for code in known]
        assert not any(control.ticked or control.required for control in own)
    assert min(seen.values()) > CASES / 20, seen


@pytest.fixture
def person(db: None) -> Profile:
    purpose("offers")
    purpose("abroad", kind="cross_border", separate=True)
    purpose("orders", kind="service", basis="contract")
    texts = {
        "en": {"title": "Privacy", "body": "One.\r\nTwo.", "withdraw": "Any time."},
        "zh-hans": {"title": "隐私", "body": "一。\n二。", "withdraw": "随时。"},
    }
    notice("offers", "abroad", "orders", at=timezone.now() - timedelta(days=1), texts=texts)
    return factories.profile("u-1", age_class="adult")


def browser_of(person: Profile) -> Any:
    """Return a client with the token of the person's own browser."""
    now = timezone.now()
    application = api.application("person-tokens:create", name=str(uuid4()))
    token = person_tokens.PersonToken(
        client_id=application.pk, profile_id=person.pk, purpose="consents", expires_at=now + timedelta(minutes=5)
    )
    return api.bearer(person_tokens.mint(token, now))


def test_a_form_shows_each_purpose_by_itself_and_its_answer_is_recorded_with_what_was_shown(person: Profile) -> None:
    browser = browser_of(person)
    asked = {"purposes": "offers,abroad", "language": "zh-hans"}
    form = browser.get("/api/v1/consent-forms/", asked).json()
    assert [(one["purpose"], one["consent_kind"]) for one in form["purposes"]] == [
        ("offers", "general"),
        ("abroad", "separate"),
    ]
    one = form["purposes"][1]
    assert "隐私" in one["about"]
    lines = [*one["about"], *([one["where"]] if one["where"] else []), one["allow"], one["refuse"]]
    told = {
        **{name: one[name] for name in ("purpose", "channel", "consent_kind", "notice", "notice_digest")},
        "state": "given",
        "method": "form",
        "language": "zh-hans",
        "form_version": form["form_version"],
        "rendered_digest": digest(lines),
    }
    sent = {"content_type": "application/json", "headers": {"Idempotency-Key": "k-1"}}
    assert [browser.post("/api/v1/consents/", told, **sent).status_code for _ in range(2)] == [201, 201]
    event = ConsentEvent.objects.get()
    assert (event.rendered_digest, event.consent_kind) == (one["rendered_digest"], "separate")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rendered_digest": "0" * 64}, "rendered_digest"),
        ({"rendered_digest": ""}, "rendered_digest"),
        ({"language": "en"}, "rendered_digest"),
        ({"language": "fr"}, "notice"),
        ({"channel": "email"}, "rendered_digest"),
        ({"notice": "", "notice_digest": ""}, "notice"),
        ({"notice": "privacy/9", "notice_digest": ""}, "notice"),
    ],
)
def test_a_form_that_showed_something_else_is_refused_and_a_no_is_taken_however_it_was_asked(
    person: Profile, change: dict[str, str], field: str
) -> None:
    browser = browser_of(person)
    one = browser.get("/api/v1/consent-forms/", {"purposes": "offers", "language": "zh-hans"}).json()["purposes"][0]
    told = {name: one[name] for name in ("purpose", "channel", "notice", "notice_digest", "rendered_digest")}
    told |= {"state": "given", "method": "form", "language": "zh-hans", "form_version": "embed/1"} | change
    answer = browser.post("/api/v1/consents/", told, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    if not change.get("notice", "").endswith("9"):
        no = browser.post("/api/v1/consents/", told | {"state": "refused"}, content_type="application/json")
        assert no.status_code == 201


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"purposes": "offers", "required": "offers"}, "PIPL 16"),
        ({"purposes": "orders"}, "needs no consent"),
        ({"purposes": "nothing"}, "no such active purpose"),
        ({"purposes": "offers,,abroad"}, ""),
        ({"purposes": "'; --"}, ""),
        ({}, ""),
        ({"purposes": "offers", "language": "fr"}, ""),
    ],
)
def test_an_unlawful_form_is_not_shown(person: Profile, asked: dict[str, str], reason: str) -> None:
    answer = browser_of(person).get("/api/v1/consent-forms/", asked)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["message"]


def test_agreeing_to_wechats_privacy_guide_is_an_event_of_its_own_and_no_consent(person: Profile, send: Send) -> None:
    assert send("track", track(userId="u-1", event="WeChat Privacy Agreed", properties={})).status_code == 200
    assert [event.kind for event in Event.objects.all()] == ["privacy_agreed"]
    assert not ConsentEvent.objects.exists()
