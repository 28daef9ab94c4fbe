"""The verifier by itself: what it accepts, what it rejects, and that it needs nothing but Python."""

import ast
import csv
import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from crm import ledger, verify
from crm.audit import compose
from crm.audit.archive import Archive
from crm.audit.compose import Hidden, Record
from crm.canonical import canonical, commit_to
from tests import bundles
from tests.bundles import at, consent, everyday, hand_off, identity, note
from tests.faults import bundle_corruptions

Leaves = Sequence[tuple[dict[str, Any], int | None]]
MINUTE, DAY = 60, 86_400
VECTORS = Path(__file__).parents[3] / "shared" / "data" / "merkle_vectors.json"


def made(path: Path, leaves: Leaves, **facts: Any) -> Path:
    compose.write(path / "bundle.zip", bundles.content(leaves, **facts))
    return path / "bundle.zip"


def rows(path: Path, name: str) -> list[str]:
    """Return the lines of a table below its header."""
    container = verify.Container(str(path))
    with container.file:
        manifest = verify.parsed(container.first("manifest.json", 1 << 20), "")
        container.first("manifest.sig", 1000)
        for file in manifest["files"]:
            container.check(file["name"], file["size"], file["sha256"], file["sm3"])
        return container.read(name).decode("utf-8-sig").splitlines()[1:]


def reasons(path: Path, leaves: Leaves, **facts: Any) -> list[str]:
    """Return why the sends of a history were violations; the bundle must verify all the same."""
    bundle = made(path, leaves, **facts)
    verify.check(str(bundle))
    return [line.split(",")[8] for line in rows(bundle, "sends_violations.csv")]


def findings(path: Path, leaves: Leaves) -> list[str]:
    bundle = made(path, leaves)
    verify.check(str(bundle))
    return [line.split(",")[3] for line in rows(bundle, "findings.csv")]


def test_it_runs_by_itself_in_a_python_that_has_nothing_else(tmp_path: Path) -> None:
    bundle = made(tmp_path, everyday(20), earlier=(5,))
    alone = tmp_path / "verify.py"
    alone.write_bytes(Path(verify.__file__).read_bytes())
    held = tmp_path / "held.txt"
    held.write_text(bundles.content(everyday(20), earlier=()).checkpoint)
    command = [sys.executable, "-I", "-S", str(alone), str(bundle), "--checkpoint", str(held)]
    done = subprocess.run(command, cwd=tmp_path, env={"LC_ALL": "C"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("OK: the bundle is genuine.")
    assert "VIOLATIONS   0\n" in done.stdout


def test_it_is_written_for_python_3_9_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(Path(verify.__file__).read_text(), feature_version=(3, 9))
    imported = [node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)]
    imported += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_a_thousand_corrupted_bundles_are_all_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "is_signature", verify.is_signature)  # it is replaced by one that remembers
    rejected, wrong = bundle_corruptions.corrupt(1000, seed=3)
    assert wrong == []
    assert sum(rejected.values()) > 980
    assert len(rejected) == len(bundle_corruptions.CORRUPTIONS)


@pytest.mark.parametrize("signed", ["", "x", "manifest"])
def test_signatures_agree_with_another_implementation(signed: str) -> None:
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key().public_bytes_raw(), signed.encode()
    signature = key.sign(message)
    assert verify.is_signature(public, message, signature)
    assert not verify.is_signature(public, message + b"!", signature)
    for place in range(64):
        changed = bytearray(signature)
        changed[place] ^= 1 << place % 8
        assert not verify.is_signature(public, message, bytes(changed))


def test_signatures_that_could_be_written_in_two_ways_are_refused() -> None:
    key = Ed25519PrivateKey.generate()
    public, signature = key.public_key().public_bytes_raw(), key.sign(b"x")
    larger = int.from_bytes(signature[32:], "little") + verify.ORDER
    assert not verify.is_signature(public, b"x", signature[:32] + larger.to_bytes(32, "little"))
    neutral = (1).to_bytes(32, "little")  # a key of small order signs anything
    assert not verify.is_signature(neutral, b"x", neutral + bytes(32))
    not_canonical = (verify.P + 1).to_bytes(32, "little")
    assert not verify.is_signature(not_canonical, b"x", neutral + bytes(32))


