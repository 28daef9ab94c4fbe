"""Workers of welcome messages killed in the middle of their calls: everybody is welcomed once, and in time.

The imitation of the platform takes its time for each welcome, so that most kills meet a worker that waits for its
answer: some before the platform has taken the message, some after. Its own book is what counts.
"""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from typing import Any

ARRIVALS, EVERY, WORKERS, KILL_EVERY = 150, 0.4, 4, 2.5
TAKES = 0.4  # seconds of a call
WELCOME = "/cgi-bin/externalcontact/send_welcome_msg"


def run(arrivals: int = ARRIVALS) -> list[dict[str, Any]]:
    """Kill, and return what the platform's book says."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command

    from campaigns.channels.wechat.stub.server import Stub

    call_command("migrate", verbosity=0)
    with Stub(seed=1) as platform:
        from django.conf import settings

        settings.WECHAT_STUB_URL = platform.url
        platform.post("chaos", what="latency", path=WELCOME, seconds=TAKES, times=10**6)
        came, kills = killed(platform, arrivals)
        return [judged(platform, came, kills)]


def killed(platform: Any, arrivals: int) -> tuple[dict[str, float], int]:
    """Let people come while workers are killed and replaced; return who came when, and how many were killed."""
    from django.utils import timezone

    from campaigns.models import ArrivalWay, Welcome
    from tests.campaigns.wechat import corporation

    account = corporation.corporation(platform, "ann")
    ArrivalWay.objects.create(account=account, name="all", kind="otherwise", welcome="Hello", created_at=timezone.now())
    workers = [worker(platform.url) for _ in range(WORKERS)]
    for _process, ready in workers:
        ready.wait(120)
    chance, kills, came = random.Random(1), 0, dict[str, float]()
    next_arrival = time.monotonic()
    next_kill, ends = next_arrival + 2, next_arrival + arrivals * EVERY + 25
    try:
        while time.monotonic() < ends and (len(came) < arrivals or Welcome.objects.open().exists()):
            now = time.monotonic()
            if len(came) < arrivals and now >= next_arrival:
                who = corporation.friend(platform, account, "ann", f"p{len(came)}", timezone.now())
                came[who], next_arrival = time.time(), next_arrival + EVERY
            # In the middle of a call, and never all at once: production starts another within seconds, too.
            alive = [number for number, (_process, ready) in enumerate(workers) if ready.is_set()]
            calling = Welcome.objects.filter(status="calling").exists()
            if now >= next_kill and calling and len(alive) > WORKERS // 2 and len(came) < arrivals:
                for number in chance.sample(alive, WORKERS // 2):
                    os.kill(int(workers[number][0].pid or 0), signal.SIGKILL)
                    workers[number][0].join()
                    workers[number], kills = worker(platform.url), kills + 1
                next_kill = now + KILL_EVERY * (0.5 + chance.random())
            time.sleep(0.01)
    finally:
        for process, _ready in workers:
            process.kill()
    return came, kills


def worker(url: str) -> tuple[Any, Any]:
    """Start a worker; return its process, and what is set when it is ready."""
    own = multiprocessing.get_context("spawn")
    ready = own.Event()
    process = own.Process(target=welcome, args=[url, ready], daemon=True)
    process.start()
    return process, ready


def welcome(url: str, ready: Any) -> None:
    """Do what the task does, again and again, as the bell and beat would have it."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.conf import settings
    from django.utils import timezone

    from campaigns.wechat import welcoming

    settings.WECHAT_STUB_URL = url
    ready.set()
    while True:
        welcoming.work(timezone.now)
        time.sleep(0.1)


def judged(platform: Any, came: dict[str, float], kills: int) -> dict[str, Any]:
    """Return what was done and what is wrong, by the platform's own book."""
    from campaigns.models import Welcome

    told = platform.get("deliveries", kind="welcome", limit=10 * len(came))["deliveries"]
    times = Counter(one["openid"] for one in told)
    rows = Counter(Welcome.objects.values_list("status", flat=True))
    tried_again = Welcome.objects.filter(attempt__gt=1).count()
    latest = max(one["at"] - came[one["openid"]] for one in told)
    done = {"arrivals": len(came), "kills": kills, "taken over by another worker": tried_again, **rows}
    return {
        "name": f"workers killed in the 20 s of a welcome (the latest left after {latest:.1f} s)",
        "done": done,
        "wrong": {
            "welcomed twice": sum(count > 1 for count in times.values()),
            "not welcomed": len(set(came) - set(times)),
            "called sent and not taken": max(0, rows["sent"] + rows["presumed"] - len(times)),
            "too late": sum(one["at"] - came[one["openid"]] > 20 for one in told),
        },
    }
