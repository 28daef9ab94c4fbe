import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from crm import ingest, intake, partitions
from crm.ingest import NewEvent
from crm.models import Event
from crm.segment import Reception
from tests import factories
from tests.factories import NOW

MONTH = date(2026, 2, 1)
IN_IT = datetime(2026, 2, 10, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.mark.django_db
def test_a_month_is_prepared_once() -> None:
    partitions.ensure([date(2017, 12, 1), date(2018, 1, 1)])
    partitions.ensure([date(2017, 12, 1)])
    assert {date(2017, 12, 1), date(2018, 1, 1)} <= partitions.existing()


def test_a_moment_belongs_to_its_month_in_utc() -> None:
    assert partitions.month_of(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == date(2026, 3, 1)


def dropped_elsewhere() -> None:
    """Drop the month in a process of its own, which cannot tell this one."""
    told = connection.settings_dict
    program = f"import psycopg2; c = psycopg2.connect(host={told['HOST']!r}, port={told['PORT'] or 5432!r}, "
    program += f"user={told['USER']!r}, password={told['PASSWORD']!r}, dbname={told['NAME']!r}); "
    program += f"c.cursor().execute('SELECT crm_drop_event_month(%s)', ['{MONTH}']); c.commit()"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.fixture
def seen_and_gone(transactional_db: None) -> None:
    """Let this process believe in a month that another has dropped."""
    partitions.ensure([MONTH])
    dropped_elsewhere()
    assert MONTH not in partitions.existing()
    partitions.ensure([MONTH])
    assert MONTH not in partitions.existing()  # it does believe


def viewed(message: str) -> dict[str, Any]:
    return {"type": "track", "event": "Looked", "userId": "u-1", "messageId": message, "timestamp": IN_IT.isoformat()}


@pytest.mark.usefixtures("seen_and_gone")
def test_a_batch_meets_a_month_that_another_process_dropped() -> None:
    taken = intake.take(factories.source(), [viewed("m-1")], Reception(received_at=NOW))
    assert (taken.events, taken.rejected) == (1, ())
    assert [event.occurred_at for event in Event.objects.all()] == [IN_IT]
    assert MONTH in partitions.existing()


@pytest.mark.usefixtures("seen_and_gone")
def test_a_single_event_is_refused_once_and_then_taken() -> None:
    event = NewEvent("view", factories.profile("u-1").pk, IN_IT, NOW, message_id="m-1")
    with pytest.raises(partitions.Dropped):
        ingest.record(factories.source(), event, now=NOW)
    assert ingest.record(factories.source(), event, now=NOW)
    assert not ingest.record(factories.source(), event, now=NOW)


@pytest.mark.usefixtures("seen_and_gone")
def test_an_import_goes_on_through_a_month_that_another_process_dropped(tmp_path: Path) -> None:
    from crm import imports
    from crm.imports.job import run
    from crm.imports.mapping import Mapping

    path = tmp_path / "views.csv"
    path.write_text("external_id,kind,occurred_at\nu-1,view,2026-02-10T00:00:00Z\n")
    columns = {name: name for name in ("external_id", "kind", "occurred_at")}
    job = imports.order(path, Mapping(what="events", columns=columns), source=factories.source(), now=NOW)
    assert run(job, clock=lambda: NOW)
    job.refresh_from_db()
    assert (job.status, job.result["new"], job.rejected) == ("succeeded", 1, 0)


@pytest.mark.django_db(transaction=True)
def test_writers_and_a_dropper_of_the_same_month_lose_nothing() -> None:
    """Four writers write into a month that is dropped whenever it is empty; each event that was taken is there."""
    source = factories.source()

    def write(writer: int) -> int:
        try:
            batches = [[viewed(f"{writer}-{number}")] for number in range(12)]
            return sum(intake.take(source, batch, Reception(received_at=NOW)).events for batch in batches)
        finally:
            connection.close()

    def drop() -> int:
        try:
            return sum(partitions.drop_empty(MONTH) for _ in range(60))
        finally:
            connection.close()

    partitions.ensure([MONTH])
    with ThreadPoolExecutor(5) as pool:
        dropping = pool.submit(drop)
        written = sum(pool.map(write, range(4)))
        dropping.result()
    assert written == 48
    assert Event.objects.count() == 48
