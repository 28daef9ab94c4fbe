"""How evenly template messages leave at an account's rate, and whether the platform's own book agrees with ours.

Two workers send as the product's do: one task after another, the second begun some seconds after the first. The
imitation is a process of its own on the same cores, and everything is measured and compared in its book, by its clock.

*Jitter* is the coefficient of variation (standard deviation by mean) of the messages that the platform accepted in each
second, over the whole run less its first and last second: what a provider that counts by the second would see. One
second of silence costs as much as one of twice the rate. Beside it stands by how much the worst ten seconds miss the
configured rate, which shows time that was lost for good.

Some answers are lost: of 3 % of the calls after the platform took the message, which a repetition by the same key makes
known; and of some messages whatever is repeated, either after the platform took them or before it received anything.
These must be unknown to us, and each be found in the platform's log as the one or the other; and nobody gets a message
twice. ``WECHAT_SENDING_MESSAGES`` and ``WECHAT_SENDING_RATE`` make it smaller or slower.
"""

import gc
import json
import multiprocessing
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, pstdev
from typing import Any
from urllib.request import Request, urlopen

MESSAGES, RATE, WORKERS = 100_000, 100, 2
SECOND_BEGINS = 5.0  # seconds after the first: the beat's
WINDOW = 10  # seconds
LOST = 0.03  # of the answers; each call is made three times at most, by the same key
NEVER = {"reset_after_commit": 0.002, "reset": 0.002}  # of the messages
JITTER = 0.05
PIECE = 10_000
PATH = "/cgi-bin/message/template/send"


def run() -> list[dict[str, Any]]:
    """Return rate, jitter, duplicates, and unknown that the platform's book does not explain."""
    from tests.benchmarks.databases import fresh_database

    messages = int(os.environ.get("WECHAT_SENDING_MESSAGES", MESSAGES))
    rate = int(os.environ.get("WECHAT_SENDING_RATE", RATE))
    with fresh_database():
        port = _free_port()
        played = multiprocessing.get_context("spawn").Process(target=serve, args=[port], daemon=True)
        played.start()
        try:
            _wait_for(port)
            appid = seed(port, messages, rate)
            send()
            return compare(port, appid, messages, rate)
        finally:
            played.terminate()


def serve(port: int) -> None:
    """Play the platform."""
    from tests.benchmarks.databases import set_up

    set_up()
    from campaigns.channels.wechat.stub.server import Stub

    gc.disable()  # it keeps all in its book: collections would be pauses of the measure, and longer each time
    with Stub(port, seed=7):
        time.sleep(24 * 3600)


def order(port: int, method: str, control: str, **asked: Any) -> Any:
    """Give the imitation an order."""
    url, body = f"http://127.0.0.1:{port}/_stub/{control}", None
    if method == "GET":
        url += "?" + "&".join(f"{name}={value}" for name, value in asked.items())
    else:
        body = json.dumps(asked).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"}, method=method), timeout=600) as reply:
        return json.loads(reply.read())


def seed(port: int, messages: int, rate: int) -> str:
    """Plan a campaign to so many followers of an account at the imitation; return its appid."""
    from datetime import time as clock

    from django.conf import settings

    from campaigns.models import ChannelAccount, ChannelLimit, Follower, SendingPolicy
    from campaigns.runs import planning
    from crm.models import Identifier, Profile
    from tests.campaigns.wechat import houses

    settings.WECHAT_STUB_URL = f"http://127.0.0.1:{port}"
    now = datetime.now(UTC)
    free = {"quiet_from": clock(0), "quiet_until": clock(0), "salt": "s"}
    SendingPolicy.objects.update_or_create(pk=1, defaults=free)
    told = order(port, "POST", "accounts", kind="oa_service")
    appid = str(told["appid"])
    order(port, "POST", "quotas", appid=appid, path=PATH, daily=10 * MESSAGES, minute=100 * RATE * 60)
    order(port, "POST", "templates", appid=appid, title="订单", content="城市：{{thing1.DATA}}", template_id="T1")
    order(port, "POST", "outcomes", template_block=0, template_failed=0)
    for what, share in NEVER.items():
        order(port, "POST", "chaos", what=what, path=PATH, chance=share, by="client_msg_id")
    order(port, "POST", "chaos", what="reset_after_commit", path=PATH, chance=LOST)
    houses.account(settings={"appid": appid, "kind": "service", "imitation": True}, secrets={"secret": told["secret"]})
    account = ChannelAccount.objects.get()
    account.per_second = rate
    account.save()
    ChannelLimit.objects.create(provider=account.provider, name="template_a_day", value=10 * MESSAGES, changed_at=now)
    houses.allowed(account)
    people: list[int] = []
    for start in range(0, messages, PIECE):
        size = min(PIECE, messages - start)
        openids = order(port, "POST", "users", appid=appid, count=size, prefix=f"p{start}-")["openids"]
        made = Profile.objects.bulk_create(
            Profile(created_at=now, updated_at=now, age_class="adult", language="zh-hans") for _ in openids
        )
        own = Identifier.objects.bulk_create(
            Identifier(type="openid", value=openid, profile=one, created_at=now)
            for one, openid in zip(made, openids, strict=True)
        )
        Follower.objects.bulk_create(Follower(account=account, identifier=one, synced_at=now) for one in own)
        people += [one.pk for one in made]
    facts = {"purpose": houses.service(), "says": houses.TEMPLATE, "message_expires_after": timedelta(days=1)}
    planning.plan(planning.begin(houses.campaign(**facts), "once", now), iter([people]), now)
    return appid


