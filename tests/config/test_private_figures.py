"""Whoever may not see people reads no exact count of them, on any page and over the API; the budget is shown."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import activity, partitions
from crm.models import Event, PrivacyBudget, Profile, ProfileAlias, Release
from mlengine import figures
from mlengine.models import Cluster, PredictionRun
from mlengine.releases import Audience
from tests import api, factories
from tests.config.test_admin_access import member

pytestmark = pytest.mark.django_db(transaction=True)  # partitions are made outside of transactions

SIZES = {"1": 1_234_567, "2": 2_345_678, "3": 3_456_789, "4": 4_567_891}
BINS = [7_100_000 + 11_111 * n for n in range(20)]


@pytest.fixture(autouse=True)
def _learned() -> None:
    now = timezone.now()
    rfm, churn = api.run("rfm", cutoff=now), api.run("churn", cutoff=now)
    for code in SIZES:
        Cluster.objects.create(spec="rfm", code=int(code), name={"en": f"Group {code}"}, first_seen_at=now)
    edges = [round(n / 20, 4) for n in range(21)]
    summaries = {rfm.pk: {"sizes": SIZES}, churn.pk: {"histogram": {"edges": edges, "counts": BINS}}}
    for pk, summary in summaries.items():
        PredictionRun.objects.filter(pk=pk).update(summary=summary, rows=9_876_543)
    bought(factories.profile(gender="female", city="杭州"))


def bought(person: Profile, times: int = 1, value: str = "10", days_ago: int = 1) -> None:
    when = timezone.now() - timedelta(days=days_ago)
    partitions.ensure([partitions.month_of(when)])
    facts = {"kind": "purchase", "value": Decimal(value), "currency": "CNY", "received_at": when}
    shop = factories.source()
    Event.objects.bulk_create(
        Event(id=uuid4(), source=shop, profile=person, occurred_at=when, **facts) for _ in range(times)
    )


def exact_numbers(text: str) -> int:
    """Return how many of the true counts stand in a page, however they are written."""
    plain = text.replace(",", "").replace(" ", "")
    return sum(str(count) in plain for count in [*SIZES.values(), *BINS, 9_876_543])


def pages() -> list[str]:
    runs = [reverse("admin:mlengine_predictionrun_change", args=[run.pk]) for run in PredictionRun.objects.all()]
    clusters = [reverse("admin:mlengine_cluster_change", args=[one.pk]) for one in Cluster.objects.all()]
    lists = ["index", "mlengine_predictionrun_changelist", "mlengine_cluster_changelist", "crm_release_changelist"]
    return [*(reverse(f"admin:{name}") for name in lists), *runs, *clusters]


def test_an_analyst_finds_no_exact_count_on_any_page() -> None:
    client = member("Analyst")
    for address in pages():
        answer = client.get(address)
        assert answer.status_code == 200, address
        found = exact_numbers(answer.content.decode())
        assert found <= 9, address  # noise of zero, for which the odds are one in eight: more than 9 of 25 never


def test_marketing_reads_the_same_pages_exactly_and_pays_nothing() -> None:
    client = member("Marketing")
    text = "".join(client.get(address).content.decode() for address in pages() if "release" not in address)
    assert exact_numbers(text) == 25
    assert not Release.objects.exists()


def test_the_dashboard_of_an_analyst_says_how_far_the_truth_may_be_and_what_is_left() -> None:
    client = member("Analyst")
    page = client.get(reverse("admin:index")).content.decode()
    assert "≈" in page
    assert "±" in page
    assert 'id="privacy-budget"' in page
    spent = PrivacyBudget.objects.get(scope="staff").spent
    assert 0 < spent < settings.PRIVATE_FIGURES_EPSILON
    assert client.get(reverse("admin:index")).status_code == 200
    assert PrivacyBudget.objects.get(scope="staff").spent == spent  # the second look is free


def test_with_the_budget_spent_pages_still_open_and_say_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PRIVATE_FIGURES_EPSILON", 0.01)
    client = member("Analyst")
    for address in pages():
        answer = client.get(address)
        assert answer.status_code == 200, address
    assert "privacy budget is spent; it is renewed on" in client.get(reverse("admin:index")).content.decode()
    assert not Release.objects.exists()


def test_a_figure_is_asked_by_post_and_only_by_those_who_may() -> None:
    address = reverse("admin:crm_release_ask", args=["people-by-gender"])
    assert member("Marketing").post(address).status_code == 403
    client = member("Analyst")
    assert client.get(address).status_code == 405
    assert client.post(reverse("admin:crm_release_ask", args=["nonsense"])).status_code == 404
    assert client.post(address).status_code == 302
    assert Release.objects.get().name == "people-by-gender"
    page = client.get(reverse("admin:crm_release_changelist")).content.decode()
    assert "private, ± 12" in page


@pytest.mark.parametrize("page", ["crm_profile_changelist", "crm_event_changelist", "crm_relation_changelist"])
def test_an_analyst_opens_no_list_of_people(page: str) -> None:
    assert member("Analyst").get(reverse(f"admin:{page}")).status_code == 403


def test_a_city_of_one_is_not_told_to_analysts() -> None:
    told = figures.tell(figures.figures()["people-by-city"], Audience(scope="staff", name="a"), timezone.now())
    assert dict(told.cells.told) == {}
    assert told.raw == {}
    assert dict(figures.tell(figures.figures()["people-by-city"], None, timezone.now()).cells.told) == {"杭州": 1}


# -- the bounds that the noise relies on --


def test_one_person_adds_no_more_than_the_bound_to_a_week_by_whatever_events_and_profiles() -> None:
    before = {week.begins: week for week in activity.by_week(timezone.now())}
    kept, duplicate = factories.profile(), factories.profile()
    ProfileAlias.objects.create(duplicate=duplicate, canonical=kept, reason="same", merged_at=timezone.now())
    for person in (kept, duplicate):
        for days_ago in (1, 2, 10, 40):
            bought(person, times=150, value="100000", days_ago=days_ago)
            bought(person, times=1, value="-9000000000", days_ago=days_ago + 20)
    after = {week.begins: week for week in activity.by_week(timezone.now())}
    assert before.keys() == after.keys()
    for day, former in before.items():
        assert 0 <= after[day].people - former.people <= 1
        assert 0 <= after[day].events - former.events <= activity.MOST_EVENTS
        assert abs(after[day].revenue - former.revenue) <= settings.PRIVATE_FIGURES_WEEKLY_VALUE
    assert sum(week.events for week in after.values()) > sum(week.events for week in before.values())


def test_a_person_is_in_as_many_cells_as_the_noise_of_each_figure_hides() -> None:
    """Every figure counted without and with one more person (and a merged profile of theirs): G13's neighbours."""
    now = timezone.now()
    known = {name: figure for name, figure in figures.figures().items() if figure.of(now) is not None}
    assert {"people-by-city", "sizes-rfm", "scores-churn"} <= known.keys(), "others have no run here"
    before = {name: figures.tell(figure, None, now).raw for name, figure in known.items()}
    facts: dict[str, Any] = {"gender": "male", "city": "拉萨", "province": "西藏", "birth_month": 5, "language": "bo"}
    new, other = factories.profile(**facts, age_band="65+"), factories.profile(**facts | {"city": "成都"})
    ProfileAlias.objects.create(duplicate=other, canonical=new, reason="same", merged_at=now)
    for person in (new, other):
        for days_ago in (1, 8, 35, 50, 80, 100):
            bought(person, times=120, value="900", days_ago=days_ago)
    changed = 0
    for name, figure in known.items():
        after = figures.tell(figure, None, now).raw
        moved = [abs(after.get(key, 0) - before[name].get(key, 0)) for key in after.keys() | before[name].keys()]
        bound = figure.mechanism.bound
        assert sum(move > 0 for move in moved) <= bound.cells, name
        assert max(moved, default=0) <= bound.most, name
        changed += any(moved)
    assert changed == len(known) - 2  # the summaries of runs did not change; everything else did


