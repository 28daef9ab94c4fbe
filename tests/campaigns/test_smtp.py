"""E-mail over SMTP: connections that are kept, answers by their phase, and headers that nobody smuggles in."""

from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import uuid4

import pytest

from campaigns.channels import Answer, Message, smtp
from campaigns.channels.smtp import Smtp
from campaigns.models import ChannelAccount
from tests.campaigns import peers


@pytest.fixture
def peer() -> Iterator[peers.SmtpPeer]:
    with peers.smtp_peer() as made:
        yield made
        smtp.close_all()


def account_at(peer: peers.SmtpPeer, **facts: Any) -> ChannelAccount:
    settings = {"host": "127.0.0.1", "port": peer.port, "security": "none", "from_email": "us@shop.example"}
    limits = {"timeout": 0.4, "end_timeout": 0.4}
    return ChannelAccount(pk=7, provider="smtp", channel="email", settings=settings | limits | facts, secrets={})


def send(account: ChannelAccount, to: str = "p@example.com", **facts: Any) -> Any:
    parts = {"subject": "Hello", "html": "<p>Hi</p>", "text": "Hi"} | facts.pop("parts", {})
    return Smtp().send(account, Message(to=to, language="en", parts=parts, **facts), uuid4())


PHASES = [
    ("GREETING", b"421 too many", Answer.BUSY, False),
    ("GREETING", b"554 no", Answer.BUSY, True),
    ("EHLO", b"550 no", Answer.BUSY, True),
    ("MAIL", b"451 later", Answer.BUSY, False),
    ("MAIL", b"535 who are you", Answer.BUSY, True),
    ("MAIL", b"552 too big", Answer.REFUSED, False),
    ("RCPT", b"452 4.2.2 full", Answer.BUSY, False),
    ("RCPT", b"550 5.1.1 nobody", Answer.REFUSED, False),
    ("DATA", b"451 later", Answer.BUSY, False),
    ("DATA", b"554 no", Answer.REFUSED, False),
    ("END", b"451 later", Answer.BUSY, False),
    ("END", b"554 spam", Answer.REFUSED, False),
    ("END", b"250 yes", Answer.ACCEPTED, False),
    *[
        (phase, word, Answer.BUSY, False)
        for phase in ("GREETING", "EHLO", "MAIL", "RCPT", "DATA")
        for word in (b"", b"!")
    ],
    *[("END", word, Answer.UNKNOWN, False) for word in (b"", b"!", b"999 what", b"nonsense")],
]


@pytest.mark.parametrize(("at", "word", "answer", "account"), PHASES)
def test_an_answer_means_what_its_phase_makes_of_it(
    peer: peers.SmtpPeer, at: str, word: bytes, answer: Answer, account: bool
) -> None:
    peer.says = {at: word}
    outcome = send(account_at(peer))
    assert (outcome.answer, outcome.account_refused) == (answer, account)
    assert len(peer.taken) == (1 if at == "END" else 0)
    peer.says = {}
    assert send(account_at(peer)).answer is Answer.ACCEPTED  # whatever was left behind is cleared away


def test_one_connection_carries_many_messages_also_past_a_refusal(peer: peers.SmtpPeer) -> None:
    account = account_at(peer)
    assert send(account).answer is Answer.ACCEPTED
    peer.says = {"RCPT": b"550 5.1.1 nobody"}
    assert send(account).answer is Answer.REFUSED
    peer.says = {}
    assert send(account).answer is Answer.ACCEPTED
    assert (peer.connections, len(peer.taken)) == (1, 2)


def test_a_kept_connection_that_the_server_closed_is_opened_anew_and_nothing_leaves_twice(
    peer: peers.SmtpPeer,
) -> None:
    account = account_at(peer)
    send(account)
    (kept,) = smtp._kept.by_account.values()
    kept.wire.shutdown(2)
    assert send(account).answer is Answer.ACCEPTED
    assert (peer.connections, len(peer.taken)) == (2, 2)


def test_a_message_is_what_was_written(peer: peers.SmtpPeer) -> None:
    headers = {"List-Unsubscribe": "<https://crm.example.com/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    send(account_at(peer, from_name="知音"), headers=headers, parts={"subject": "你好", "text": ".dot\n..two"})
    mail: Any = message_from_bytes(peer.taken[0].replace(b"\r\n..", b"\r\n."), policy=default)
    assert (mail["subject"], mail["from"], mail["to"]) == ("你好", "知音 <us@shop.example>", "p@example.com")
    assert mail["message-id"].endswith("@shop.example>")
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert mail["auto-submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


HOSTILE = [
    "a@b.example\r\nRCPT TO:<x@y.example>",
    "a@b.example>",
    "a b@c.example",
    "a@b@c.example",
    "",
    "@b.example",
    "a@",
]


@pytest.mark.parametrize("to", [*HOSTILE, "a,b@c.example", "a@b.example\x00", "a@b.example\n", '"a"@b.example', "a@.b"])
def test_an_address_that_is_more_than_one_is_refused(peer: peers.SmtpPeer, to: str) -> None:
    assert send(account_at(peer), to).answer is Answer.REFUSED
    assert peer.connections == 0


@pytest.mark.parametrize("text", ["Hi\r\nBcc: all@example.com", "Hi\nX: y", "Hi\x00", "Hi\u2028X: y", "Hi\x85X: y"])
def test_a_header_is_one_line(peer: peers.SmtpPeer, text: str) -> None:
    assert send(account_at(peer), parts={"subject": text}).answer is Answer.REFUSED
    assert send(account_at(peer), headers={"X-Note": text}).answer is Answer.REFUSED
    assert send(account_at(peer), headers={"X: y\r\nBcc": "z"}).answer is Answer.REFUSED
    assert send(account_at(peer), headers={"Bcc": "z@example.com"}).answer is Answer.REFUSED
    assert peer.connections == 0


@pytest.mark.parametrize("end", ["\r\n.\r\n", "\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n"])
def test_no_line_of_a_text_ends_the_message(peer: peers.SmtpPeer, end: str) -> None:
    """SMTP smuggling: servers differ in what they take for the end, so only ours is ever sent."""
    assert send(account_at(peer), parts={"text": f"a{end}MAIL FROM:<x@y.example>"}).answer is Answer.ACCEPTED
    assert len(peer.taken) == 1
    assert b"\n." not in peer.taken[0].replace(b"\r\n..", b"")
    assert b"\n" not in peer.taken[0].replace(b"\r\n", b"")


def test_a_message_that_the_server_calls_too_big_does_not_start(peer: peers.SmtpPeer) -> None:
    outcome = send(account_at(peer), parts={"html": "x" * 200_000})
    assert (outcome.answer, outcome.reason, peer.taken) == (Answer.REFUSED, "too_big", [])
