"""Every personal value of one person is unique, and after her erasure it is found nowhere."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command

from crm import access_log, carrying_out, evidence, handoffs, identity, lake, merging, packs, rights
from crm.handoffs import NewHandOff
from crm.models import Identifier, JobRun, Profile, Relation
from crm.sequencer import sequence
from tests import api, factories
from tests.crm import canaries as places
from tests.crm import consents
from tests.crm.canaries import Canaries
from tests.crm.requests import carried_out, officer
from tests.crm.senders import rejected
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

TRAITS = ("nickname", "address_line", "favourite")


@pytest.fixture
def bird() -> Canaries:
    return Canaries()


def plant(bird: Canaries, send: Any, source: Any) -> Profile:
    """Return a person of whom every store knows something."""
    user, visitor = bird("identifier.external_id"), bird("identifier.anonymous_id")
    traits = {"name": bird("profile.name"), "email": bird("identifier.email", "email"), "city": bird("profile.city")}
    traits |= {"phone": bird("identifier.phone", "phone")} | {name: bird(f"trait.{name}") for name in TRAITS}
    context = {
        "ip": "203.0.113.77",
        "userAgent": bird("event.user_agent"),
        "page": {"url": f"https://shop.example/{bird('event.url')}", "referrer": bird("event.referrer")},
    }
    assert not rejected(
        send("identify", {"userId": user, "anonymousId": visitor, "traits": traits, "context": context})
    )
    for number in range(3):
        note = {"note": f"ring {bird('event.note')}", "recipient": bird("event.recipient"), "till": number}
        track = {"userId": user, "event": bird("event.name"), "properties": note, "context": context}
        assert not rejected(send("track", track))
    # Refused, and kept for somebody to look at, with her identifiers in it.
    assert rejected(send("track", {"userId": user, "properties": {"text": bird("rejected.text")}}))
    assert rejected(
        send("track", {"anonymousId": "\x00", "event": traits["phone"], "properties": bird("rejected.odd")})
    )
    known = identity.known([("external_id", user)])
    return _more(bird, Profile.objects.get(pk=known["external_id", user]), source, traits)


def _more(bird: Canaries, profile: Profile, source: Any, traits: dict[str, str]) -> Profile:
    twin = factories.profile(bird("alias.external_id"), name=bird("alias.name"))
    api.event(twin, properties={"note": bird("alias.event")})
    assert merging.merge(twin.pk, profile.pk, now=NOW, reason="test", user=officer())
    for type_ in ("openid", "unionid"):
        Identifier.objects.create(type=type_, value=bird(f"identifier.{type_}"), profile=profile, created_at=NOW)
    friend = factories.profile("friend")
    Relation.objects.create(from_profile=profile, to_profile=friend, kind="referred", created_at=NOW)
    consents.purpose()
    consents.notice("offers")
    proof: dict[str, Any] = {"proof": {"call": bird("consent.proof")}, "ip": bird("consent.ip", "ip")}
    event = consents.say(profile, **proof)
    handoffs.record([_hand_off(profile, event.pk)], NOW)
    evidence.note("disclosure", "report", {"to": "auditor"}, now=NOW, profile=profile.pk)
    access_log.note("reveal", "name", now=NOW, user=officer(), profile=profile.pk, reason=f"call of {traits['name']}")
    _in_files(bird, traits, source)
    _in_memory(traits, profile)
    LogEntry.objects.create(
        user=officer(),
        content_type=ContentType.objects.get_for_model(Profile),
        object_id=str(profile.pk),
        object_repr=traits["name"],
        action_flag=CHANGE,
        change_message=json.dumps([{"changed": {"fields": [bird("admin.change")]}}]),
    )
    _answers(profile)
    return profile


def _hand_off(profile: Profile, event: Any) -> NewHandOff:
    return NewHandOff(
        delivery=uuid4(),
        profile_id=profile.pk,
        allowed_by=event,
        basis="consent",
        purpose="offers",
        channel="email",
        handed_off_at=NOW,
    )


def _in_files(bird: Canaries, traits: dict[str, str], source: Any) -> None:
    root = Path(settings.MEDIA_ROOT)
    for folder in ("imports", "exports"):
        (root / folder).mkdir(parents=True)
    upload = root / "imports" / f"{traits['phone']}.csv"
    upload.write_text(f"phone,name\n{traits['phone']},{bird('upload.name')}\n")
    (root / "exports" / "customers.csv").write_text(f"id;mail\n1;{traits['email'].upper()}\n")
    (root / "exports" / "others.csv").write_text("id;mail\n1;somebody@else.example\n")
    JobRun.objects.create(
        kind="import",
        title=f"profiles: {upload.name}",
        parameters={"path": str(upload), "source": source.pk},
        status=JobRun.Status.SUCCEEDED,
        error=f"line 1: {traits['email']}",
        created_at=NOW,
        finished_at=NOW,
    )


def _in_memory(traits: dict[str, str], profile: Profile) -> None:
    cache.set("somebody.looked", {"mail": traits["email"]}, 600)
    cache.set(f"rate.person.person.{profile.pk}.1", 3, 600)
    # No task of ours does this; if one ever did, erasure must find it.
    current_app.send_task("crm.tasks.nothing", [traits["phone"]], queue=f"canary-{traits['phone'][-4:]}")


def _answers(profile: Profile) -> None:
    from mlengine.models import Score

    Score.objects.create(profile=profile, run=api.run("churn"), value=0.5, reasons=[])


def everything(tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    yield from places.tables()
    yield from places.memory()
    yield from places.files(tmp_path)


def found(bird: Canaries, tmp_path: Path) -> dict[str, set[str]]:
    """Return where which canaries are, by the name of the place."""
    seen = {where: bird.seen_in(data) for where, data in everything(tmp_path)}
    return {where: birds for where, birds in seen.items() if birds}


def test_a_canary_in_every_personal_field_is_found_nowhere_after_erasure(
    bird: Canaries, send: Any, source: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    profile = plant(bird, send, source)
    lake.export(NOW)
    copy = carried_out("copy", profile, details={"text": bird("request.text")})
    carrying_out.approve(copy, now=NOW, user=officer("li"))
    rights.answer(copy, now=NOW)
    pack = packs.fetch(copy.pack, actor="test", now=NOW)
    before = found(bird, tmp_path)
    caplog.clear()

    carried_out("erasure", profile)

    assert found(bird, tmp_path) == {}
    assert bird.seen_in(caplog.text.encode()) == set()
    sequence(NOW + timedelta(hours=1))
    call_command("ledger", "fsck")  # proofs verify over evidence whose person is gone; it exits with an error if not
    # It would have been found: the search sees what lies in the clear, and the copy that the person got.
    assert {"upload.name", "identifier.phone", "identifier.email"} <= {one for seen in before.values() for one in seen}
    assert {"cache", "broker"} <= {where.split(":")[0] for where in before}
    assert len(bird.values) > 25
    assert pack
    assert (Path(settings.MEDIA_ROOT) / "exports" / "others.csv").exists()
