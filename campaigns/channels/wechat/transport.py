"""Calls to the platforms: an address from the settings, a token, JSON in and out, and every way it can go wrong named.

What may be done again is: a busy platform, a connection that never stood; and where the caller says that a repetition
does no harm (a question, or a call that carries a key) also what left and was not answered. All else that was not
answered is :class:`~campaigns.channels.wechat.errors.Ambiguous`. A token that is refused is renewed once, and the call
made once more: never in a loop.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from campaigns import egress
from campaigns.channels.wechat import rights, tokens
from campaigns.channels.wechat.errors import Action, Ambiguous, WeChatError, error_of
from campaigns.models import ChannelAccount

CONNECT, TOTAL = 3.0, 10.0  # seconds
MOST_BYTES = 8 * 2**20  # ten thousand openids are 300 kB; a picture is a few MB
TRIES = 3
Json = dict[str, Any]
Read = TypeVar("Read")
sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Request:
    """A call without its token: built once, sent as often as need be, the same each time."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    timeout: float = TOTAL
    again: bool = False  # a repetition does no harm
    most: int = MOST_BYTES  # of the answer


def call(
    account: ChannelAccount,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    again: bool | None = None,
) -> Json:
    """Make a call with the account's token and return the platform's answer.

    Parameters
    ----------
    timeout : float, optional
        Seconds until the answer must be there; unless said otherwise, ten, or what the account's settings say.
    again : bool, optional
        Whether a repetition does no harm; unless said otherwise, of a GET it does not.

    Raises
    ------
    WeChatError
        The platform refused, or did nothing; ``action`` says what that means.
    Ambiguous
        Nobody knows whether it was done.
    """
    made = Request(
        method=method,
        path=path,
        query={name: str(value) for name, value in (query or {}).items()},
        body=spelled(body) if body is not None else b"",
        content_type="application/json; charset=utf-8" if body is not None else "",
        timeout=timeout or float(account.settings.get("timeout") or TOTAL),
        again=method == "GET" if again is None else again,
    )
    return _with_token(account, made, parsed)


