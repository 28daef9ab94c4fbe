"""Providers of our own, on real sockets: they take, refuse, stall, break off and talk nonsense, as they are told to."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ACCEPTED, REFUSED, BUSY, ACCOUNT = "accepted", "refused", "busy", "account"
STALL, BREAK, GARBAGE, HUGE, NONE, DRIP = "stall", "break", "garbage", "huge", "none", "drip"


class HttpPeer(ThreadingHTTPServer):
    """An HTTP server in a thread that answers every POST in one way; ``taken`` are the requests that it read."""

    daemon_threads = True

    def __init__(self, answers: dict[str, tuple[int, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.mode = ACCEPTED
        self.headers: dict[str, str] = {}
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        self.go_on = threading.Event()

    def handle_error(self, *_: Any) -> None:
        return  # a client that hung up, as it was meant to

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HttpPeer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        peer = self.server
        peer.taken.append((self.path, dict(self.headers), body))
        if peer.mode == STALL:
            peer.go_on.wait(300)
        if peer.mode in (STALL, BREAK):
            self.close_connection = True
            return
        if peer.mode == DRIP:
            self._drip()
            return
        status, told = peer.answers.get(peer.mode, (200, b"\xff\x00 no json"))
        raw = told if isinstance(told, bytes) else json.dumps(told).encode()
        raw = b"x" * 3_000_000 if peer.mode == HUGE else raw
        self.send_response(status)
        for name, value in peer.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        try:
            self.wfile.write(raw)
        except OSError:
            self.close_connection = True

    def _drip(self) -> None:
        """Send one byte at a time, for ever: never late for any one of them."""
        self.close_connection = True
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not self.server.go_on.wait(0.05):
                self.wfile.write(b"a")
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def http_peer(answers: dict[str, tuple[int, Any]]) -> Iterator[HttpPeer]:
    """Run an HTTP peer for a while."""
    peer = HttpPeer(answers)
    thread = threading.Thread(target=peer.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        peer.go_on.set()
        peer.shutdown()
        peer.server_close()
        thread.join(5)


class SmtpPeer:
    """A mail server of a few lines that says at each command what it is told to; ``taken`` are whole messages."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.says: dict[str, bytes] = {}  # by command; b"" stalls, b"!" breaks off
        self.taken: list[bytes] = []
        self.connections = 0
        self.go_on = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not self.go_on.is_set():
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as lines:
            try:
                if not self._say(client, "GREETING", b"220 here"):
                    return
                for line in lines:
                    verb = line[:4].decode("ascii", "replace").upper().strip()
                    if verb == "QUIT" or not self._one(client, verb, lines):
                        return
            except OSError:
                return

    def _one(self, client: socket.socket, verb: str, lines: Any) -> bool:
        normal = {"EHLO": b"250-here\r\n250 SIZE 100000", "DATA": b"354 go on"}.get(verb, b"250 ok")
        if not self._say(client, verb, normal):
            return False
        if verb != "DATA" or not self.says.get("DATA", b"354").startswith(b"354"):
            return True
        mail = b""
        for line in lines:
            if line == b".\r\n":
                self.taken.append(mail)
                return self._say(client, "END", b"250 taken")
            mail += line
        return False

    def _say(self, client: socket.socket, at: str, normal: bytes) -> bool:
        told = self.says.get(at, normal)
        if told == b"":
            self.go_on.wait(300)
            return False
        if told == b"!":
            return False
        client.sendall(told + b"\r\n")
        return True

    def close(self) -> None:
        self.go_on.set()
        self.socket.close()


@contextmanager
def smtp_peer() -> Iterator[SmtpPeer]:
    """Run a mail server for a while."""
    peer = SmtpPeer()
    try:
        yield peer
    finally:
        peer.close()


def closed_port() -> int:
    """Return a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
