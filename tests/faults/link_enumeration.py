"""Guess preference links: 100,000 that open nothing, of seven kinds in turn, asked of a real web server.

Whoever guesses must not learn which of them were ever anybody's. Status, headers and text are compared to the byte,
and how long the answers took by ranks (Mann and Whitney, 1947), which a slow machine's outliers do not move: the
chance that an answer of one kind takes longer than one of another must be a half. So that "no difference" means
something, the same is asked of a server that leaks: it finds a row two thousandths of a second slower than none, and
does not make such answers take the same time. That has to be seen. Last, the limits: all kinds use up one allowance,
and are refused alike.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from itertools import combinations
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

LINKS, BLIND, THREADS, ROUNDS = 100_000, 14_000, 8, 50
DIFFERS = 0.02  # of a half, in the chance that one takes longer; or what chance alone allows, where that is more
SEEN = 4.5  # standard errors
Answer = tuple[int, str, str]  # status, hash of the headers but the date, hash of the text

SERVER = """
import sys
import django
django.setup()
from time import sleep
from crm import preference_links
from crm.preferences import gate
gate.SAME_TIME, slower = float(sys.argv.pop(1)), float(sys.argv.pop(1))
alive = preference_links._alive
def _alive(profile):
    found = alive(profile)
    if found[0] is not None:
        sleep(slower)
    return found
preference_links._alive = _alive
from gunicorn.app.wsgiapp import run
sys.argv[0] = "gunicorn"
run()
"""


def run(links: int = LINKS, blind: int = BLIND) -> list[dict[str, Any]]:
    """Return what was done and what came wrong."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    kinds = dead_links()
    with serving(same_time="0.02", generous=True) as port:
        asked = Guesses(kinds, port)
        asked.ask(links)
    with serving(same_time="0", slower="0.002", generous=True) as port:
        control = Guesses(kinds, port)
        control.ask(blind, threads=1)
    with serving(same_time="0.02", generous=False) as port:
        limited = limits(kinds, port)
    connections.close_all()
    return [asked.row("links that open nothing"), control.control(), limited]


def dead_links() -> dict[str, list[str]]:
    """Return some links of each kind that opens nothing."""
    from django.utils import timezone

    from crm import preference_links
    from crm.models import Profile

    now = timezone.now()
    people = Profile.objects.bulk_create(Profile(created_at=now, updated_at=now) for _ in range(4 * ROUNDS))
    parts = [people[n * ROUNDS : (n + 1) * ROUNDS] for n in range(4)]
    revoked, erased = ([preference_links.mint(one.pk, now) for one in part] for part in parts[:2])
    for one in parts[0]:
        preference_links.revoke(one.pk)
    Profile.objects.filter(pk__in=[one.pk for one in parts[1]]).delete()
    good = [preference_links.mint(one.pk, now) for one in parts[2]]
    chance = Random(1)
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return {
        "unknown": ["".join(chance.choices(signs, k=42)) + "A" for _ in range(ROUNDS)],
        "wrong signature": [("B" if one[0] != "B" else "C") + one[1:] for one in good],
        "expired": [preference_links.mint(one.pk, now, timedelta(minutes=-2)) for one in parts[3]],
        "revoked": revoked,
        "erased": erased,
        "cut short": [one[:30] for one in good],
        "no token": ["%F0%9F%98%80" + str(n) for n in range(ROUNDS)],
    }


