"""Kill workers, beat, PostgreSQL and Valkey while template messages and a mass send go out to the imitation of WeChat.

Everything is the product's own: Celery's workers and beat, the pacing, the adapter, the client and its token. Only the
platform is imitated, by a process that nobody kills; it loses answers besides: of some calls once, of some messages
whatever is repeated, and of some mass sends after it took them. Its own log is the truth. At the end nobody got a
message twice, none is lost, what we call accepted was taken and what was taken we call accepted or unknown, and each
unknown is explained: its worker was killed in the call, or the platform's log has the call as one without an answer.
"""

import multiprocessing
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import wechat_sending as platform
from tests.faults import sending_kills
from tests.faults.sending_kills import House

KILLS, MESSAGES, RATE = 200, 8_000, 60
TO_MANY, A_CALL = 400, 10  # people of the mass send, and of one of its calls
MASS = "/cgi-bin/message/mass/send"
TAKES, LOST = 0.3, 0.1  # seconds of such a call, and the share of its answers that is lost
HANDED = ("accepted", "delivered", "unknown")


def run(kills: int = 0, messages: int = 0) -> list[dict[str, Any]]:
    """Return what was done and what came wrong; smaller by WECHAT_KILLS and WECHAT_KILLS_MESSAGES."""
    kills = kills or int(os.environ.get("WECHAT_KILLS", KILLS))
    messages = messages or int(os.environ.get("WECHAT_KILLS_MESSAGES", MESSAGES))
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    port = platform._free_port()
    played = multiprocessing.get_context("spawn").Process(target=platform.serve, args=[port], daemon=True)
    played.start()
    try:
        platform._wait_for(port)
        appid = platform.seed(port, messages, RATE)
        plan_for_many(port, appid)
        connections.close_all()  # forked children must not share a connection
        with TemporaryDirectory() as directory:
            town = Town(Path(directory), kills)
            done = town.torment()
        platform.order(port, "POST", "clock", advance=600)  # mass sends end, and tell
        row = judged(port, appid, messages, done)
        by_a_kill = row["done"]["of these by a kill, taken"] + row["done"]["by a kill, not taken"]
        row["wrong"]["unknown beyond the calls under way"] = max(0, by_a_kill - town.under_way())
        return [row]
    finally:
        played.terminate()


def plan_for_many(port: int, appid: str) -> None:
    """Plan a mass send of a text to some of the followers, a few in each call."""
    from django.utils import timezone

    from campaigns.models import ChannelAccount, ChannelLimit, Follower
    from campaigns.runs import planning
    from crm import consent
    from tests.campaigns.wechat import houses
    from tests.crm import consents

    now, account = timezone.now(), ChannelAccount.objects.get()
    platform.order(port, "POST", "accounts", appid=appid, mass_per_day=10_000)
    platform.order(port, "POST", "outcomes", mass_fail=0, mass_error=0)
    platform.order(port, "POST", "chaos", what="reset_after_commit", path=MASS, chance=LOST)
    platform.order(port, "POST", "chaos", what="latency", path=MASS, seconds=TAKES)
    limits = {"mass_people_a_call": A_CALL, "mass_calls_a_day": 10_000}
    for name, value in limits.items():
        ChannelLimit.objects.create(provider=account.provider, name=name, value=value, changed_at=now)
    consents.purpose()
    people = list(Follower.objects.order_by("pk").values_list("identifier__profile", flat=True)[:TO_MANY])
    wanted = [consent.Wanted(one, consent.NewConsent(purpose="offers", channel="wechat")) for one in people]
    consent.record_many(wanted, source=None, now=now - timedelta(days=1))
    planning.plan(planning.begin(houses.campaign("to many"), "once", now), iter([people]), now)


