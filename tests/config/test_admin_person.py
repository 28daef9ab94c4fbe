"""A person's page says what the models say of them, in plain words of the reader's language."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crm.models import Profile
from mlengine.models import Cluster, ClusterMember, ModelVersion, PredictionRun, Recommendation, Score
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def run(spec: str, rows: int = 3) -> PredictionRun:
    version, _made = ModelVersion.objects.get_or_create(
        spec=spec, number=1, artifact=f"{spec}/1", sha256="0" * 64, cutoff=NOW, trained_at=NOW, stage="champion"
    )
    return PredictionRun.objects.create(
        spec=spec, version=version, rows=rows, cutoff=NOW, started_at=NOW, finished_at=NOW
    )


@pytest.fixture
def person() -> Profile:
    """Return somebody of whom the models say something, below one other in the order of risk."""
    person, riskier = factories.profile(), factories.profile()
    churn, rfm, shown = run("churn"), run("rfm"), run("recommendations")
    Score.objects.create(profile=riskier, run=churn, value=0.9)
    Score.objects.create(
        profile=person,
        run=churn,
        value=0.726,
        reasons=[
            {"code": "silence", "contribution": 1.5, "values": {"days": 40, "gap": 6.5}},
            {"code": "tenure", "contribution": -0.5, "values": {"days": 300}},
            {"code": "of another release", "contribution": 3.0},
        ],
    )
    group = Cluster.objects.create(
        spec="rfm",
        code=1,
        name={"en": "At risk", "zh-hans": "流失风险"},
        description={"en": "Long ago"},
        first_seen_at=NOW,
    )
    ClusterMember.objects.create(profile=person, run=rfm, cluster=group)
    bread, jam = factories.item("B", title="Bread"), factories.item("J", title="Plum jam")
    reason = {"code": "goes_with", "values": {"item": bread.pk, "people": 31}}
    Recommendation.objects.create(profile=person, run=shown, item=jam, rank=1, value=0.4, reason=reason)
    return person


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(browser: Client, person: Profile, language: str = "en") -> str:
    browser.cookies["django_language"] = language
    answer = browser.get(reverse("admin:crm_profile_change", args=[person.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_tells_scores_reasons_segments_and_recommendations(browser: Client, person: Profile) -> None:
    text = page(browser, person)
    assert "72.6 %" in text
    assert "place 2 of 3" in text
    assert "No purchase for 40 days; usually every 6.5" in text
    assert '<i class="up" style="width: 50%">' in text
    assert '<i class="down" style="width: 17%">' in text
    assert "At risk" in text
    assert "Plum jam" in text
    assert "Goes with Bread that they buy: 31 people bought both" in text


def test_the_page_tells_the_same_in_chinese(browser: Client, person: Profile) -> None:
    text = page(browser, person, "zh-hans")
    for words in ("已 40 天未购买；平时每 6.5 天一次", "流失风险", "第 2 名，共 3 人", "与其购买的 Bread 相配"):
        assert words in text


def test_whoever_switched_personalisation_off_is_told_of_by_nothing(browser: Client, person: Profile) -> None:
    Profile.objects.filter(pk=person.pk).update(personalisation=False)
    text = page(browser, person)
    assert "has switched personalisation off" in text
    assert "72.6 %" not in text
    assert "Plum jam" not in text


def test_a_score_without_reasons_offers_to_work_them_out(browser: Client, person: Profile) -> None:
    score = Score.objects.get(profile=person)
    Score.objects.filter(profile=person).update(reasons=None)
    assert "Work out the reasons" in page(browser, person)
    address = reverse("admin:mlengine_reasons", args=[score.run_id, person.pk])
    waiting = browser.post(address).content.decode()
    assert "every 2s" in waiting
    Score.objects.filter(profile=person).update(reasons=score.reasons)
    assert "No purchase for 40 days" in browser.get(address).content.decode()


def test_a_wait_is_told_in_days_with_its_curve(browser: Client, person: Profile) -> None:
    facts = {f"away_{days}": 0.9 ** (days / 7) for days in range(7, 85, 7)}
    Score.objects.create(profile=person, run=run("staying_away"), value=23.4, low=11.0, high=40.2, facts=facts)
    text = page(browser, person)
    assert "about 23 days" in text
    assert "95 %: about 11 days to about 40 days" in text
    assert "How likely they stay away, and for how long" in text
    assert text.index("<td>28</td>") < text.index("65.6 %") < text.index("<td>35</td>")


def test_a_value_is_told_as_money_with_the_numbers_beside_it(browser: Client, person: Profile) -> None:
    Score.objects.create(profile=person, run=run("value"), value=123.456, facts={"alive": 0.875, "unheard": 1.0})
    text = page(browser, person)
    assert "123.46" in text
    assert "87.5 %" in text