def test_its_tree_agrees_with_ours() -> None:
    hashes = [ledger.leaf_hash(bytes([number])) for number in range(70)]

    def nodes(level: int, index: int) -> bytes:
        return ledger.root_of(hashes[index << level : (index + 1) << level])

    for size in range(1, 71):
        fold, root = verify.Fold(), ledger.root_of(hashes[:size])
        for hash_ in hashes[:size]:
            fold.add(hash_, 0, hidden=False)
        assert fold.root() == root
        for older in range(1, size + 1):
            proof = ledger.consistency_proof(older, size, nodes)
            assert verify.is_beginning(older, ledger.root_of(hashes[:older]), size, root, proof)
            assert not verify.is_beginning(older, bytes(32), size, root, proof)
            assert not verify.is_beginning(older, ledger.root_of(hashes[:older]), size, root, [*proof, bytes(32)])


def test_the_published_vectors_of_consistency_are_judged_as_they_should_be() -> None:
    cases = json.loads(VECTORS.read_text())["consistency"]
    wrong = []
    for case in cases:
        root1, root2, *proof = (
            b64decode(text or "") for text in (case["root1"], case["root2"], *(case["proof"] or []))
        )
        found = verify.is_beginning(case["size1"], root1, case["size2"], root2, proof)
        wrong += [case["name"]] if found == case["wantErr"] else []
    assert (len(cases) > 80, wrong) == (True, [])


def test_a_part_of_the_ledger_verifies_with_hashes_for_the_rest(tmp_path: Path) -> None:
    leaves = everyday(50)
    people = {3, 17}
    shown = {0, 1} | {place for place, (_, person) in enumerate(leaves) if person in people}
    proven = verify.check(str(made(tmp_path, leaves, shown=shown, earlier=(60,))))
    assert (proven.shown, proven.counts["sends"]) == (len(shown), 4)


def test_a_thread_without_its_beginning_is_refused(tmp_path: Path) -> None:
    leaves = [(consent(1, 1, "withdrawn", seconds=5), 1)]
    with pytest.raises(ValueError, match="goes on from an event that is not in the bundle"):
        made(tmp_path, leaves)


def test_in_clear_text_each_record_is_shown_to_be_about_whom_it_names(tmp_path: Path) -> None:
    leaves = everyday(3)
    verify.check(str(made(tmp_path, leaves, clear=True)))
    body, _ = leaves[2]
    leaves[2] = (body, 99)  # the commitment inside the leaf is to another person
    with pytest.raises(verify.Rejected, match="is not about the person that it now names"):
        verify.check(str(made(tmp_path, leaves, clear=True)))


def test_a_held_checkpoint_shows_that_history_was_rewritten(tmp_path: Path) -> None:
    leaves = everyday(5)
    held = bundles.content(leaves[:9]).checkpoint
    assert verify.check(str(made(tmp_path, leaves)), held).counts["violations"] == 0
    body, person = leaves[4]
    leaves[4] = ({**body, "recorded_at": at(999)}, person)
    with pytest.raises(verify.Rejected, match="your checkpoint is not a beginning of this ledger"):
        verify.check(str(made(tmp_path, leaves)), held)


def test_a_checkpoint_of_another_key_is_not_believed(tmp_path: Path) -> None:
    leaves = everyday(2)
    held = bundles.content(leaves, signer=bundle_corruptions.STRANGER).checkpoint
    with pytest.raises(verify.Rejected, match="not signed with the key of this bundle"):
        verify.check(str(made(tmp_path, leaves)), held)


@pytest.mark.parametrize("end", ["", "\n", "garbage"])
def test_what_is_no_bundle_is_answered_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    (tmp_path / "no.zip").write_text(end)
    assert verify.main([str(tmp_path / "no.zip")]) == 1
    assert capsys.readouterr().err.startswith("NOT GENUINE")
    assert verify.main([str(tmp_path / "missing.zip")]) == 2


# The join of sends with consent

GIVEN = (consent(0, 1, seconds=0), 1)


