"""Links open one person's page until they end; what opens nothing tells nothing, by its text, status or time."""

import re
import threading
from base64 import urlsafe_b64decode
from contextlib import suppress
from datetime import timedelta
from statistics import fmean, stdev
from time import perf_counter
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm import merging, preference_links
from crm.deploy_checks import address_is_public
from crm.models import ConsentEvent, LinkEpoch, Profile
from crm.preferences import changes, choices
from crm.preferences.changes import Press
from tests import factories
from tests.crm.consents import purpose
from tests.crm.requests import carried_out, officer

NOW = factories.NOW
GENEROUS = {"wrong": "1000000/minute", "link": "1000000/minute"}


@pytest.fixture(autouse=True)
def _counted_alone(settings: Any) -> None:
    """Give every test a cache of its own: tests beside it would clear, or fill, the shared one."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(uuid4())}
    }


def opens(token: str, now: Any = NOW) -> int | None:
    found = preference_links.read(token, now)
    return found.person.id if found else None


@pytest.mark.django_db
def test_a_link_opens_until_its_time_and_says_nothing_of_whose_it_is(settings: Any) -> None:
    person, other = factories.profile("u-1"), factories.profile("u-2")
    token = preference_links.mint(person.pk, NOW)
    assert (len(token), opens(token), opens(preference_links.mint(other.pk, NOW))) == (43, person.pk, other.pk)
    ends = NOW + timedelta(days=settings.PREFERENCE_LINK_DAYS)
    assert (opens(token, ends - timedelta(minutes=1)), opens(token, ends)) == (person.pk, None)
    raw = urlsafe_b64decode(token + "=")
    assert person.pk.to_bytes(8) not in raw
    assert len({preference_links.mint(person.pk, NOW + timedelta(minutes=n))[:4] for n in range(50)}) == 50
    with pytest.raises(LookupError):
        preference_links.mint(2**40, NOW)


@pytest.mark.django_db
def test_every_other_spelling_of_a_link_opens_nothing() -> None:
    token = preference_links.mint(factories.profile("u-1").pk, NOW)
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in range(43):
        for sign in signs[:: 1 if place == 42 else 9]:
            if sign != token[place]:
                assert opens(token[:place] + sign + token[place + 1 :]) is None, (place, sign)
    for odd in ("", token[:-1], token + "A", token + "=", " " + token, "é" * 43, "A" * 43, "+" * 43, "A" * 10_000):
        assert opens(odd) is None, odd


@pytest.mark.django_db
def test_a_link_of_other_keys_opens_nothing_and_of_an_earlier_key_still_does(settings: Any) -> None:
    person = factories.profile("u-1")
    token = preference_links.mint(person.pk, NOW)
    earlier, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
    assert opens(token) is None
    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert opens(token) == person.pk


@pytest.mark.django_db
def test_links_follow_merges_end_when_they_are_revoked_and_never_open_a_number_that_came_back() -> None:
    one, two = factories.profile("u-1"), factories.profile("u-2")
    token, kept = preference_links.mint(one.pk, NOW), preference_links.mint(two.pk, NOW)
    alias = merging.merge(one.pk, two.pk, now=NOW, reason="the same", user=officer())
    assert alias is not None
    assert (opens(token), opens(kept)) == (two.pk, two.pk)
    merging.undo(alias, now=NOW, user=officer())
    assert opens(token) == one.pk
    assert preference_links.revoke(one.pk) == 1
    assert (opens(token), opens(kept)) == (None, two.pk)
    assert preference_links.revoke(one.pk) == 1
    assert LinkEpoch.objects.get(profile=one).epoch == 2
    fresh = preference_links.mint(one.pk, NOW)
    assert opens(fresh) == one.pk
    Profile.objects.filter(pk=one.pk).update(created_at=NOW + timedelta(seconds=1))  # another person of this number
    assert opens(fresh) is None
    assert preference_links.revoke(2**40) == 0


def dead_links(person: Profile, erased: str) -> dict[str, str]:
    """Return a link of each kind that opens nothing."""
    revoked = preference_links.mint(person.pk, timezone.now())
    preference_links.revoke(person.pk)
    good = preference_links.mint(person.pk, timezone.now())
    return {
        "unknown": "A" * 43,
        "forged": good[:-6] + ("AAAAAA" if good[-6:-1] != "AAAAA" else "BBBBBQ"),
        "expired": preference_links.mint(person.pk, timezone.now(), timedelta(minutes=-2)),
        "revoked": revoked,
        "erased": erased,
        "short": good[:20],
        "no token": "%F0%9F%98%80",
    }


@pytest.fixture
def erased(transactional_db: None) -> str:
    person = factories.profile("u-9")
    token = preference_links.mint(person.pk, timezone.now())
    carried_out("erasure", person)
    return token


def test_whatever_ended_a_link_the_answer_is_the_same_to_the_byte(erased: str, settings: Any) -> None:
    settings.PREFERENCE_RATES = GENEROUS
    client = Client()
    answers = {
        (method, tail): {
            (answer.status_code, answer.content, tuple(sorted(answer.items())))
            for token in dead_links(factories.profile(str(uuid4())), erased).values()
            for answer in [client.generic(method, f"/p/{token}/{tail}", *form)]
        }
        for method, form in (
            ("GET", ()),
            ("HEAD", ()),
            ("POST", (b"do=withdraw_all&List-Unsubscribe=One-Click", "application/x-www-form-urlencoded")),
        )
        for tail in ("", "one-click/")
    }
    assert {key: len(found) for key, found in answers.items()} == dict.fromkeys(answers, 1)
    assert {status for found in answers.values() for status, _content, _headers in found} == {404}


def test_whatever_ended_a_link_the_same_questions_are_asked_of_the_database(erased: str) -> None:
    asked: dict[str, tuple[str, ...]] = {}
    for name, token in dead_links(factories.profile("u-1"), erased).items():
        with CaptureQueriesContext(connection) as queries:
            assert opens(token, timezone.now()) is None, name
        asked[name] = tuple(re.sub("[0-9]+", "n", query["sql"]) for query in queries)
    assert len(set(asked.values())) == 1
    assert len(asked["unknown"]) == 2


@pytest.mark.nightly
def test_how_long_the_answer_takes_tells_nothing_either(erased: str, settings: Any) -> None:
    """Compare the times of 100 answers of each kind, asked in turn, by Welch's t; 4.5 is the usual bound of leakage."""
    settings.PREFERENCE_RATES = GENEROUS
    client, links = Client(), dead_links(factories.profile("u-1"), erased)
    times: dict[str, list[float]] = {name: [] for name in links}
    for turn in range(120):
        for name, token in links.items():
            begun = perf_counter()
            client.get(f"/p/{token}/")
            if turn >= 20:
                times[name].append(perf_counter() - begun)
    trimmed = {name: sorted(found)[:90] for name, found in times.items()}  # a tenth is the machine's own noise
    for name in links:
        one, other = trimmed["unknown"], trimmed[name]
        spread = (stdev(one) ** 2 / len(one) + stdev(other) ** 2 / len(other)) ** 0.5
        assert abs(fmean(one) - fmean(other)) < max(4.5 * spread, 0.0001), (name, fmean(one), fmean(other))


