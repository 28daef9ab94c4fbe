"""Appends to the ledger by 16 writers at once, fsync on, against a hash chain with a lock for each append.

Ours runs the statements of the real append path (recorded from ``crm.handoffs.record``), each with its own ids, leaf
and commitment, while a sequencer numbers what they append. The yardstick writes the same evidence, then locks the head
of the chain, adds its link and moves the head. Both take turns on one server, so that noise hits both.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing import get_context
from random import choice
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg2
from psycopg2.extensions import Binary
from psycopg2.extras import register_uuid

from crm.canonical import canonical, commit_to, utc
from crm.ledger import leaf_hash
from crm.uuid7 import uuid7

WRITERS, SECONDS, TURNS, PEOPLE = 16, 5, 4, 1000
LEAST_RATIO, MOST_MILLISECONDS = 2.5, 50.0

CHAIN = """
CREATE TABLE bench_head (id int PRIMARY KEY, sequence bigint NOT NULL, hash bytea NOT NULL);
CREATE TABLE bench_chain (sequence bigint PRIMARY KEY, record uuid NOT NULL UNIQUE, kind varchar(16), hash bytea);
INSERT INTO bench_head VALUES (1, -1, '');
GRANT ALL ON bench_head, bench_chain TO PUBLIC;
"""
FACTS = {"basis": "consent", "purpose": "news", "channel": "sms"}
Statement = tuple[str, Any]
Way = Callable[[Any, list[Statement], int], None]


def run() -> list[dict[str, Any]]:
    """Return appends a second and the 99th percentile of their time, beside those of the hash chain."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        from django.db import connection

        from crm.database_roles import as_owner

        with as_owner(), connection.cursor() as cursor:
            cursor.execute(CHAIN)
            cursor.execute("SHOW fsync")
            assert cursor.fetchone() == ("on",)
        statements, people = recorded()
        dsn = connection.get_connection_params()
        dsn = {key: value for key, value in dsn.items() if key in {"dbname", "user", "password", "host", "port"}}
        connection.close()
        ours, chain = list[float](), list[float]()
        for _ in range(TURNS):
            chain += measured(dsn, statements, people, link)
            ours += measured(dsn, statements, people, free)
    return rows(ours, chain)