def test_a_send_that_is_allowed_is_none(tmp_path: Path) -> None:
    assert reasons(tmp_path, [GIVEN, (hand_off(0, 1, seconds=5), 1)]) == []


@pytest.mark.parametrize(
    ("reason", "facts"),
    [
        ("no_consent", {"allowed_by": None}),
        ("unknown_event", {"allowed_by": identity("nobody")}),
        ("other_purpose", {"purpose": "surveys"}),
        ("received_later", {"handed_off_at": at(-2 * MINUTE)}),
    ],
)
def test_a_send_that_names_no_good_event_is_one(tmp_path: Path, reason: str, facts: dict[str, Any]) -> None:
    assert reasons(tmp_path, [GIVEN, (hand_off(0, 1, seconds=5, **facts), 1)]) == [reason]


@pytest.mark.parametrize("state", ["refused", "withdrawn", "revoked", "invalidated"])
def test_a_no_ends_it_from_then_on(tmp_path: Path, state: str) -> None:
    no = (consent(1, 1, state, seconds=100), 1)
    before, after = (hand_off(0, 1, seconds=99), 1), (hand_off(1, 1, seconds=100), 1)
    assert reasons(tmp_path, [GIVEN, before, no, after]) == [state]


def test_a_no_for_one_channel_leaves_the_others(tmp_path: Path) -> None:
    no = (consent(1, 1, "withdrawn", seconds=100, channel="sms"), 1)
    sends = [(hand_off(n, 1, seconds=200 + n, channel=channel), 1) for n, channel in enumerate(("email", "sms"))]
    assert reasons(tmp_path, [GIVEN, no, *sends]) == ["withdrawn"]


def test_a_yes_for_every_channel_brings_no_channel_back_that_was_refused_by_name(tmp_path: Path) -> None:
    no = (consent(1, 1, "withdrawn", seconds=100, channel="email"), 1)
    again = (consent(2, 1, seconds=200), 1)
    send = (hand_off(0, 1, seconds=300, allowed_by=identity("consent", 1, 2)), 1)
    assert reasons(tmp_path, [GIVEN, no, again, send]) == ["withdrawn"]


def test_a_consent_that_ran_out_or_a_notice_that_changed_allows_nothing(tmp_path: Path) -> None:
    short = (consent(0, 2, seconds=0, valid_until=at(50)), 2)
    first = {"digest": bundles.DIGEST, "material": True, "purposes": ["news"]}
    newer = (note(9, "notice", "newsletter/2", first, seconds=60), None)
    sends = [(hand_off(0, 2, seconds=50), 2), (hand_off(0, 1, seconds=59), 1), (hand_off(1, 1, seconds=61), 1)]
    assert reasons(tmp_path, [GIVEN, short, *sends[:2], newer, sends[2]]) == ["expired", "stale_notice"]


def test_a_withdrawal_is_found_by_its_thread_after_the_person_was_erased(tmp_path: Path) -> None:
    history = [GIVEN, (consent(1, 1, "withdrawn", seconds=100), 1), (hand_off(0, 1, seconds=200), 1)]
    assert reasons(tmp_path, [(body, None) for body, _ in history]) == ["withdrawn"]


def test_naming_a_withdrawal_as_somebody_elses_does_not_go_unseen(tmp_path: Path) -> None:
    hidden = [GIVEN, (consent(1, 1, "withdrawn", seconds=100), 2), (hand_off(0, 1, seconds=200), 1)]
    assert findings(tmp_path, hidden) == ["split_thread"]


def test_a_consent_put_in_afterwards_does_not_cover_an_earlier_send(tmp_path: Path) -> None:
    send = (hand_off(0, 1, seconds=200), 1)
    assert reasons(tmp_path, [send, GIVEN]) == ["recorded_later"]
    no = (consent(1, 1, "withdrawn", seconds=100), 1)
    patch = (consent(2, 1, seconds=150, recorded_at=at(150)), 1)
    assert reasons(tmp_path, [GIVEN, no, send, patch]) == ["withdrawn"]


def test_another_persons_consent_covers_nobody_else(tmp_path: Path) -> None:
    other = (hand_off(0, 2, seconds=5, allowed_by=identity("consent", 1, 0)), 2)
    assert reasons(tmp_path, [GIVEN, other]) == ["other_person"]


