"""Statistics of the platform: asked day by day, corrected where it takes back what it said, and never made up."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import AccountDay, ArticleDay, Correction, ForeignSend, Statistic
from campaigns.wechat import asking_statistics as asking
from campaigns.wechat import statistics, told_statistics
from campaigns.wechat.days import SHANGHAI
from tests.campaigns.wechat.house import House, opened
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
MORNING = datetime(2026, 3, 2, 1, tzinfo=UTC)  # nine in Shanghai
DAY = date(2026, 3, 1)


@pytest.fixture
def oa(settings: Any) -> Iterator[House]:
    with opened(settings) as house:
        yield house


def question(oa: House, name: str = "getusersummary", day: date = DAY) -> Statistic:
    return Statistic.objects.create(account=oa.account, name=name, day=day, due_at=asking.ready(day))


def says(monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[tuple[str, date]]:
    """Let the platform answer so, one after the other; return what it was asked."""
    asked: list[tuple[str, date]] = []
    left = list(answers)

    def answer(_account: Any, name: str, day: date, _ends: date) -> Any:
        asked.append((name, day))
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(official, "datacube", answer)
    return asked


def came(number: int, source: int = 30, day: date = DAY) -> dict[str, Any]:
    return {"ref_date": day.isoformat(), "user_source": source, "new_user": number, "cancel_user": 1}


def test_a_day_that_is_not_counted_yet_is_asked_again_later(oa: House, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, {"list": [], "is_delay": True})
    row = question(oa)
    assert not asking.take(row, MORNING)
    assert (row.tries, row.due_at, row.taken_at) == (1, MORNING + HOUR, None)
    assert not AccountDay.objects.exists()


def test_a_total_that_is_missing_is_late_and_a_day_on_which_nobody_came_is_not(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, {"list": []})
    assert not asking.take(question(oa, "getusercumulate"), MORNING)
    assert asking.take(question(oa, "getusersummary"), MORNING)
    assert AccountDay.objects.get().came is None


def test_what_the_platform_takes_back_is_corrected_and_both_words_are_kept(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, {"list": [came(4), came(2, 1)]}, {"list": [came(5), came(2, 1), came(1, 0)]}, {"list": [came(5)]})
    row = question(oa)
    assert asking.take(row, MORNING)
    assert row.due_at == asking.ready(DAY) + timedelta(days=1)
    assert asking.take(row, row.due_at)
    assert AccountDay.objects.get().came == 8
    (first,) = Correction.objects.all()
    assert (first.line, first.figures) == ("30", {"new_user": [4, 5]})  # what is new came late, and takes nothing back
    assert row.due_at is not None
    assert asking.take(row, row.due_at)
    assert row.due_at is None
    gone = {one.line: one.figures["new_user"] for one in Correction.objects.exclude(pk=first.pk)}
    assert gone == {"1": [2, None], "0": [1, None]}
    assert AccountDay.objects.get().came == 5


def test_an_article_is_followed_for_a_month_and_its_days_are_differences(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*reads: int) -> dict[str, Any]:
        detail = [{"stat_date": f"2026-03-0{n}", "read_user": read} for n, read in enumerate(reads, start=1)]
        one = {"msgid": "7_1", "ref_date": "2026-03-01", "publish_type": 1, "title": "Tea", "detail_list": detail}
        return {"list": [one]}

    says(monkeypatch, told(10), told(10, 16), told(9, 16, 20))
    row, now = question(oa, "getarticletotaldetail"), MORNING
    for _ in range(3):
        assert asking.take(row, now)
        assert row.due_at is not None
        now = row.due_at
    assert [one.brought["readers"] for one in statistics.changes(oa.account, "7_1")] == [9, 7, 4]
    assert Correction.objects.get().figures == {"read_user": [10, 9]}
    last = asking.next_time("getarticletotaldetail", DAY, asking.ready(DAY) + timedelta(days=29))
    assert last is None


def test_what_the_platform_leaves_out_is_no_nought_and_neither_is_a_difference_to_it(oa: House) -> None:
    detail = [
        {"stat_date": "2026-03-01", "read_user": 10, "share_user": 1},
        {"stat_date": "2026-03-02", "read_user": 16},
        {"stat_date": "2026-03-03", "read_user": 16, "share_user": 3},
        {"stat_date": "2026-03-05", "read_user": 20, "share_user": 5},
    ]
    told = {"msgid": "7_1", "ref_date": "2026-03-01", "publish_type": 0, "title": "Tea", "detail_list": detail}
    assert told_statistics.keep_articles(oa.account, [told], MORNING) == 4
    assert told_statistics.keep_articles(oa.account, [told], MORNING) == 4
    assert ArticleDay.objects.count() == 4
    days = statistics.changes(oa.account, "7_1")
    assert [one.brought["readers"] for one in days] == [10, 6, 0, None]
    assert [one.brought["sharers"] for one in days] == [1, None, None, None]
    assert [one.totals["comments"] for one in days] == [None] * 4


def test_readers_of_one_day_stand_apart_from_totals_and_an_old_article_keeps_its_last_ones(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = [{"stat_date": "2026-02-01", "read_user": 10}]
    told = {"msgid": "7_1", "ref_date": "2026-02-01", "publish_type": 1, "title": "Tea", "detail_list": detail}
    told_statistics.keep_articles(oa.account, [told], MORNING)
    rows = [
        {"ref_date": DAY.isoformat(), "msgid": msgid, "detail": {"read_user": read}}
        for msgid, read in (("7_1", 3), ("8_1", 9))
    ]
    says(monkeypatch, {"list": rows})
    assert asking.take(question(oa, "getarticleread"), MORNING)
    (line,) = statistics.articles(oa.account, date(2026, 1, 1))  # of the other neither title nor day is known
    assert (line.last.readers, line.last.day) == (10, date(2026, 2, 1))
    late = statistics.changes(oa.account, "7_1")[-1]
    assert (late.alone, late.totals["readers"], late.brought["readers"]) == (3, None, None)


def test_a_call_that_is_refused_waits_for_all_its_days_and_keeps_no_other_waiting(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (DAY, DAY - timedelta(days=1)):
        question(oa, "getbizsummary", day)
        question(oa, "getusersummary", day)
    oa.stub.post("chaos", what="error", path="/datacube/getbizsummary", code=48001)
    assert asking.take_of(oa.account, MORNING, 50) == 2
    assert len(oa.calls("/datacube/getbizsummary")) == 1
    waiting = Statistic.objects.filter(name="getbizsummary")
    assert {one.due_at for one in waiting} == {MORNING + timedelta(days=1)}
    assert all("may not do this" in one.problem for one in waiting)


def test_a_quota_waits_for_midnight_in_shanghai(oa: House) -> None:
    row = question(oa, "getupstreammsg")
    oa.stub.post("chaos", what="error", path="/datacube/getupstreammsg", code=45009)
    assert asking.take_of(oa.account, MORNING, 50) == 0
    row.refresh_from_db()
    assert row.due_at == datetime(2026, 3, 2, 16, tzinfo=UTC)


def test_an_account_that_is_not_let_in_is_asked_once_and_stands_still(oa: House) -> None:
    for name in asking.ASKED:
        question(oa, name)
    oa.stub.post("chaos", what="error", path="/cgi-bin/stable_token", code=40164)
    assert asking.take_of(oa.account, MORNING, 50) == 0
    oa.account.refresh_from_db()
    assert (oa.account.status, oa.account.status_reason) == ("refused", "server_address")
    assert asking.take_due(MORNING) == 0


def test_questions_are_noted_once_and_differences_are_to_the_day_before(oa: House) -> None:
    now = oa.account.created_at + 24 * HOUR
    count = asking.note_days(oa.account, now)
    assert count == 8 * len(asking.ASKED)
    assert asking.note_days(oa.account, now) == 0
    days = [AccountDay(followers=one) for one in (10, 12, None, 15)]
    assert [one["followers"] for one in statistics.moved([None, *days])] == [None, None, 2, None, None]


def test_the_imitation_is_asked_for_all_of_it(oa: House) -> None:
    """Everything that the imitation tells is understood: names, days, and what it takes back."""
    oa.people(40)
    oa.stub.post("clock", set=(timezone.now() + timedelta(days=3)).timestamp(), freeze=True)
    now = timezone.now() + timedelta(days=3)
    yesterday = (now.astimezone(SHANGHAI) - timedelta(days=1)).date()
    rows = [question(oa, name, yesterday - timedelta(days=1)) for name in asking.ASKED]
    assert all(asking.take(row, now) for row in rows)
    day = AccountDay.objects.get()
    assert (day.followers, day.published, day.readers) == (40, 0, 0)
    told = {"appid": oa.appid, "name": "getusercumulate", "day": str(rows[0].day), "share": 0.5}
    oa.stub.post("statistics", **told)
    total = next(row for row in rows if row.name == "getusercumulate")
    assert asking.take(total, now + timedelta(days=1))
    day.refresh_from_db()
    assert day.followers == 20
    assert Correction.objects.get().figures == {"cumulate_user": [40, 20]}


def test_an_article_of_a_send_from_elsewhere_is_counted_by_what_its_figures_say(
    oa: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"stat_date": "2026-03-01", "read_user": 30, "read_delivery_rate": 0.1}
    one = {"msgid": "9_1", "ref_date": "2026-03-01", "publish_type": 0, "title": "Tea", "content_url": "https://x/9"}
    says(monkeypatch, {"list": [one | {"detail_list": [part]}]})
    row = question(oa, "getarticletotaldetail")
    assert asking.take(row, MORNING)
    assert asking.take(row, MORNING + timedelta(days=1))
    send = ForeignSend.objects.get()
    assert (send.people, send.told_by, send.to_all) == (300, "article", False)


def test_what_is_wrong_with_the_secret_is_raised_to_who_asks(oa: House) -> None:
    oa.stub.post("chaos", what="error", path="/cgi-bin/stable_token", code=40125)
    with pytest.raises(WeChatError):
        asking.take(question(oa), MORNING)


def test_the_page_shows_days_with_what_each_brought_and_what_was_taken_back(oa: House) -> None:
    yesterday = (timezone.now().astimezone(SHANGHAI) - timedelta(days=1)).date()
    for back, total in ((1, 1250), (0, 1300)):
        day = yesterday - timedelta(days=back)
        AccountDay.objects.create(
            account=oa.account, day=day, followers=total, callbacks=4, callbacks_ms=90, taken_at=timezone.now()
        )
    row = question(oa, "getusersummary", yesterday)
    Statistic.objects.create(account=oa.account, name="getupstreammsg", day=yesterday, problem="refused there")
    Correction.objects.create(statistic=row, line="30", figures={"new_user": [40, 20]}, noticed_at=timezone.now())
    page = logged_in(member("Marketing", "ann")).get("/admin/campaigns/accountday/").content.decode()
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "1,300 +50" in words
    assert "Who came and left QR code Came 40 → 20" in words
    assert "Messages of followers : refused there" in words
    assert " 22 " in words  # milliseconds of a callback, on average
