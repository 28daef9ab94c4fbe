"""WeChat's callbacks at 200 a second, load generator on the same cores: how long verify, decrypt, keep, answer take.

As in ``tracking`` the requests come at fixed times, whether earlier ones were answered or not, and a time counts from
when the request was due. Each message is another one, encrypted in the safe mode and made beforehand. Afterwards each
must be kept once; then a worker is let loose on them, for how many a second it comes to.
"""

import threading
import time
from datetime import timedelta
from http.client import HTTPConnection
from queue import Queue
from typing import Any
from urllib.parse import urlencode

from tests.benchmarks.databases import fresh_database

RATE, SECONDS, WARM, CLIENTS, PEOPLE, BOUND = 200, 20, 3, 24, 2_000, 50.0
Parcel = tuple[str, bytes]


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile in milliseconds, what was lost or kept twice, and how fast it is worked on."""
    with fresh_database():
        parcels = _prepared((SECONDS + WARM) * RATE)
        from django.utils import timezone

        from campaigns.models import Inbound
        from campaigns.wechat import inbound
        from tests.benchmarks.tracking import _served

        server = _served()
        try:
            _load(parcels[: WARM * RATE])
            Inbound.objects.all().delete()
            times = sorted(_load(parcels[WARM * RATE :]))
        finally:
            server.terminate()
            server.wait()
        wrong = SECONDS * RATE - Inbound.objects.count()
        begun = time.perf_counter()
        done = inbound.work(timezone.now() + timedelta(seconds=1))
        worked = done / (time.perf_counter() - begun)
    at = {share: 1000 * times[int(len(times) * share)] for share in (0.5, 0.99)}
    return [
        {"name": "callback of WeChat, p99", "value": round(at[0.99], 2), "unit": "ms at 200/s",
         "yardstick": f"median {at[0.5]:.2f} ms; at most {BOUND:.0f} ms", "ratio": round(at[0.99] / BOUND, 2)},
        {"name": "callback of WeChat, lost", "value": wrong, "unit": f"of {SECONDS * RATE}, {len(times)} answered",
         "yardstick": "0", "ratio": None},
        {"name": "callbacks of WeChat worked on", "value": round(worked), "unit": "a second, one worker",
         "yardstick": f"{RATE} come", "ratio": round(worked / RATE, 2)},
    ]  # fmt: skip


def _prepared(count: int) -> list[Parcel]:
    from campaigns.channels.wechat.stub import wire
    from tests.campaigns.wechat.accounts import KEY, TOKEN, account, message

    to, parcels = account(), []
    for number in range(count):
        told = message(FromUserName=f"oFan{number % PEOPLE}", MsgId=str(10**16 + number), Content=f"在吗？{number}")
        blob = wire.encrypted(wire.xml(told).encode(), KEY, to.settings["appid"])
        stamp = {"timestamp": str(int(time.time())), "nonce": str(number)}
        query = stamp | {"encrypt_type": "aes", "msg_signature": wire.signed(TOKEN, *stamp.values(), blob)}
        body = wire.xml({"ToUserName": "gh_1", "Encrypt": blob}).encode()
        parcels.append((f"/hooks/wechat/{to.hook}/?{urlencode(query)}", body))
    return parcels


def _load(parcels: list[Parcel]) -> list[float]:
    waiting: Queue[tuple[float, Parcel] | None] = Queue()
    times: list[float] = []
    clients = [threading.Thread(target=_client, args=(waiting, times)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    begun = time.perf_counter()
    for number, parcel in enumerate(parcels):
        due = begun + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        waiting.put((due, parcel))
    for _ in clients:
        waiting.put(None)
    for client in clients:
        client.join()
    return times


def _client(waiting: "Queue[tuple[float, Parcel] | None]", times: list[float]) -> None:
    from tests.benchmarks.tracking import PORT

    connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
    while (told := waiting.get()) is not None:
        due, (address, body) = told
        connection.request("POST", address, body, {"Content-Type": "text/xml"})
        answer = connection.getresponse()
        if answer.read() == b"success":
            times.append(time.perf_counter() - due)