def test_a_send_to_a_minor_or_to_a_suppressed_address_is_one(tmp_path: Path) -> None:
    for kind, reason in (("age", "minor"), ("suppression", "suppressed")):
        stands = (bundles.hindrance(0, kind, 1, seconds=10), 1)
        sends = [(hand_off(n, 1, seconds=seconds), 1) for n, seconds in enumerate((60, 71))]
        assert reasons(tmp_path, [GIVEN, stands, *sends]) == [reason]
        assert reasons(tmp_path, [(body, None) for body, _ in (GIVEN, stands, *sends)]) == [reason]
        assert reasons(tmp_path, [GIVEN, (stands[0], 2), *sends]) == []
        assert findings(tmp_path, [GIVEN, (stands[0], 2), *sends]) == ["split_thread"]


def test_what_stood_is_over_with_the_note_that_says_so(tmp_path: Path) -> None:
    for kind in ("age", "suppression"):
        stands = (bundles.hindrance(0, kind, 1, seconds=10), 1)
        ends = (bundles.hindrance(0, kind, 1, seconds=5 * DAY, stands=False) | {"id": identity("end")}, 1)
        sends = [(hand_off(n, 1, seconds=day * DAY), 1) for n, day in enumerate((2, 4, 6))]
        assert len(reasons(tmp_path, [GIVEN, stands, *sends[:2], ends, sends[2]])) == 1


def test_hindrances_are_of_marketing_and_of_their_channel(tmp_path: Path) -> None:
    service = (note(0, "purpose", "news", {"basis": "consent", "kind": "service", "separate": False}, seconds=0), None)
    stands = [(bundles.hindrance(n, kind, 1, seconds=10), 1) for n, kind in enumerate(("age", "suppression"))]
    assert reasons(tmp_path, [service, GIVEN, *stands, (hand_off(0, 1, seconds=100), 1)]) == []
    sms = (bundles.hindrance(0, "suppression", 1, seconds=10, channel="sms"), 1)
    sends = [(hand_off(n, 1, seconds=100 + n, channel=channel), 1) for n, channel in enumerate(("email", "sms"))]
    assert reasons(tmp_path, [GIVEN, sms, *sends]) == ["suppressed"]


def test_only_an_act_of_her_own_lifts_a_suppression(tmp_path: Path) -> None:
    stands = (bundles.hindrance(0, "suppression", 1, seconds=10), 1)
    for method, expected in (("form", []), ("import", ["suppressed"]), ("admin", ["suppressed"])):
        again = (consent(1, 1, seconds=100, collection_method=method), 1)
        send = (hand_off(0, 1, seconds=200, allowed_by=identity("consent", 1, 1)), 1)
        assert reasons(tmp_path, [GIVEN, stands, again, send]) == expected


def test_a_send_during_a_withdrawal_is_counted_not_condemned(tmp_path: Path) -> None:
    slow = (consent(1, 1, "withdrawn", seconds=100, recorded_at=at(103)), 1)
    bundle = made(tmp_path, [GIVEN, (hand_off(0, 1, seconds=101), 1), slow, (hand_off(1, 1, seconds=104), 1)])
    counts = verify.check(str(bundle)).counts
    assert (counts["in_flight"], counts["violations"]) == (1, 1)


def test_a_withdrawal_written_down_days_later_still_counts_after_a_minute(tmp_path: Path) -> None:
    late = (consent(1, 1, "withdrawn", seconds=100, recorded_at=at(3 * DAY)), 1)
    sends = [(hand_off(0, 1, seconds=159), 1), (hand_off(1, 1, seconds=161), 1)]
    assert reasons(tmp_path, [GIVEN, *sends, late]) == ["withdrawn"]


def test_other_bases_need_no_consent_but_an_objection_counts(tmp_path: Path) -> None:
    facts = {"purpose": "orders", "allowed_by": None}
    sends = [
        (hand_off(0, 1, seconds=5, basis="contract", **facts), 1),
        (hand_off(1, 1, seconds=6, basis="legitimate_interest", **facts), 1),
    ]
    thread = identity("objection")
    no = (consent(5, 1, "refused", seconds=1, purpose="orders", id=thread, thread=thread), 1)
    assert reasons(tmp_path, sends) == []
    assert reasons(tmp_path, [no, *sends]) == ["refused", "refused"]


