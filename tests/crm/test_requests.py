"""Requests of people: taken once, confirmed by what we hold, carried out by their kind, ended with a proof."""

import csv
import io
import json
import threading
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connections, transaction
from django.test import Client
from django.utils import timezone

from crm import carrying_out, consent_basis, identity_checks, merged, packs, restrictions, rights
from crm.models import Event, Identifier, LedgerNote, PrivacyRequest, Profile
from crm.portability import LANGUAGES
from crm.preferences import rights as preferences
from crm.preferences.changes import Refused
from mlengine import online
from mlengine.models import Score
from tests import api, factories
from tests.crm import consents
from tests.crm.requests import carried_out, carry_out, confirmed, officer
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def known_as(**identifiers: str) -> Profile:
    person = factories.profile()
    for type_, value in identifiers.items():
        Identifier.objects.create(type=type_, value=value, profile=person, created_at=NOW)
    return person


def opened(kind: str, person: Profile | None, **facts: Any) -> PrivacyRequest:
    return rights.open_request(kind, profile_id=person.pk if person else None, method="api", now=NOW, **facts)


def test_the_same_asked_twice_is_one_group_and_ends_once() -> None:
    person = factories.profile("u-1")
    first, second = opened("access", person), opened("access", person)
    other = opened("erasure", person)
    assert (first.duplicate_of, second.duplicate_of, other.duplicate_of) == (None, first, None)
    rights.refuse(first, "excessive", now=NOW, user=officer())
    second.refresh_from_db()
    assert (second.status, second.refusal) == ("refused", "excessive")
    assert LedgerNote.objects.filter(kind="request").count() == 2
    assert opened("access", person).duplicate_of is None


def test_two_requests_at_the_same_moment_find_each_other() -> None:
    person = factories.profile("u-1")
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        opened("copy", person)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert PrivacyRequest.objects.filter(duplicate_of=None).count() == 1
    assert PrivacyRequest.objects.exclude(duplicate_of=None).count() == 3


@pytest.mark.parametrize(
    ("kind", "held", "points"),
    [
        ("erasure", {"phone": "13800138000", "email": "a@b.cn"}, 3),
        ("erasure", {"phone": "13800138000"}, 2),  # control of the one thing that we hold is all there is
        ("erasure", {"openid": "oX1z"}, 2),  # nobody knows her openid
        ("copy", {"phone": "13800138000", "email": "a@b.cn", "external_id": "u-1"}, 3),
        ("access", {"phone": "13800138000", "email": "a@b.cn"}, 2),
        ("objection", {"phone": "13800138000", "email": "a@b.cn"}, 1),
    ],
)
def test_nobody_is_asked_for_more_than_we_hold(kind: str, held: dict[str, str], points: int) -> None:
    request = opened(kind, known_as(**held))
    assert identity_checks.needed(request) == points
    assert set(identity_checks.askable(request)) == set(held) - {"openid"}


def test_an_identity_is_confirmed_by_control_and_knowledge_and_only_types_are_kept() -> None:
    request = opened("erasure", known_as(phone="13800138000", email="zhang@qq.com"))
    assert not identity_checks.vouch(request, "preference_link", now=NOW)
    assert not identity_checks.vouch(request, "account", now=NOW)  # control twice proves no more than once
    assert identity_checks.tell(request, {"email": " Zhang@QQ.com"}, now=NOW)
    assert (request.status, request.identity_points) == ("verified", 3)
    assert "zhang" not in json.dumps([entry.facts for entry in request.entries.all()]).lower()


def test_after_five_wrong_answers_a_right_one_does_not_count() -> None:
    request = opened("access", known_as(phone="13800138000", email="zhang@qq.com"))
    for number in range(5):
        assert not identity_checks.tell(request, {"phone": f"1390000000{number}"}, now=NOW)
    with pytest.raises(identity_checks.TooManyAttempts):
        identity_checks.tell(request, {"phone": "13800138000", "email": "zhang@qq.com"}, now=NOW)
    assert identity_checks.vouch(request, "call_back", now=NOW, user=officer())