@contextmanager
def serving(*, same_time: str, generous: bool, slower: str = "0") -> Iterator[int]:
    """Run gunicorn, as production does, and yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rates = {"PREFERENCE_RATE_WRONG": "100000000/minute"} if generous else {"PREFERENCE_RATE_WRONG": "60/day"}
    command = [sys.executable, "-c", SERVER, same_time, slower, "config.wsgi", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--workers", "1", "--threads", str(2 * THREADS), "--keep-alive", "60", "--log-level", "critical"],
        env=os.environ | rates | {"LOG_LEVEL": "CRITICAL", "DEBUG": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for(port: int) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("The web server does not answer.")


class Guesses:
    """Links asked by some threads, the kinds in an order shuffled anew each round; what came back, and when."""

    def __init__(self, kinds: dict[str, list[str]], port: int) -> None:
        self.kinds, self.port = kinds, port
        self.rounds: SimpleQueue[int] = SimpleQueue()
        self.times: dict[str, list[float]] = {kind: [] for kind in kinds}
        self.answers: dict[str, set[Answer]] = defaultdict(set)
        self.errors: list[str] = []

    def ask(self, links: int, threads: int = THREADS) -> None:
        for number in range(-(-links // len(self.kinds))):
            self.rounds.put(number)
        workers = [threading.Thread(target=self.work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            while True:
                number = self.rounds.get_nowait()
                for kind in Random(number).sample(sorted(self.kinds), k=len(self.kinds)):
                    begun = time.perf_counter()
                    answer = fetched(connection, self.kinds[kind][number % ROUNDS])
                    self.times[kind].append(time.perf_counter() - begun)
                    self.answers[kind].add(answer)
        except Empty:
            connection.close()
        except Exception as error:  # told with the counts
            self.errors.append(repr(error))

    def shifts(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Return for each two kinds by how much the chance that one takes longer misses a half, and its error."""
        from scipy.stats import mannwhitneyu

        found = {}
        for one, other in combinations(self.kinds, 2):
            a, b = self.times[one], self.times[other]
            chance = float(mannwhitneyu(a, b).statistic) / (len(a) * len(b))
            found[one, other] = (abs(chance - 0.5), ((len(a) + len(b) + 1) / (12 * len(a) * len(b))) ** 0.5)
        return found

    def done(self) -> dict[str, Any]:
        medians = [sorted(found)[len(found) // 2] * 1e6 for found in self.times.values()]
        shift, error = max(self.shifts().values())
        return {
            "links": sum(map(len, self.times.values())),
            "kinds": len(self.kinds),
            "answers": len(set().union(*self.answers.values())),
            "µs median, fastest kind": round(min(medians)),
            "µs median, slowest kind": round(max(medians)),
            "largest shift of a half": round(shift, 4),
            "standard errors of it": round(shift / error, 1),
        }

    def row(self, name: str) -> dict[str, Any]:
        told = sum(shift > max(DIFFERS, SEEN * error) for shift, error in self.shifts().values())
        different = len(set().union(*self.answers.values())) - 1
        return {
            "name": name,
            "done": self.done(),
            "wrong": {"answers that differ": different, "pairs told by time": told, "errors": len(self.errors)},
        }

    def control(self) -> dict[str, Any]:
        seen = sum(shift > SEEN * error for shift, error in self.shifts().values())
        return {
            "name": "the same of a server that leaks",
            "done": self.done() | {"pairs told by time, seen": seen},
            "wrong": {"harnesses that see nothing": int(seen == 0), "errors": len(self.errors)},
        }


def fetched(connection: http.client.HTTPConnection, token: str) -> Answer:
    connection.request("GET", f"/p/{token}/", headers={"Accept-Language": "en"})
    answer = connection.getresponse()
    text = answer.read()
    headers = sorted((name, value) for name, value in answer.getheaders() if name not in ("Date", "Retry-After"))
    return answer.status, sha256(repr(headers).encode()).hexdigest(), sha256(text).hexdigest()


def limits(kinds: dict[str, list[str]], port: int) -> dict[str, Any]:
    """Use the allowance of one address up with each kind in turn, and see that every kind is refused alike."""
    from django.core.cache import cache

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    allowed, refused, answers = {}, 0, set()
    for kind in kinds:
        cache.clear()
        allowed[kind] = sum(fetched(connection, kinds[kind][n % ROUNDS])[0] == 404 for n in range(70))
        for other in kinds:
            answer = fetched(connection, kinds[other][0])
            answers.add(answer)
            refused += answer[0] == 429
    return {
        "name": "limits of guessing",
        "done": {"kinds": len(kinds), "allowed before the first refusal": min(allowed.values()), "refused": refused},
        "wrong": {
            "kinds with an allowance of their own": sum(count != 60 for count in allowed.values()),
            "not refused": len(kinds) ** 2 - refused,
            "refusals that differ": len(answers) - 1,
        },
    }