def test_findings_name_early_questions_and_bundled_consent(tmp_path: Path) -> None:
    separate = (note(0, "purpose", "news", {"basis": "consent", "separate": True}, seconds=0), None)
    no = (consent(1, 1, "withdrawn", seconds=100, ask_cooldown_until=at(180 * DAY)), 1)
    asked = [(consent(n, 1, "requested", seconds=n * 100 * DAY), 1) for n in (1.5, 1.9)]
    assert findings(tmp_path, [separate, GIVEN, no, *asked]) == ["not_separate", "asked_again"]


def test_only_sends_of_the_period_are_judged(tmp_path: Path) -> None:
    sends = [(hand_off(n, 1, seconds=n * 100, allowed_by=None), 1) for n in (1, 2, 3)]
    assert reasons(tmp_path, [GIVEN, *sends], period=(at(200), at(300))) == ["no_consent"]


def test_more_records_than_fit_into_memory_are_sorted_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify.Sorter, "CHUNK", 50)
    bundle = made(tmp_path, everyday(200))
    assert verify.check(str(bundle)).counts["allowed"] == {"consent": 400}


@pytest.mark.parametrize("sign", [*"=+-@\t\r＝＋－＠", " =", "\n="])
def test_no_cell_is_a_formula(sign: str) -> None:
    line = verify.csv_row([sign + "HYPERLINK(1)", "plain", 7, None])
    (found,) = csv.reader(StringIO(line, newline=""))
    assert found == ["'" + sign + "HYPERLINK(1)", "plain", "7", ""]


def test_a_cell_is_read_back_as_it_was_written() -> None:
    values = ["a,b", 'say "no"', "two\nlines", "𠮷野", "\u202edeppilf", ""]
    (found,) = csv.reader(StringIO(verify.csv_row(values), newline=""))
    assert found == values


def test_what_is_hidden_is_given_by_the_fewest_hashes(tmp_path: Path) -> None:
    leaves = everyday(4)
    whole = bundles.content(leaves, shown={0, 1})
    hashes = [ledger.leaf_hash(canonical(body)) for body, _ in leaves]

    def halved() -> Iterator[Record | Hidden]:
        for one in whole.records:
            if isinstance(one, Hidden) and one.level == 1:
                yield from (Hidden(0, place, hashes[place]) for place in (2 * one.place, 2 * one.place + 1))
            else:
                yield one

    compose.write(tmp_path / "bundle.zip", replace(whole, records=halved()))
    with pytest.raises(verify.Rejected, match="not given by the fewest hashes"):
        verify.check(str(tmp_path / "bundle.zip"))


def test_a_file_that_is_in_the_bundle_twice_is_refused(tmp_path: Path) -> None:
    def twice(files: Archive) -> None:
        files.add("accesses.csv", b"what an auditor's tool shows", rows=0)
        files.add("again.csv", b"what this verifier would read", rows=0)
        files.parts["again.csv"].name = "accesses.csv"

    compose.write(tmp_path / "bundle.zip", replace(bundles.content(everyday(2)), extras=twice))
    with pytest.raises(verify.Rejected, match=r"accesses\.csv: it is in the bundle twice"):
        verify.check(str(tmp_path / "bundle.zip"))


def test_a_record_that_claims_to_be_older_than_its_neighbours_is_found(tmp_path: Path) -> None:
    late = [(consent(0, 2, seconds=2000), 2), (consent(0, 3, seconds=1400), 3)]
    assert findings(tmp_path, [*late]) == []
    assert findings(tmp_path, [*late, (consent(0, 4, seconds=1399), 4)]) == ["backdated"]


def test_a_send_that_was_written_down_more_than_a_minute_later_is_found(tmp_path: Path) -> None:
    sent = [(hand_off(n, 1, seconds=100, recorded_at=at(100 + wait)), 1) for n, wait in enumerate((60, 61))]
    assert findings(tmp_path, [GIVEN, *sent]) == ["late_record"]