@pytest.mark.django_db(transaction=True)
def test_yes_and_no_at_the_same_moment_come_to_no_and_many_of_one_kind_to_one() -> None:
    offers = purpose()
    person = factories.profile("u-1", age_class="adult")
    found = preference_links.read(preference_links.mint(person.pk, timezone.now()), timezone.now())
    assert found is not None
    control = next(one for one in choices.choices(found.person, "en", timezone.now())).controls[0]
    told: dict[str, Any] = {
        "purpose": offers.code,
        "channel": "",
        "language": "en",
        "digest": control.shown.digest,
        "after": "",
    }
    gate = threading.Barrier(8)

    def say(answer: str) -> None:
        gate.wait()
        with suppress(changes.Refused):  # a yes that comes after the no
            changes.decide(found.person, Press(answer=answer, **told), timezone.now())
        connections.close_all()

    threads = [threading.Thread(target=say, args=[answer]) for answer in ["yes", "no"] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = ConsentEvent.objects.values_list("state", flat=True)
    assert 1 <= len(said) <= 2
    assert sorted(said)[-1] in ("refused", "withdrawn")
    assert choices.choices(found.person, "en", timezone.now())[0].controls[0].state == "no"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "public", ["", "crm.example.com", "https://", "ftp://crm.example.com", "https://crm.example.com/shop", "https:///x"]
)
def test_no_message_gets_a_link_or_a_way_out_that_leads_nowhere(settings: Any, public: str) -> None:
    settings.PUBLIC_URL = public
    person = factories.profile("u-1")
    with pytest.raises(preference_links.NoPublicAddress, match="PUBLIC_URL"):
        preference_links.unsubscribe_headers(person.pk, "email", NOW)
    with pytest.raises(preference_links.NoPublicAddress):
        preference_links.address(person.pk, NOW)
    assert [check.id for check in address_is_public(None)] == ["zhiyin.W010"]


@pytest.mark.django_db
def test_one_click_unsubscription_is_offered_over_https_only_as_its_rfc_says(settings: Any) -> None:
    person = factories.profile("u-1")
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    assert preference_links.address(person.pk, NOW).startswith("http://127.0.0.1:8000/p/")
    with pytest.raises(preference_links.NoPublicAddress, match="https"):
        preference_links.unsubscribe_headers(person.pk, "email", NOW)
    settings.PUBLIC_URL = "https://crm.example.com/"
    headers = preference_links.unsubscribe_headers(person.pk, "email", NOW)
    assert re.fullmatch(r"<https://crm\.example\.com/p/[\w-]{43}/one-click/\?on=email>", headers["List-Unsubscribe"])
    assert address_is_public(None) == []
