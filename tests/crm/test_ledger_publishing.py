"""Checkpoints given to a directory, a mailbox and a time-stamping authority, also to those that do not answer."""

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from hashlib import sha256
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from rfc3161_client import VerificationError, decode_timestamp_response

from crm import checkpoints, evidence, fsck, publishing, sequencer
from crm.models import Checkpoint, CheckpointCopy
from crm.signed_notes import verify
from tests.crm.authority import Authority, serving
from tests.factories import NOW

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def signed(moment: Any = NOW) -> Checkpoint:
    """Append something and return the checkpoint that signs for it."""
    evidence.note("disclosure", "file", {}, now=moment)
    sequencer.sequence(moment)
    latest = checkpoints.latest()
    assert latest
    return latest


class Mailbox:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self.messages.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """Run a real mail server, and send our mail there."""
    box = Mailbox()
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.LEDGER_PUBLISH_EMAILS = ["officer@example.com"]
    yield box
    controller.stop()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_checkpoint_is_written_to_a_directory_once_and_checked_against_ever_after(
    settings: Any, tmp_path: Path
) -> None:
    settings.LEDGER_PUBLISH_DIR = str(tmp_path)
    first = signed()
    (copy,) = publishing.publish_due(NOW)
    assert (copy.kind, copy.error, copy.receipt) == ("file", "", b"checkpoint-000000000000001.txt")
    assert (tmp_path / "checkpoint-000000000000001.txt").read_text() == first.note
    assert publishing.publish_due(NOW + MINUTE) == []
    signed()
    assert publishing.publish_due(NOW + MINUTE / 2) == []
    assert [copy.error for copy in publishing.publish_due(NOW + MINUTE)] == [""]
    notes = list(publishing.held_in_directory())
    assert [verify(note, checkpoints.verifier_keys()).size for note in notes] == [1, 2]
    assert fsck.check(notes).sound


