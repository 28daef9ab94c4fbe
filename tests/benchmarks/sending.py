"""How fast messages leave over SMTP, asked and written down, against a bare loop that only renders and sends.

The sink is a process of its own on the same cores. Compared is the processor time of the sender, which others on the
machine do not change; the rates on the clock are printed too.
"""

import multiprocessing
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

MESSAGES = 3_000
LEAST = 0.5


def run() -> list[dict[str, Any]]:
    """Return the ratio of the rates."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        port = _free_port()
        sink = multiprocessing.get_context("spawn").Process(target=serve, args=[port], daemon=True)
        sink.start()
        _wait_for(port)
        account = seed(port)
        bare, whole = measure(bare_loop, account), measure(whole_path, account)
        sink.kill()
    name = f"sending {MESSAGES:,} messages over SMTP"
    return [
        _row(f"{name}: messages a second of processor time", *(MESSAGES / one[0] for one in (whole, bare))),
        _row(f"{name}: messages a second on the clock", *(MESSAGES / one[1] for one in (whole, bare))),
    ]


def _row(name: str, value: float, yardstick: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": "/s", "yardstick": yardstick, "ratio": value / yardstick}


def measure(work: Any, account: Any) -> tuple[float, float]:
    """Return the seconds of processor time and of the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    work(account)
    return time.process_time() - cpu, time.perf_counter() - clock


def bare_loop(account: Any) -> None:
    """Render and send, and neither ask nor write down anything."""
    from campaigns.channels import adapter
    from campaigns.delivering.writing import renderer
    from campaigns.models import Delivery, Variant

    variant = Variant.objects.select_related("template").get()
    people = list(Delivery.objects.values_list("profile_id", flat=True))
    writer, channel = renderer(variant, "email"), adapter(account)
    from dataclasses import replace

    for start in range(0, len(people), 100):
        piece = people[start : start + 100]
        writer.prepare(piece, datetime.now(UTC))
        for person in piece:
            message = replace(writer.message(person, uuid4()), to=f"p{person}@example.com")
            assert channel.send(account, message, uuid4()).answer == "accepted"


def whole_path(_account: Any) -> None:
    """Send what is planned as a worker does."""
    from campaigns.delivering.worker import Worker

    done = Worker(lambda: datetime.now(UTC)).run(600)
    assert done == {"accepted": MESSAGES}, done


def seed(port: int) -> Any:
    """Plan a campaign over an account at the sink, and return the account."""
    from campaigns.models import ChannelAccount
    from tests.faults.sending_kills import prepare

    prepare(MESSAGES)
    account = ChannelAccount.objects.get()
    account.provider = "smtp"
    account.settings = {"host": "127.0.0.1", "port": port, "security": "none", "from_email": "shop@example.com"}
    account.save()
    return account


def serve(port: int) -> None:
    """Take every message and forget it."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Sink

    Controller(Sink(), hostname="127.0.0.1", port=port).start()
    time.sleep(3600)


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int) -> None:
    import socket

    for _ in range(100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