def send() -> None:
    """Send what is planned with two workers, until nothing waits."""
    from django.db import connections

    connections.close_all()  # forked children must not share one
    started = [multiprocessing.get_context("fork").Process(target=work, args=[one]) for one in range(WORKERS)]
    for process in started:
        process.start()
    for process in started:
        process.join()
        if process.exitcode:
            raise RuntimeError("A worker ended by itself: see its traceback above.")


def work(number: int) -> None:
    """Do what a worker's process does, one task after another."""
    from campaigns import tasks
    from campaigns.models import Delivery

    time.sleep(number * SECOND_BEGINS)
    while Delivery.objects.filter(status__in=["queued", "reserved", "calling"]).exists():
        tasks.send()


def compare(port: int, appid: str, messages: int, rate: int) -> list[dict[str, Any]]:
    """Hold our rows against the platform's book, and its seconds against the rate."""
    book = order(port, "GET", "deliveries", appid=appid, limit=2 * messages)["deliveries"]
    lost = order(port, "GET", "lost", appid=appid, limit=2 * messages)["calls"]
    taken = sorted(float(one["at"]) for one in book)
    seconds = _in_each(taken, 1)[1:-1]
    tens = [number / WINDOW for number in _in_each(taken, WINDOW)[:-1]]
    reached, jitter = (len(taken) - 1) / (taken[-1] - taken[0]), pstdev(seconds) / mean(seconds)
    worst = max((abs(one - rate) / rate for one in tens), default=0.0)
    longest = max(after - before for before, after in pairwise(taken))
    name = f"{messages:,} template messages to the imitation of WeChat at {rate} a second"
    return [
        {"name": f"{name}: accepted", "value": reached, "unit": "/s", "yardstick": rate, "ratio": reached / rate},
        _percent(f"{name}: jitter, a second's messages over {len(seconds):,} s", jitter),
        _percent(f"{name}: worst of {len(tens)} times {WINDOW} s against the rate", worst),
        {"name": f"{name}: longest silence", "value": 1000 * longest, "unit": "ms", "yardstick": None, "ratio": None},
        *judged(name, messages, book, lost),
    ]


def judged(name: str, messages: int, book: list[Any], lost: list[Any]) -> list[dict[str, Any]]:
    """Return how many got it twice, and of how many the two sides tell something else."""
    from campaigns.models import Delivery

    ours = {call.hex: status for call, status in Delivery.objects.values_list("call", "status") if call}
    unknown = {key for key, status in ours.items() if status == "unknown"}
    known = {key for key, status in ours.items() if status in ("accepted", "delivered")}
    taken = {one["client_id"] for one in book}
    received = {one["client_id"] for one in lost if one["received"]}
    never = {one["client_id"] for one in lost} - received
    unanswered, missed = unknown & taken & received, (unknown & never) - taken
    wrong = len(known - taken) + len(taken - known - unknown) + messages - len(known) - len(unknown)
    explained = f"{len(unanswered)} taken without an answer, {len(missed)} never received by its log"
    twice = sum(number > 1 for number in Counter(one["openid"] for one in book).values())
    rows = {
        f"{name}: people who got it twice": twice,
        f"{name}: {len(unknown)} unknown ({explained}), not explained": len(unknown - unanswered - missed),
        f"{name}: {len(known):,} accepted, and all others not as in its book": wrong,
    }
    return [{"name": row, "value": n, "unit": "", "yardstick": 0, "ratio": None} for row, n in rows.items()]


def _percent(name: str, share: float) -> dict[str, Any]:
    return {"name": name, "value": 100 * share, "unit": "%", "yardstick": 100 * JITTER, "ratio": share / JITTER}


def _in_each(moments: list[float], seconds: int) -> list[int]:
    """Return how many fell into each span of so many seconds since the first; the last one is not whole.

    >>> _in_each([0.0, 0.5, 2.5, 3.1], 1)
    [2, 0, 1, 1]
    """
    found = Counter(int((at - moments[0]) / seconds) for at in moments)
    return [found[number] for number in range(max(found) + 1)]


def _free_port() -> int:
    from tests.benchmarks.sending import _free_port as free

    return free()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            order(port, "GET", "clock")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