def test_a_published_file_is_never_written_over(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_PUBLISH_DIR = str(tmp_path)
    (tmp_path / "checkpoint-000000000000001.txt").write_text("another history\n")
    (copy,) = publishing.publish(signed(), NOW)
    assert "holds another checkpoint of the same size" in copy.error
    assert (tmp_path / "checkpoint-000000000000001.txt").read_text() == "another history\n"
    assert not fsck.check(publishing.held_in_directory()).sound


def test_a_directory_that_is_not_there_is_told_and_not_made(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_PUBLISH_DIR = str(tmp_path / "not mounted")
    (copy,) = publishing.publish(signed(), NOW)
    assert copy.error.startswith("FileNotFoundError")
    assert not (tmp_path / "not mounted").exists()


def test_a_checkpoint_arrives_by_mail_and_verifies_as_it_came(mailbox: Mailbox) -> None:
    checkpoint = signed()
    (copy,) = publishing.publish_due(NOW)
    (message,) = mailbox.messages
    assert (message["To"], message["Subject"]) == ("officer@example.com", "Ledger checkpoint: 1 leaves")
    assert message["Message-ID"].encode() == copy.receipt
    text, attached = (part.get_payload(decode=True) for part in message.get_payload())  # type: ignore[union-attr]
    assert attached == checkpoint.note.encode()
    assert checkpoint.note.encode() in bytes(text).replace(b"\r\n", b"\n")
    assert verify(bytes(attached).decode(), checkpoints.verifier_keys()).root == checkpoint.root


def test_mail_goes_once_a_day(mailbox: Mailbox) -> None:
    for hours in range(0, 50, 5):
        moment = NOW + timedelta(hours=hours)
        signed(moment)
        publishing.publish_due(moment)
    assert len(mailbox.messages) == 2


def test_a_time_stamp_is_for_the_note_and_verifies(settings: Any, authority: Authority, tmp_path: Path) -> None:
    settings.LEDGER_TSA_ROOTS = authority.save_root(tmp_path)
    checkpoint = signed()
    with serving(authority.answer) as settings.LEDGER_TSA_URL:
        (copy,) = publishing.publish_due(NOW)
    assert copy.error == ""
    stamp = decode_timestamp_response(copy.receipt).tst_info
    assert stamp.message_imprint.message == sha256(checkpoint.note.encode()).digest()
    assert fsck.check().counts["time stamps"] == 1
    assert fsck.check().sound


def test_a_kept_time_stamp_for_something_else_is_a_problem(settings: Any, authority: Authority) -> None:
    with serving(authority.answer) as settings.LEDGER_TSA_URL:
        (copy,) = publishing.publish(signed(), NOW)
    for receipt in (b"", copy.receipt[:-1], bytes(copy.receipt)):
        CheckpointCopy.objects.create(
            checkpoint=signed(), kind="rfc3161", place="there", receipt=receipt, error="", copied_at=NOW
        )
    assert [problem.table for problem in fsck.check().problems] == ["crm_checkpointcopy"] * 3


def test_a_time_stamp_of_somebody_else_is_refused(settings: Any, authority: Authority, tmp_path: Path) -> None:
    settings.LEDGER_TSA_ROOTS = Authority().save_root(tmp_path)
    with serving(authority.answer) as settings.LEDGER_TSA_URL:
        (copy,) = publishing.publish(signed(), NOW)
    assert copy.error.startswith(VerificationError.__name__)
    assert copy.receipt == b""


def test_misbehaving_authorities_are_noted(settings: Any, authority: Authority) -> None:
    checkpoint = signed()
    with serving(authority.answer) as url:
        settings.LEDGER_TSA_URL = url
        (good,) = publishing.publish(checkpoint, NOW)
    old = bytes(good.receipt)
    answers = {
        "HTTPError": (500, b"out of order"),
        "ValueError": (200, b"no time stamp"),
        "PublishError: The answer is longer": (200, b"0" * 200_000),
        "PublishError: The time stamp answers another request": (200, old),
        "PublishError: The authority refused": (200, bytes.fromhex("30053003020102")),
        "PublishError: The authority answered 302": (302, b""),
    }
    for expected, answer in answers.items():
        with serving(lambda request, answer=answer: answer) as settings.LEDGER_TSA_URL:  # type: ignore[misc]
            (copy,) = publishing.publish(checkpoint, NOW)
        assert copy.error.startswith(expected), copy.error


def test_a_place_that_fails_is_tried_later_and_later_and_keeps_nobody_waiting(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_PUBLISH_DIR = str(tmp_path)
    settings.LEDGER_TSA_URL = "http://127.0.0.1:9/"  # nobody listens there
    signed()
    tried = []
    for minute in range(400):
        for copy in publishing.publish_due(NOW + minute * MINUTE):
            if copy.kind == "rfc3161":
                assert copy.error.startswith("ConnectionError")
                tried.append(minute)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 127, 255]
    assert CheckpointCopy.objects.filter(kind="file", error="").count() == 1
    assert signed().size == 2


def test_a_place_that_answers_again_is_served_again(settings: Any, authority: Authority) -> None:
    settings.LEDGER_TSA_URL = "http://127.0.0.1:9/"
    signed()
    publishing.publish_due(NOW)
    with serving(authority.answer) as url:
        CheckpointCopy.objects.bulk_create(
            CheckpointCopy(checkpoint_id=1, kind="rfc3161", place=url, error="down", copied_at=NOW) for _ in range(3)
        )
        settings.LEDGER_TSA_URL = url
        assert publishing.publish_due(NOW + 3 * MINUTE) == []
        assert [copy.error for copy in publishing.publish_due(NOW + 4 * MINUTE)] == [""]


def test_nothing_is_published_of_an_empty_ledger(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_PUBLISH_DIR = str(tmp_path)
    assert publishing.publish_due(NOW) == []
