"""Unique values in every personal place that messages and files can reach, and none of them plain in any table."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from crm import imports, lake
from crm.imports import job as jobs
from crm.imports.mapping import Mapping, guess
from crm.models import Event, Profile, RejectedEvent, Source
from tests.crm import canaries as places
from tests.crm.canaries import Canaries
from tests.crm.senders import Send, rejected
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

# What may lie open, by the data map: places, and names of things that we are told to count.
OPEN = {"profile.city", "event.session"}


def tell(bird: Canaries, send: Send) -> None:
    traits = {
        "name": bird("name"), "email": bird("email", "email"), "phone": bird("phone", "phone"),
        "birthday": "1990-05-17", "address": {"street": bird("street"), "city": bird("profile.city")},
        "avatar": bird("avatar"), "nickname": bird("nickname"), "company": bird("company"), "note": bird("trait.note"),
        "wechat": bird("wechat"), "nested": {"deep": {"contact": bird("deep")}},
        "list": [f"tel {bird('listed', 'phone')}"],
        "id_card": bird("id_card"), "customer_name": bird("customer_name"), "mobilePhone": bird("mobile", "phone"),
        f"called {bird('key', 'phone')}": True,
    }  # fmt: skip
    context = {
        "ip": bird("ip", "ip"), "userAgent": bird("agent"),
        "device": {"id": bird("device"), "advertisingId": bird("ad")},
        "page": {"url": f"https://x.example/{bird('url')}", "path": f"/{bird('path')}", "title": bird("title")},
        "referrer": {"url": bird("referrer")}, "campaign": {"name": bird("utm"), "content": bird("utm.content")},
        "location": {"city": bird("location")},
    }  # fmt: skip
    properties = {
        "note": bird("note"), "recipient": bird("recipient"), "url": bird("property.url"), "query": bird("query"),
        "tel": bird("tel", "phone"), "reviewer": {"name": bird("reviewer")}, "remark": bird("remark"),
        "free": f"please ring {bird('free', 'phone')} after six", "order_id": bird("event.session"),
    }  # fmt: skip
    user, visitor = bird("external_id"), bird("anonymous_id")
    who = {"userId": user, "anonymousId": visitor, "context": context}
    calls: dict[str, dict[str, Any]] = {
        "identify": {"traits": traits},
        "track": {"event": "Order Completed", "properties": properties},
        "page": {"name": f"Chat with {bird('page.name', 'phone')}", "properties": properties},
        "group": {"groupId": "g1", "traits": traits},
    }
    for type_, facts in calls.items():
        assert rejected(send(type_, who | facts)) == [], type_
    for broken in (
        {"type": "dance"},
        {"timestamp": bird("refused.time")},
        {"traits": {"birthday": bird("refused.day")}},
    ):
        assert rejected(send("batch", {"batch": [{"type": "identify", **who, "traits": traits} | broken]}))


def give(bird: Canaries, source: Source, path: Path) -> None:
    head = "external_id,phone,email,name,birthday,note,tier"
    good = [bird("file.id"), bird("file.phone", "phone"), bird("file.email", "email"), bird("file.name"), "1991-02-03"]
    bad = [bird("bad.id"), "", bird("bad.email", "email"), bird("bad.name"), bird("bad.day")]
    lines = [[*good, bird("file.note"), "gold"], [*bad, bird("bad.note"), "gold"], [bird("short.row")]]
    path.write_text("\n".join([head, *(",".join(line) for line in lines)]))
    _import(source, path, "profiles")
    head = "external_id,kind,occurred_at,comment,shelf"
    path.write_text(
        f"{head}\n{good[0]},view,2026-01-01,{bird('file.comment')},top\n{good[0]},dance,,{bird('bad.row')},\n"
    )
    _import(source, path, "events")


def _import(source: Source, path: Path, what: str) -> None:
    columns = guess(what, path.read_text().split("\n")[0].split(","))
    job = imports.order(path, Mapping(what=what, columns=columns), source=source, now=NOW)
    assert jobs.run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert job.status == "succeeded", job.error


def test_no_personal_value_lies_plain_in_any_table_or_in_the_lake(send: Send, source: Source, tmp_path: Path) -> None:
    bird = Canaries()
    tell(bird, send)
    give(bird, source, tmp_path / "people.csv")
    seen = {name: bird.seen_in(data) for name, data in places.tables()}
    assert set().union(*seen.values()) == OPEN, {name: places - OPEN for name, places in seen.items() if places - OPEN}
    assert len(bird.values) > 50
    lake.export(NOW)
    files = {name: got for name, data in places.files(Path(settings.EVENT_LAKE_URL)) if (got := bird.seen_in(data))}
    assert files == {}


def test_the_same_values_are_read_again_by_those_who_may(send: Send, source: Source) -> None:
    bird = Canaries()
    tell(bird, send)
    person = Profile.objects.identified("external_id", bird("external_id")).get()
    assert (person.name, person.told["note"]) == (bird("name"), bird("trait.note"))
    told: dict[str, Any] = {event.kind: event.told for event in Event.objects.all()}
    assert told["page"]["note"] == bird("note")
    assert told["purchase"]["context"]["page"]["path"] == f"/{bird('path')}"
    kept = [json.loads(row.payload) for row in RejectedEvent.objects.all()]
    assert {row["userId"] for row in kept} == {bird("external_id")}
