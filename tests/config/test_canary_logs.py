"""Real processes, as production runs them, are told unique values in every personal place, and write none of them.

Web server, workers, beat, PostgreSQL and Valkey run in a directory of their own; workers and beat start when the queue
has been read. Then everything that was printed, logged, mailed, queued or noted is searched.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from socket import create_connection
from subprocess import Popen
from typing import IO, Any

import psycopg2
import pytest
import requests
from redis import Redis

from config import embedded
from config.embedded import Servers
from config.management.commands.up import commands
from tests import templates
from tests.config.canary_house.failures import FAILURES
from tests.config.test_up import ROOT, answers, free_port
from tests.crm.canaries import Canaries, forms_in_valkey

PASSWORD = "correct horse battery"
PATIENCE = 300  # seconds that a machine under load may need for what is queued
FAILED = r"Task tests\.config\.canary_house\.tasks\.fail\[[\w-]+\] raised unexpected"
TRAITS = ["name", "email", "phone", "birthday", "street", "note", "openid"]


@dataclass(frozen=True, kw_only=True)
class House:
    """Where it runs, and how to get in."""

    var: Path
    url: str
    env: dict[str, str]
    bird: Canaries
    keys: dict[str, Any]
    work: Callable[[], AbstractContextManager[None]]  # workers and beat are there

    @property
    def servers(self) -> Servers:
        return Servers(var=self.var)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg2.connect(host=str(self.servers.run), user="zhiyin", dbname="zhiyin") as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())

    def queued(self) -> dict[str, bytes]:
        """Return all keys of Valkey, of both its databases, with messages decoded."""
        found: dict[str, bytes] = {}
        for number in (0, 1):
            server = Redis(unix_socket_path=str(self.servers.valkey_socket), db=number)
            found |= {f"{number}:{key!r}": key + b" " + forms_in_valkey(server, key) for key in server.scan_iter()}
        return found


@pytest.fixture
def house(tmp_path: Path, migrated: Path) -> Iterator[House]:
    port, bird, var = free_port(), Canaries(), tmp_path / "var"
    templates.lay_out(var, migrated)
    env = os.environ | {
        "VAR_DIR": str(var),
        "DEBUG": "0",
        "DJANGO_SETTINGS_MODULE": "tests.config.canary_house.settings",
        "SECURE_SSL_REDIRECT": "0",
        "SECURE_COOKIES": "0",
        "MFA_REQUIRED": "0",
        "EMAIL_URL": f"filemail:///{var / 'mail'}",
        "LOG_LEVEL": "DEBUG",
    }
    web, *later = commands(f"127.0.0.1:{port}", 1)
    with (var / "processes.log").open("ab") as log, _joined(var), _running([web], env, log):
        assert answers(port), (var / "processes.log").read_text()[-3000:]
        yield House(
            var=var,
            url=f"http://127.0.0.1:{port}",
            env=env,
            bird=bird,
            keys=_prepared(env, bird),
            work=lambda: _running(later, env, log),
        )


@contextmanager
def _joined(var: Path) -> Iterator[None]:
    """Keep the servers until the last process has ended."""
    servers = Servers(var=var)
    embedded.join(servers)
    try:
        yield
    finally:
        embedded.leave(servers)


@contextmanager
def _running(lines: list[list[str]], env: dict[str, str], log: IO[bytes]) -> Iterator[None]:
    processes = [Popen(line, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True) for line in lines]
    try:
        yield
        assert [process.poll() for process in processes] == [None] * len(lines)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(120)


def _prepared(env: dict[str, str], bird: Canaries) -> dict[str, Any]:
    names = {"password": PASSWORD, "external_id": bird("known.id"), "name": bird("known.name", "name")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.config.canary_house.prepare"],
        cwd=ROOT, env=env, input=json.dumps(names), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert bird.seen_in((done.stdout + done.stderr).encode()) == set()
    return dict(json.loads(done.stdout.splitlines()[-1]))


def personal(bird: Canaries, where: str) -> dict[str, Any]:
    """Return traits of which every value is a canary of this place."""
    kinds = {"name": "name", "email": "email", "phone": "phone"}
    return {what: bird(f"{where}.{what}", kinds.get(what, "")) for what in TRAITS}


def segment(house: House) -> None:
    """Send good and bad messages of every type, whole and broken, in bodies and in addresses."""
    bird, key = house.bird, (house.keys["write_key"], "")
    context = {
        "ip": bird("context.ip"),
        "userAgent": bird("agent"),
        "page": {"url": f"https://x.example/{bird('url')}"},
    }
    who = {"userId": bird("segment.id"), "anonymousId": bird("visitor"), "context": context}
    for type_ in ("identify", "track", "page", "screen", "group", "alias", "dance"):
        facts = {"traits": personal(bird, type_), "properties": personal(bird, f"{type_}.p"), "event": bird("event")}
        for change in ({}, {"timestamp": bird("when")}, {"context": bird("flat")}, {"traits": [bird("listed")]}):
            answer = requests.post(f"{house.url}/v1/{type_}", json={**who, **facts, **change}, auth=key, timeout=300)
            assert answer.status_code in (200, 400, 404), answer.text
    broken = f'{{"userId": "{bird("cut")}", "traits": {{"name": "{bird("cut.name", "name")}'
    requests.post(f"{house.url}/v1/track", data=broken.encode(), auth=key, timeout=300)
    requests.post(f"{house.url}/v1/{bird('v1.path')}?name={bird('v1.query')}", json=who, auth=key, timeout=300)
    requests.post(f"{house.url}/v1/track", json=who, auth=(bird("write key"), bird("password")), timeout=300)
    requests.post(f"{house.url}/v1/track", json=who, auth=key, headers={"Origin": bird("origin")}, timeout=300)


def rest(house: House) -> None:
    """Ask for people by bodies, by bad bodies, and in ways that the API does not have."""
    bird = house.bird
    told = requests.post(
        f"{house.url}/o/token/", {"grant_type": "client_credentials"}, auth=tuple(house.keys["client"]), timeout=300
    )
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {told.json()['access_token']}"
    lookup = f"{house.url}/api/v1/profiles/lookup/"
    found = session.post(lookup, json={"type": "external_id", "value": bird("known.id")}, timeout=300)
    assert found.status_code == 200, found.text
    for kind in ("phone", "email", "openid", "external_id", bird("kind")):
        assert session.post(lookup, json={"type": kind, "value": bird(f"asked.{kind}")}, timeout=300).status_code >= 400
    session.post(lookup, data=b'{"type": "' + bird("bad.json").encode(), timeout=300)
    for address in (
        f"profiles/{bird('id')}/",
        f"profiles/1/{bird('more')}/",
        f"{bird('resource', 'name')}/",
        "profiles/",
    ):
        for query in ({}, {"name": bird("query.name", "name"), "cursor": bird("cursor"), "since": bird("since")}):
            session.get(f"{house.url}/api/v1/{address}", params=query, timeout=300)
    for address in ("consents/", "items/", f"profiles/{house.keys['person']}/consents/", "privacy-requests/"):
        body = {
            "purpose": bird("purpose"),
            "proof": personal(bird, "proof"),
            "state": bird("state"),
            "text": bird("text"),
        }
        session.post(f"{house.url}/api/v1/{address}", json=body, headers={"Idempotency-Key": bird("idem")}, timeout=300)
    requests.get(f"{house.url}/api/v1/profiles/", headers={"Authorization": f"Bearer {bird('token')}"}, timeout=300)


class Admin:
    """A browser in which a colleague works."""

    def __init__(self, house: House) -> None:
        self.house, self.session = house, requests.Session()

    def post(self, address: str, data: dict[str, Any], **more: Any) -> requests.Response:
        token = self.session.cookies.get("csrftoken") or ""
        url = address if address.startswith("http") else self.house.url + address
        return self.session.post(url, {"csrfmiddlewaretoken": token} | data, timeout=300, **more)

    def get(self, address: str, **query: str) -> requests.Response:
        return self.session.get(self.house.url + address, params=query, timeout=300)


def admin(house: House) -> None:
    """Log in wrongly and rightly, search, reveal, and upload a file with bad rows."""
    bird, browser = house.bird, Admin(house)
    browser.get("/accounts/login/")
    for name in (bird("login.name"), bird("login.email", "email")):
        assert browser.post("/accounts/login/", {"login": name, "password": bird("login.password")}).status_code == 200
    browser.post("/accounts/login/", {"login": "li", "password": PASSWORD, "next": "/admin/"})
    assert browser.get("/admin/crm/profile/").ok
    for term in (bird("known.id"), bird("searched", "phone"), bird("searched.name", "name")):
        assert browser.post("/admin/crm/profile/", {"q": term}).ok
        browser.get("/admin/crm/profile/", q=term, name__exact=term)
        browser.get(f"/admin/crm/profile/{term}/change/")
        browser.get(f"/admin/{term}/", p=term)
    person = f"/admin/crm/profile/{house.keys['person']}"
    shown = browser.post(f"{person}/reveal/", {"reason": f"complaint of {bird('reason', 'phone')}"})
    assert bird("known.name") in shown.text
    browser.post(f"{person}/change/", {"name": bird("changed.name", "name"), "city": bird("changed.city")})
    assert _upload(house, browser).ok


def _upload(house: House, browser: Admin) -> requests.Response:
    bird = house.bird
    head = "external_id,phone,email,name,birthday,note"
    good = [bird("file.id"), bird("file.phone", "phone"), bird("file.email", "email"), bird("file.name", "name")]
    bad = [bird("bad.id"), bird("bad.phone"), bird("bad.email"), bird("bad.name", "name"), bird("bad.day"), "x"]
    lines = [head, ",".join([*good, "1990-01-01", bird("file.note")]), ",".join(bad), f'"{bird("file.cut")}']
    data = {"what": "profiles", "source": house.keys["source"]}
    browser.get("/admin/crm/jobrun/import/")
    mapping = browser.post(
        "/admin/crm/jobrun/import/", data, files={"file": ("people.csv", "\n".join(lines).encode())}
    )  # fmt: skip
    assert mapping.ok
    fields = re.findall(r'name="(column-[a-z_]+)"', mapping.text)
    columns = {name: name.removeprefix("column-") for name in fields if name.removeprefix("column-") in head.split(",")}
    assert columns, mapping.text[-2000:]
    return browser.post(mapping.url, columns | {"time_zone": "UTC", "keep_rest": "on", "start": "1"})


def preferences(house: House) -> None:
    bird = house.bird
    page = f"{house.url}/p/{house.keys['link']}/"
    assert requests.get(page, timeout=300).ok
    for do in ("ask", "decide", "delete_tag", bird("do")):
        body = {"do": do, "kind": "correction", "field": "name", "text": bird("wish"), "value": bird("wished", "name")}
        requests.post(page, body, headers={"User-Agent": bird("agent.2"), "Referer": bird("referer")}, timeout=300)
    requests.get(f"{house.url}/p/{bird('wrong link')}/?mail={bird('link.mail', 'email')}", timeout=300)


def failures(house: House) -> None:
    """Let pages fail in every way, and the server refuse what is no request."""
    for way in FAILURES:
        values = [house.bird(f"fail.{way}.{kind}", kind) for kind in ("", "name", "phone", "email")]
        address = f"{house.url}/fail/{way}/{house.bird(f'fail.{way}.path')}/"
        answer = requests.post(address, {"name": " ".join(values)}, params={"q": values[0]}, timeout=300)
        assert answer.status_code == 500
        assert house.bird.seen_in(answer.content) == set()
    host, _, port = house.url.removeprefix("http://").partition(":")
    for line in (f"GET /{house.bird('raw')} {house.bird('protocol')}", f"GET / HTTP/1.1\r\n{house.bird('head')} x: 1"):
        with create_connection((host, int(port)), timeout=300) as plug:
            plug.sendall(f"{line}\r\n\r\n".encode())
            assert b"400" in plug.recv(1000)


def _unfinished(house: House) -> list[str]:
    """Return which jobs have not ended, and how many of the tasks that fail have not failed yet."""
    jobs = house.rows("SELECT kind || ' is ' || status FROM crm_jobrun WHERE status NOT IN ('succeeded', 'failed')")
    failed = len(re.findall(FAILED, (house.var / "processes.log").read_text()))
    return [job for (job,) in jobs] + ["a task that fails"] * (len(FAILURES) - failed)


def _decoded(part: Message) -> bytes:
    text = part.get_payload(decode=True)
    return text if isinstance(text, bytes) else b""


def written(house: House) -> Iterator[tuple[str, bytes]]:
    """Yield whatever the house wrote down for those who run it."""
    for path in house.var.glob("*.log"):
        yield path.name, path.read_bytes()
    for path in (house.var / "mail").glob("*"):
        # A letter's text may travel in base64 or with escapes: it is read as its reader reads it.
        letters = path.read_bytes().split(b"-" * 79 + b"\n")
        parts = [part for letter in letters for part in message_from_bytes(letter).walk() if not part.is_multipart()]
        texts = b"\n".join(_decoded(part) for part in parts)
        yield f"mail/{path.name}", path.read_bytes() + texts
    for table in ("crm_jobrun", "crm_personaldataaccess", "django_admin_log", "axes_accessattempt", "axes_accesslog"):
        yield table, "\n".join(row for (row,) in house.rows(f"SELECT t::text FROM {table} AS t")).encode()


def seen(house: House, texts: dict[str, bytes]) -> dict[str, set[str]]:
    """Return which canaries are where."""
    found = {where: house.bird.seen_in(data) for where, data in texts.items()}
    return {where: places for where, places in found.items() if places}


@pytest.mark.slow
def test_nothing_personal_is_logged_printed_mailed_queued_or_noted(house: House) -> None:
    for tell in (segment, rest, admin, preferences, failures):
        tell(house)
    waiting = house.queued()
    messages = b"".join(waiting.values())
    assert messages.count(b"tests.config.canary_house.tasks.fail") >= len(FAILURES)
    assert b"crm.tasks.import_file" in messages
    assert seen(house, waiting) == {}
    with house.work():
        deadline = time.monotonic() + PATIENCE
        while _unfinished(house) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert _unfinished(house) == [], (house.var / "processes.log").read_text()[-5000:]
        texts = dict(written(house))
        # Who tried to log in as whom is what locks guessers out; the name is told to administrators only.
        assert seen(house, texts) == {"axes_accessattempt": {"login.name", "login.email"}}
        assert seen(house, house.queued()) == {}
    _was_searched(house, texts)


def _was_searched(house: House, texts: dict[str, bytes]) -> None:
    """Make sure that what was searched was there, and that a canary in it would have been found."""
    log, mails = texts["processes.log"], b"".join(data for name, data in texts.items() if name.startswith("mail/"))
    # A way that is called like a page of ours is told.
    assert len(re.findall(rb"Internal Server Error: /fail/[*a-z]+/\*\*\*/\n", log)) == len(FAILURES)
    assert len(re.findall(rb"\nPOST /fail/[*a-z]+/\*\*\*/\n", mails)) >= len(FAILURES)
    assert b"Invalid request from ip" in log
    assert len(texts["crm_personaldataaccess"].splitlines()) > 4
    assert re.search(rb"import.*succeeded", texts["crm_jobrun"])
    assert b"ready to accept connections" in texts["postgres.log"]
    assert texts["valkey.log"]
    assert len(house.bird.values) > 150
    for where, data in texts.items():
        assert seen(house, {where: data + house.bird("known.name").encode()}) != {}