def test_in_clear_text_one_profile_cannot_be_two_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "opened", lambda person, salt=b"": {"profile": 7})
    commitment = commit_to({"profile": 7}, bytes(32)).digest.hex()
    leaves = [(consent(0, person, seconds=person, commitment=commitment), person) for person in (1, 1, 2)]
    leaves[1] = (consent(1, 1, seconds=1, commitment=commitment), 1)
    verify.check(str(made(tmp_path, leaves[:2], clear=True)))
    with pytest.raises(verify.Rejected, match="the profile 7 appears as two people"):
        verify.check(str(made(tmp_path, leaves, clear=True)))


def test_a_notice_is_the_words_that_the_records_refer_to(tmp_path: Path) -> None:
    other = bundles.NOTICE | {"texts": {"en": {"title": "News", "body": "Nothing at all.", "withdraw": "Never."}}}
    content = replace(bundles.content(everyday(1)), notices=lambda digests: [(one, other) for one in digests])
    compose.write(tmp_path / "bundle.zip", content)
    with pytest.raises(verify.Rejected, match="these are not the words that were shown"):
        verify.check(str(tmp_path / "bundle.zip"))


@pytest.mark.parametrize("more", [b"\0", b"PK\3\4", b"\n" * 70_000])
def test_nothing_follows_the_directory(tmp_path: Path, more: bytes) -> None:
    bundle = made(tmp_path, everyday(1))
    bundle.write_bytes(bundle.read_bytes() + more)
    with pytest.raises(verify.Rejected, match="directory was changed, cut off or added to"):
        verify.check(str(bundle))


def test_a_purpose_counts_as_it_was_declared_when_the_message_left(tmp_path: Path) -> None:
    terms = [{"basis": basis, "separate": separate} for basis, separate in (("consent", False), ("contract", True))]
    declared = [(note(n, "purpose", "news", one, seconds=n * 500), None) for n, one in enumerate(terms)]
    sends = [(hand_off(n, 1, seconds=n), 1) for n in (100, 600)]
    assert reasons(tmp_path, [declared[0], GIVEN, sends[0], declared[1], sends[1]]) == ["wrong_basis"]


def test_general_consent_allows_nothing_that_is_asked_for_separately(tmp_path: Path) -> None:
    separate = (note(0, "purpose", "news", {"basis": "consent", "separate": True}, seconds=0), None)
    asked = (consent(0, 2, seconds=20, consent_kind="separate"), 2)
    sends = [(hand_off(0, person, seconds=100), person) for person in (1, 2)]
    assert reasons(tmp_path, [separate, GIVEN, asked, *sends]) == ["no_consent"]


def test_a_refusal_wins_over_a_consent_that_claims_to_be_less_than_a_minute_younger(tmp_path: Path) -> None:
    no = (consent(1, 1, "withdrawn", seconds=500, event_time=at(100)), 1)
    for later, expected in ((59, ["withdrawn"]), (61, [])):
        yes = (consent(2, 1, seconds=501, event_time=at(100 + later)), 1)
        sent = (hand_off(0, 1, seconds=700, allowed_by=yes[0]["id"]), 1)
        assert reasons(tmp_path, [GIVEN, no, yes, sent]) == expected


def test_a_checkpoint_published_earlier_is_a_beginning_or_the_bundle_is_refused(tmp_path: Path) -> None:
    leaves = everyday(5)
    ((note, proof),) = bundles.content(leaves, earlier=(7,)).earlier
    other = bundles.SIGNER.sign(7, bytes(32))
    for told in ((other, proof), (note, proof[::-1]), (note, [*proof, bytes(32)]), (note, [])):
        compose.write(tmp_path / "bundle.zip", replace(bundles.content(leaves), earlier=[told]))
        with pytest.raises(verify.Rejected, match="checkpoint of 7 records is not a beginning of this ledger"):
            verify.check(str(tmp_path / "bundle.zip"))
    compose.write(tmp_path / "bundle.zip", replace(bundles.content(leaves), earlier=[(note, proof)]))
    assert verify.check(str(tmp_path / "bundle.zip")).beginnings == 1
