"""What retention took from the record leaves the lake, too: found by reading every file of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.conf import settings

from crm import holds, lake, retention
from crm.models import Event, LegalHold, Profile, RetentionRule, RetentionRun
from tests import api, factories
from tests.crm.passes import passed, release
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def in_lake() -> list[tuple[int, str]]:
    """Return the rows that the lake counts, by person and kind."""
    rows = [pl.read_parquet(path).select("user", "kind") for path in lake.paths()]
    return sorted(pl.concat(rows).rows()) if rows else []


def in_files() -> list[tuple[int, str]]:
    """Return the rows of every Parquet file that lies there, those that were replaced too."""
    rows = [pl.read_parquet(path).select("user", "kind") for path in Path(settings.EVENT_LAKE_URL).rglob("*.parquet")]
    return sorted(pl.concat(rows).rows()) if rows else []


@pytest.fixture
def people() -> list[Profile]:
    """Return two people who, in one month two years ago, looked and bought; all of it is in the lake."""
    found = [factories.profile(f"u-{number}") for number in range(2)]
    for person in found:
        for kind in ("view", "purchase"):
            api.event(person, NOW - 750 * DAY, kind=kind)
    lake.export(NOW)
    return found


def test_an_expired_class_leaves_the_lake_while_its_month_stays(people: list[Profile]) -> None:
    release()
    assert passed()["behaviour"]["deleted"] == 2
    bought = [(person.pk, "purchase") for person in people]
    assert in_lake() == bought
    assert Event.objects.count() == 2
    assert RetentionRun.objects.latest("pk").lake_rows == 2
    assert not lake.verify()
    lake.export(NOW + 7 * timedelta(hours=1))  # the files that were replaced go when no reader can have them open
    assert in_files() == bought
    assert lake.compact(NOW + DAY) == 0


def test_what_was_not_released_stays_in_both(people: list[Profile]) -> None:
    release(["orders"])
    passed()
    assert len(in_lake()) == 4
    assert RetentionRun.objects.latest("pk").lake_rows == 0


def test_a_held_person_and_a_held_class_stay_in_the_lake(people: list[Profile]) -> None:
    release()
    hold = LegalHold(reference="case", reason="court", scope="person", profile=people[0])
    holds.place(hold, now=NOW, user=None)
    passed()
    assert in_lake() == [(people[0].pk, "purchase"), (people[0].pk, "view"), (people[1].pk, "purchase")]
    holds.place(LegalHold(reference="b", reason="c", scope="class", data_class="behaviour"), now=NOW, user=None)
    holds.release(hold, now=NOW, user=None)
    assert lake.compact(NOW) == 0


def test_the_cut_is_to_the_moment() -> None:
    person = factories.profile("u-1")
    for late in (-1, 0, 1):
        api.event(person, NOW - 730 * DAY - timedelta(seconds=late), kind="view")
    lake.export(NOW)
    release()
    assert passed()["behaviour"]["deleted"] == 1
    assert len(in_lake()) == 2


def test_old_events_that_come_in_after_they_are_ruled_to_be_kept_are_not_taken(people: list[Profile]) -> None:
    release()
    passed()
    RetentionRule.objects.create(data_class="behaviour", purpose="x", keep=9000 * DAY, changed_at=NOW)
    api.event(people[0], NOW - 760 * DAY, kind="view")
    lake.export(NOW)
    assert lake.compact(NOW) == 0
    assert (people[0].pk, "view") in in_lake()


def test_a_pass_that_cannot_have_the_lake_leaves_it_to_the_next_compaction(
    people: list[Profile], monkeypatch: pytest.MonkeyPatch
) -> None:
    from crm.locks import Busy

    def busy(now: Any) -> int:
        raise Busy("somebody trains")

    release()
    with monkeypatch.context() as patch:
        patch.setattr(lake, "compact", busy)
        assert retention.run(lambda: NOW, dry_run=False).lake_rows is None
    assert len(in_lake()) == 4
    assert lake.compact(NOW) == 2
    assert {kind for _, kind in in_lake()} == {"purchase"}
