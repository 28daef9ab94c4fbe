"""Somebody who calls the imitated platforms, and somebody whom they call back."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from campaigns.channels.wechat.stub.server import Stub

NOON = 1_795_320_000.0  # 2026-11-22, 12:00 in Shanghai
CREDENTIALS = {"grant_type": "client_credential"}


class Platform:
    """An account at an imitated platform whose time stands still, and calls with its token."""

    def __init__(self, stub: Stub, kind: str, **about: Any) -> None:
        self.stub, self.world = stub, stub.world
        self.app = stub.post("accounts", kind=kind, **about)
        self.appid = self.app["appid"]
        self.session = requests.Session()
        self.renew()

    def renew(self) -> None:
        if self.app["kind"] == "wecom":
            asked = {"corpid": self.appid, "corpsecret": self.app["secret"]}
            told = self.session.get(self.stub.url + "/cgi-bin/gettoken", params=asked, timeout=60).json()
        else:
            asked = {**CREDENTIALS, "appid": self.appid, "secret": self.app["secret"]}
            told = self.session.post(self.stub.url + "/cgi-bin/stable_token", json=asked, timeout=60).json()
        self.token = told["access_token"]

    def get(self, path: str, /, **query: Any) -> Any:
        return self.session.get(self.stub.url + path, params={"access_token": self.token, **query}, timeout=60).json()

    def post(self, path: str, /, **body: Any) -> Any:
        return self.raw(path, json.dumps(body, ensure_ascii=False).encode()).json()

    def raw(self, path: str, body: bytes, timeout: float = 60) -> requests.Response:
        return self.session.post(self.stub.url + path, params={"access_token": self.token}, data=body, timeout=timeout)

    def upload(self, path: str, name: str = "a.png", data: bytes = b"\x89PNG....", **query: str) -> Any:
        query = {"access_token": self.token, **query}
        return self.session.post(self.stub.url + path, params=query, files={"media": (name, data)}, timeout=60).json()

    def code(self, path: str, /, **body: Any) -> int:
        """Call, and give the code: 0 where the answer has none."""
        return int(self.post(path, **body).get("errcode", 0))

    def order(self, order: str, /, **asked: Any) -> Any:
        return self.stub.post(order, **asked)

    def users(self, *persons: str, **about: Any) -> list[str]:
        return list(self.order("users", appid=self.appid, persons=list(persons), **about)["openids"])

    def does(self, openid: str, act: str, /, **about: Any) -> Any:
        return self.order(f"users/{openid}/{act}", **about)["message"]

    def later(self, seconds: float) -> None:
        self.order("clock", advance=seconds)

    def told(self) -> list[dict[str, Any]]:
        """Give the messages that the account's owner would have been called with."""
        return [push["message"] for push in self.stub.get("pushes")["pushes"]]

    def deliveries(self, **about: str) -> list[dict[str, Any]]:
        return list(self.stub.get("deliveries", **about)["deliveries"])


@contextmanager
def playing(kind: str, *, seed: int = 1, **about: Any) -> Iterator[Platform]:
    with Stub(seed=seed, at=NOON) as stub:
        stub.post("clock", freeze=True, set=NOON)
        stub.post("outcomes", template_block=0, template_failed=0, mass_fail=0, mass_error=0, missing_figure=0)
        platform = Platform(stub, kind, **about)
        yield platform
        platform.session.close()


class Owner(ThreadingHTTPServer):
    """An account's owner: takes callbacks, and answers each as told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Called)
        self.calls: list[tuple[str, bytes]] = []
        self.answers: list[tuple[int, bytes, float]] = []  # status, body, seconds; the last one stays
        self.url = f"http://127.0.0.1:{self.server_port}/hooks/wechat/x/"


class _Called(BaseHTTPRequestHandler):
    server: Owner

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path, body))
        answers = self.server.answers
        status, answer, wait = (answers.pop(0) if len(answers) > 1 else answers[0]) if answers else (200, b"success", 0)
        time.sleep(wait)
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:
            return  # the platform does not wait that long

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def owner() -> Iterator[Owner]:
    with Owner() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
