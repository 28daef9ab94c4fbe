"""What campaigns cause, as marketing reads it: the finding, the ways of sending, or why nothing is claimed."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from crm import assessments
from crm.models import ImpactAssessment, JobRun
from mlengine.admin import effects, effects_missing
from mlengine.models import Metric, ModelVersion
from tests import api
from tests.campaigns import factories as campaigns
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

NOBODY = {"value": 0.0, "low": 0.0, "high": 0.0}


def policy(name: str, share: float, more: float, low: float, high: float) -> dict[str, Any]:
    told = {"value": more, "low": low, "high": high} if share else NOBODY
    bought = {"value": 0.4 + more, "low": 0.4 + low, "high": 0.4 + high}
    return {"name": name, "share": share, "bought": bought, "more": told, "spent": bought, "earned": told, "ips": 0.41}


def shown(low: float = 0.03) -> dict[str, Any]:
    return {
        "curve": {
            "shares": [0.0, 0.5, 1.0],
            "gained": [0.0, 0.14, 0.12],
            "low": [0.0, 0.09, 0.05],
            "high": [0.0, 0.2, 0.2],
        },
        "policies": [
            policy("nobody", 0.0, 0.0, 0.0, 0.0),
            policy("targeted", 0.3, 0.084, low, 0.12),
            policy("by_lot", 0.3, 0.036, 0.015, 0.06),
            policy("everybody", 1.0, 0.12, 0.05, 0.2),
        ],
        "campaigns": [{"campaign": 0, "at": "2026-02-01", "channels": ["email"], "treated": 538, "held_out": 362}],
    }


FACTS: dict[str, Any] = {
    "effects_differ": True,
    "average_effect": 0.12,
    "average_effect_error": 0.02,
    "learner": "t_logistic",
    "expected_best": "t_logistic",
    "qini_crosswise": {"t_logistic": 0.08, "s_trees": 0.1, "x_logistic": -0.01},
    "chance_crosswise": {"t_logistic": 0.0001, "s_trees": 0.02, "x_logistic": None},
    "by_channel": {"sms": [0.02, 0.03], "email": [0.15, 0.02]},
    "trials": [{"campaign": 0, "at": "2026-01-02", "channels": ["sms"], "treated": 777, "held_out": 333}],
}


def champion(facts: dict[str, Any] | None = None, details: dict[str, Any] | None = None) -> ModelVersion:
    """Return the champion of a run that answered, with such a card."""
    version = api.run("uplift").version
    version.card = {"facts": facts or FACTS, "details": {"shown": shown()} if details is None else details}
    version.save()
    for name, value in (("qini", 0.083), ("auuc", 0.143)):
        Metric.objects.create(
            version=version,
            kind="backtest",
            subject="model",
            name=name,
            value=value,
            low=0.04,
            high=0.2,
            cutoff=api.NOW,
        )
    return version


def page(role: str = "Marketing") -> str:
    answer = logged_in(member(role)).get(reverse("admin:mlengine_effects"))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def failed(error: str) -> JobRun:
    return JobRun.objects.create(
        kind="train",
        title="Train",
        parameters={"spec": "uplift"},
        status="failed",
        error=error,
        created_at=timezone.now(),
    )


def test_the_finding_is_a_sentence_and_each_way_of_sending_stands_beside_nobody() -> None:
    champion()
    text = page()
    assert (
        "Sending to the 30 % it helps most makes 8.4 more of 100 people buy (95 %: +3.0 to +12.0). That is 70 % of what"
        " sending to everybody brings, 12.0, for 30 % of the messages."
    ) in text
    assert "+28.0 purchases" in text  # 8.4 by 30 messages
    rows = re.findall(r"<tr[^>]*><td[^>]*>(Send to [^<]*)</td><td class=\"zy-right\">(\d+)</td>", text)
    assert rows == [
        ("Send to nobody", "0"),
        ("Send to 30 %, drawn by lot", "30"),
        ("Send to the 30 % it helps most", "30"),
        ("Send to everybody", "100"),
    ]
    for told in ("0.083", "0.143", "95 %: 0.040 to 0.200", 'id="assumed"', "nobody passes a coupon on", "Qini curve"):
        assert told in text


def test_the_curve_has_its_interval_and_chance_beside_it() -> None:
    drawn = effects.curve(shown()["curve"])
    values = {series.label: series.values for series in drawn.series}
    assert values["Those first whom it helps most"] == pytest.approx([0, 14, 12])
    assert values["In any order"] == pytest.approx([0, 6, 12])
    assert [values["At least (95 %)"][1], values["At most (95 %)"][1]] == pytest.approx([9, 20])
    assert drawn.labels == ["0 %", "50 %", "100 %"]


def test_what_chance_alone_may_have_done_is_not_claimed() -> None:
    champion(details={"shown": shown(low=-0.01)})
    assert "cannot be told yet: 8.4 of 100 people, but it may be none (95 %: -1.0 to +12.0)" in page()


def test_where_the_other_messages_help_nobody_it_says_so() -> None:
    ways = {one["name"]: one for one in shown()["policies"]}
    ways["everybody"] = policy("everybody", 1.0, 0.05, -0.01, 0.1)
    assert "sending to everybody makes 5.0 more: the other messages help nobody" in effects.headline(ways)


def test_which_learner_was_taken_and_by_whom_it_was_taught_and_judged() -> None:
    made = campaigns.campaign("Spring news")
    told = [{**FACTS["trials"][0], "campaign": made.pk}]
    champion({**FACTS, "trials": told})
    text = page()
    found = [one.name for one in effects.candidates(FACTS) if one.is_chosen]
    assert found == ["T-learner"]
    assert "the one that the literature expects to win on few people" in text
    assert "below 0.1 %" in text
    learned = text[text.index('id="learned-from"') :].split("</section>")[0]
    assert "Spring news" in learned
    assert reverse("admin:campaigns_figures_change", args=[made.pk]) in learned
    assert "777" in learned
    assert "538" in text[text.index('id="judged-by"') :]
    assert text.index(">e-mail<") < text.index(">SMS<")  # the most helpful channel first


def test_who_may_not_see_people_is_told_no_counts_of_them() -> None:
    champion()
    text = page("Analyst")
    assert "8.4 more of 100" in text
    assert not re.search(r"\b(538|362|777|333)\b", text)  # whole numbers: tokens of a page hold any digits


def test_equal_effects_and_a_version_not_in_use_are_said_openly() -> None:
    version = champion({**FACTS, "effects_differ": False})
    assert "everybody is told the same +12.0 (95 %: +8.1 to +15.9) of 100" in page()
    version.stage, version.decision = "candidate", "Because it is worse"
    version.save()
    text = page("Compliance")
    assert "Nothing of this is in use" in text
    assert "Because it is worse" in text


def test_a_card_of_a_release_before_is_shown_as_far_as_it_goes() -> None:
    champion({"learner": "t_logistic"}, {})
    text = page()
    assert "trained before its card told" in text
    assert 'id="assumed"' in text


ALL = "all there"
NEEDS = "Campaign uplift needs 300 people drawn to get a message and 300 held out by lot"
NONE = "No campaign held anybody out by lot, so nobody can tell."
RUNS = "(3 runs without held-out people, 1 whose groups are not of the size drawn.)"


@pytest.mark.parametrize(
    ("error", "code", "bars"),
    [
        (
            f"No campaign held anybody out by lot, so nobody can tell. Plan campaigns with a holdout. {RUNS}",
            "no_lot",
            [],
        ),
        (f"{NEEDS}, has 900 and 45.", "too_few", [100, 15]),
        (
            f"{NEEDS} to learn from, and later 100 of each to be judged by; there are 900 and 400 in 1 runs.",
            "no_judge",
            ALL,
        ),
        ("Campaign uplift: not enough to learn from until 2026-01-01: 3 events, 5,000 needed.", "too_little", []),
        ("Campaign uplift: there are no purchase events yet.", "too_little", []),
        ("RuntimeError: the disk is full", "other", []),
    ],
)
def test_a_refusal_is_told_with_its_reason_and_what_leads_there(error: str, code: str, bars: Any) -> None:
    failed(error)
    found = effects_missing.refusal(counts=True)
    assert (found.code, [bar.percent for bar in found.bars]) == (code, [100, 100] if bars is ALL else bars)
    text = page()
    assert f'data-code="{code}"' in text
    assert reverse("admin:campaigns_campaign_add") in text
    assert "Start a campaign with a holdout" in text
    assert "3 runs held nobody out; the groups of 1 were" in text or code != "no_lot"


def test_the_patterns_of_refusals_are_those_that_training_says() -> None:
    from mlengine.estimators.campaign_uplift import CampaignUplift
    from mlengine.specs import NotEnoughData
    from tests.mlengine.campaign_worlds import DAY, ENDS, RUNS, world

    task = CampaignUplift(horizon=28 * DAY, activity_window=182 * DAY)
    asked: dict[str, Callable[[], object]] = {
        "no_lot": lambda: task.fit(world(people=40, held_out=0.0), ENDS),
        "too_few": lambda: task.fit(world(people=40), RUNS[1]),
        "no_judge": lambda: task.judged_at(world(people=40), ENDS, 2),
    }
    told = {}
    for code, ask in asked.items():
        with pytest.raises(NotEnoughData) as refused:
            ask()
        told[code] = effects_missing._told(str(refused.value), counts=True, about={}).code
    assert told == {"no_lot": "no_lot", "too_few": "too_few", "no_judge": "too_few"}  # of 40 people too few anyway


def test_before_any_training_the_page_says_so_and_counts_stay_with_who_may_see_people() -> None:
    assert 'data-code="never"' in page()
    failed("Campaign uplift needs 300 people drawn to get a message and 300 held out by lot, has 917 and 43.")
    text = page("Analyst")
    assert 'data-code="too_few"' in text
    assert "917" not in text


def test_without_an_impact_assessment_that_comes_first() -> None:
    assert "Have an impact assessment approved" not in page()
    for one in ImpactAssessment.objects.filter(subject="spec:uplift"):
        assessments.withdraw(one, now=timezone.now())
    assert "Have an impact assessment approved" in page("Admin")


def test_revenue_stands_in_the_currency_that_was_learned_from(settings: Any) -> None:
    settings.CURRENCY = "CNY"
    assert effects._currency(None) == "CNY"
    assert effects._currency(ModelVersion(card={"data": {"currency": "USD"}})) == "USD"