# -- over the API --


def asked(client: Client, name: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/figures/{name}/")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_a_client_that_may_read_profiles_is_told_exactly_and_another_with_noise() -> None:
    exact = asked(api.caller("figures:read", "profiles:read"), "sizes-rfm")
    assert exact["exact"]
    assert {cell["key"]: cell["count"] for cell in exact["cells"]} == SIZES
    assert exact["budget"] is None
    noisy = asked(api.bearer(api.token("figures:read", of=api.application(name="b"))), "sizes-rfm")
    assert not noisy["exact"]
    assert noisy["margin"] == 12
    assert all(abs(cell["count"] - SIZES[cell["key"]]) < 200 for cell in noisy["cells"])
    assert noisy["total"] == sum(cell["count"] for cell in noisy["cells"]) + noisy["rest"]
    assert noisy["budget"]["spent"] == pytest.approx(0.25, abs=0.01)


def test_a_client_cannot_average_and_is_told_when_its_budget_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PRIVATE_FIGURES_EPSILON", 0.3)
    client = api.caller("figures:read")
    answers = {json.dumps(asked(client, "sizes-rfm")["cells"]) for _ in range(20)}
    assert len(answers) == 1
    refused = client.get("/api/v1/figures/scores-churn/")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 31 * 24 * 3600
    assert "privacy budget is spent" in refused.json()["error"]["message"]
    listed = client.get("/api/v1/figures/").json()
    assert listed["budget"]["left"] < 0.1
    assert {one["name"] for one in listed["results"]} == set(figures.figures())


def test_an_unknown_figure_is_not_found() -> None:
    assert api.caller("figures:read").get("/api/v1/figures/people-by-secret/").status_code == 404
