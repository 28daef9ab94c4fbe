"""Audit bundles from the database: what they hold, that they are the same each time, and that they verify."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from io import StringIO
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone, translation
from rfc3161_client import decode_timestamp_response

from crm import access_log, approvals, consent, evidence, handoffs, sequencer, verify
from crm.audit import bundle, leaf_rows, orders, query, stamp
from crm.audit.compose import NotInTheLedger, write
from crm.audit.leaf_rows import Told
from crm.audit.query import BadQuery, Query
from crm.handoffs import NewHandOff
from crm.merging import merge
from crm.models import Checkpoint, CheckpointCopy, ConsentEvent, HandOff, JobRun, Leaf, PersonalDataAccess, Profile
from tests import factories
from tests.crm import consents
from tests.crm.authority import Authority, serving
from tests.crm.requests import carried_out

pytestmark = pytest.mark.django_db
NOW = factories.NOW
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def send(person: Profile, event: ConsentEvent | None, at: datetime, **facts: Any) -> HandOff:
    told = {"basis": "consent", "purpose": "offers", "channel": "sms"} | facts
    allowed_by = event.pk if event else None
    new = NewHandOff(delivery=uuid4(), profile_id=person.pk, allowed_by=allowed_by, handed_off_at=at, **told)
    return handoffs.record([new], now=at)[0]


@pytest.fixture
def month() -> list[Profile]:
    """Three people in March: one is written to, one withdraws and is written to all the same, one refuses."""
    consents.purpose(), consents.purpose("surveys"), consents.notice("offers")
    people = [factories.profile(f"u{n}", name=f"张{n}") for n in range(3)]
    first = consents.say(people[0], notice="privacy/1", method="form")
    second = consents.say(people[1], now=NOW + HOUR)
    consents.say(people[2], "refused", now=NOW + 2 * HOUR)
    send(people[0], first, NOW + DAY)
    consent.withdraw(people[1].pk, "offers", "", "preference_centre", NOW + 2 * DAY)
    send(people[1], second, NOW + 3 * DAY)
    evidence.note("disclosure", "provider", {"rows": 2}, now=NOW + 4 * DAY)
    sequencer.sequence(NOW + 5 * DAY)
    return people


def exported(path: Path, **asked: Any) -> dict[str, Any]:
    return bundle.export(path, query.ask(**asked))


def lines(path: Path, name: str) -> list[str]:
    with ZipFile(path) as files:
        return files.read(name).decode("utf-8-sig").splitlines()[1:]


def records(path: Path) -> list[dict[str, Any]]:
    with ZipFile(path) as files:
        return [json.loads(line) for line in files.read("events.jsonl").splitlines()]


def test_a_bundle_of_the_whole_ledger_tells_all_and_verifies(month: list[Profile], tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    manifest = exported(out)
    proven = verify.check(str(out))
    assert proven.manifest == manifest
    assert proven.counts["kinds"] == {"consent": 4, "disclosure": 1, "hand_off": 2, "notice": 1}
    assert (proven.counts["sends"], proven.counts["allowed"], proven.counts["violations"]) == (2, {"consent": 1}, 1)
    (violation,) = lines(out, "sends_violations.csv")
    assert ",withdrawn," in violation
    assert len(lines(out, "disclosures.csv")) == 1


def test_the_database_tells_leaves_as_their_models_do(month: list[Profile]) -> None:
    event, odd = ConsentEvent.objects.all()[0], 'Ａ "b"\\\n\u200f'
    event.pk, event.thread, event.idempotency, event.source = uuid4(), uuid4(), uuid4(), factories.source()
    event.adm_optout, event.valid_until, event.cooldown_until = True, NOW + timedelta(microseconds=1), NOW - 300 * DAY
    event.channel_account = event.form_version = event.recipient = event.pia = event.import_batch = odd
    event.rendered_digest, event.language, event.jurisdiction = "f" * 64, "zh-hans", "CN"
    other = send(month[0], None, NOW + 6 * DAY, basis="contract")
    evidence.append([event])
    sequencer.sequence(NOW + 6 * DAY)
    told = leaf_rows.read(range(Checkpoint.objects.latest_first()[0].size))
    kinds = Leaf.objects.filter(kind__in=["consent", "hand_off"])
    assert {number: one.body for number, one in told.items()} == {
        leaf.sequence: evidence.find(leaf.record).leaf_body() for leaf in kinds
    }
    assert {one.body["id"] for one in told.values()} >= {str(event.pk), str(other.pk)}
    assert all(list(one.body) == sorted(one.body) for one in told.values())
    assert leaf_rows.read([1, 4]).keys() == {1, 4}
    assert [one.profile for one in told.values()].count(month[0].pk) == 3


def test_what_the_database_writes_otherwise_than_was_signed_is_left_to_the_model(
    month: list[Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(tmp_path / "one.zip")
    monkeypatch.setattr(leaf_rows, "read", lambda numbers: {1: Told(bytes(32), None, {"schema": "another"})})
    exported(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_it_names_nobody_and_another_bundle_names_people_otherwise(month: list[Profile], tmp_path: Path) -> None:
    exported(tmp_path / "one.zip")
    exported(tmp_path / "other.zip", end="2026-03-31")
    assert not any("personal" in line or "profile" in line["body"] for line in records(tmp_path / "one.zip"))
    assert "张".encode() not in (tmp_path / "one.zip").read_bytes()
    tokens = [{line["person"] for line in records(tmp_path / name)} - {None} for name in ("one.zip", "other.zip")]
    assert (len(tokens[0]), tokens[0] & tokens[1]) == (3, set())


ALONE = """
import sys, django; django.setup()
from pathlib import Path
from crm.audit import bundle, query
bundle.export(Path(sys.argv[1]), query.ask(begin="2026-03-01", end="2026-03-31"))
"""


@pytest.mark.django_db(transaction=True)
def test_the_same_query_gives_the_same_bytes_in_another_process_zone_and_language(
    month: list[Profile], tmp_path: Path
) -> None:
    asked = {"begin": "2026-03-01", "end": "2026-03-31"}
    exported(tmp_path / "one.zip", **asked)
    with translation.override("zh-hans"), timezone.override("America/New_York"):
        exported(tmp_path / "two.zip", **asked)
    name = str(connection.settings_dict["NAME"])
    settings = f"from config.settings import *\nDATABASES['default']['NAME'] = {name!r}\n"
    (tmp_path / "other_settings.py").write_text(settings)
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "other_settings", "TZ": "Pacific/Auckland", "LC_ALL": "C"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    command = [sys.executable, "-c", ALONE, str(tmp_path / "three.zip")]
    subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], check=True, capture_output=True)
    assert len({(tmp_path / name).read_bytes() for name in ("one.zip", "two.zip", "three.zip")}) == 1


def test_the_size_of_the_tree_is_part_of_the_question(month: list[Profile], tmp_path: Path) -> None:
    size = Checkpoint.objects.latest_first()[0].size
    exported(tmp_path / "before.zip")
    consents.say(month[0], "refused", now=NOW + 6 * DAY)
    sequencer.sequence(NOW + 6 * DAY)
    exported(tmp_path / "again.zip", size=size)
    assert (tmp_path / "before.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert exported(tmp_path / "now.zip")["tree"]["size"] == size + 1
    with pytest.raises(BadQuery, match="no checkpoint of exactly 2 records"):
        query.ask(size=2)


@pytest.mark.django_db(transaction=True)  # an erasure waits for those who write meanwhile
def test_after_an_erasure_the_same_question_gives_the_same_but_for_who_it_was(
    month: list[Profile], officers: tuple[User, User], tmp_path: Path
) -> None:
    """Equal must be every leaf, every proof, every send judged; gone, and nothing else changed, whose it was."""
    size = Checkpoint.objects.latest_first()[0].size
    asked: dict[str, Any] = {"size": size, "end": "2026-03-31"}
    plain = query.ask(**asked)
    clear = query.ask(**asked, clear_text=True)
    told = orders.subject(clear), orders.parameters(clear)
    approvals.approve(
        approvals.ask(orders.ACTION, *told, by=officers[0], reason="The court asked.", now=NOW).pk,
        by=officers[1],
        now=NOW,
    )
    clear = replace(clear, approval=str(approvals.use(orders.ACTION, *told, by=officers[0], now=NOW).pk))
    for name, one in (("plain", plain), ("clear", clear)):
        bundle.export(tmp_path / f"{name}-1.zip", one)
    consents.say(month[0], "refused", now=NOW + 6 * DAY)
    send(month[2], None, NOW + 7 * DAY)
    sequencer.sequence(NOW + 8 * DAY)
    for name, one in (("plain", plain), ("clear", clear)):
        bundle.export(tmp_path / f"{name}-2.zip", one)
        assert (tmp_path / f"{name}-1.zip").read_bytes() == (tmp_path / f"{name}-2.zip").read_bytes()
    carried_out("erasure", month[1])
    assert not Profile.objects.filter(pk=month[1].pk).exists()
    for name, one in (("plain", plain), ("clear", clear)):
        bundle.export(tmp_path / f"{name}-3.zip", one)
        bundle.export(tmp_path / f"{name}-4.zip", one)
        assert (tmp_path / f"{name}-3.zip").read_bytes() == (tmp_path / f"{name}-4.zip").read_bytes()
        before, after = (verify.check(str(tmp_path / f"{name}-{n}.zip")) for n in (1, 3))
        assert (after.counts.pop("shredded"), before.counts.pop("shredded")) == (3, 0)
        assert after.counts == before.counts
        old, new = (records(tmp_path / f"{name}-{n}.zip") for n in (1, 3))
        assert [line["body"] for line in old] == [line["body"] for line in new]
        hers = [number for number, line in enumerate(old) if line["person"] and not new[number]["person"]]
        assert len(hers) == 3
        assert all(new[number].keys() == {"body", "person", "sequence"} for number in hers)
        assert all(old[number] == new[number] for number in range(len(old)) if number not in hers)
        for file in ("proofs.jsonl", "checkpoint.txt", "checkpoints.jsonl"):
            assert lines(tmp_path / f"{name}-1.zip", file) == lines(tmp_path / f"{name}-3.zip", file)
    for told_name in ("张1".encode(), b"external_id: u1"):
        assert told_name in (tmp_path / "clear-1.zip").read_bytes()
        assert told_name not in (tmp_path / "clear-3.zip").read_bytes()
    assert "张0".encode() in (tmp_path / "clear-3.zip").read_bytes()


def test_days_are_those_of_the_organisation(month: list[Profile], tmp_path: Path) -> None:
    # The first send left on 2 March, 12:00 UTC: 20:00 in Shanghai.
    assert exported(tmp_path / "a.zip", begin="2026-03-02", end="2026-03-02")["counts"]["sends"] == 1
    assert exported(tmp_path / "b.zip", begin="2026-03-03", end="2026-03-03")["counts"]["sends"] == 0
    asked = query.ask(begin="2026-03-02", end="2026-03-02")
    assert asked.period == ("2026-03-01T16:00:00.000000Z", "2026-03-02T16:00:00.000000Z")


def test_a_period_brings_the_consents_before_it_and_every_record_within(month: list[Profile], tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    manifest = exported(out, begin="2026-03-04", end="2026-03-04")
    assert (manifest["counts"]["sends"], manifest["counts"]["violations"]) == (1, 1)
    assert manifest["range"] is not None
    kinds = [line["body"]["kind"] for line in records(out)]
    assert kinds == ["notice", "consent", "consent", "hand_off"]
    assert verify.check(str(out)).shown == 4


def test_a_purpose_or_a_person_narrows_it(month: list[Profile], tmp_path: Path) -> None:
    surveys = exported(tmp_path / "a.zip", purposes=["surveys"])
    assert surveys["counts"]["kinds"] == {"notice": 1, "disclosure": 1}  # to whom was disclosed is of no purpose
    one = exported(tmp_path / "b.zip", people=[month[1].pk])
    assert one["counts"]["kinds"] == {"consent": 2, "hand_off": 1, "notice": 1}
    assert str(month[1].pk) not in one["query"]["people"]
    for name in ("a.zip", "b.zip"):
        verify.check(str(tmp_path / name))


def test_merged_profiles_are_one_person(month: list[Profile], tmp_path: Path) -> None:
    merge(month[2].pk, month[0].pk, now=NOW, reason="the same", user=User.objects.create_user("m"))
    late = send(month[2], None, NOW + 6 * DAY)  # to the one who refused
    sequencer.sequence(NOW + 6 * DAY)
    out = tmp_path / "bundle.zip"
    exported(out, begin="2026-03-07", end="2026-03-07")
    assert len({line["person"] for line in records(out) if line["person"]}) == 1
    assert str(late.delivery) in lines(out, "sends_violations.csv")[0]
    verify.check(str(out))


def test_an_erased_person_is_still_proven_and_nobody(month: list[Profile], tmp_path: Path) -> None:
    month[1].delete()
    out = tmp_path / "bundle.zip"
    manifest = exported(out)
    assert (manifest["counts"]["shredded"], manifest["counts"]["violations"]) == (3, 1)
    verify.check(str(out))


def test_what_was_changed_in_the_database_is_not_exported(month: list[Profile], tmp_path: Path) -> None:
    checkpoint = Checkpoint.objects.latest_first()[0]
    checkpoint.root = bytes(32)
    with pytest.raises(NotInTheLedger, match="do not lead to the root"):
        write(tmp_path / "no.zip", bundle._content(query.ask(), checkpoint, lambda done, total: None))
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_that_others_hold_are_proven_to_be_beginnings(month: list[Profile], tmp_path: Path) -> None:
    old = Checkpoint.objects.latest_first()[0]
    CheckpointCopy.objects.create(checkpoint=old, kind="file", place="/mnt", copied_at=NOW + 5 * DAY)
    consents.say(month[0], "refused", now=NOW + 6 * DAY)
    sequencer.sequence(NOW + 6 * DAY)
    out = tmp_path / "bundle.zip"
    exported(out, begin="2026-03-07", end="2026-03-07")
    assert verify.check(str(out), old.note).beginnings == 1
    assert query.ask(held=old.note).compare == (old.size,)
    with pytest.raises(BadQuery, match="cannot be used"):
        query.ask(held=old.note.replace("\n\n", "\n", 1))


def test_who_looked_at_people_is_told_up_to_the_checkpoint(month: list[Profile], tmp_path: Path) -> None:
    for name, at in (("=before", NOW + DAY), ("after", NOW + 9 * DAY)):
        access_log.note("reveal", "name", actor=name, profile=month[0].pk, now=at)
    out = tmp_path / "bundle.zip"
    exported(out)
    (line,) = lines(out, "accesses.csv")
    person = next(row["person"] for row in records(out) if row["body"]["kind"] == "hand_off")
    assert line == f"2026-03-02T12:00:00.000000Z,'=before,reveal,name,,1,{person}"


@pytest.fixture
def officers() -> tuple[User, User]:
    users = [User.objects.create_user(name) for name in ("one", "two")]
    users[1].user_permissions.add(Permission.objects.get(codename="decide_approval"))
    return users[0], users[1]


def test_clear_text_needs_a_second_person_and_then_names_people(
    month: list[Profile], officers: tuple[User, User], tmp_path: Path
) -> None:
    asked = query.ask(people=[month[0].pk], clear_text=True)
    with pytest.raises(BadQuery, match="approval of a second person"):
        orders.approved(asked, "", now=NOW)
    told = orders.subject(asked), orders.parameters(asked)
    waiting = approvals.ask(orders.ACTION, *told, by=officers[0], reason="The court asked.", now=NOW)
    with pytest.raises(BadQuery):
        orders.approved(asked, str(waiting.pk), now=NOW)
    approvals.approve(waiting.pk, by=officers[1], now=NOW)
    allowed = orders.approved(asked, str(waiting.pk), now=NOW)
    out = tmp_path / "bundle.zip"
    bundle.export(out, allowed)
    verify.check(str(out))
    assert lines(out, "people.csv")[0].split(",")[2:] == ["张0", "external_id: u0"]
    opened = [line["personal"]["profile"] for line in records(out) if line["person"]]
    assert opened == [month[0].pk, month[0].pk]
    with pytest.raises(BadQuery):
        orders.approved(asked, str(waiting.pk), now=NOW)


def test_an_order_becomes_a_job_a_file_and_goes_when_its_time_is_up(
    month: list[Profile], officers: tuple[User, User], tmp_path: Path, settings: Any
) -> None:
    settings.AUDIT_DIR = tmp_path / "audit"
    job = orders.place(query.ask(begin="2026-03-02"), user=officers[0], now=NOW)
    assert PersonalDataAccess.objects.get().what == "audit bundle, pseudonymous"
    assert orders.run(job, clock=lambda: NOW)
    assert not orders.run(job, clock=lambda: NOW)
    assert (job.status, job.result["sends"], job.result["violations"]) == (JobRun.Status.SUCCEEDED, 2, 1)
    assert verify.check(str(orders.file_of(job))).manifest["query"]["from"] == "2026-03-02"
    assert orders.remove_expired(NOW + 7 * DAY - HOUR) == 0
    assert orders.remove_expired(NOW + 7 * DAY) == 1
    assert list((tmp_path / "audit").iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_others_see_how_far_a_job_is_and_can_stop_it_meanwhile(
    month: list[Profile], officers: tuple[User, User], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.audit.compose.REPORTED", 1)
    job = orders.place(query.ask(), user=officers[0], now=NOW)
    times, seen = count(), list[int]()

    def stop() -> None:
        seen.append(JobRun.objects.get().done)
        job.cancel(NOW)
        connection.close()

    def clock() -> datetime:
        number = next(times)
        if number == 3:  # two records are reported
            watching = Thread(target=stop)
            watching.start()
            watching.join(20)
        return NOW + timedelta(seconds=number)

    assert not orders.run(job, clock=clock)
    assert (seen, next(times)) == ([2], 4)
    assert list(Path(settings.AUDIT_DIR).iterdir()) == []
    job.refresh_from_db()
    assert (job.status, job.done) == (JobRun.Status.CANCELLED, 2)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["--from", "2026-03-05", "--to", "2026-03-01"], "before it begins"),
        (["--from", "5.3.2026"], "is not a day"),
        (["--to", "2026-02-30"], "is not a day"),
        (["--purpose", "nothing"], "There is no purpose 'nothing'"),
        (["--person", "999999999"], "There is no person #999999999"),
        (["--clear-text"], "approval of a second person"),
        (["--tree-size", "3"], "no checkpoint of exactly 3"),
    ],
)
def test_the_command_says_what_is_wrong(month: list[Profile], tmp_path: Path, asked: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("audit_bundle", tmp_path / "out.zip", *asked)
    assert list(tmp_path.iterdir()) == []


def test_the_command_replaces_an_older_file_whole(month: list[Profile], tmp_path: Path) -> None:
    out, said = tmp_path / "out.zip", StringIO()
    out.write_text("older")
    call_command("audit_bundle", out, "--pdf", stdout=said)
    assert verify.main([str(out)]) == 0
    assert "2 sends, 1 violations" in said.getvalue()
    assert (tmp_path / "out.pdf").read_bytes()[:5] == b"%PDF-"
    assert PersonalDataAccess.objects.get().action == "export"


def test_an_empty_ledger_says_so() -> None:
    with pytest.raises(BadQuery, match="The ledger is empty"):
        query.ask()


def test_days_are_read_strictly() -> None:
    assert query.day("2026-03-01") == date(2026, 3, 1)
    for text in ("", "2026-3-1", "20260301", "2026-W10-1", "0001-01-01", "今天"):
        with pytest.raises(BadQuery):
            query.day(text)


def test_a_time_stamp_of_the_manifest_lies_beside_the_bundle_not_in_it(
    month: list[Profile], tmp_path: Path, settings: Any
) -> None:
    authority = Authority()
    settings.LEDGER_TSA_ROOTS = authority.save_root(tmp_path)
    exported(tmp_path / "plain.zip")
    assert stamp.write(tmp_path / "plain.zip") is None
    with serving(authority.answer) as settings.LEDGER_TSA_URL:
        call_command("audit_bundle", tmp_path / "out.zip", stdout=StringIO())
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "plain.zip").read_bytes()
    with ZipFile(tmp_path / "out.zip") as files:
        digest = sha256(files.read("manifest.json")).digest()
    answer = decode_timestamp_response((tmp_path / "out.tsr").read_bytes())
    assert answer.tst_info.message_imprint.message == digest
    with pytest.raises(stamp.NoStamp):  # nobody is there any more
        stamp.write(tmp_path / "out.zip")


def test_what_unicode_writes_in_two_ways_is_written_in_one(month: list[Profile], tmp_path: Path) -> None:
    decomposed, proof = "cafe\u0301", {"\U0001f600": 1, "\ufb01": "e\u0301", "nested": [{"\U0001f600": 1, "\uffff": 2}]}
    consents.say(month[0], now=NOW + 5 * DAY, channel="wechat", channel_account=decomposed, proof=proof)
    sequencer.sequence(NOW + 6 * DAY)
    exported(tmp_path / "bundle.zip")
    verify.check(str(tmp_path / "bundle.zip"))
    assert any("caf\u00e9" in line for line in lines(tmp_path / "bundle.zip", "events.csv"))
    clear = Query(size=Checkpoint.objects.latest_first()[0].size, clear_text=True)
    bundle.export(tmp_path / "clear.zip", clear)
    verify.check(str(tmp_path / "clear.zip"))
    (told,) = (line["personal"] for line in records(tmp_path / "clear.zip") if line.get("personal", {}).get("details"))
    assert told["details"]["proof"] == {**proof, "\ufb01": "\u00e9"}
