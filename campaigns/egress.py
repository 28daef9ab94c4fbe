"""The one way on which this server calls another over HTTP: never into its own network, never for ever, never twice.

A name is resolved once, when the connection is opened; every address that it resolves to must be public, and the socket
is connected to the very address that was looked at. So a name that answers differently the second time (DNS
rebinding) gains nothing: there is no second time. A redirect is an answer, not an order. Nothing is tried again: the
caller knows whether that is safe, and is told whether the request left (:class:`NotSent`, :class:`NoAnswer`).
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

MOST_BYTES = 256 * 2**10
CONNECT, TOTAL = 5.0, 20.0  # seconds: to connect, and until the whole answer is there
KEPT = 20.0  # seconds that a connection may wait for the next request; servers close those that wait longer
Resolver = Callable[..., list[tuple[Any, Any, Any, Any, Any]]]

# Beyond what ``ipaddress`` calls not global: networks that lead, wrapped or translated, to an IPv4 address of any kind.
WRAPPED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
    )
)


class EgressError(Exception):
    """A request without an answer; the message is a code: ``timeout``, ``unreachable``, ``tls``, ``forbidden`` …"""


class NotSent(EgressError):
    """The request definitely did not reach the other side."""


class Forbidden(NotSent):
    """The address is none that this server may call."""


class NoAnswer(EgressError):
    """The request left, wholly or in part, and what became of it is unknown."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer: its body is ``cut`` where it was longer than asked for, or broke off."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    most: int = MOST_BYTES,
    timeout: float = TOTAL,
    connect: float = CONNECT,
    named_here: str = "",
) -> Reply:
    """Send one request and return the answer, whatever its status.

    Parameters
    ----------
    most : int
        Bytes of the answer's body to read; more is cut.
    timeout : float
        Seconds until the whole answer must be there.
    connect : float
        Seconds until the connection must stand.
    named_here : str
        The address of a server that whoever runs this one named in its settings, and that may be called although it is
        not public: by this request alone, on a connection that no other request gets.

    Raises
    ------
    NotSent, NoAnswer
        There is none; which of the two says whether the request may be sent again.
    """
    ends = time.monotonic() + timeout
    with exchange(timeout, named_here) as session:
        check(url)
        answer = session.request(
            method, url, headers=dict(headers or {}), data=body, stream=True, allow_redirects=False,
            timeout=(min(connect, timeout), timeout),
        )  # fmt: skip
        with answer:
            read, cut = _read(answer, most, ends)
    return Reply(status=answer.status_code, headers=dict(answer.headers), body=read, cut=cut)


@contextmanager
def exchange(timeout: float = TOTAL, named_here: str = "") -> Iterator[requests.Session]:
    """Give this thread's session for one request of a client that wants one; it is hung up after ``timeout`` seconds.

    Raises
    ------
    NotSent, NoAnswer
        In place of whatever the client raises where there is no answer.
    """
    trace = _trace.__dict__
    trace.update(connection=None, sent=False, named=named_here.lower())
    alarm = threading.Timer(timeout, _hang_up, [trace])
    alarm.daemon = True
    alarm.start()
    try:
        yield _session(named_here)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise _named(error, sent=_trace.sent) from error
    finally:
        alarm.cancel()
        trace["named"] = ""


def check(url: str) -> None:
    """Raise :class:`Forbidden` for an address that nobody may call, as far as its letters tell."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError as error:
        raise Forbidden("malformed") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or len(url) > 2048:
        raise Forbidden("malformed")
    if port not in settings.EGRESS_PORTS and not named(parts.hostname, port):
        raise Forbidden("port")


def check_resolved(url: str) -> None:
    """Raise :class:`Forbidden` too where the address's name leads into a network of our own: when it is saved."""
    check(url)
    parts = urlsplit(url)
    try:
        addresses(str(parts.hostname), parts.port or 443)
    except socket.gaierror as error:
        raise Forbidden("unknown_host") from error


def named(host: str, port: int) -> bool:
    """Tell whether whoever runs this server named a host as one that may be called although it is not public."""
    wanted = host.rstrip(".").lower()
    if _trace.named and _place(_trace.named) == (wanted, port):
        return True
    return any(entry.lower() in (wanted, f"{wanted}:{port}", f"[{wanted}]:{port}") for entry in settings.EGRESS_HOSTS)


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to somebody out there.

    >>> [is_public(one) for one in ("8.8.8.8", "127.0.0.1", "169.254.169.254", "100.100.100.200", "::ffff:8.8.8.8")]
    [True, False, False, False, False]
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    wrapped = any(ip in network for network in WRAPPED)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not wrapped


