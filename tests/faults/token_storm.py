"""Eight processes whose common token has just ended, again and again: each time the platform is asked for one once.

They share nothing but PostgreSQL and the cache. In every second round the cache has lost what it knew as well; in every
third another system of the account has ended the token while the calls were under way.
"""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

WORKERS, ROUNDS, CALLS = 8, 30, 5

WORKER = """
import sys
from tests.benchmarks.databases import set_up
set_up()
from campaigns.channels.wechat import official
from campaigns.models import ChannelAccount
account = ChannelAccount.objects.get(pk=int(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    good = sum(official.user_get(account)["total"] == 0 for _ in range(int(line)))
    print(good, flush=True)
"""


def run(rounds: int = 0) -> list[dict[str, Any]]:
    """Return what was done and what came wrong; fewer rounds by STORM_ROUNDS."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    from campaigns.channels.wechat.stub.server import Stub

    rounds = rounds or int(os.environ.get("STORM_ROUNDS", ROUNDS))
    with Stub(seed=1) as stub:
        row = _storm(stub, rounds)
    connections.close_all()
    return [row]


def _storm(stub: Any, rounds: int) -> dict[str, Any]:
    from tests.campaigns.wechat.accounts import connected

    one = connected(stub)
    environment = os.environ | {"WECHAT_STUB_URL": stub.url}
    command = [sys.executable, "-c", WORKER, str(one.pk)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(WORKERS)
    ]
    try:
        for worker in workers:
            _read(worker)
        counts = [_round(stub, one, workers, number) for number in range(rounds)]
    finally:
        for worker in workers:
            worker.communicate()
    good, asked = sum(good for good, _ in counts), [asked for _, asked in counts]
    done = {"rounds": rounds, "calls": good, "tokens": sum(asked)}
    wrong = {
        "calls that failed": rounds * WORKERS * CALLS - good,
        "rounds that asked twice": sum(one > 1 for one in asked),
        "rounds that asked never": sum(one == 0 for one in asked),
        "forced renewals": int("forced" in stub.world.accounts[one.settings["appid"]].tokens),
    }
    return {"name": "eight processes and a token that ended", "done": done, "wrong": wrong}


def _round(stub: Any, one: Any, workers: list["subprocess.Popen[str]"], number: int) -> tuple[int, int]:
    """End the token, let all call at the same moment; return how many calls went well, and how often one was asked."""
    from django.core.cache import cache

    from campaigns.channels.wechat import tokens
    from campaigns.models import AccountToken

    before = len(stub.get("log", path="/cgi-bin/stable_token", limit=10_000)["calls"])
    now = datetime.now(UTC)
    held = AccountToken.objects.filter(account=one).first()
    if number % 3 == 2 and held is not None:
        stub.post("chaos", what="token_killed", path="/cgi-bin/user/get", times=1)
    elif held is not None:
        AccountToken.objects.update(expires_at=now - timedelta(seconds=1))
        stub.post("clock", advance=7200)
        if number % 2:
            cache.delete(f"zhiyin:wechat:token:{one.hook}")
        else:
            tokens.put(one, held.token, now - timedelta(seconds=1), now)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{CALLS}\n")
        worker.stdin.flush()
    good = sum(int(_read(worker)) for worker in workers)
    time.sleep(0.01)
    return good, len(stub.get("log", path="/cgi-bin/stable_token", limit=10_000)["calls"]) - before


def _read(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline().strip()
    if not line:
        raise RuntimeError("A worker ended.")
    return line