def upload(
    account: ChannelAccount,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    name: str,
    content: bytes,
    kind: str,
    fields: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> Json:
    """Send a file as ``media``; a repetition makes one more of it at most."""
    body, content_type = _multipart(name, content, kind, fields or {})
    told = {key: str(value) for key, value in (query or {}).items()}
    made = Request(
        method="POST", path=path, query=told, body=body, content_type=content_type, timeout=timeout, again=True
    )
    return _with_token(account, made, parsed)


def download(
    account: ChannelAccount,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    timeout: float = 60.0,
    most: int = MOST_BYTES,
) -> bytes:
    """Return a file that the platform makes or keeps, of so many bytes at most; its errors come as JSON."""
    told, asked = spelled(body) if body is not None else b"", {key: str(value) for key, value in (query or {}).items()}
    made = Request(
        method=method, path=path, query=asked, body=told, content_type="application/json" if told else "",
        timeout=timeout, again=True, most=most,
    )  # fmt: skip

    def read(account: ChannelAccount, reply: egress.Reply) -> bytes:
        if reply.body[:1] == b"{" and "json" in reply.headers.get("Content-Type", "json").lower():
            parsed(account, reply)
        return _whole(reply, most)

    return _with_token(account, made, read)


def fetched(account: ChannelAccount, url: str, most: int, timeout: float = 60.0) -> bytes:
    """Return a file from where an account's platform says that it lies: a stranger's address, as far as we know.

    Raises
    ------
    WeChatError
        It cannot be had, or is larger.
    """
    place = base(account)
    own = place if account.settings.get("imitation") and url.startswith(f"{place}/") else ""
    try:
        return _whole(egress.request("GET", url, most=most, timeout=timeout, connect=CONNECT, named_here=own), most)
    except egress.Forbidden:
        raise WeChatError(Action.CONTENT, "address", reason="media_expired") from None
    except (egress.EgressError, ValueError) as error:
        raise WeChatError(Action.TRANSIENT, str(error), reason="connection") from None


def _whole(reply: egress.Reply, most: int) -> bytes:
    if reply.cut and len(reply.body) >= most:
        raise WeChatError(Action.CONTENT, "too_big", reason="too_big")
    if reply.status != 200 or reply.cut:
        raise Ambiguous(reply.status)
    return reply.body


def base(account: ChannelAccount) -> str:
    """Return where an account's platform is: never an address that anybody wrote into the account."""
    if account.settings.get("imitation"):
        address = settings.WECHAT_STUB_URL
    elif account.provider == "wecom":
        address = settings.WECOM_API_BASE
    else:
        address = settings.WECHAT_API_BASE
    return str(address).rstrip("/")


def spelled(body: Mapping[str, Any]) -> bytes:
    """Return a body as the platforms want it: an escape in place of a Chinese character is refused (40033)."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def parsed(account: ChannelAccount, reply: egress.Reply) -> Json:
    """Return an answer's fields; raise what its code means, or :class:`Ambiguous` where it cannot be read."""
    if reply.status >= 500 or reply.cut:
        raise Ambiguous(reply.status)
    try:
        told = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise Ambiguous(f"garbage {reply.status}") from error
    if not isinstance(told, dict):
        raise Ambiguous(f"garbage {reply.status}")
    code = told.get("errcode") or 0
    if not isinstance(code, int):
        raise Ambiguous("garbage")
    if code:
        raise Refusal.of(account, code, told)
    return told


class Refusal(WeChatError):
    """A refusal with the answer's other fields: a repeated mass job's still names the first one's number."""

    fields: Json

    @classmethod
    def of(cls, account: ChannelAccount, code: int, told: Json) -> "Refusal":
        """Return the refusal that an answer is."""
        known = error_of(code, str(told.get("errmsg") or ""), wecom=account.provider == "wecom")
        made = cls(known.action, code, reason=known.reason, rid=known.rid, told=known.told)
        made.fields = told
        return made


def _with_token(account: ChannelAccount, made: Request, read: Callable[[ChannelAccount, egress.Reply], Read]) -> Read:
    """Make a call, and write down what its end says of the account."""
    try:
        found = _renewing(account, made, read)
    except WeChatError as error:
        rights.heard(account, made.path, error, timezone.now())
        raise
    rights.worked(account, made.path)
    return found


def _renewing(account: ChannelAccount, made: Request, read: Callable[[ChannelAccount, egress.Reply], Read]) -> Read:
    token = tokens.get(account, timezone.now())
    try:
        return _tried(account, made, token, read)
    except WeChatError as error:
        if error.action is not Action.TOKEN:
            raise
    token = tokens.renew(account, token, timezone.now())
    try:
        return _tried(account, made, token, read)
    except WeChatError as error:
        if error.action is not Action.TOKEN:
            raise
        raise WeChatError(Action.AUTH, error.code, reason="account", rid=error.rid) from None


def _tried(
    account: ChannelAccount, made: Request, token: str, read: Callable[[ChannelAccount, egress.Reply], Read]
) -> Read:
    for left in range(TRIES - 1, -1, -1):
        try:
            return read(account, sent(account, made, {"access_token": token}))
        except WeChatError as error:
            may = error.action is Action.TRANSIENT or (error.action is Action.AMBIGUOUS and made.again)
            if not may or not left:
                raise
        sleep(random.uniform(0.5, 1.0) * 2.0 ** (TRIES - 1 - left))
    raise AssertionError


def sent(account: ChannelAccount, made: Request, secret: Mapping[str, str]) -> egress.Reply:
    """Send a request once. ``secret`` is added to its address, which no error of ours ever shows.

    Raises
    ------
    WeChatError
        It did not leave.
    Ambiguous
        It left, and there is no answer.
    """
    place = base(account)
    url = f"{place}{made.path}?{urlencode({**secret, **made.query})}"
    headers = {"Content-Type": made.content_type} if made.content_type else {}
    try:
        return egress.request(
            made.method, url, headers=headers, body=made.body, most=made.most, timeout=made.timeout,
            connect=CONNECT, named_here=place,
        )  # fmt: skip
    except egress.Forbidden as error:
        raise WeChatError(Action.AUTH, f"egress_{error}", reason="address_forbidden") from None
    except egress.NotSent as error:
        raise WeChatError(Action.TRANSIENT, str(error), reason="connection") from None
    except egress.NoAnswer as error:
        raise Ambiguous(str(error)) from None


def _multipart(name: str, content: bytes, kind: str, fields: Mapping[str, str]) -> tuple[bytes, str]:
    border = uuid4().hex
    clean = "".join(letter for letter in name if letter.isalnum() or letter in "._-") or "file"
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{border}\r\nContent-Disposition: form-data; name="media"; filename="{clean}"\r\nContent-Type: {kind}'
    body = b"".join([*parts, head.encode(), b"\r\n\r\n", content, f"\r\n--{border}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={border}"