def addresses(host: str, port: int, resolve: Resolver | None = None) -> list[tuple[Any, Any, Any, Any, Any]]:
    """Return what a name resolves to, if all of it may be called; one forbidden address spoils them all."""
    found = (resolve or socket.getaddrinfo)(host, port, type=socket.SOCK_STREAM)
    if not named(host, port) and not all(is_public(str(entry[4][0])) for entry in found):
        raise Forbidden("private")
    return found


class _Trace(threading.local):
    """What this thread's present request has come to: so that a broken one is known to have left, or not."""

    connection: HTTPConnection | None = None
    sent = False
    named = ""


_trace = _Trace()


class _Pinned:
    """A connection that opens to an address that was looked at, and notes when the first byte leaves."""

    def _new_conn(self) -> socket.socket:
        me: Any = self
        _trace.connection = me
        ends, fault = time.monotonic() + (me.timeout or CONNECT), OSError("no address")
        for family, kind, protocol, _name, address in addresses(me._dns_host, me.port):
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(max(ends - time.monotonic(), 0.01))
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.connect(address)
            except OSError as error:
                made.close()
                fault = error
            else:
                return made
        if isinstance(fault, TimeoutError):
            raise ConnectTimeoutError(me, "timeout") from fault
        raise NewConnectionError(me, "unreachable") from fault

    def send(self, data: Any) -> None:
        me: Any = self
        if me.sock is None:
            me.connect()
        _trace.connection, _trace.sent = me, True
        super().send(data)  # type: ignore[misc]


class _Http(_Pinned, HTTPConnection):
    pass


class _Https(_Pinned, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class Guarded(HTTPAdapter):
    """Transport of ``requests`` whose connections are pinned; no retries, no proxies."""

    def __init__(self) -> None:
        super().__init__(pool_connections=8, pool_maxsize=2, max_retries=urllib3.Retry(0, redirect=False, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class Bounded(requests.Session):
    """A session whose answers have an end, also for a client that reads them whole."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        wanted = kwargs.pop("stream", False)
        answer = super().send(request, **(kwargs | {"stream": True, "allow_redirects": False}))
        if not wanted:
            read, cut = _read(answer, MOST_BYTES, time.monotonic() + TOTAL)
            answer.close()
            if cut:
                raise requests.exceptions.ContentDecodingError("too long", response=answer)
            answer._content = read
        return answer


def guarded() -> requests.Session:
    """Return a session of ``requests`` that keeps to the rules of this module's connections."""
    made = Bounded()
    made.trust_env = False  # no proxies or netrc of the environment: they would resolve names behind our back
    made.headers.update({"User-Agent": "Zhiyin", "Accept-Encoding": "identity"})  # nothing to inflate
    for scheme in ("http://", "https://"):
        made.mount(scheme, Guarded())
    return made


class _Kept(threading.local):
    """This thread's sessions: one for the world, and one for each server that was named; they share no connection."""

    def __init__(self) -> None:
        self.sessions: dict[str, tuple[requests.Session, float]] = {}


_kept = _Kept()


def _session(named_here: str = "") -> requests.Session:
    now = time.monotonic()
    session, used = _kept.sessions.get(named_here, (None, 0.0))
    if session is not None and now - used > KEPT:
        session.close()
        session = None
    session = session or guarded()
    session.cookies.clear()
    _kept.sessions[named_here] = session, now
    return session


def _read(answer: requests.Response, most: int, ends: float) -> tuple[bytes, bool]:
    """Read at most so much of an answer's body; whatever breaks here, the status is known."""
    read = bytearray()
    try:
        for chunk in answer.iter_content(16 * 2**10):
            read += chunk
            if len(read) > most or time.monotonic() > ends:
                return bytes(read[:most]), True
    except (requests.RequestException, HTTPError, OSError, ValueError):
        return bytes(read[:most]), True
    return bytes(read), False


def _hang_up(trace: dict[str, Any]) -> None:
    """Break a request that takes too long: a peer that sends one byte a second is never late for any one byte."""
    sock = getattr(trace.get("connection"), "sock", None)
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _named(error: Exception, *, sent: bool) -> EgressError:
    for cause in _chain(error):
        if isinstance(cause, Forbidden):
            return cause
    kind = NoAnswer if sent else NotSent
    text = " ".join(type(cause).__name__ for cause in _chain(error))
    for word, code in (
        ("SSL", "tls"),
        ("Timeout", "timeout"),
        ("NameResolution", "unknown_host"),
        ("gai", "unknown_host"),
    ):
        if word in text:
            return kind(code)
    return kind("closed" if sent else "unreachable")


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
