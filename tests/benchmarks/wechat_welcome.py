"""How long somebody who comes to staff in WeCom waits for the welcome, while 100,000 other messages are being sent.

The platform's imitation makes the arrival and calls a real web server, which keeps it and rings; the worker of the
queue ``welcome``, as ``manage.py up`` starts it, makes the call. Beside it two senders work through the planned
messages of a campaign, whose provider is an imitation that takes all at once. What counts is the time from just before
the arrival until the imitation has taken the welcome, by one clock.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
OTHERS, ARRIVALS, RATE = 100_000, 300, 5
LIMIT = 2.0
WORKER = ("-m", "celery", "-A", "config", "worker", "-l", "WARNING", "--without-gossip", "--without-mingle")
CORP = "ww1corporation"


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile of the waits, beside the limit."""
    with TemporaryDirectory() as var:
        environment = os.environ | {"VAR_DIR": var, "DJANGO_SETTINGS_MODULE": "config.settings"}
        program = [sys.executable, "-m", "tests.benchmarks.wechat_welcome"]
        done = subprocess.run(program, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = (
        f"welcome, event to accepted call, {RATE}/s, of {found['welcomed']} (median {found['median']} s, longest"
        f" {found['longest']} s; {found['before']:,} others queued, {found['sent']:,} sent meanwhile): p99"
    )
    return [
        {"name": name, "value": found["p99"], "unit": "s", "yardstick": LIMIT, "ratio": round(found["p99"] / LIMIT, 3)},
        {"name": "welcomes: lost or twice", "value": found["wrong"], "unit": "", "yardstick": 0, "ratio": None},
    ]


def waits() -> dict[str, Any]:
    """Let people come while others are written to, and return how long each waited."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command

    from campaigns.channels.wechat.stub.server import Stub
    from tests.benchmarks.sending import _free_port, _wait_for
    from tests.faults.sending_kills import prepare

    call_command("migrate", verbosity=0)
    prepare(OTHERS)
    port = _free_port()
    with Stub(seed=1) as platform:
        connect(platform, port)
        environment = os.environ | {"WECHAT_STUB_URL": platform.url}
        with processes(environment, port):
            _wait_for(port)
            return measured(platform)


def connect(platform: Any, port: int) -> None:
    """Let the imitation and our house know each other."""
    from uuid import uuid4

    from django.utils import timezone

    from campaigns.models import ArrivalWay, ChannelAccount

    told = platform.post("accounts", kind="wecom", appid=CORP)
    secrets = {"secret": told["secret"], "callback_token": told["token"], "aes_key": told["aes_key"]}
    account = ChannelAccount.objects.create(
        name="our corporation", channel="wecom", provider="wecom", settings={"corpid": CORP, "imitation": True},
        secrets=secrets, hook=uuid4(), created_at=timezone.now(),
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}/hooks/wechat/{account.hook}/"
    platform.post("accounts", kind="wecom", appid=CORP, callback_url=address)
    platform.post("wecom/staff", appid=CORP, userid="ann")
    ArrivalWay.objects.create(
        account=account, name="all", kind="otherwise", welcome="您好，欢迎！", created_at=timezone.now()
    )


@contextmanager
def processes(environment: dict[str, str], port: int) -> Iterator[None]:
    """Run a web server, the worker of welcomes, and two senders that beat would ring."""
    web = ["-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--log-level", "warning"]
    lines = [web, [*WORKER, "-Q", "welcome", "-c", "1", "-n", "w@%h"], [*WORKER, "-Q", "send", "-c", "2", "-n", "s@%h"]]
    running = [subprocess.Popen([sys.executable, *line], cwd=ROOT, env=environment) for line in lines]
    try:
        yield
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(30)


def measured(platform: Any) -> dict[str, Any]:
    """Let people come at a fixed rate; the senders are rung every five seconds, as beat does."""
    from campaigns.models import Delivery
    from campaigns.tasks import send

    queued = Delivery.objects.filter(status="queued")
    platform.post("wecom/friend", appid=CORP, userid="ann", person="first")  # until the workers are there
    until(platform, 1, 60)
    for _ in range(2):
        send.apply_async(queue="send")
    came: dict[str, float] = {}
    before, begun = queued.count(), time.monotonic()
    for number in range(ARRIVALS):
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        if number % (5 * RATE) == 0:
            send.apply_async(queue="send")
        at = time.time()
        came[platform.post("wecom/friend", appid=CORP, userid="ann", person=f"p{number}")["external_userid"]] = at
    told = until(platform, ARRIVALS + 1, 30)
    took = sorted(one["at"] - came[one["openid"]] for one in told if one["openid"] in came)
    return {
        "p99": round(took[int(0.99 * len(took))], 3),
        "median": round(took[len(took) // 2], 3),
        "longest": round(took[-1], 3),
        "welcomed": len(took),
        "wrong": ARRIVALS - len({one["openid"] for one in told if one["openid"] in came}) + len(took) - len(came),
        "before": before,
        "sent": before - queued.count(),
    }


def until(platform: Any, count: int, seconds: float) -> list[dict[str, Any]]:
    """Return the welcomes that the imitation has taken, once they are so many or the time is over."""
    ends = time.monotonic() + seconds
    while True:
        asked = {"appid": CORP, "kind": "welcome", "limit": 10 * ARRIVALS}
        told: list[dict[str, Any]] = platform.get("deliveries", **asked)["deliveries"]
        if len(told) >= count or time.monotonic() > ends:
            return told
        time.sleep(0.1)


if __name__ == "__main__":
    print(json.dumps(waits()))