def rows(ours: list[float], chain: list[float]) -> list[dict[str, Any]]:
    rate, theirs = len(ours) / SECONDS / TURNS, len(chain) / SECONDS / TURNS
    p99, their_p99 = (sorted(times)[len(times) * 99 // 100] * 1000 for times in (ours, chain))
    name = f"ledger appends, {WRITERS} writers, fsync on"
    return [
        {
            "name": name,
            "value": round(rate),
            "unit": "appends/s",
            "yardstick": f"lock and hash chain for each append, {theirs:.0f}/s; at least {LEAST_RATIO} times",
            "ratio": round(rate / theirs, 2),
        },
        {
            "name": f"{name}: p99",
            "value": round(p99, 1),
            "unit": "ms",
            "yardstick": f"{MOST_MILLISECONDS} (hash chain: {their_p99:.1f})",
            "ratio": round(p99 / MOST_MILLISECONDS, 3),
        },
    ]


def recorded() -> tuple[list[Statement], list[int]]:
    """Return the statements that one hand-off takes, with names in place of its own values, and whom there is."""
    from django.db import connection, transaction
    from django.utils import timezone

    from crm import handoffs, sequencer
    from crm.evidence import leaf_of
    from tests import factories

    people, found = [factories.profile().pk for _ in range(PEOPLE)], list[tuple[str, Any]]()

    def keep(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append((sql, params))
        return execute(sql, params, many, context)

    now = timezone.now()
    new = handoffs.NewHandOff(profile_id=people[0], delivery=uuid4(), allowed_by=uuid4(), handed_off_at=now, **FACTS)
    with transaction.atomic(), connection.execute_wrapper(keep):
        (row,) = handoffs.record([new], now)
    sequencer.sequence(now)
    own = {
        row.pk: "id",
        new.delivery: "delivery",
        new.allowed_by: "allowed_by",
        row.commitment: "commitment",
        row.person.salt: "salt",
        leaf_of(row): "hash",
        people[0]: "profile",
    }
    statements = [(sql, named(params, own)) for sql, params in found]
    assert str(statements).count("Own(") == 9, (
        statements
    )  # id, commitment, delivery, allowed_by; profile, salt, id; id, hash
    return statements, people


class Own(NamedTuple):
    """Stands for a value that each append has of its own."""

    name: str


def named(value: Any, own: dict[Any, str]) -> Any:
    if isinstance(value, list | tuple):
        return [named(one, own) for one in value]
    if isinstance(value, Binary):
        value = bytes(value.adapted)
    if isinstance(value, memoryview):
        value = bytes(value)
    return Own(own[value]) if isinstance(value, UUID | bytes | int) and value in own else value


def filled(value: Any, own: dict[str, Any]) -> Any:
    if isinstance(value, Own):
        return own[value.name]
    return [filled(one, own) for one in value] if isinstance(value, list) else value


def measured(dsn: dict[str, Any], statements: list[Statement], people: list[int], way: Way) -> list[float]:
    """Return the seconds that each append took, over all writers."""
    context = get_context("spawn")
    barrier, answers = context.Barrier(WRITERS + 1), context.SimpleQueue()
    writing = (barrier, answers, dsn, statements, people, way)
    workers = [context.Process(target=write, args=writing) for _ in range(WRITERS)]
    workers.append(context.Process(target=number, args=(barrier, answers)))
    for worker in workers:
        worker.start()
    found = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    numbered = sum(answer for answer in found if isinstance(answer, int))
    times = [seconds for answer in found if isinstance(answer, list) for seconds in answer]
    assert 0 <= len(times) - numbered <= len(times) * (way is link), (len(times), numbered)
    return times


def write(
    barrier: Any, answers: Any, dsn: dict[str, Any], statements: list[Statement], people: list[int], way: Way
) -> None:
    """Append one hand-off after another for some seconds, each in a transaction of its own."""
    register_uuid()  # type: ignore[no-untyped-call]
    connection = psycopg2.connect(**dsn)
    times = []
    barrier.wait()
    end = time.perf_counter() + SECONDS
    while (begun := time.perf_counter()) < end:
        way(connection, statements, choice(people))
        times.append(time.perf_counter() - begun)
    connection.close()
    answers.put(times)


def free(connection: Any, statements: list[Statement], person: int) -> None:
    """Append as the product does, by the statements that it runs."""
    own = fresh(person)
    with connection, connection.cursor() as cursor:
        for sql, params in statements:
            cursor.execute(sql, filled(params, own))


def link(connection: Any, statements: list[Statement], person: int) -> None:
    """Append the same evidence, and link it to the one before under a lock."""
    own = fresh(person)
    with connection, connection.cursor() as cursor:
        for sql, params in statements[:2]:
            cursor.execute(sql, filled(params, own))
        cursor.execute("SELECT sequence, hash FROM bench_head WHERE id = 1 FOR UPDATE")
        sequence, before = cursor.fetchone()
        hash_ = sha256(bytes(before) + own["hash"]).digest()
        cursor.execute("INSERT INTO bench_chain VALUES (%s, %s, 'hand_off', %s)", [sequence + 1, own["id"], hash_])
        cursor.execute("UPDATE bench_head SET sequence = %s, hash = %s WHERE id = 1", [sequence + 1, hash_])


def fresh(person: int) -> dict[str, Any]:
    """Make what each append has of its own, by the product's functions."""
    now = datetime.now(UTC)
    made = commit_to({"profile": person})
    own: dict[str, Any] = {"id": uuid7(now), "delivery": uuid4(), "allowed_by": uuid4()}
    body = {name: str(value) for name, value in own.items()} | FACTS | {"handed_off_at": utc(now)}
    leaf = canonical({"commitment": made.digest.hex(), "recorded_at": utc(now)} | body)
    return own | {"profile": person, "commitment": made.digest, "salt": made.salt, "hash": leaf_hash(leaf)}


def number(barrier: Any, answers: Any) -> None:
    """Number what is appended, once a second as the bell rings, and at last the rest."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.db import connection
    from django.utils import timezone

    from crm import sequencer

    connection.settings_dict["NAME"] = f"bench_{connection.settings_dict['NAME']}"
    barrier.wait()
    total = 0
    for _ in range(SECONDS + 1):
        time.sleep(1)
        total += sequencer.sequence(timezone.now())
    connection.close()
    answers.put(total)


if __name__ == "__main__":
    for row in run():
        print(row)
