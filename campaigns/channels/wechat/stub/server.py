"""The stub as a server on the loopback address: HTTP/1.1 with kept connections, one thread each, and nothing more.

The standard library's request handler reads headers through an e-mail parser, which costs more than all that the
stub does; this one reads what a client of ours sends.
"""

import logging
import socket
import socketserver
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from campaigns.channels.wechat.stub import keeping
from campaigns.channels.wechat.stub.asking import Reply, Request
from campaigns.channels.wechat.stub.calling import respond
from campaigns.channels.wechat.stub.errors import Misused
from campaigns.channels.wechat.stub.pusher import Pusher
from campaigns.channels.wechat.stub.routing import CONTROLS
from campaigns.channels.wechat.stub.steering import steer
from campaigns.channels.wechat.stub.topics import TOPICS  # imported for what they add to the routes
from campaigns.channels.wechat.stub.world import World

logger = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
HOSTS = (LOOPBACK, "localhost")
LARGEST = 12 << 20
SAVED_EVERY = 5.0
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 502: "Bad Gateway"}


class _Connection(socketserver.StreamRequestHandler):
    """One kept connection: read a request, answer it, and so on until the client leaves."""

    disable_nagle_algorithm = True
    rbufsize = 1 << 16
    timeout = 120
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def handle(self) -> None:
        try:
            while not self.server.ending.is_set() and (asked := self._read()) is not None:
                request, keep = asked
                reply = respond(self.server.world, request)
                if reply.cut:
                    self._cut(reply)
                    return
                self._send(reply, keep)
                if not keep:
                    return
        except (OSError, ValueError):
            return  # the client left, or does not speak HTTP

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        try:
            super().finish()
        except OSError:
            return

    def _read(self) -> tuple[Request, bool] | None:
        first = self.rfile.readline(1 << 16)
        if not first:
            return None
        method, target, version = first.decode("latin-1").split()
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(1 << 16)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("host", LOOPBACK).partition(":")[0] not in HOSTS or "origin" in headers:
            raise ValueError("a page in somebody's browser, which has no business here")
        if "100-continue" in headers.get("expect", "").lower():
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = int(headers.get("content-length") or 0)
        if size > LARGEST or "transfer-encoding" in headers:
            raise ValueError("a body that is too large, or in chunks")
        path = urlsplit(target)
        request = Request(
            method=method,
            path=path.path,
            query=dict(parse_qsl(path.query, keep_blank_values=True)),
            raw=self.rfile.read(size) if size else b"",
            ip=str(self.client_address[0]),
            content_type=headers.get("content-type", ""),
        )
        return request, version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"

    def _send(self, reply: Reply, keep: bool) -> None:
        head = (
            f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'OK')}\r\nContent-Type: {reply.content_type}\r\n"
            f"Content-Length: {len(reply.body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        self.wfile.write(head.encode("latin-1") + reply.body)

    def _cut(self, reply: Reply) -> None:
        if reply.cut == "hold":
            self.server.ending.wait(reply.seconds)
            return
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, world: World) -> None:
        self.world, self.ending = world, threading.Event()
        self.open: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), _Connection)


class Stub:
    """The platforms in one process; a context manager for tests.

    >>> with Stub(seed=1) as stub:
    ...     app = stub.post("accounts", kind="oa_service")
    ...     stub.url.startswith("http://127.0.0.1:"), app["kind"]
    (True, 'oa_service')
    """

    def __init__(self, port: int = 0, *, seed: int = 0, at: float | None = None, state: Path | None = None) -> None:
        self.world = World(seed)
        self.topics = TOPICS
        self.state = state
        if at is not None:
            self.world.clock.set(at)
        if state is not None and state.exists():
            keeping.load(self.world, state)
        self.server = _Server(port, self.world)
        self.port = int(self.server.server_address[1])
        self.url = self.world.url = f"http://{LOOPBACK}:{self.port}"
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.world.pusher = Pusher(self.world)
        self.world.serves.set()
        jobs = {"stub-server": lambda: self.server.serve_forever(0.01), "stub-agenda": self._live}
        if self.state is not None:
            jobs["stub-state"] = self._keep
        for name, job in jobs.items():
            self.threads.append(threading.Thread(target=job, daemon=True, name=name))
            self.threads[-1].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.ending.set()
        self.server.shutdown()
        self.server.server_close()
        self.world.serves.clear()
        self.world.agenda.changed.set()
        for connection in list(self.server.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.world.pusher.stop()
        for thread in self.threads:
            thread.join(5)
        if self.state is not None:
            keeping.save(self.world, self.state)

    def post(self, control: str, /, **asked: Any) -> Any:
        """Give an order as `POST /_stub/<control>` would."""
        return self.order("POST", control, asked)

    def get(self, control: str, /, **asked: Any) -> Any:
        return self.order("GET", control, asked)

    def order(self, method: str, control: str, asked: dict[str, Any]) -> Any:
        path = "/_stub/" + control.strip("/")
        for known, pattern, answer in CONTROLS:
            found = pattern.fullmatch(path)
            if found and known == method:
                return steer(self.world, answer, asked, found.groupdict())
        raise Misused(f"no {method} {path}")

    def _live(self) -> None:
        while self.world.serves.is_set():
            try:
                self.world.run_due()
            except Exception:  # a thread's last line: one fault of ours must not stop the time for all
                logger.exception("something that was due did not happen")
            self.world.agenda.wait(self.world.clock)

    def _keep(self) -> None:
        kept = b""
        while self.state is not None and not self.server.ending.wait(SAVED_EVERY):
            kept = keeping.save(self.world, self.state, kept)
