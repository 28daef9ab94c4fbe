"""What every provider's adapter must answer, asked of each line of ``CHANNELS`` against a real peer."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from campaigns.channels import CHANNELS, Answer, ChannelError, Message, Outcome, adapter, smtp
from campaigns.channels.wechat import tokens, transport
from campaigns.models import ChannelAccount
from tests.campaigns import peers
from tests.campaigns.factories import NOW
from tests.campaigns.peers import ACCEPTED, ACCOUNT, BREAK, BUSY, DRIP, GARBAGE, HUGE, NONE, REFUSED, STALL

pytestmark = pytest.mark.django_db  # accounts at WeChat keep the rights that a platform refused them

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"[:44]
KEY = UUID("018f3b7e-7d53-7c1e-8a11-2b9f3f8a6c01")
TIMEOUT = 10.0  # seconds: nobody is late, also where all processors are busy
LATE = 1.5  # seconds, where somebody does not answer: long enough for what comes before to be read
SOON = 60  # seconds, of a machine under load; without a limit it would be five minutes, or for ever


def _tencent(code: str) -> tuple[int, Any]:
    sent = {
        "SerialNo": "2640:1",
        "PhoneNumber": "+8613800138000",
        "Fee": 1,
        "Code": code,
        "Message": "",
        "IsoCode": "CN",
    }
    return 200, {"Response": {"SendStatusSet": [sent], "RequestId": "r"}}


HTTP: dict[str, dict[str, tuple[int, Any]]] = {
    "stub": {
        ACCEPTED: (200, {"code": "ok", "id": "n1"}),
        REFUSED: (200, {"code": "bad_address"}),
        BUSY: (200, {"code": "busy"}),
        ACCOUNT: (200, {"code": "no_credit"}),
    },
    "webhook": {ACCEPTED: (204, b""), REFUSED: (400, b""), BUSY: (429, b""), ACCOUNT: (410, b"")},
    "aliyun": {
        ACCEPTED: (200, {"Code": "OK", "Message": "OK", "BizId": "9006^0", "RequestId": "r"}),
        REFUSED: (200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL", "Message": "", "RequestId": "r"}),
        BUSY: (200, {"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": "", "RequestId": "r"}),
        ACCOUNT: (403, {"Code": "SignatureDoesNotMatch", "Message": "", "RequestId": "r"}),
    },
    "tencent": {
        ACCEPTED: _tencent("Ok"),
        REFUSED: _tencent("FailedOperation.PhoneNumberInBlacklist"),
        BUSY: _tencent("LimitExceeded.PhoneNumberThirtySecondLimit"),
        ACCOUNT: (
            200,
            {"Response": {"Error": {"Code": "AuthFailure.SecretIdNotFound", "Message": ""}, "RequestId": "r"}},
        ),
    },
    "wechat_official": {
        ACCEPTED: (200, {"errcode": 0, "errmsg": "ok", "msgid": 200228332}),
        REFUSED: (200, {"errcode": 43004, "errmsg": "require subscribe rid: 5f0-1-2"}),
        BUSY: (200, {"errcode": 45009, "errmsg": "reach max api daily quota limit rid: 5f0-1-2"}),
        ACCOUNT: (200, {"errcode": 48004, "errmsg": "api forbidden rid: 5f0-1-2"}),
    },
    "wechat_mini": {
        ACCEPTED: (200, {"errcode": 0, "errmsg": "ok", "msgid": 294402298110051942}),
        REFUSED: (200, {"errcode": 43101, "errmsg": "user refuse to accept the msg rid: 5f0-1-2"}),
        BUSY: (200, {"errcode": 45009, "errmsg": "reach max api daily quota limit rid: 5f0-1-2"}),
        ACCOUNT: (200, {"errcode": 40164, "errmsg": "invalid ip 1.2.3.4, not in whitelist rid: 5f0-1-2"}),
    },
    "anymail": {
        ACCEPTED: (200, {"ErrorCode": 0, "Message": "OK", "MessageID": "m1", "To": "p@example.com"}),
        REFUSED: (422, {"ErrorCode": 300, "Message": "Invalid 'To' address"}),
        BUSY: (429, {}),
        ACCOUNT: (401, {"ErrorCode": 10, "Message": "No or incorrect server token"}),
    },
}
SETTINGS: dict[str, dict[str, Any]] = {
    "aliyun": {"sign_name": "知音", "template": "SMS_1"},
    "tencent": {"sign_name": "知音", "template": "1", "app_id": "1400"},
    "anymail": {"esp": "postmark", "from_email": "us@shop.example"},
    "wechat_official": {"appid": "wx1", "kind": "service"},
    "wechat_mini": {"appid": "wx2"},
}
SECRETS: dict[str, dict[str, str]] = {
    "stub": {"secret": SECRET},
    "webhook": {"secret": SECRET},
    "aliyun": {"access_key_id": "id", "access_key_secret": "secret"},
    "tencent": {"secret_id": "id", "secret_key": "secret"},
    "anymail": {"server_token": "token"},
    "wechat_official": {"secret": "s"},
    "wechat_mini": {"secret": "s"},
}
# What is written to customers in WeCom is a task for staff, and one for many: no message to one person.
BY_STAFF = {"wecom"}
SILENT = (STALL, DRIP, NONE)
PARTS = {"subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}


@dataclass
class Case:
    """An account at a peer, and how the peer is told what to do."""

    account: ChannelAccount
    tell: Callable[[str], None]
    taken: Callable[[], int]

    def behave(self, mode: str) -> None:
        """Let the peer behave so; where it will not answer, nobody waits for long."""
        wait = LATE if mode in SILENT else TIMEOUT
        self.account.settings |= {name: wait for name in ("timeout", "end_timeout") if name in self.account.settings}
        self.tell(mode)

    def send(self, key: UUID = KEY) -> Outcome:
        channel = adapter(self.account)
        to = {"email": "p@example.com", "phone": "+8613800138000", "openid": "o1"}.get(channel.identifier, "")
        parts = {"template_id": "t1", "data": {"thing1": "Hello"}} if channel.identifier == "openid" else PARTS
        return channel.send(self.account, Message(to=to, language="en", parts=parts), key)


def _http(provider: str, stack: ExitStack) -> Case:
    peer = stack.enter_context(peers.http_peer(HTTP[provider]))
    name = "api_url" if provider == "anymail" else "url"
    account = ChannelAccount(
        pk=1,
        provider=provider,
        channel=CHANNELS[provider].channels[0],
        settings=SETTINGS.get(provider, {}) | {name: peer.url + "/", "timeout": TIMEOUT},
        secrets=SECRETS[provider],
    )
    if provider in ("aliyun", "tencent"):
        account.settings["url"] = peer.url

    def tell(mode: str) -> None:
        peer.mode = mode
        if mode == NONE:
            account.settings[name] = f"http://127.0.0.1:{peers.closed_port()}"

    return Case(account, tell, lambda: len(peer.taken))


def _wechat(provider: str, stack: ExitStack, settings: Any) -> Case:
    peer = stack.enter_context(peers.http_peer(HTTP[provider]))
    settings.WECHAT_API_BASE = peer.url
    account = ChannelAccount(
        pk=1, provider=provider, channel=CHANNELS[provider].channels[0], hook=uuid4(), secrets=SECRETS[provider],
        settings=SETTINGS[provider] | {"timeout": TIMEOUT},
    )  # fmt: skip
    now = datetime.now(UTC)
    tokens.put(account, "token", now + timedelta(hours=2), now)

    def tell(mode: str) -> None:
        peer.mode = mode
        if mode == NONE:
            settings.WECHAT_API_BASE = f"http://127.0.0.1:{peers.closed_port()}"

    def taken() -> int:
        """Count messages: what is repeated with the same key is the same."""
        bodies = [json.loads(body) for _path, _headers, body in peer.taken]
        return len({body.get("client_msg_id", number) for number, body in enumerate(bodies)})

    return Case(account, tell, taken)


def _smtp(stack: ExitStack) -> Case:
    peer = stack.enter_context(peers.smtp_peer())
    stack.callback(smtp.close_all)
    settings = {"host": "127.0.0.1", "port": peer.port, "security": "none", "from_email": "us@shop.example"}
    account = ChannelAccount(
        pk=1,
        provider="smtp",
        channel="email",
        settings=settings | {"timeout": TIMEOUT, "end_timeout": TIMEOUT},
        secrets={},
    )
    says = {
        REFUSED: {"RCPT": b"550 5.1.1 nobody"},
        BUSY: {"RCPT": b"450 4.2.0 later"},
        ACCOUNT: {"MAIL": b"550 5.7.60 not yours to send as"},
        STALL: {"END": b""},
        BREAK: {"END": b"!"},
        GARBAGE: {"END": b"\xff\x00 what"},
        HUGE: {"END": b"250-" + b"x" * 100_000},
        DRIP: {"END": b"\r\n".join([b"250-more"] * 200)},
        NONE: {"GREETING": b""},
    }

    def tell(mode: str) -> None:
        peer.says = says.get(mode, {})

    return Case(account, tell, lambda: len(peer.taken))


@pytest.fixture(params=sorted(set(CHANNELS) - BY_STAFF))
def case(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    settings.EGRESS_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(transport, "sleep", lambda _seconds: None)
    with ExitStack() as stack:
        if request.param == "smtp":
            yield _smtp(stack)
        elif request.param.startswith("wechat"):
            yield _wechat(request.param, stack, settings)
        else:
            yield _http(request.param, stack)


def test_every_provider_is_asked() -> None:
    assert set(CHANNELS) == {*HTTP, "smtp", *BY_STAFF}


def test_what_is_sent_by_staff_is_no_message_to_one_person() -> None:
    account = ChannelAccount(provider="wecom", channel="wecom", settings={"corpid": "ww1"}, secrets={"secret": "s"})
    outcome = adapter(account).send(account, Message(to="wm1", language="en", parts=PARTS), KEY)
    assert (outcome.answer, outcome.reason) == (Answer.REFUSED, "not_to_one_person")
    assert adapter(account).needs_staff


def test_its_settings_suffice(case: Case) -> None:
    adapter(case.account).check_account(case.account)


def test_settings_without_their_secrets_or_names_do_not(case: Case) -> None:
    case.account.secrets = {}
    if case.account.provider == "smtp":
        case.account.settings.pop("host")
    with pytest.raises(ChannelError):
        adapter(case.account).check_account(case.account)


def test_a_message_is_accepted_once(case: Case) -> None:
    outcome = case.send()
    assert outcome.answer == Answer.ACCEPTED, outcome
    assert case.taken() == 1
    assert not outcome.account_refused


def test_a_refusal_is_definite_and_has_a_reason(case: Case) -> None:
    case.behave(REFUSED)
    outcome = case.send()
    assert outcome.answer == Answer.REFUSED
    assert outcome.reason
    assert outcome.code
    assert not outcome.account_refused


def test_a_busy_provider_took_nothing_and_is_asked_later(case: Case) -> None:
    case.behave(BUSY)
    outcome = case.send()
    assert outcome.answer == Answer.BUSY
    assert outcome.again_after
    assert not outcome.account_refused


def test_a_fault_of_the_account_is_not_the_messages(case: Case) -> None:
    case.behave(ACCOUNT)
    outcome = case.send()
    assert outcome.answer == Answer.BUSY
    assert outcome.account_refused


def test_nobody_there_means_definitely_not_sent(case: Case) -> None:
    case.behave(NONE)
    outcome = case.send()
    assert outcome.answer == Answer.BUSY
    assert outcome.reason == "connection"
    assert case.taken() == 0


@pytest.mark.parametrize("mode", [STALL, BREAK])
def test_no_answer_after_it_left_is_unknown(case: Case, mode: str) -> None:
    case.behave(mode)
    begun = time.monotonic()
    outcome = case.send()
    assert outcome.answer == Answer.UNKNOWN
    assert case.taken() == 1
    assert time.monotonic() - begun < SOON


@pytest.mark.parametrize("mode", [GARBAGE, HUGE, DRIP])
def test_an_answer_that_cannot_be_read_is_unknown(case: Case, mode: str) -> None:
    case.behave(mode)
    begun = time.monotonic()
    outcome = case.send()
    if case.account.provider == "webhook":  # its status alone is its answer, and that had come
        assert outcome.answer == Answer.ACCEPTED
    else:
        assert outcome.answer == Answer.UNKNOWN
    assert case.taken() == 1
    assert time.monotonic() - begun < SOON


def test_after_a_fault_the_next_message_leaves(case: Case) -> None:
    for mode in (BREAK, REFUSED, GARBAGE, BUSY):
        case.behave(mode)
        case.send(uuid4())
    case.behave(ACCEPTED)
    assert case.send(uuid4()).answer == Answer.ACCEPTED


def test_a_repeated_key_can_be_known_by_the_provider(case: Case) -> None:
    first, second = case.send(), case.send()
    if case.account.provider == "smtp":
        assert first.provider_id == second.provider_id == f"<{KEY.hex}@shop.example>"
    else:
        assert first.answer == second.answer == Answer.ACCEPTED


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"{", b"[" * 100_000, b'{"a": "\xff"}', b"{}"])
def test_a_forged_callback_tells_nothing(case: Case, body: bytes) -> None:
    case.account.secrets = (case.account.secrets or {}) | {"webhook_secret": "u:p", "callback_password": "u:p"}
    with pytest.raises(ChannelError):
        adapter(case.account).told(case.account, {"content-type": "application/json"}, body, NOW)