def test_one_wrong_identifier_spoils_the_right_one() -> None:
    request = opened("access", known_as(phone="13800138000", email="zhang@qq.com"))
    assert not identity_checks.tell(request, {"phone": "13800138000", "email": "zhang@qq.co"}, now=NOW)
    assert (request.identity_points, request.identity_failures) == (0, 1)


def test_the_database_itself_wants_two_different_people() -> None:
    request = opened("erasure", factories.profile("u-1"))
    with pytest.raises(IntegrityError), transaction.atomic():
        PrivacyRequest.objects.filter(pk=request.pk).update(handled_by=officer(), checked_by=officer())
    with pytest.raises(IntegrityError), transaction.atomic():
        PrivacyRequest.objects.filter(pk=request.pk).update(status="refused", ended_at=NOW)


def test_an_erasure_waits_until_the_persons_other_requests_are_answered() -> None:
    person = known_as(phone="13800138000")
    opened("copy", person)
    erasure = confirmed("erasure", person)
    with pytest.raises(rights.RightsError, match="Another request of this person is open"):
        carrying_out.begin(erasure, now=NOW, user=officer())


def test_a_merge_between_approval_and_erasure_asks_for_a_new_approval() -> None:
    from crm import merging

    person, other = known_as(phone="13800138000"), known_as(email="other@qq.com")
    erasure = confirmed("erasure", person)
    carrying_out.begin(erasure, now=NOW, user=officer("ma"))
    carrying_out.approve(erasure, now=NOW, user=officer("li"))
    merging.merge(other.pk, person.pk, now=NOW, reason="same", user=officer())
    assert not carrying_out.run(erasure.pk, lambda: NOW)
    erasure.refresh_from_db()
    assert (erasure.status, erasure.checked_by) == ("verified", None)
    assert Profile.objects.filter(pk__in=[person.pk, other.pk]).count() == 2
    carrying_out.begin(erasure, now=NOW, user=officer("ma"))
    carrying_out.approve(erasure, now=NOW, user=officer("li"))
    carry_out(erasure, lambda: NOW)
    assert not Profile.objects.exists()


