"""Play WeChat calling its account's owner: sign, encrypt, wait five seconds, try three times, note what came back."""

import http.client
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from campaigns.channels.wechat.stub import wire
from campaigns.channels.wechat.stub.clock import day
from campaigns.channels.wechat.stub.routing import Json
from campaigns.channels.wechat.stub.world import PUSHES, Account, World

ATTEMPTS = 3
INCIDENT = "该公众号暂时无法提供服务，请稍后再试"


@dataclass
class Pushed:
    """One message on its way: the same words in each attempt."""

    app: Account
    message: Json
    body: bytes = b""
    replies: list[Json] = field(default_factory=list)


class Pusher:
    """Threads that send what the world tells, each with its own connections."""

    def __init__(self, world: World, threads: int = 8) -> None:
        self.world, self.timeout, self.retry_wait = world, 5.0, 1.0
        self.waiting: queue.Queue[Pushed | None] = queue.Queue()
        self.open = 0  # submitted and not yet ended
        self.changed = threading.Condition()
        self.done: deque[Json] = deque(maxlen=PUSHES)
        self.incidents: deque[Json] = deque(maxlen=1000)
        self.knobs: Json = {"duplicate": 0, "delay": 0.0, "reorder": 0, "signed_ahead": 0.0}
        self.held: list[Pushed] = []
        self.threads = [threading.Thread(target=self._work, daemon=True, name=f"push-{n}") for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        for _ in self.threads:
            self.waiting.put(None)

    def submit(self, app: Account, message: Json) -> None:
        """Take a message for an account's owner; nothing is sent where there is no address."""
        if not app.callback_url:
            self.done.append({"appid": app.appid, "message": message, "replies": [], "ended": "no callback_url"})
            return
        copies = [Pushed(app, message) for _ in range(1 + int(self.knobs["duplicate"]))]
        with self.changed:
            self.open += len(copies)
        if not self.knobs["reorder"]:
            self._release(copies)
            return
        self.held.extend(copies)
        if len(self.held) >= int(self.knobs["reorder"]):
            self.release_held()

    def release_held(self) -> None:
        """Send what was held back to change its order: the other way round."""
        with self.world.lock:
            held, self.held = self.held, []
        self._release(held[::-1])

    def _release(self, several: list[Pushed]) -> None:
        for one in several:
            if delay := float(self.knobs["delay"]):
                timer = threading.Timer(delay, self.waiting.put, (one,))
                timer.daemon = True
                timer.start()
            else:
                self.waiting.put(one)

    def settle(self, timeout: float) -> bool:
        """Wait until all that was submitted has ended; False if it did not in time."""
        self.release_held()
        with self.changed:
            return self.changed.wait_for(lambda: self.open == 0, timeout)

    def _work(self) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        while (one := self.waiting.get()) is not None:
            try:
                self._push(one, connections)
            except Exception as fault:  # a thread's last line: a message that cannot be sent must not end the others
                told = {"appid": one.app.appid, "message": one.message, "replies": one.replies, "ended": repr(fault)}
                with self.world.lock:
                    self.done.append(told)
                    self.incidents.append(told)
            finally:
                with self.changed:
                    self.open -= 1
                    self.changed.notify_all()
        for connection in connections.values():
            connection.close()

    def _push(self, one: Pushed, connections: dict[str, http.client.HTTPConnection]) -> None:
        for attempt in range(ATTEMPTS):
            reply = self._attempt(one, attempt, connections)
            one.replies.append(reply)
            if reply["answered"]:
                break
            if attempt < ATTEMPTS - 1:
                time.sleep(self.retry_wait)
        last = one.replies[-1]
        ended = "ok" if last["ok"] else INCIDENT
        told = {"appid": one.app.appid, "message": one.message, "replies": one.replies, "ended": ended}
        with self.world.lock:  # who looks at them holds it too
            self.done.append(told)
            if not last["ok"]:
                self.incidents.append(told)
            _count(one.app, self.world.clock.now(), last)

    def _attempt(self, one: Pushed, attempt: int, connections: dict[str, http.client.HTTPConnection]) -> Json:
        """Send once, with a time and a nonce of its own."""
        address, body, about = self._written(one, attempt)
        began = time.monotonic()
        try:
            status, told = self._posted(one.app.callback_url, address, body, connections)
        except (OSError, http.client.HTTPException) as error:
            return {**about, "answered": False, "ok": False, "seconds": time.monotonic() - began, "error": repr(error)}
        ok = status == 200 and self._understood(one.app, told)
        text = told[:500].decode(errors="replace")
        seconds = time.monotonic() - began
        return {**about, "answered": status == 200, "ok": ok, "status": status, "seconds": seconds, "reply": text}

    def _written(self, one: Pushed, attempt: int) -> tuple[str, bytes, Json]:
        """Write address, body and what to note of one attempt."""
        app = one.app
        timestamp = str(int(time.time() + float(self.knobs["signed_ahead"])))
        nonce = str(int(self.world.chance("nonce", id(one), attempt, time.monotonic_ns()) * 2**31))
        write = wire.as_json if app.data_format == "json" else wire.xml
        text = write(one.message)
        query = {"signature": wire.signed(app.token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}
        if app.kind != "wecom":
            query["openid"] = str(one.message["FromUserName"])
        if app.kind == "wecom" or app.mode != "plain":
            key = app.previous_aes_key if app.push_with_previous_key else app.aes_key
            blob = wire.encrypted(text.encode(), key, app.appid)
            query |= {"encrypt_type": "aes", "msg_signature": wire.signed(app.token, timestamp, nonce, blob)}
            clear = one.message if app.mode == "compat" else {"ToUserName": one.message["ToUserName"]}
            text = write({**clear, "Encrypt": blob})
        if app.kind == "wecom":
            del query["signature"], query["encrypt_type"]
        return _address(app.callback_url, query), text.encode(), {"timestamp": timestamp, "nonce": nonce}

    def _posted(
        self, url: str, address: str, body: bytes, connections: dict[str, http.client.HTTPConnection]
    ) -> tuple[int, bytes]:
        """Post over a kept connection; one that the other side closed meanwhile is opened anew, once."""
        place = urlsplit(url).netloc
        if kept := connections.pop(place, None):
            try:
                told = _over(kept, address, body)
            except ConnectionError:
                pass
            else:
                connections[place] = kept
                return told
        fresh = http.client.HTTPConnection(place, timeout=self.timeout)
        told = _over(fresh, address, body)
        connections[place] = fresh
        return told

    def verify(self, app: Account) -> Json:
        """Ask the owner's address for the echo, as the platform does before it takes an address."""
        timestamp, nonce, echo = str(int(time.time())), str(time.monotonic_ns() % 2**31), "echo-" + app.gh_id
        query = {"timestamp": timestamp, "nonce": nonce}
        if app.kind == "wecom":
            blob = wire.encrypted(echo.encode(), app.aes_key, app.appid)
            query |= {"msg_signature": wire.signed(app.token, timestamp, nonce, blob), "echostr": blob}
        else:
            query |= {"signature": wire.signed(app.token, timestamp, nonce), "echostr": echo}
        place = urlsplit(app.callback_url)
        line = http.client.HTTPConnection(place.netloc, timeout=self.timeout)
        try:
            line.request("GET", _address(app.callback_url, query))
            told = line.getresponse().read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return {"verified": False, "reply": repr(error)}
        finally:
            line.close()
        return {"verified": told == echo, "reply": told[:200]}

    def _understood(self, app: Account, told: bytes) -> bool:
        """Say whether a reply is `success`, nothing, or XML that can be read (and decrypted)."""
        text = told.decode(errors="replace").strip()
        if text in {"success", ""}:
            return True
        if not (text.startswith("<xml>") and text.endswith("</xml>")):
            return False
        blob = wire.field(text, "Encrypt")
        if not blob:
            return app.mode == "plain" and bool(wire.field(text, "MsgType"))
        signature = wire.signed(app.token, wire.field(text, "TimeStamp"), wire.field(text, "Nonce"), blob)
        if signature != wire.field(text, "MsgSignature"):
            return False
        try:
            inner, receiver = wire.decrypted(blob, app.aes_key)
        except ValueError:
            return False
        return receiver == app.appid and inner.startswith(b"<xml>")


def _count(app: Account, now: float, last: Json) -> None:
    """Count a callback of the day, for the statistics that the account's owner may ask for."""
    none = {"callback_count": 0, "fail_count": 0, "total_time_cost": 0, "max_time_cost": 0}
    today = app.topic("callbacks").setdefault(str(day(now)), none)
    milliseconds = int(last["seconds"] * 1000)
    today["callback_count"] += 1
    today["fail_count"] += not last["ok"]
    today["total_time_cost"] += milliseconds
    today["max_time_cost"] = max(today["max_time_cost"], milliseconds)


def _address(url: str, query: Json) -> str:
    path = urlsplit(url)
    return f"{path.path or '/'}?{path.query + '&' if path.query else ''}{urlencode(query)}"


def _over(connection: http.client.HTTPConnection, address: str, body: bytes) -> tuple[int, bytes]:
    try:
        connection.request("POST", address, body, {"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise
