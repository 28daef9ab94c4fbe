"""The report's page, its file, and who may see them."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from campaigns import tasks
from campaigns.admin import report_charts
from campaigns.models import Campaign, Figures, Variant
from campaigns.reporting import figures, findings, reports
from campaigns.reporting.report_parts import Curve, Point
from crm.models import Profile, Release
from tests.campaigns import factories
from tests.campaigns.factories import NOW
from tests.campaigns.test_reports import LATER, happened, meant, run_of
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db


def reported(
    name: str = "spring", second: str = "B", held: int = 60, buyers: tuple[int, ...] = (10, 40, 70)
) -> Campaign:
    """Return a campaign of two variants to 240 people, of which so many bought."""
    campaign = factories.campaign(name, holdout="0.200")
    first = campaign.variants.get()
    other = Variant.objects.create(campaign=campaign, name=second, template=first.template)
    run = run_of(campaign)
    rows = Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(240 + held))
    groups = (None, rows[:held]), (first, rows[held : held + 120]), (other, rows[held + 120 :])
    for (variant, some), number in zip(groups, buyers, strict=True):
        meant(run, some, variant)
        happened(*some[:number])
    figures.count(campaign, LATER)
    return campaign


def page(campaign: Campaign, role: str = "Marketing") -> str:
    answer = logged_in(member(role)).get(f"/admin/campaigns/figures/{campaign.pk}/change/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_page_says_what_was_caused_in_a_sentence() -> None:
    """291.7 more per 1,000; standard error 58.2, η for four times the variance: 3.23 of them to each side."""
    text = page(reported())
    assert "The campaign caused between 103.7 and 479.6 more people per 1,000 to reach the goal: purchase." in text
    assert "60 of them held out" in text


def test_what_chance_could_do_is_said_to_be_chance() -> None:
    campaign = reported(buyers=(20, 40, 45))
    assert findings.headline(reports.of(campaign, LATER)).startswith("An effect cannot be told from chance: between ")


def test_harm_is_called_harm() -> None:
    campaign = reported(buyers=(50, 20, 20))
    assert findings.headline(reports.of(campaign, LATER)).startswith("The campaign kept between ")


def test_a_report_without_numbers_says_why() -> None:
    campaign = factories.campaign()
    assert "Nobody has been assigned yet." in page(campaign)


def test_a_large_report_is_counted_by_a_worker_while_the_page_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = reported()
    Figures.objects.all().delete()
    monkeypatch.setattr(figures, "AT_ONCE", 100)
    cache.delete(f"zhiyin:report:{campaign.pk}")
    address = f"/admin/campaigns/figures/{campaign.pk}/change/"
    client = logged_in(member("Marketing"))
    answer = client.get(address)
    assert answer.headers["Refresh"] == "5"
    assert "being counted for the first time" in answer.content.decode()
    file = client.get(f"/admin/campaigns/figures/{campaign.pk}/report.csv")
    assert (file.status_code, file.headers["Location"]) == (302, address)
    assert not Figures.objects.exists()
    assert tasks.count_report(campaign.pk) is True
    assert tasks.count_report(campaign.pk) is False
    assert "60 of them held out" in client.get(address).content.decode()


def test_a_group_that_was_watched_for_fewer_days_leaves_a_gap() -> None:
    report: Any = SimpleNamespace(days={False: [0.1, 0.2], True: [0.1]}, observed=None)
    chart = report_charts.days(report)
    assert chart is not None
    assert chart.rows == [["1", "10.0 %", "10.0 %"], ["2", "20.0 %", "–"]]


def test_of_few_people_one_order_may_have_fewer_steps_than_another() -> None:
    points = [Point(share=share, people=1, profit=(1.0, 0.0, 2.0)) for share in (0.5, 1.0)]
    curves = [Curve(by="churn", points=points), Curve(by="value_before", points=points[1:])]
    report: Any = SimpleNamespace(curves=curves, currency="CNY")
    chart = report_charts.profit(report)
    assert chart is not None
    assert [row[2] for row in chart.rows] == ["–", chart.rows[1][1]]


def test_a_file_runs_no_formula() -> None:
    campaign = reported("=HYPERLINK(1)", second="@SUM(A1)")
    client = logged_in(member("Marketing"))
    answer = client.get(f"/admin/campaigns/figures/{campaign.pk}/report.csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=HYPERLINK(1)" in text
    assert "'@SUM(A1),120,70," in text
    assert not any(
        cell.startswith(("=", "@", "+")) for line in text.lstrip("\ufeff").splitlines() for cell in line.split(",")
    )


def test_campaigns_stand_beside_one_another_in_few_queries(django_assert_max_num_queries: object) -> None:
    for name in ("one", "two", "three"):
        reported(name)
    client = logged_in(member("Marketing"))
    client.get("/admin/campaigns/figures/")
    with django_assert_max_num_queries(30):  # type: ignore[operator]
        text = client.get("/admin/campaigns/figures/").content.decode()
    assert text.count("103.7 … 479.6") == 3


@pytest.mark.parametrize("path", ["compare/", "{pk}/report.csv"])
def test_exact_counts_of_people_are_not_for_analysts(path: str) -> None:
    campaign = reported()
    client: Client = logged_in(member("Analyst"))
    assert client.get("/admin/campaigns/figures/" + path.format(pk=campaign.pk)).status_code == 403
    assert User.objects.filter(groups__name="Analyst").exists()


@pytest.mark.parametrize("number", ["0", "99999999999999999999", "x"])
def test_a_campaign_that_does_not_exist_has_no_report(number: str) -> None:
    answer = logged_in(member("Marketing")).get(f"/admin/campaigns/figures/{number}/change/")
    assert answer.status_code in (302, 404)


def test_analysts_are_told_with_noise_once_the_window_is_closed() -> None:
    campaign = reported()
    Campaign.objects.filter(pk=campaign.pk).update(status="finished")
    client, address = logged_in(member("Analyst")), f"/admin/campaigns/figures/{campaign.pk}/"
    before = client.get(f"{address}change/").content.decode()
    assert "Nobody has asked this yet." in before
    assert "caused between" not in before
    assert client.post(f"{address}ask/").status_code == 302
    after = client.get(f"{address}change/").content.decode()
    assert "private, ±" in after
    assert "103.7" not in after
    told = Release.objects.get(name=f"campaign-{campaign.pk}")
    assert sorted(told.answer) == sorted(f"{key} {word}" for key in (0, *campaign_keys(campaign)) for word in WORDS)
    assert client.post(f"{address}ask/").status_code == 302
    assert Release.objects.count() == 1  # drawn once, whoever asks again
    assert "private, ±" in logged_in(member("Analyst", "another")).get(f"{address}change/").content.decode()


WORDS = ("yes", "no")


def campaign_keys(campaign: Campaign) -> list[int]:
    return list(campaign.variants.values_list("pk", flat=True))


def test_an_open_window_is_not_told_with_noise() -> None:
    campaign = reported()  # still running
    client = logged_in(member("Analyst"))
    client.post(f"/admin/campaigns/figures/{campaign.pk}/ask/")
    assert not Release.objects.exists()


def test_the_list_of_analysts_has_no_counts() -> None:
    reported()
    text = logged_in(member("Analyst")).get("/admin/campaigns/figures/").content.decode()
    assert "Reports are told to you with noise" in text
    assert "479.6" not in text


def test_cells_with_noise_count_each_person_once() -> None:
    campaign = reported()
    cells = figures.cells(campaign, LATER)
    first, second = campaign_keys(campaign)
    expected = {"0 yes": 10, "0 no": 50, f"{first} yes": 40, f"{first} no": 80, f"{second} yes": 70}
    assert cells == expected | {f"{second} no": 50}


def test_the_campaigns_page_leads_to_its_report() -> None:
    campaign = reported()
    text = logged_in(member("Marketing")).get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()
    assert f"/admin/campaigns/figures/{campaign.pk}/change/" in text
    assert f"/admin/campaigns/campaign/{campaign.pk}/change/" in page(campaign, "Compliance")


def test_campaigns_are_compared_on_one_scale() -> None:
    reported("one")
    reported("two", buyers=(50, 20, 20))
    text = logged_in(member("Marketing")).get("/admin/campaigns/figures/compare/").content.decode()
    assert text.count('class="up"') == 4  # three lines and a point
    assert text.count('class="down"') == 4