def test_a_copy_holds_everything_in_both_languages_and_formulas_stay_texts() -> None:
    person = api.house().profile
    Profile.objects.filter(pk=person.pk).update(city="=HYPERLINK(1)", province="＋1")
    consents.say(person, proof={"call": "rec-7"})
    api.event(person, name="-2+3", properties={"recipient": "张三"})
    request = carried_out("copy", person)
    assert request.status == "checking"
    archive = zipfile.ZipFile(io.BytesIO(packs.fetch(request.pack, actor="test", now=NOW)))
    data = json.loads(archive.read("data.json"))
    assert {one["value"] for one in data["identifiers"]} == {"u-1001-secret", "zhang@qq.com", "13800138000"}
    told = {one["name"]: one["properties"] for one in data["events"]}
    assert told == {"": {"phone": "13800138000", "till": 3}, "-2+3": {"recipient": "张三"}}
    assert data["profile"][0]["name"] == "Zhang Wei"
    assert [one["purpose"] for one in data["consents"]] == ["offers"]
    assert "rec-7" in json.dumps(data["consent_history"])
    assert (data["scores"][0]["model"], data["scores"][0]["value"]) == ("churn", 0.25)
    assert set(data["scores"][0]["how_to_object"]) == set(LANGUAGES)
    for language, word in (("en", "Your data"), ("zh-hans", "张三")):
        assert word in archive.read(f"index.{language}.html").decode()
    for name in (name for name in archive.namelist() if name.endswith(".csv")):
        text = archive.read(name).decode("utf-8")
        assert text[0] == "\ufeff"
        cells = [cell for row in csv.reader(io.StringIO(text[1:])) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t"))]
    assert "'=HYPERLINK(1)" in archive.read("csv/profile.csv").decode()


def test_what_a_person_takes_elsewhere_is_what_she_gave_and_an_explanation_what_was_learned() -> None:
    person = api.house().profile
    found = {
        kind: set(carried_out(kind, person).steps.get().receipt["rows"]) for kind in ("portability", "explanation")
    }
    given = {"profile", "identifiers", "relations", "consents", "consent_history", "events", "chats", "follows"}
    given |= {"subscriptions"}
    assert found["portability"] == given
    assert found["explanation"] == {"profile", "scores", "segments", "recommendations", "repurchases"}


def test_a_pack_is_sealed_on_disk_expires_and_its_link_opens_only_after_the_answer() -> None:
    person = api.house().profile
    request = carried_out("copy", person)
    [path] = Path(settings.MEDIA_ROOT).rglob("*.sealed")
    assert b"PK" not in path.read_bytes()[:64]
    assert path.stat().st_mode & 0o077 == 0
    token = packs.link_token(request, NOW)
    with pytest.raises(packs.NoPack):
        packs.by_token(token, NOW)
    carrying_out.approve(request, now=NOW, user=officer("li"))
    rights.answer(request, now=NOW)
    assert packs.by_token(token, NOW).pk == request.pk
    for wrong, at in ((token, NOW + timedelta(hours=24)), (token[:-1], NOW), ("", NOW), ("a:b:c", NOW)):
        with pytest.raises(packs.NoPack):
            packs.by_token(wrong, at)
    pack = packs.by_token(token, NOW)
    with pytest.raises(packs.NoPack):
        packs.fetch(pack, actor="test", now=NOW + packs.KEPT)
    assert packs.delete_expired(NOW + packs.KEPT) == 1
    assert not path.exists()
    assert packs.delete_expired(NOW + packs.KEPT) == 0


def test_opening_the_link_of_a_pack_takes_nothing_and_pressing_its_button_does() -> None:
    request = carried_out("copy", api.house().profile)
    carrying_out.approve(request, now=NOW, user=officer("li"))
    now = timezone.now()
    rights.answer(request, now=now)
    address = f"/privacy/pack/{packs.link_token(request, now)}/"
    shown = Client().get(address)
    assert (shown.status_code, request.pack.downloads) == (200, 0)
    assert Client().head(address).status_code == 405
    taken = Client().post(address)
    assert (taken["Content-Type"], taken.content[:2]) == ("application/zip", b"PK")
    request.pack.refresh_from_db()
    assert request.pack.downloads == 1
    wrong = [Client().get(f"/privacy/pack/{token}/") for token in ("x", packs.link_token(request, now - packs.LINK))]
    assert {answer.status_code for answer in wrong} == {404}
    assert wrong[0].content == wrong[1].content


def test_a_correction_changes_what_was_asked_and_notes_fields_not_values() -> None:
    person = factories.profile("u-1", name="张三", city="上海", gender="male")
    request = carried_out("correction", person, details={"name": "张珊", "gender": "", "birthday": "1990-02-03"})
    person.refresh_from_db()
    assert (person.name, person.gender, person.city) == ("张珊", "", "上海")
    assert (person.birth_month, person.birth_day) == (2, 3)
    assert request.steps.get().receipt == {"fields": ["birthday", "gender", "name"]}
    for wrong in ({}, {"phone": "1"}, {"birthday": "soon"}, {"name": 3}):
        from crm import corrections

        with pytest.raises(rights.RightsError):
            corrections.check(wrong, NOW)


def test_an_objection_stops_profiling_and_marketing_at_once() -> None:
    house = api.house()
    consents.say(house.profile)
    request = opened("objection", house.profile)
    identity_checks.vouch(request, "account", now=NOW)
    assert carrying_out.begin_at_once(request, now=NOW)
    carry_out(request, lambda: NOW)
    request.refresh_from_db()
    house.profile.refresh_from_db()
    assert request.status == "answered"
    assert not house.profile.personalisation
    assert not Score.objects.filter(profile=house.profile).exists()
    later = NOW + timedelta(seconds=1)
    assert not consent_basis.basis_for(house.profile.pk, "offers", "email", later).allowed


def test_a_restriction_needs_no_second_person_and_stops_every_use() -> None:
    house = api.house()
    consents.say(house.profile)
    assert consent_basis.basis_for(house.profile.pk, "offers", "email", NOW).allowed
    carried = carried_out("restriction", house.profile)
    assert carried.status == "answered"
    basis = consent_basis.basis_for(house.profile.pk, "offers", "email", NOW + timedelta(minutes=2))
    assert (basis.allowed, basis.reason) == (False, "restricted")
    assert online.scores_of(house.profile.pk) == []
    asked = api.caller("profiles:read", "profiles:unmasked", "events:read", "scores:read", "clusters:read")
    address = f"/api/v1/profiles/{house.profile.pk}/"
    for path in ("", "events/", "scores/", "clusters/"):
        assert api.error(asked.get(address + path))[:2] == (403, "permission_denied")
    assert asked.get("/api/v1/profiles/").json()["results"] == []
    assert asked.get(f"/api/v1/clusters/{house.cluster.pk}/members/").json()["results"] == []
    assert Event.objects.filter(profile=house.profile).count() == 1
    assert restrictions.lift(house.profile.pk, now=NOW, user=officer(), reason="settled") == 1
    assert consent_basis.basis_for(house.profile.pk, "offers", "email", NOW + timedelta(minutes=3)).allowed


def test_what_is_sent_back_is_prepared_and_checked_anew_and_its_reason_names_nobody() -> None:
    person = known_as(external_id="u-1", phone="+8613800138000")
    request = confirmed("copy", person)
    first, second = officer(), officer("li")
    carrying_out.begin(request, now=NOW, user=first)
    carry_out(request, lambda: NOW)
    request.refresh_from_db()
    carrying_out.send_back(request, now=NOW, user=second, why="我叫张小明，电话13800138000 is in the wrong pack")
    request.refresh_from_db()
    assert (request.status, request.checked_by, request.steps.count()) == ("verified", None, 0)
    told = request.entries.get(what="sent_back").facts["why"]  # it is kept when the person is erased
    assert "13800138000" not in told
    assert "小明" not in told
    carrying_out.begin(request, now=NOW, user=second)
    with pytest.raises(rights.RightsError, match="prepared it yourself"):
        carrying_out.approve(request, now=NOW, user=second)


def test_the_reason_why_a_restriction_ended_names_nobody_in_the_ledger() -> None:
    person = known_as(phone="+8613800138000")
    restrictions.restrict([person.pk], NOW)
    restrictions.lift(person.pk, now=NOW, user=officer(), reason="She called from 13800138000.")
    assert "13800138000" not in LedgerNote.objects.get(kind="request").facts_json


def test_asking_anew_brings_no_new_guesses() -> None:
    profile = factories.profile("u1")
    Identifier.objects.create(type="phone", value="+8613800138000", profile=profile, created_at=NOW)
    person = merged.person(profile.pk)
    assert person is not None
    for guess in range(7):
        preferences.ask(person, "copy", {}, "en", NOW)
        request = PrivacyRequest.objects.latest("pk")
        with pytest.raises(Refused, match="not_confirmed" if guess < 5 else "too_many"):
            preferences.confirm(person, str(request.reference), {"phone": f"1380013810{guess}"}, NOW)
        preferences.cancel(person, str(request.reference), NOW)
    preferences.ask(person, "copy", {}, "en", NOW)
    request = PrivacyRequest.objects.latest("pk")
    with pytest.raises(Refused, match="too_many"):
        preferences.confirm(person, str(request.reference), {"phone": "13800138000"}, NOW)