class Town(House):
    """The workers and beat of the product; the platform stands outside."""

    ticks = sending_kills.TICKS | {"send_many": 1.0, "ask_again": 5.0}

    def surround(self) -> None:
        """Start nobody: the platform plays already."""

    def work(self) -> None:
        """Be a worker of Celery's, before the imitation's address."""
        from campaigns.bulk import jobs

        jobs.LEASE = timedelta(seconds=sending_kills.LEASE_SECONDS)
        sending_kills.serve()

    def waiting(self) -> int:
        """Return how many wait to be sent, or for a second question by the same key."""
        from campaigns.models import BulkJob
        from tests.faults.ledger_kills import survived

        open_ = BulkJob.objects.filter(status="calling") | BulkJob.objects.filter(
            status="unknown", poll_at__isnull=False
        )
        jobs = survived(open_.count)
        return super().waiting() + (1 if jobs is None else int(jobs))


def judged(port: int, appid: str, messages: int, kills: dict[str, int]) -> dict[str, Any]:
    """Hold our rows against the platform's log."""
    singles = platform.order(port, "GET", "deliveries", appid=appid, kind="template", limit=10 * messages)
    many = platform.order(port, "GET", "deliveries", appid=appid, kind="mass", limit=10 * messages)
    lost = platform.order(port, "GET", "lost", appid=appid, limit=10 * messages)["calls"]
    templates, mass = told_one_by_one(singles["deliveries"], lost), told_together(many["deliveries"])
    done = kills | templates["done"] | mass["done"]
    return {
        "name": "sending through WeChat under SIGKILL",
        "done": done,
        "wrong": templates["wrong"] | mass["wrong"],
    }


def told_one_by_one(book: list[Any], lost: list[Any]) -> dict[str, dict[str, int]]:
    from campaigns.models import Delivery
    from crm.models import HandOff

    rows = list(Delivery.objects.exclude(run__campaign__name="to many").values_list("status", "reason", "call"))
    known = {leaf.hex for leaf in HandOff.objects.values_list("delivery", flat=True)}
    keys = {status: {call.hex for one, _, call in rows if one == status and call} for status in HANDED}
    killed = {call.hex for status, reason, call in rows if call and (status, reason) == ("unknown", "worker_lost")}
    taken, unanswered = {one["client_id"] for one in book}, {one["client_id"] for one in lost}
    accepted, unknown = keys["accepted"] | keys["delivered"], keys["unknown"]
    return {
        "done": {
            "template messages taken": len(book),
            "unknown": len(unknown),
            "of these by a kill, taken": len(killed & taken),
            "by a kill, not taken": len(killed - taken),
            "without an answer, taken": len((unknown - killed) & taken & unanswered),
            "without an answer, never received": len((unknown - killed) & unanswered - taken),
        }
        | Counter(f"{status}: {reason}" for status, reason, _ in rows if status not in HANDED),
        "wrong": {
            "people who got it twice": sum(number > 1 for number in Counter(one["openid"] for one in book).values()),
            "lost": sum(status not in HANDED for status, *_ in rows),
            "said to be accepted and not taken": len(accepted - taken),
            "taken and neither accepted nor unknown": len(taken - accepted - unknown),
            "unknown and not explained": len(unknown - killed - unanswered),
            "taken without a leaf": len(taken - known),
        },
    }


def told_together(book: list[Any]) -> dict[str, dict[str, int]]:
    from campaigns.models import BulkJob, Delivery
    from crm.models import Identifier

    rows = Delivery.objects.filter(run__campaign__name="to many")
    opened = {one.pk: str(one.value) for one in Identifier.objects.filter(pk__in=rows.values("address_id"))}
    of = [(opened.get(address or 0, ""), status) for address, status in rows.values_list("address_id", "status")]
    told = {status: {openid for openid, one in of if one == status} for status in HANDED}
    times, accepted = Counter(one["openid"] for one in book), told["accepted"] | told["delivered"]
    statuses = Counter(BulkJob.objects.values_list("status", flat=True))
    return {
        "done": {f"calls for many {status}": number for status, number in sorted(statuses.items())}
        | {"people reached by them": len(times), "people of whom it is unknown": len(told["unknown"])},
        "wrong": {
            "people who got the mass send twice": sum(number > 1 for number in times.values()),
            "lost of the mass send": sum(status not in HANDED for _, status in of),
            "in it accepted and not taken": len(accepted - set(times)),
            "in it taken and neither accepted nor unknown": len(set(times) - accepted - told["unknown"]),
        },
    }
